/*
 * write_execution: an execution's record as JSON, and the query parameters that
 * choose executions.
 *
 * Used by: the REST front.     Thread: any; the filter the call's loop.
 */
#ifndef SERVER_WRITE_EXECUTION_H
#define SERVER_WRITE_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "server/call.h"
#include "store/base/buf.h"
#include "store/execution.h"
#include "store/query.h"

/*
 * {"execution_id", "status", "owner", "model", "target", "prompt",
 * "created_at", "started_at", "first_chunk_at", "finished_at", "total_chunks",
 * "attempts", "error_code"}; ${whole}: also "request" and "metadata".
 */
void write_execution(struct buf *b, const struct execution *e, bool whole);

/* The same members, inside an object that the caller began and ends. */
void write_execution_members(
    struct buf *b, const struct execution *e, bool whole);

/* RFC 3339, or null for 0. */
void write_execution_time(struct buf *b, int64_t ms);

/*
 * ?owner= into ${owner} (KEY_NAME_BYTES) and *${ret}, which lends it: whose
 * things, NULL for anybody's. Whoever is no admin sees its own.
 * Fails: ERR_INPUT, answered already.
 */
MUST_CHECK enum err write_execution_owner(
    struct call *call, char *owner, const char **ret);

/*
 * ?status=&owner=&since=&until=&limit=&after= into ${ret}, which then lends
 * ${owner} (KEY_NAME_BYTES) and ${after}. Whoever is no admin sees its own.
 * Fails: ERR_INPUT, answered already.
 */
MUST_CHECK enum err write_execution_filter(struct call *call,
    struct query_filter *ret, char *owner, struct id *after,
    uint32_t default_limit, uint32_t max_limit);

#endif
