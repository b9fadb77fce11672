/*
 * upstream_answer: one answer of the simulation on its way out: paced, pulled,
 * and broken where the plan says so.
 *
 * Used by: upstream.          Thread: the exchange's loop.
 */
#ifndef SERVER_UPSTREAM_ANSWER_H
#define SERVER_UPSTREAM_ANSWER_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/upstream_wheel.h"
#include "store/base/buf.h"
#include "store/base/err.h"

struct body_upstream;
struct http_exchange;
struct upstream_kept;
struct upstream_plan;
struct upstream_voice;

/* Counted by all loops. */
struct upstream_counts {
	atomic_uint_fast64_t requests, streams, finished, faulted, cut, tokens,
	    resumed, cancelled;
};

/* What the answers of one loop share. */
struct upstream_lane {
	struct upstream_wheel wheel;
	struct upstream_counts *counts;
	struct buf out, token; /* scratch */
};

void upstream_lane_init(struct upstream_lane *lane, struct http_loop *loop,
    struct upstream_counts *counts);
void upstream_lane_fini(struct upstream_lane *lane);

/*
 * Begin to answer ${x} in ${voice}. Where the answer is ${kept}, this begins, or
 * takes up, the telling of it: behind event ${heard}, or with -1 from the first
 * on. Takes what is in ${asked}, and ${kept}, on OK. Fails: ERR_NOMEM, and ${x} is
 * still to be replied to.
 */
MUST_CHECK enum err upstream_answer_start(struct upstream_lane *lane,
    struct http_exchange *x, const struct upstream_voice *voice,
    const struct upstream_plan *plan, struct body_upstream *asked,
    struct upstream_kept *kept, int64_t heard);

#endif
