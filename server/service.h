/*
 * service: what a running spool is made of, as the routes see it: the store,
 * the worker, the read pool, the routes.
 *
 * Used by: cmd_serve (makes it), route and fronts (use it).
 * Thread: service_new() and service_free() the main one; service_on_request()
 * a loop's.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "server/http.h"
#include "store/base/err.h"

struct retain;
struct seal;
struct store;
struct worker;
struct service;

/* A number that is 0 means the default, in brackets. */
struct service_options {
	struct store *store;
	struct worker *worker;
	/* False only on loopback: every request is admin of owner "local". */
	bool require_keys;
	unsigned read_threads;	   /* [2] */
	unsigned max_open_per_key; /* executions not ended; [1,000] */
	/* Creations and polls per key and second, admin keys exempt [200]. */
	unsigned rate_per_s;
	int64_t max_wait_ms; /* long polls [60,000] */
	int64_t ping_ms; /* silence before events and sockets say so [15,000] */
	/* Of sockets: the largest message, the time for one [1 MiB, 30,000]. */
	size_t max_message_bytes;
	int64_t message_ms;
	/* Callable: refuse what Google's server refuses (wire.md 3.7, 7). */
	bool strict_callable;
	/*
	 * Callable: a caller that appends blindly gets answers that fail when
	 * they break off, not ones that are gone on with.
	 */
	bool never_goes_on;
	/* A path before the callable names, "" for none. */
	const char *base_path;
	/* Where backups are put; lent for the service's life. */
	const char *backup_dir;
	/* Seals owners' keys for providers; lent. NULL: none are kept. */
	const struct seal *seal;
	/* For its counts; lent for the service's life. NULL: none. */
	struct retain *retain;
};

/* Fails: ERR_NOMEM, ERR_INPUT, ERR_IO; ${why} says what. */
MUST_CHECK enum err service_new(const struct service_options *options,
    struct service **ret, struct why *why);

/*
 * Settle what the last process left: queued executions, and interrupted ones
 * that the worker recovers, are handed to it (*${ret_queued}); the others end
 * as failed with error.code "interrupted" (*${ret_interrupted}). Before the
 * first request is served.
 */
MUST_CHECK enum err service_recover(struct service *s, size_t *ret_queued,
    size_t *ret_interrupted, struct why *why);

/* For http_options: arg is the service. */
void service_on_request(struct http_exchange *x, void *arg);
size_t service_max_body(const struct http_exchange *x, void *arg);
void service_on_refusal(struct buf *body, const char **ret_content_type,
    int status, const char *code, const char *detail);

/*
 * From now on readyz says 503, and creations and cancels are refused with 503;
 * reads go on. Waits for what is on its way to the worker (one commit): when it
 * returns, the service does not touch the worker any more. Before
 * worker_stop(). Again is nothing.
 */
void service_drain(struct service *s);

/*
 * Drains; then every request is refused, and nothing is posted to a loop any
 * more: open exchanges end by their on_gone. Before http_server_stop(), whose
 * loops the read pool and the writer would otherwise still post to.
 */
void service_stop(struct service *s);

/*
 * After http_server_stop() and before store_close(): waits for what the writer
 * still owes, ends the read pool. NULL is nothing.
 */
void service_free(struct service *s);

#endif
