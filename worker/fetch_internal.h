/*
 * fetch_internal: what the pool and its exchanges know of each other.
 *
 * Used by: fetch, fetch_pool.          Thread: the pool's owner.
 */
#ifndef WORKER_FETCH_INTERNAL_H
#define WORKER_FETCH_INTERNAL_H

#include <curl/curl.h>

struct fetch;
struct fetch_pool;
struct lookups;

/* The pool's multi handle, lent. */
CURLM *fetch_pool_multi(struct fetch_pool *p);

/* What it knows of names that nobody answers for, lent. */
struct lookups *fetch_pool_lookups(struct fetch_pool *p);

/* curl is done with ${f}: call its on_over. */
void fetch_over(struct fetch *f, CURLcode result);

#endif
