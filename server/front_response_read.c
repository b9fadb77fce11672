#include "server/front_response_read.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/body.h"
#include "server/read_pool.h"
#include "server/write_page.h"
#include "store/query.h"

#define PAGE_BYTES ((size_t)1 << 20)

struct response_job {
	struct read_job job;
	struct id id;
	char owner[KEY_NAME_BYTES];
	bool anybody;
	void (*on_read)(
	    struct call *call, const struct front_response_found *f);
	struct front_response_found found;
};

static void take_page(struct front_response_found *f, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c))
		front_response_take(&f->r, &c, NULL, NULL);
	f->ended = page_final(page);
	if (!f->ended)
		return;
	front_response_close(&f->r, NULL, NULL);
	front_ending_read(page, &f->ending);
}

/* All rows that there are. */
static enum err read_rows(struct response_job *j, struct query *q)
{
	struct page_query pq = { 0, PAGE_MAX_CHUNKS, PAGE_BYTES };
	const char *owner = j->anybody ? NULL : j->owner;
	struct front_response_found *f = &j->found;
	bool more = true;
	enum err e = OK;

	while (more && f->r.failed == OK) {
		struct page page;

		page_init(&page);
		e = query_page(q, &j->id, owner, &pq, &page);
		if (e == OK) {
			take_page(f, &page);
			pq.from = page_next(&page);
		}
		more = e == OK && !f->ended && page.n > 0;
		page_fini(&page);
	}
	return e;
}

static void response_run(struct read_job *job, struct query *q)
{
	struct response_job *j = (struct response_job *)job;
	const char *owner = j->anybody ? NULL : j->owner;
	struct front_response_found *f = &j->found;

	job->result = query_execution(q, &j->id, owner, &f->e);
	if (job->result == OK) {
		f->echo = body_responses_echo(f->e.request, f->e.request_len);
		f->r.id = f->e.id;
		f->r.created_ms = f->e.created_ms;
		f->r.model = f->e.model;
		f->r.echo = f->echo;
		job->result = f->echo ? read_rows(j, q) : ERR_NOMEM;
	}
	read_pool_gone(job, q, &j->id, owner);
}

static void response_done(struct read_job *job, struct call *call)
{
	struct response_job *j = (struct response_job *)job;

	if (job->result != OK)
		call_fail_err(call, job->result, &job->why);
	else if (j->found.r.failed == ERR_LIMIT)
		call_refuse(call, PROBLEM_FAILED_PRECONDITION, NULL,
		    "the answer is larger than %d MiB: read it at "
		    "/v1/executions/{id}/chunks",
		    (int)(FRONT_RESPONSE_BYTES >> 20));
	else if (j->found.r.failed != OK)
		call_fail_err(call, j->found.r.failed, NULL);
	else
		j->on_read(call, &j->found);
}

static void response_drop(struct read_job *job)
{
	struct response_job *j = (struct response_job *)job;

	front_response_fini(&j->found.r);
	execution_fini(&j->found.e);
	free(j->found.echo);
	free(j);
}

void front_response_read(struct call *call, const struct id *id,
    void (*on_read)(struct call *call, const struct front_response_found *f))
{
	const char *owner = call_filter(call);
	struct response_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = response_run;
	j->job.done = response_done;
	j->job.drop = response_drop;
	j->id = *id;
	j->anybody = !owner;
	j->on_read = on_read;
	(void)snprintf(j->owner, sizeof(j->owner), "%s", owner ? owner : "");
	(void)read_pool_ask(call, &j->job);
}

void front_response_reply(
    struct call *call, const struct front_response_found *f)
{
	struct buf b;

	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	front_response_write(&b, &f->r,
	    f->e.status == EXECUTION_QUEUED ? "queued" : "in_progress",
	    f->ended ? &f->ending : NULL);
	call_reply_json(call, 200, &b);
}
