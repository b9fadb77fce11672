/*
 * read_pool: threads with a query each, for reads that memory cannot answer.
 *
 * Used by: readers and handlers.
 * Thread: read_pool_ask() a loop's; new and free the main one.
 * Promises: after an ask that returned OK, the job's done or only its drop
 * runs, the former on the asking loop's thread with its call still open.
 */
#ifndef SERVER_READ_POOL_H
#define SERVER_READ_POOL_H

#include <stdint.h>

#include "server/http.h"
#include "store/base/err.h"
#include "store/query.h"

struct call;
struct read_pool;
struct service;

/* Embed it first; owns everything that it needs. */
struct read_job {
	struct http_mail mail;
	struct service *service;
	struct http_loop *loop;
	uint64_t number, part; /* the call's */
	/* On the pool's thread: ask, set result (and why). */
	void (*run)(struct read_job *job, struct query *q);
	/* On the loop's thread: take what is wanted; may end the call. */
	void (*done)(struct read_job *job, struct call *call);
	/* Any thread, last: free it and what is left in it. */
	void (*drop)(struct read_job *job);
	enum err result;
	struct why why;
	struct query_gone gone; /* with ERR_GONE; read_pool_gone() */
};

MUST_CHECK enum err read_pool_new(struct service *s, unsigned threads,
    struct read_pool **ret, struct why *why);
void read_pool_free(struct read_pool *p);

/*
 * Ask for ${call}. Takes ${job} in any case: what fails is answered (503) and
 * dropped, and the call has ended. Returns OK or that failure.
 */
enum err read_pool_ask(struct call *call, struct read_job *job);

/*
 * At the end of a run: where ${job} has found that ${id} is gone, ask since
 * when; the call will say so.
 */
void read_pool_gone(struct read_job *job, struct query *q, const struct id *id,
    const char *owner);

#endif
