#include "server/write_job.h"

#include <stddef.h>

#include "server/call.h"
#include "server/service_internal.h"

static void on_back(struct http_loop *loop, struct http_mail *m)
{
	struct write_job *job =
	    (struct write_job *)((char *)m - offsetof(struct write_job, back));
	struct call *call = call_find(loop, job->number, job->part);

	if (call)
		job->done(job, call);
	else if (job->gone)
		job->gone(job);
	job->drop(job);
}

static void on_done(struct write *w)
{
	struct write_job *job = (struct write_job *)w;
	struct service *s = job->service;

	if (job->settle)
		job->settle(job);
	job->back.fn = on_back;
	if (service_post(s, job->loop, &job->back) != OK)
		job->drop(job);
	service_write_end(s);
}

enum err write_job_ask(struct call *call, struct write_job *job)
{
	struct service *s = call->service;
	enum err e;

	job->service = s;
	job->loop = call->loop;
	job->number = call->number;
	job->part = call->part;
	job->write.on_done = on_done;
	service_write_begin(s);
	e = writer_post(s->o.store, &job->write);
	if (e == OK)
		return OK;
	job->write.result = e;
	if (job->settle)
		job->settle(job);
	job->drop(job);
	service_write_end(s);
	call_fail_err(call, e, NULL);
	return e;
}
