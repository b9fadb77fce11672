/*
 * body_ws: what clients say on a WebSocket: one JSON object a message
 * (server/README.md), and the older shape that asks by {"query"}.
 *
 * Used by: ws_message (and the fuzzer).          Thread: any; pure.
 * Promises: what is refused leaves nothing behind but its tag.
 */
#ifndef SERVER_BODY_WS_H
#define SERVER_BODY_WS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/body.h"
#include "store/base/digest.h"
#include "store/base/id.h"

/* JSON text, NUL. */
#define BODY_WS_TAG 132
#define BODY_WS_IDEMPOTENCY 256

enum body_ws_type {
	BODY_WS_START,
	BODY_WS_SUBSCRIBE,
	BODY_WS_UNSUBSCRIBE,
	BODY_WS_CANCEL,
	BODY_WS_PING,
	BODY_WS_QUERY, /* {"query", "session_id"?, "model"?} */
};

struct body_ws {
	enum body_ws_type type;
	/*
	 * What the answer repeats, a string or a number as JSON text: "id", or
	 * a query's "session_id"; "" none.
	 */
	char tag[BODY_WS_TAG];
	struct id execution; /* all but start, ping and query */
	uint64_t from;	     /* start and subscribe */
	bool follow;	     /* start: tell the chunks */
	bool cancel_if_gone; /* start and subscribe */
	char idempotency_key[BODY_WS_IDEMPOTENCY]; /* start; "" none */
	struct body_create create;		   /* start and query */
	uint8_t hash[DIGEST_BYTES];		   /* of what is to be made */
	char *query;				   /* query's, as JSON text */
};

/*
 * Read a message into ${ret}, for body_ws_fini(). Fails: ERR_INPUT (ERR_NOMEM)
 * and the problem; ${ret} then has its tag alone, as far as it could be read.
 */
MUST_CHECK enum err body_ws(
    const char *text, size_t len, struct body_ws *ret, struct problem *p);
void body_ws_fini(struct body_ws *w);

#endif
