/*
 * check_live: what a walk over the live rows saw of each execution.
 *
 * Used by: check.c.          Thread: the check's.
 */
#ifndef STORE_CHECK_LIVE_H
#define STORE_CHECK_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/chunk.h"
#include "store/execution.h"

/* The last row of a log, in one place or the other. */
struct check_end {
	bool there, twice;
	uint64_t index;
	int status; /* -1: it does not say one */
};

/* Note that ${c}, an end, was seen. */
void check_end_note(struct check_end *e, const struct chunk *c);

/*
 * One execution's live rows: [from, to) follow each other. Rows before from
 * are there too, but something is missing in between, which is no matter once
 * it is packed.
 */
struct check_run {
	int64_t row; /* 0: a free place */
	uint64_t n;
	uint64_t from, to;
	bool repeats; /* an index came again, or went back */
	bool known;   /* it is somebody's */
	struct check_end end;
};

struct check_live {
	struct check_run *run; /* open addressing */
	size_t n, room;
};

/* A row that comes next in the order of commits. ERR_NOMEM, ERR_LIMIT. */
MUST_CHECK enum err check_live_add(
    struct check_live *l, int64_t row, const struct chunk *c);

/* The run of ${row}, or NULL. */
struct check_run *check_live_find(const struct check_live *l, int64_t row);

void check_live_fini(struct check_live *l);

#endif
