/*
 * ws_frame: the frames of one WebSocket as its server speaks them (RFC 6455
 * sections 5 to 8), by wslay: bytes in, messages out, and back. No socket, no
 * clock.
 *
 * Used by: ws, its fuzzer.          Thread: the owner's.
 * Promises: only text comes out, well-formed UTF-8, whole, at most max_message
 * long; a client that breaks the protocol is closed with the code that says how
 * (1002, 1003, 1007, 1009); pings are answered; nothing is said after a Close.
 */
#ifndef SERVER_WS_FRAME_H
#define SERVER_WS_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"

/* Why a socket is closed (RFC 6455 section 7.4.1, and IANA for the last). */
enum ws_frame_code {
	WS_FRAME_GOING_AWAY = 1001,
	WS_FRAME_UNSUPPORTED = 1003,
	WS_FRAME_POLICY = 1008,
	WS_FRAME_TOO_BIG = 1009,
	WS_FRAME_INTERNAL = 1011,
	WS_FRAME_TRY_LATER = 1013,
};

struct ws_frame;

struct ws_frame_options {
	size_t max_message; /* bytes */
	/*
	 * A message; lent until it returns. May send and close, must not feed
	 * or free.
	 */
	void (*on_text)(void *arg, const char *text, size_t len);
	void *arg;
};

MUST_CHECK enum err ws_frame_new(
    const struct ws_frame_options *o, struct ws_frame **ret);
void ws_frame_free(struct ws_frame *f);

/* Take what came; after a Close it is dropped. */
void ws_frame_feed(struct ws_frame *f, const char *data, size_t len);

/* Send a message, a ping; nothing after a Close. */
void ws_frame_text(struct ws_frame *f, const char *text, size_t len);
void ws_frame_ping(struct ws_frame *f);
/* Send a Close, once; nothing more is read. ${reason} has 123 bytes at most. */
void ws_frame_close(
    struct ws_frame *f, enum ws_frame_code code, const char *reason);

/*
 * Was a Close sent, by us or to answer the client's, or is there no memory to
 * go on with? What ws_frame_out() has is then the last of it.
 */
bool ws_frame_closed(const struct ws_frame *f);

/* What is to be sent; drain it. A failed one is closed, too. */
struct buf *ws_frame_out(struct ws_frame *f);

/* Has a message begun and not ended? And the memory that it has taken. */
bool ws_frame_partial(const struct ws_frame *f);
size_t ws_frame_held(const struct ws_frame *f);

#endif
