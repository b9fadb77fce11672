/*
 * pruner: executions removed by a rule or by their ids, a batch at a time: by
 * the server, or, when nobody has the store, here under its lock.
 *
 * Used by: cmd_prune.     Thread: the main one.
 * Promises: between two turns nothing is under way: it may end there, and a
 * later one goes on with what is left.
 */
#ifndef SERVER_CMD_PRUNER_H
#define SERVER_CMD_PRUNER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/option.h"
#include "store/base/err.h"
#include "store/base/id.h"
#include "store/retention.h"

/* Executions that one pruner_erase() takes and one turn lists. */
#define PRUNER_IDS 1000

struct pruner;

struct pruner_options {
	const struct option_set *options; /* of the command: --db, --url, … */
	const struct retention_rule *rule; /* copied */
	const char *note; /* for the audit, copied; NULL: none */
};

/* What went, or would go; turns add up. */
struct pruner_sum {
	int64_t executions, chunks, bytes;
	int64_t absent, live;	      /* left: not there any more, not ended */
	int64_t oldest_ms, newest_ms; /* creation; 0: not known */
	int64_t file_bytes; /* while what they held is dropped; 0: not now */
};

/* Fails: as store_open() and client_open(). */
MUST_CHECK enum err pruner_open(
    const struct pruner_options *o, struct pruner **ret, struct why *why);
/* NULL is nothing. */
void pruner_close(struct pruner *p);

/* How much it is in all, without a change. Fails: as client_call(), ERR_IO. */
MUST_CHECK enum err pruner_count(
    struct pruner *p, struct pruner_sum *ret, struct why *why);

/*
 * Remove some of it. *${ret_done}: there is no more, and where it is done here
 * all that they held has been dropped, too.
 */
MUST_CHECK enum err pruner_turn(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why);

/* Some of it by name, without a change: room for PRUNER_IDS. */
MUST_CHECK enum err pruner_list(struct pruner *p, struct id *ret, size_t *ret_n,
    bool *ret_done, struct why *why);

/*
 * Behind the last pruner_erase(): *${ret_done}, what they held has been dropped,
 * too, where it is done here; else call again.
 */
MUST_CHECK enum err pruner_drop(
    struct pruner *p, struct pruner_sum *sum, bool *ret_done, struct why *why);

/* Remove these, up to PRUNER_IDS. */
MUST_CHECK enum err pruner_erase(struct pruner *p, const struct id *ids,
    size_t n, struct pruner_sum *sum, struct why *why);

/*
 * Have the lines (NDJSON) of these given to ${on_data}, which says whether to go
 * on: ERR_CANCELLED.
 */
MUST_CHECK enum err pruner_export(struct pruner *p, const struct id *ids,
    size_t n, bool (*on_data)(const char *data, size_t len, void *arg),
    void *arg, struct why *why);

#endif
