/*
 * check_usage: do the sums of usage cover the executions that are there? They
 * may say more, for what was deleted is still counted, but never less.
 *
 * Used by: check.c.          Thread: the check's.
 */
#ifndef STORE_CHECK_USAGE_H
#define STORE_CHECK_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/engine.h"
#include "store/tally.h"

/* Days that are looked at; those beyond are passed over. */
#define CHECK_USAGE_MAX_DAYS 40000

/* What the executions that were seen used. */
struct check_usage {
	struct tally_row *day; /* ascending; without keys */
	size_t n, room;
	size_t next; /* the first that was not compared */
};

/* ${e} was seen. Fails: ERR_NOMEM. */
MUST_CHECK enum err check_usage_note(
    struct check_usage *u, const struct engine_seen_execution *e);

/*
 * Compare some days; after all executions were noted. *${ret_what}: what is
 * wrong with one of them, "" nothing. *${ret_done}: those were all. Fails as
 * the engine.
 */
MUST_CHECK enum err check_usage_step(struct check_usage *u,
    struct engine_db *db, struct why *ret_what, bool *ret_done);

void check_usage_fini(struct check_usage *u);

#endif
