/*
 * retention: which ended executions are beyond a set of rules: too old, behind
 * the newest so many, behind the newest so many bytes. It only reads and says.
 *
 * Used by: serve's background pass, prune (server and CLI).
 * Thread: the owner's; never a loop.
 * Promises:
 *  - all rules are judged by what was there at the start: what one rule takes
 *    away does not make room for what another keeps;
 *  - deterministic: the same executions, rules and time give the same answer;
 *  - a step reads at most RETENTION_ROWS rows, and memory is bounded, however
 *    much is stored;
 *  - what has not ended is never beyond anything.
 */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"
#include "store/key.h"
#include "store/query.h"

#define RETENTION_MAX_RULES 64
#define RETENTION_NO_LIMIT ((int64_t)-1)
/* Executions in a batch, and about how many rows one step reads. */
#define RETENTION_BATCH 500
#define RETENTION_ROWS 1000

struct retention_rule {
	/* Which executions it is about. */
	char owner[KEY_NAME_BYTES]; /* "": anybody's */
	unsigned statuses; /* 1u << enum execution_status, or'ed; 0: any */
	int64_t since_ms, until_ms; /* created in [since, until); 0: open */
	/* What it keeps of them; RETENTION_NO_LIMIT: that is no matter. */
	int64_t age_ms; /* those that ended less than this ago */
	int64_t bytes;	/* the newest that have no more than this in all */
	int64_t count;	/* the newest so many */
	bool
	    per_owner; /* count: of each owner; only where it is the one rule */
	/*
	 * False: beyond is what one limit does not keep (nothing, without
	 * limits). True: what no limit keeps (everything, without limits).
	 */
	bool all_limits;
	bool payload_only; /* beyond: only its request and chunks go */
};

/* Where one page of ended executions comes from: as query_walk(). */
typedef enum err retention_walk_fn(void *arg, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n);

/* What one step found; to be removed, whole or in part, by id. */
struct retention_batch {
	struct id whole[RETENTION_BATCH], payload[RETENTION_BATCH];
	uint32_t n_whole, n_payload;
	uint64_t chunks, bytes;	      /* of both, as far as they go */
	int64_t oldest_ms, newest_ms; /* creation, of both; 0: none */
	bool done;		      /* there is no more to find */
};

/* Where a look stands, for another one to go on. Of one rule only. */
struct retention_mark {
	int64_t now_ms;
	struct id position; /* all up to here was judged */
	/* The newest that each limit does not keep; zeroes: none. */
	struct id count_edge, bytes_edge;
};

struct retention;

/*
 * A look by ${rules} (copied) as of ${now_ms}: what ends or is created later is
 * kept. ${from} (NULL: from the start) is where an earlier look by the same rule
 * stood, and its time counts. Fails: ERR_INPUT (none, or too many), ERR_NOMEM.
 */
MUST_CHECK enum err retention_new(const struct retention_rule *rules, size_t n,
    int64_t now_ms, const struct retention_mark *from, struct retention **ret);
/* NULL is nothing. */
void retention_free(struct retention *r);

/*
 * Go on a little: up to ${max} (at most RETENTION_BATCH) executions into
 * ${batch}, often none while it is still measuring. Fails: as ${walk}.
 */
MUST_CHECK enum err retention_step(struct retention *r, retention_walk_fn *walk,
    void *arg, uint32_t max, struct retention_batch *batch);

/* The usual ${walk}; ${arg} is a struct query. */
MUST_CHECK enum err retention_walk(void *arg, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n);

/*
 * Where it stands after a step. False, and nothing in ${ret}: it has judged
 * nothing yet, another one would have to begin again.
 */
bool retention_mark(const struct retention *r, struct retention_mark *ret);

#endif
