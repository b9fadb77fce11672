/*
 * call: one exchange as the handlers see it: who asks for what, and how it is
 * answered in the front's form.
 *
 * Used by: all handlers.
 * Thread: its loop's.
 * Promises: each call ends once, by one of call_reply…(), call_fail…(),
 * call_end(), call_cut(), or because the client went; ending frees the call
 * and its state, so it comes last in whatever does it.
 *
 * One exchange may carry many requests (a WebSocket): each is then a part, a
 * call that reads, writes and waits as any other, but is never answered: it ends
 * by call_part_end(), and when it fails its on_fail is told and ends it.
 */
#ifndef SERVER_CALL_H
#define SERVER_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "server/auth.h"
#include "server/http.h"
#include "server/problem.h"
#include "server/route.h"
#include "store/base/buf.h"
#include "store/query.h"

struct service;

struct call {
	struct service *service;
	struct http_exchange *x;
	struct http_loop *loop;
	uint64_t number;
	const struct front *front;
	struct route_args args;
	struct principal who;
	const struct route *route;
	/* Held back by the key's limit since; NULL and 0 otherwise. */
	struct http_timer *hold;
	int64_t held_since_ms;
	bool events;  /* the client asked for events */
	bool started; /* a stream was begun */
	/* What call_fail_err(ERR_GONE) says; set before. */
	struct query_gone gone;
	/* The handler's; state_drop runs when the call ends, however. */
	void *state;
	void (*state_drop)(void *state);
	/*
	 * What the front remembers of the request, whatever states come and
	 * go; memo_drop runs when the call ends, after state_drop.
	 */
	void *memo;
	void (*memo_drop)(void *memo);
	/* A waiter fired, or the socket drained. */
	void (*on_wake)(struct call *call);
	void (*on_ready)(struct call *call);
	/* Of an upgraded one; on_bytes returns how many it took. */
	size_t (*on_bytes)(struct call *call, const char *data, size_t len);
	/* The server is about to stop; NULL: nothing to do. */
	void (*on_drain)(struct call *call);

	/* --- parts --- */
	LIST_HEAD(, call) parts; /* of a whole */
	LIST_ENTRY(call) link;
	uint64_t last_part;
	struct call *whole; /* of a part; NULL otherwise */
	uint64_t part;	    /* its number, never used twice on a whole */
	atomic_bool woken;  /* its waiter fired; any thread sets it */
	/* Told why it failed; must end the part. */
	void (*on_fail)(struct call *part, const struct problem *p);
	/* In place of the header; lent for the part's life. */
	const char *idempotency_key;
	/* Nobody but this client wants what it creates. */
	bool cancel_if_gone;
};

/* A call for ${x}, answered by ${front}; NULL without memory. */
struct call *call_new(struct service *s, struct http_exchange *x);

/*
 * A part of ${whole}, with its principal; it ends with its whole. NULL without
 * memory.
 */
struct call *call_part_new(struct call *whole,
    void (*on_fail)(struct call *part, const struct problem *p));
void call_part_end(struct call *part);
/* The part of ${whole} with that number, or NULL. */
struct call *call_part_find(struct call *whole, uint64_t part);

/*
 * The open call of exchange ${number}, or its part ${part} when that is not 0;
 * NULL: it has gone, which is normal.
 */
struct call *call_find(struct http_loop *loop, uint64_t number, uint64_t part);

/* Zeroed memory of the call's own; NULL without memory. Once per call. */
void *call_state(struct call *call, size_t bytes, void (*drop)(void *state));

/* The same for the memo; ${drop} may be NULL. */
void *call_memo(struct call *call, size_t bytes, void (*drop)(void *memo));

/* ${body} is moved out of; a failed one becomes an internal error. */
void call_reply(
    struct call *call, int status, const char *type, struct buf *body);
void call_reply_json(struct call *call, int status, struct buf *body);
void call_reply_empty(struct call *call, int status);

/* Refuse in the front's form; after a stream began, in the stream. */
void call_fail(struct call *call, const struct problem *p);
void call_fail_err(struct call *call, enum err e, const struct why *why);
void call_refuse(struct call *call, enum problem_code code, const char *field,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Begin a stream; call->on_ready is set before. */
void call_stream(struct call *call, int status, const char *type);
void call_end(struct call *call);
void call_cut(struct call *call);

/*
 * Leave HTTP with 101; on_bytes, on_ready and on_drain are set before. What is
 * written with http_stream_write() until call_upgrade_end() still goes out.
 */
void call_upgrade(struct call *call, const char *protocol);
void call_upgrade_end(struct call *call);

/*
 * Be told, by on_drain, that the server is about to stop: for what would wait
 * longer than that. An upgraded call is told anyway.
 */
void call_on_drain(struct call *call, void (*on_drain)(struct call *call));

/* --- what requests say --- */

/* The call's owner filter: NULL for admin. */
const char *call_filter(const struct call *call);

/*
 * The {id} of the path. Fails: ERR_NOT_FOUND, answered already: an id that is
 * none names nothing.
 */
MUST_CHECK enum err call_id(struct call *call, struct id *ret);

/*
 * A whole number of the query in [${min}, ${max}]; ${ret} untouched when it is
 * absent. ${names} are its spellings, NULL-terminated.
 * Fails: ERR_INPUT, answered already.
 */
MUST_CHECK enum err call_number(struct call *call, const char *const *names,
    int64_t min, int64_t max, int64_t *ret);

/* A text of the query; "" when absent. Fails: ERR_INPUT, answered already. */
MUST_CHECK enum err call_text(
    struct call *call, const char *name, char *dst, size_t room);

/* Yes or no; ${ret} untouched when absent. Fails: ERR_INPUT, answered already. */
MUST_CHECK enum err call_bool(struct call *call, const char *name, bool *ret);

/* A time: RFC 3339 or ms since 1970. Fails: ERR_INPUT, answered already. */
MUST_CHECK enum err call_time(
    struct call *call, const char *name, int64_t *ret_ms);

/* The body is said to be JSON. Fails: ERR_INPUT, answered already (415). */
MUST_CHECK enum err call_wants_json(struct call *call);

#endif
