/*
 * fetch_pool: where a thread's exchanges live: one curl multi handle on one
 * epoll. What is idle costs nothing.
 *
 * Used by: pump, fetch.          Thread: the owner's.
 * Promises: connections are kept and used again, upstream by upstream.
 */
#ifndef WORKER_FETCH_POOL_H
#define WORKER_FETCH_POOL_H

#include <stdbool.h>

#include "store/base/err.h"

struct fetch_pool;

/* ${wake_fd} is watched too. Fails: ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err fetch_pool_new(int wake_fd, struct fetch_pool **ret);

/* All fetches must have been freed. NULL is nothing. */
void fetch_pool_free(struct fetch_pool *p);

/*
 * Sleep until a socket or curl's own timer wants something, ${wake_fd} is
 * readable (then true is returned) or ${timeout_ms} passed (negative: for
 * ever).
 */
bool fetch_pool_wait(struct fetch_pool *p, int timeout_ms);

/*
 * Act on one of the things that fetch_pool_wait() found; fetch events come
 * from here. False when nothing is left.
 */
bool fetch_pool_step(struct fetch_pool *p);

#endif
