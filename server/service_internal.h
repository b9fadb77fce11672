/*
 * service_internal: the struct behind service.h, and what its parts share.
 *
 * Used by: server/'s handlers.     Thread: as said.
 */
#ifndef SERVER_SERVICE_INTERNAL_H
#define SERVER_SERVICE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "server/service.h"

struct chats;
struct call;
struct limit;
struct read_pool;
struct tickets;

struct service {
	struct service_options o;
	char *base_path;
	struct limit *limit;
	struct tickets *tickets;
	struct chats *chats;
	struct read_pool *reads;
	int64_t started_ms;	     /* mono */
	_Atomic size_t socket_bytes; /* held for messages that are not whole */
	atomic_bool draining;
	atomic_bool backing_up; /* one backup at a time */
	atomic_bool importing;	/* one import at a time */
	/*
	 * Whenever the lock is free: n_in_worker callers are between
	 * service_worker() and service_worker_done(); n_writes writes were
	 * posted whose on_done has not returned; closed: loops are off limits.
	 */
	pthread_mutex_t lock;
	pthread_cond_t quiet;
	unsigned n_in_worker, n_writes;
	bool closed;
};

/*
 * The worker, or NULL while draining. Must be given back soon, on any thread.
 */
struct worker *service_worker(struct service *s);
void service_worker_done(struct service *s);

/* Is the key that ${call} came with still in use? Fails: ERR_DENIED. */
MUST_CHECK enum err service_still(struct call *call);

/* Count a write that is about to be posted; service_free() waits for it. */
void service_write_begin(struct service *s);
void service_write_end(struct service *s);

/* http_loop_post(), unless the service was stopped. Fails: ERR_STOPPED. */
MUST_CHECK enum err service_post(
    struct service *s, struct http_loop *loop, struct http_mail *m);

#endif
