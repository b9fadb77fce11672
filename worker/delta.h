/*
 * delta: a dialect's events as chunks, in the shapes at the top of
 * store/chunk.h.
 *
 * Used by: run.     Thread: the batch's; pure.
 * Promises: one chunk a delta; a text longer than DELTA_MAX_BYTES is told in
 * several, none of which ends inside a code point.
 */
#ifndef WORKER_DELTA_H
#define WORKER_DELTA_H

#include <stdbool.h>

#include "store/batch.h"
#include "worker/dialect.h"

/* So that no single chunk outgrows a reader's page. */
#define DELTA_MAX_BYTES ((size_t)64 << 10)

/* Whose chunks, and where they go. */
struct delta_target {
	struct batch *batch;
	const struct id *id;
	uint32_t attempt;
	int64_t ts_ms;
	struct buf *scratch; /* for the metadata; any contents are lost */
};

/* True for what a person would call the answer's content. */
bool delta_is_content(enum event_kind kind);

/* Append what ${e} is to the log: chunks, or nothing. */
void delta_write(const struct delta_target *t, const struct event *e);

#endif
