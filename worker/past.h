/*
 * past: what the log of an execution already holds, when a process before this
 * one wrote it: how much, and what of it could be gone on from.
 *
 * Used by: pump (to run it on), worker (to settle it).
 * Thread: any; it may wait for the disk.
 */
#ifndef WORKER_PAST_H
#define WORKER_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "worker/estimate.h"

struct execution;
struct query;
struct store;

struct past {
	/*
	 * Of the attempt that was under way: what it left, withdrawn or not,
	 * and whether it had shown anything.
	 */
	struct estimate kept;
	bool cut;
	uint64_t n_chunks; /* of all of them */
	/* What stands: behind the last reset. */
	bool shown, only_text;
	struct buf text; /* its text, unless there is too much to go on from */
};

/* Nothing; allocates nothing. */
void past_init(struct past *p);
void past_fini(struct past *p);

/*
 * Read the log of ${e} into an initialised ${ret}. What attempts up to its note's
 * last left is in the note's sums, not in kept. What cannot be read is not
 * counted, and what stands is then not only text.
 */
void past_read(
    struct store *store, const struct execution *e, struct past *ret);

/*
 * About how many tokens the log of ${e} holds that are in no sum of its note. Of a long one the newest part,
 * which memory mostly has, stands for all: a start must not read every word of
 * a day. What cannot be read now is not counted. *${query}, when it must be
 * opened, stays so for the next.
 */
int64_t past_estimate(
    struct store *store, const struct execution *e, struct query **query);

#endif
