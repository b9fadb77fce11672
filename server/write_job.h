/*
 * write_job: a write on behalf of a call: to the writer and back to the loop.
 *
 * Used by: submit, the handlers of keys, prompts and deletes.
 * Thread: write_job_ask() a loop's.
 * Promises: after an ask, the write happens or fails even when the client has
 * gone; done runs only while its call is open; drop always, last.
 */
#ifndef SERVER_WRITE_JOB_H
#define SERVER_WRITE_JOB_H

#include "server/http.h"
#include "store/writer.h"

struct call;
struct service;

/* Embed it first. */
struct write_job {
	struct write write; /* kind and u are the asker's to fill */
	struct http_mail back;
	struct service *service;
	struct http_loop *loop;
	uint64_t number, part; /* the call's */
	/* Optional; on the writer's thread: may only post and free. */
	void (*settle)(struct write_job *job);
	void (*done)(struct write_job *job, struct call *call);
	/* Optional; on the loop's thread in place of done: the client went. */
	void (*gone)(struct write_job *job);
	void (*drop)(struct write_job *job);
};

/*
 * Takes ${job} in any case: what cannot be posted is settled with its result,
 * answered and dropped; the call has then ended.
 */
enum err write_job_ask(struct call *call, struct write_job *job);

#endif
