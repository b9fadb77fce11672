/*
 * pump: one thread of the worker: its runs, their fetches and deadlines, and
 * the batches it posts. Its cost grows with what happens, not with what waits.
 *
 * Used by: worker.
 * Thread: pump_start(), pump_join() and pump_free() the main one; the rest any.
 * Promises: what one turn has to say about all runs goes to the writer as one
 * batch (more only when it is large). While the writer is behind, transfers
 * are paused as their bytes arrive, and nothing is lost.
 */
#ifndef WORKER_PUMP_H
#define WORKER_PUMP_H

#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"
#include "worker/run.h"

struct prices;
struct pump;
struct seal;
struct slots;
struct store;
struct upstreams;
struct worker_key;
struct worker_stats;

/* All lent until pump_free(). */
struct pump_options {
	struct store *store;
	struct slots *slots;
	const struct upstreams *upstreams;
	struct prices *prices;
	const struct seal *seal; /* NULL: owners have no keys */
	struct run_limits limits;
	uint64_t max_answer_bytes;
	size_t max_backlog_bytes;
	uint64_t seed; /* of what is random: waits between attempts */
};

/* Fails: ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err pump_start(
    const struct pump_options *options, struct pump **ret);

/* Takes both; *${key} may be NULL. Fails: ERR_STOPPED, ERR_NOMEM. */
MUST_CHECK enum err pump_submit(
    struct pump *p, struct execution **e, struct worker_key **key);
/* Fails: ERR_STOPPED, ERR_NOMEM. */
MUST_CHECK enum err pump_cancel(struct pump *p, const struct id *id);

/*
 * One turn of the thread, by whoever holds threads (base/thread.h); after it
 * pump_join() takes the rest.
 */
void pump_turn(struct pump *p);

/* A slot is free. */
void pump_wake(struct pump *p);

/* Add this thread's numbers to ${ret}. */
void pump_stats(const struct pump *p, struct worker_stats *ret);

/*
 * Ask it to end, wait for it, free it. Pumps wake each other, so all are joined
 * before the first is freed. pump_free(NULL) is nothing.
 */
void pump_stop(struct pump *p, int64_t drain_ms);
void pump_join(struct pump *p);
void pump_free(struct pump *p);

#endif
