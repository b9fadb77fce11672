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
struct upstream_plan;
struct upstream_voice;

/* Counted by all loops. */
struct upstream_counts {
	atomic_uint_fast64_t requests, streams, finished, faulted, cut, tokens;
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
 * Begin to answer ${x} in ${voice}. Takes what is in ${asked} on OK. Fails: ERR_NOMEM, and
 * ${x} is still to be replied to.
 */
MUST_CHECK enum err upstream_answer_start(struct upstream_lane *lane,
    struct http_exchange *x, const struct upstream_voice *voice,
    const struct upstream_plan *plan, struct body_upstream *asked);

#endif
