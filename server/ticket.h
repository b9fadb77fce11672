/*
 * ticket: what opens one stream, once, soon: for clients that cannot send a
 * header, such as a browser's EventSource, so that no key is ever in a URL.
 *
 * Used by: service (takes them), front_sse and front_ws (make them).
 * Thread: any; one lock, held for one look over the table.
 * Promises: a ticket is good once, for TICKET_MS, for the one execution that it
 * was made for, or one socket, with what its maker may do. Only its hash is remembered. Memory
 * is bounded: TICKET_MAX, and of one key TICKET_MAX_PER_KEY, whose oldest then
 * gives way. Nothing survives a restart.
 */
#ifndef SERVER_TICKET_H
#define SERVER_TICKET_H

#include <stddef.h>
#include <stdint.h>

#include "server/auth.h"
#include "store/base/err.h"
#include "store/base/id.h"

#define TICKET_MS 30000
#define TICKET_MAX 4096
#define TICKET_MAX_PER_KEY 256
/* "st_", 52 hex digits, NUL. */
#define TICKET_TEXT 56

struct tickets;

MUST_CHECK enum err ticket_table_new(struct tickets **ret);
void ticket_table_free(struct tickets *t);

/*
 * A ticket for ${execution} (NULL: for a socket) on behalf of ${who}, from
 * ${now_ms} (mono) on.
 * Fails: ERR_LIMIT when TICKET_MAX of others' are in use.
 */
MUST_CHECK enum err ticket_make(struct tickets *t, const struct principal *who,
    const struct id *execution, int64_t now_ms, char ret[TICKET_TEXT]);

/*
 * Spend the ticket ${text}: ${ret} is who made it, bound to the execution, if
 * it was made for one. Fails: ERR_NOT_FOUND when it is unknown, spent or too old.
 */
MUST_CHECK enum err ticket_take(
    struct tickets *t, const char *text, int64_t now_ms, struct principal *ret);

#endif
