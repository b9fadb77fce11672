/*
 * ws_handshake: how a request becomes a WebSocket (RFC 6455 section 4.2).
 *
 * Used by: front_ws, service (tickets).          Thread: any; pure.
 */
#ifndef SERVER_WS_HANDSHAKE_H
#define SERVER_WS_HANDSHAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "server/problem.h"
#include "store/base/err.h"

/* The only subprotocol; a client may also ask for none. */
#define WS_HANDSHAKE_PROTOCOL "spool.v1"
/* 28 characters of base64, NUL. */
#define WS_HANDSHAKE_ACCEPT 29

/* Header values as they came; NULL: absent. */
struct ws_handshake {
	const char *upgrade, *connection, *key, *version;
	bool able; /* http_upgradable() */
};

/*
 * Judge ${h}; ${accept} becomes the value of Sec-WebSocket-Accept. Fails:
 * ERR_INPUT and the problem: upgrade_required when it does not ask for a
 * WebSocket of version 13, else invalid_argument.
 */
MUST_CHECK enum err ws_handshake_judge(const struct ws_handshake *h,
    char accept[WS_HANDSHAKE_ACCEPT], struct problem *p);

/* Does ${offered}, the value of Sec-WebSocket-Protocol, name ours? */
bool ws_handshake_ours(const char *offered);

/*
 * The ticket among ${offered}, sent as "spool.ticket.st_…", by clients that can
 * set no header. Fails: ERR_NOT_FOUND; ERR_INPUT when it is longer than ${room}.
 */
MUST_CHECK enum err ws_handshake_ticket(
    const char *offered, char *dst, size_t room);

#endif
