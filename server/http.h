/*
 * http: an HTTP/1.1 server (RFC 9110, RFC 9112) on libevent's bufferevents,
 * strict, with deadlines on everything; requests come whole, replies go out
 * whole or by pulling.
 *
 * Used by: serve and its fronts, the simulated upstream.
 * Thread: http_server_* the main one; everything about an exchange only its own
 * loop's thread. http_loop_post() and http_loop_wake() any.
 * Promises:
 *  - a request that RFC 9112 calls ambiguous is refused (400 …) and the
 *    connection closed; nobody else sees it;
 *  - requests of one connection are answered in order, one at a time; while an
 *    exchange is open at most 64 KiB of what follows is read;
 *  - each handler call is answered by exactly one http_reply(), or one
 *    http_stream() that ends, or the exchange's on_gone;
 *  - a slow client costs one page: streams are pulled as the socket drains.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/mailbox.h"

struct http_server;
struct http_loop;
struct http_exchange; /* one request and its reply */

/* A number that is 0 means the default, in brackets. */
struct http_options {
	/* "127.0.0.1:8080", "[::1]:0", …, NULL-terminated. */
	const char *const *listen;
	unsigned loops;		  /* threads [1] */
	unsigned max_connections; /* [20,000, or what the fd limit leaves] */
	unsigned max_per_ip;	  /* [as max_connections] */
	size_t max_header_bytes;  /* [16 KiB], past it 431 */
	size_t max_uri_bytes;	  /* [8 KiB], past it 414 */
	size_t max_body_bytes;	  /* [1 MiB], past it 413 */
	/* Of all bodies held; past it 503 for those of more than 16 KiB. */
	size_t max_bodies_bytes; /* [256 MiB, four bodies at least] */
	/*
	 * What the body of this request, whose head alone has come, may have
	 * when that is more than max_body_bytes; 0: it is not. On its loop's
	 * thread. NULL: nobody may send more.
	 */
	size_t (*max_body)(const struct http_exchange *x, void *arg);
	int64_t header_ms; /* [10,000] first byte to end of the header */
	int64_t body_ms;   /* [30,000] end of the header to end of body */
	int64_t idle_ms;   /* [30,000] between requests, before the first */
	int64_t stall_ms;  /* [30,000] without a byte taken by the client */
	/* Plain answers from this size on are gzipped, if asked for [1,024]. */
	size_t gzip_bytes;
	/*
	 * Host names beside loopback and the listening addresses; "*": any.
	 * NULL-terminated; NULL: none.
	 */
	const char *const *allow_hosts;
	/* Origins for CORS; "*": any. NULL-terminated; NULL: none. */
	const char *const *allow_origins;
	const char *server_name; /* the Server header; NULL: none */
	/* Called for each request on its loop's thread. */
	void (*on_request)(struct http_exchange *x, void *arg);
	/*
	 * Render the body of a refusal made by this layer; NULL: plain text.
	 */
	void (*on_refusal)(struct buf *body, const char **ret_content_type,
	    int status, const char *code, const char *detail);
	/*
	 * Called for each loop on its thread before its first request, to give
	 * it what http_loop_get() returns; NULL: nothing to do.
	 */
	void (*on_loop)(struct http_loop *loop, void *arg);
	void *arg;
};

/*
 * Listen and start the loops' threads. Port 0 takes a free one.
 * Fails: ERR_INPUT (a bad address), ERR_BUSY (in use), ERR_DENIED, ERR_NOMEM;
 * ${why} names the address. The options are copied. SIGPIPE is ignored from now
 * on and RLIMIT_NOFILE raised to its hard limit.
 */
MUST_CHECK enum err http_server_start(const struct http_options *options,
    struct http_server **ret, struct why *why);

/* The ${i}-th bound address as "127.0.0.1:8080" into ${dst}; false past the end. */
bool http_server_address(
    const struct http_server *s, unsigned i, char *dst, size_t room);

unsigned http_server_loops(const struct http_server *s);
struct http_loop *http_server_loop(struct http_server *s, unsigned i);

/* Stop accepting; close idle connections; answers carry Connection: close. */
void http_server_drain(struct http_server *s);

/*
 * Close everything (each open exchange gets its on_gone on its loop's thread),
 * join the threads, free. Mails still in the box are run; nobody may post or
 * wake any more when this returns. NULL is nothing.
 */
void http_server_stop(struct http_server *s);

/*
 * The library below, as "libevent 2.1.12-stable", into ${dst}; false when it is
 * older than what this layer was written for.
 */
bool http_library(char *dst, size_t room);

struct http_stats {
	uint64_t connections, requests, refused, timeouts; /* since the start */
	uint64_t open, exchanges;			   /* now */
	uint64_t bytes_in, bytes_out;
};
void http_server_stats(const struct http_server *s, struct http_stats *ret);

/* --- the request; lent until the exchange ends --- */

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
};

enum http_method http_method(const struct http_exchange *x);
const char *http_method_name(enum http_method m);
/* The path as sent (percent-encoded, starts with '/'), without the query. */
const char *http_path(const struct http_exchange *x);
/* What follows '?', or "". */
const char *http_query(const struct http_exchange *x);
/* A header's value, names compared without case; NULL when absent. Values of
 * a repeated list header are joined with ", ". */
const char *http_header(const struct http_exchange *x, const char *name);
const char *http_body(const struct http_exchange *x, size_t *ret_len);
/* The peer's address without port; and X-Request-Id, the client's or a made one. */
const char *http_peer(const struct http_exchange *x);
const char *http_request_id(const struct http_exchange *x);

/*
 * The query parameter ${name}, percent-decoded, into ${dst}. OK, ERR_NOT_FOUND,
 * or ERR_INPUT (bad encoding, NUL, twice, or longer than ${room}).
 */
MUST_CHECK enum err http_query_value(
    const struct http_exchange *x, const char *name, char *dst, size_t room);

/* --- who and where --- */

struct http_loop *http_exchange_loop(const struct http_exchange *x);
/* Never 0, never used twice on a loop. */
uint64_t http_exchange_number(const struct http_exchange *x);
/* The open exchange with that number, or NULL: it has gone, which is normal. */
struct http_exchange *http_exchange_find(
    struct http_loop *loop, uint64_t number);
/* One pointer of the handler's, NULL at first. */
void http_exchange_set(struct http_exchange *x, void *data);
void *http_exchange_get(const struct http_exchange *x);

/*
 * Told when the client has left, or the server stops, before the reply was
 * complete. The exchange is gone when it returns; a reply made inside it is
 * dropped. A handler that does not reply before it returns sets it (or lets the
 * default do nothing).
 *
 * "Has left" is a reset, or the end of what the client sends: at once during a
 * stream or after an upgrade; 250 ms later while no reply has begun, so that a
 * client that only shuts down its writing side still gets a quick answer.
 */
void http_on_gone(
    struct http_exchange *x, void (*on_gone)(struct http_exchange *x));

/* --- the reply --- */

/*
 * Add a header to the reply, before it starts. A name or value with CR, LF or
 * NUL is a panic: encode what comes from outside.
 */
void http_reply_header(
    struct http_exchange *x, const char *name, const char *value);
/* A part of Server-Timing: ${name};dur=${ms}. */
void http_reply_timing(struct http_exchange *x, const char *name, double ms);

/*
 * Answer and end the exchange. ${body} (NULL: none) is moved out of; HEAD, 204
 * and 304 send none. ${content_type} NULL: none. Content-Length, Date,
 * X-Request-Id, traceparent, Server-Timing, CORS, and gzip where the client
 * takes it, are added here. Gzip makes a strong ETag weak (W/): compare
 * If-None-Match weakly. A ${body} that failed is answered with 500.
 */
void http_reply(struct http_exchange *x, int status, const char *content_type,
    struct buf *body);

/*
 * Begin an answer of unknown length (chunked; until close for HTTP/1.0).
 * ${on_ready} is called on the loop's thread whenever less than 64 KiB wait in
 * the socket, first from inside the loop, never from inside this call: write
 * something with http_stream_write(), or return and write later, when there is
 * something (on_ready comes again after each drain). HEAD gets the header
 * alone: then on_gone is called instead of on_ready.
 */
void http_stream(struct http_exchange *x, int status, const char *content_type,
    void (*on_ready)(struct http_exchange *x));
/* Send bytes now. Returns what waits in the socket afterwards, in bytes. */
size_t http_stream_write(struct http_exchange *x, const void *data, size_t len);
/* The answer is complete; the exchange ends. */
void http_stream_end(struct http_exchange *x);
/* Break the connection without an end, as a fault: the client sees a cut. */
void http_stream_cut(struct http_exchange *x);

/*
 * Leave HTTP: send 101 with the headers added so far and give the connection to
 * the callbacks. ${on_bytes} returns how many bytes it took; it is called again
 * with the rest when more came, 64 KiB at most wait for it. Write with
 * http_stream_write(), unframed. The exchange lives until http_upgrade_close(),
 * after which what was written still goes out, or on_gone.
 */
void http_upgrade(struct http_exchange *x, const char *protocol,
    size_t (*on_bytes)(struct http_exchange *x, const char *data, size_t len),
    void (*on_ready)(struct http_exchange *x));
void http_upgrade_close(struct http_exchange *x);
/* May it be upgraded? A GET of HTTP/1.1 without a body (RFC 9110 section 7.8). */
bool http_upgradable(const struct http_exchange *x);

/*
 * Told once when http_server_drain() is called while the exchange is open: what
 * lasts, such as an upgraded one, must end by itself.
 */
void http_on_drain(
    struct http_exchange *x, void (*on_drain)(struct http_exchange *x));

/* --- time and other threads --- */

struct http_timer;
/*
 * Call ${fn} once on this loop's thread after ${ms}. Returns a timer for
 * http_timer_cancel(), invalid once it fired; NULL without memory.
 */
struct http_timer *http_loop_after(
    struct http_loop *loop, int64_t ms, void (*fn)(void *arg), void *arg);
void http_timer_cancel(struct http_timer *t);

/* A mail whose ${fn} runs on the loop's thread and takes it. Embed it first. */
struct http_mail {
	struct mail mail;
	void (*fn)(struct http_loop *loop, struct http_mail *m);
};
/* Any thread. Takes ${m} on OK. Fails: ERR_STOPPED. */
MUST_CHECK enum err http_loop_post(struct http_loop *loop, struct http_mail *m);

/*
 * Any thread, never blocks, allocates at most once a batch: the loop will call
 * the exchange's wake function (http_on_wake()), if it is still there.
 * Matches struct waiter's wake: ${loop} is the arg, ${number} the exchange's.
 */
void http_loop_wake(void *loop, uint64_t number);
void http_on_wake(
    struct http_exchange *x, void (*on_wake)(struct http_exchange *x));

/* One pointer of the owner's per loop (a cache, a table); see on_loop. */
void http_loop_set(struct http_loop *loop, void *data);
void *http_loop_get(const struct http_loop *loop);

#endif
