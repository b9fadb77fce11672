/*
 * query: a read-only view of the store, for one thread that may touch the disk.
 *
 * Used by: the read pool, the CLI while no server runs.
 * Thread: one at a time per query; never a loop.
 * Promises: every question binds the owner in the engine (NULL: anybody's, for
 * admin keys); each reads at most a page and holds no transaction afterwards.
 * Fails everywhere: ERR_IO, ERR_CORRUPT, ERR_NOMEM.
 */
#ifndef STORE_QUERY_H
#define STORE_QUERY_H

#include <stdint.h>

#include "store/audit.h"
#include "store/base/err.h"
#include "store/execution.h"
#include "store/page.h"
#include "store/prompt.h"
#include "store/stream.h"
#include "store/tally.h"

struct store;
struct query;

MUST_CHECK enum err query_open(struct store *store, struct query **ret);
void query_close(struct query *q);

/*
 * Part of a log, wherever it lies (segments, live rows, memory); as
 * tail_page(). Fails: ERR_NOT_FOUND, ERR_GONE (it, or its payload, has been
 * deleted: query_gone() says more).
 */
MUST_CHECK enum err query_page(struct query *q, const struct id *id,
    const char *owner, const struct page_query *pq, struct page *ret);

/*
 * Gives: the record in an empty ${ret}; without request when its payload has
 * been deleted. Fails: ERR_NOT_FOUND, ERR_GONE (deleted whole).
 */
MUST_CHECK enum err query_execution(struct query *q, const struct id *id,
    const char *owner, struct execution *ret);

struct query_gone {
	int64_t deleted_ms;
	bool payload_only; /* the record is still there */
};

/*
 * When and how far was it deleted? Fails: ERR_NOT_FOUND: it was not, or is not
 * ${owner}'s, or that is forgotten (WRITE_TOMBSTONES_DROP).
 */
MUST_CHECK enum err query_gone(struct query *q, const struct id *id,
    const char *owner, struct query_gone *ret);

/* Which executions; each field empty or -1: any. Newest first. */
struct query_filter {
	const char *owner; /* NULL: anybody's */
	int status;	   /* -1, or enum execution_status */
	/*
	 * Created in [since, until); 0: open. Found by the stamp in the id,
	 * which is of the same minute as created_ms.
	 */
	int64_t since_ms, until_ms;
	const struct id
	    *after; /* the cursor: older than this; NULL: from the newest */
	bool oldest_first; /* export: ascending, after means newer than */
	uint32_t limit;	   /* 1 … 1000 */
};

/*
 * Give up to ${f}->limit records into ${ret} (room for that many, each to be
 * execution_fini()ed), without request and metadata unless ${whole}.
 */
MUST_CHECK enum err query_list(struct query *q, const struct query_filter *f,
    bool whole, struct execution *ret, uint32_t *ret_n);

/*
 * What was used on days of [first_day, end_day), summed up by ${f}->by in the
 * order of the keys, into ${ret}, room for ${f}->limit rows, each to be
 * tally_row_fini()ed. The cursor is the last key as text (a day: its number).
 * In all: one row. What was deleted since is counted too.
 */
MUST_CHECK enum err query_usage(struct query *q, const struct tally_filter *f,
    struct tally_row *ret, uint32_t *ret_n);

/*
 * The same walk over what has ended, and thin: for retention. Live ones are
 * passed over; ${ret} has room for ${f}->limit. Fewer than that: no more.
 */
MUST_CHECK enum err query_walk(struct query *q, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n);

/*
 * What was done, the newest first: up to ${limit} (1 … 1000) rows with a
 * number below ${before} (0: from the newest) into ${ret}.
 */
MUST_CHECK enum err query_audit(struct query *q, int64_t before, uint32_t limit,
    struct audit_entry *ret, uint32_t *ret_n);

/*
 * A stream, whose total and closed are as readers see them. Fails:
 * ERR_NOT_FOUND (also: expired), ERR_GONE (deleted, but forks read it).
 */
MUST_CHECK enum err query_stream(
    struct query *q, const char *owner, const char *name, struct stream *ret);

/*
 * Messages of ${s} from pq->from on into ${ret} (initialised), wherever they
 * lie: for places below s->first, which are its source's. Total and status as
 * they are, or were when ${s} was asked for. Fails: ERR_NOT_FOUND (it went
 * meanwhile).
 */
MUST_CHECK enum err query_stream_page(struct query *q, const struct stream *s,
    const struct page_query *pq, struct page *ret);

/*
 * Streams of ${owner} after the name ${after} ("": from the start), by name,
 * without those that are gone or have expired; up to ${limit} (1 … 100).
 * *${ret_more}: there may be more behind the last one looked at, whose name is
 * in ${ret_last}.
 */
MUST_CHECK enum err query_streams(struct query *q, const char *owner,
    const char *after, uint32_t limit, struct stream *ret, uint32_t *ret_n,
    char ret_last[STREAM_NAME_BYTES], bool *ret_more);

/* ${version} 0: the newest. Fails: ERR_NOT_FOUND. */
MUST_CHECK enum err query_prompt(struct query *q, const char *owner,
    const char *name, uint32_t version, struct prompt *ret);

/*
 * The newest version of each name after ${after} (NULL: from the start), by
 * name; up to ${limit} into ${ret}.
 */
MUST_CHECK enum err query_prompts(struct query *q, const char *owner,
    const char *after, uint32_t limit, struct prompt *ret, uint32_t *ret_n);

#endif
