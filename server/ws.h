/*
 * ws: one WebSocket: many executions started, followed and cancelled on one
 * connection, as JSON messages (server/README.md).
 *
 * Used by: front_ws.          Thread: the call's loop.
 * Promises: chunks are told each once, in order, after their commit; logs take
 * turns, a page each; while the client does not read, no more than a page waits
 * for it and nothing of it is read; a client that shows no sign of life for
 * three pings, whose key is revoked, or that breaks a rule is closed with the
 * code that says why; at a stop logs are told to their end, then 1001.
 */
#ifndef SERVER_WS_H
#define SERVER_WS_H

struct call;

/*
 * Upgrade ${call}, whose handshake is in order and its headers added. Takes the
 * call's state: ends the call, now or later.
 */
void ws_start(struct call *call);

#endif
