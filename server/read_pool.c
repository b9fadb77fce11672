#include "server/read_pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "server/call.h"
#include "server/service_internal.h"
#include "store/base/log.h"
#include "store/base/mailbox.h"
#include "store/query.h"

#define JOBS_MAX 4096

struct reading {
	struct mailbox box;
	struct query *query;
	pthread_t thread;
	bool running;
};

struct read_pool {
	unsigned n, next;
	struct reading reading[];
};

static void on_answer(struct http_loop *loop, struct http_mail *m)
{
	struct read_job *job = (struct read_job *)m;
	struct call *call = call_find(loop, job->number, job->part);

	if (call) {
		call->gone = job->gone;
		job->done(job, call);
	}
	job->drop(job);
}

static void *read_thread(void *arg)
{
	struct reading *r = arg;

	for (;;) {
		struct mail *m = mailbox_wait(&r->box, -1), *next;

		if (!m && mailbox_closed(&r->box))
			return NULL;
		for (; m; m = next) {
			struct read_job *job = (struct read_job *)m;

			next = m->next;
			job->run(job, r->query);
			job->mail.fn = on_answer;
			if (service_post(job->service, job->loop, &job->mail) !=
			    OK)
				job->drop(job);
		}
	}
}

enum err read_pool_new(struct service *s, unsigned threads,
    struct read_pool **ret, struct why *why)
{
	struct read_pool *p;
	enum err e = ERR_NOMEM;

	p = calloc(1, sizeof(*p) + threads * sizeof(p->reading[0]));
	if (!p)
		goto out;
	for (; p->n < threads; p->n++)
		mailbox_init(
		    &p->reading[p->n].box, JOBS_MAX, SIZE_MAX, NULL, NULL);
	for (unsigned i = 0; i < threads; i++) {
		struct reading *r = &p->reading[i];

		e = query_open(s->o.store, &r->query);
		if (e != OK) {
			err_why(why, "cannot open the store for reading: %s",
			    err_name(e));
			goto out;
		}
		if (pthread_create(&r->thread, NULL, read_thread, r) != 0) {
			err_why(why, "cannot start a reading thread");
			e = ERR_NOMEM;
			goto out;
		}
		r->running = true;
	}
	*ret = p;
	p = NULL;
	e = OK;
out:
	read_pool_free(p);
	return e;
}

void read_pool_free(struct read_pool *p)
{
	if (!p)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		struct reading *r = &p->reading[i];
		struct mail *m, *next;

		mailbox_close(&r->box);
		if (r->running)
			pthread_join(r->thread, NULL);
		for (m = mailbox_take(&r->box); m; m = next) {
			next = m->next;
			((struct read_job *)m)->drop((struct read_job *)m);
		}
		query_close(r->query);
		mailbox_fini(&r->box);
	}
	free(p);
}

enum err read_pool_ask(struct call *call, struct read_job *job)
{
	struct read_pool *p = call->service->reads;
	/* Two loops may take the same number: it only spreads the work. */
	unsigned i = __atomic_fetch_add(&p->next, 1, __ATOMIC_RELAXED) % p->n;
	enum err e;

	job->service = call->service;
	job->loop = call->loop;
	job->number = call->number;
	job->part = call->part;
	job->result = ERR_STOPPED;
	e = mailbox_post(&p->reading[i].box, &job->mail.mail);
	if (e != OK) {
		job->drop(job);
		call_fail_err(call, e, NULL);
	}
	return e;
}

void read_pool_gone(struct read_job *job, struct query *q, const struct id *id,
    const char *owner)
{
	job->gone = (struct query_gone){ 0 };
	/* Forgotten meanwhile: then it only says that it is gone. */
	if (job->result == ERR_GONE &&
	    query_gone(q, id, owner, &job->gone) != OK)
		job->gone = (struct query_gone){ 0 };
}
