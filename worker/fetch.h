/*
 * fetch: one HTTP exchange with an upstream: its head, its body's bytes, its
 * end or failure. Knows nothing of models.
 *
 * Used by: pump.          Thread: the pool's owner.
 * Promises:
 *  - http and https only, no redirects, no proxy, no netrc, no decompression;
 *    the resolved address is checked (address.h);
 *  - after a start that returned OK, on_over is called exactly once, or
 *    fetch_free() was called before;
 *  - bytes refused with FETCH_PAUSE come again, all of them, after
 *    fetch_resume();
 *  - no deadline is kept here: the owner does.
 */
#ifndef WORKER_FETCH_H
#define WORKER_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "worker/dialect.h"

struct fetch;
struct fetch_pool;

enum fetch_end {
	FETCH_CLEAN,	 /* the body is whole, as far as HTTP can tell */
	FETCH_BROKEN,	 /* the network, or what came was no HTTP */
	FETCH_TOO_LARGE, /* more body than was allowed */
};

enum fetch_take { FETCH_TAKEN, FETCH_PAUSE };

/*
 * What happens, in this order. All texts are lent for the call. None of them
 * may free or start a fetch, or resume one.
 */
struct fetch_events {
	/* The connection is there; the request is about to be sent. */
	void (*on_connected)(void *arg);
	/* The final response's head; streaming is the caller's to know. */
	void (*on_head)(void *arg, const struct dialect_head *head);
	enum fetch_take (*on_body)(void *arg, const char *bytes, size_t len);
	/* ${detail} says what broke; NULL when clean. */
	void (*on_over)(void *arg, enum fetch_end end, const char *detail);
};

/*
 * Takes the contents of ${request}, which is empty afterwards, also on
 * failure; its headers hold a key and are wiped when freed.
 * Fails: ERR_INPUT (a header with control characters, a URL that is none),
 * ERR_NOMEM.
 */
MUST_CHECK enum err fetch_start(struct fetch_pool *pool,
    struct dialect_request *request, uint64_t max_body_bytes,
    const struct fetch_events *events, void *arg, struct fetch **ret);

/* Drop it, closing its connection unless it was over. NULL is nothing. */
void fetch_free(struct fetch *f);

/* Let the bytes come again; on_body and on_over may come before it returns. */
void fetch_resume(struct fetch *f);

/* What was sent, and the key with it, may go once it has been sent whole. */
void fetch_forget_request(struct fetch *f);

#endif
