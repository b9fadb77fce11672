/*
 * retain: the background pass that removes what retention's rules do not keep,
 * and forgets old removals.
 *
 * Used by: cmd_serve (starts and ends it), front_ops (counts).
 * Thread: one of its own, with a query of its own; the functions: any.
 * Promises: small batches through the writer, with rests between them; what has
 * not ended is never touched; an end is prompt: it waits for one batch at most.
 */
#ifndef SERVER_RETAIN_H
#define SERVER_RETAIN_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/retention.h"

struct retain;
struct store;

struct retain_options {
	struct store *store;
	const struct retention_rule *rules; /* copied */
	size_t n_rules;			    /* may be 0 */
	int64_t every_ms;
	int64_t tombstones_ms; /* how long removals are remembered */
	int64_t disk_ms; /* between passes while the disk is low; 0: 60 s */
};

/* The first pass begins at once. Fails: ERR_NOMEM, ERR_INPUT. */
MUST_CHECK enum err retain_start(
    const struct retain_options *options, struct retain **ret, struct why *why);
/* End the thread; counts can still be asked. NULL and again are nothing. */
void retain_end(struct retain *r);
/* Ends it, too. NULL is nothing. */
void retain_free(struct retain *r);

struct retain_stats {
	uint64_t passes; /* since the start */
	uint64_t executions, payloads, bytes, tombstones;
	int64_t last_ms; /* wall, of the last pass's end; 0: none yet */
	size_t rules;
};
void retain_stats(struct retain *r, struct retain_stats *ret);

#endif
