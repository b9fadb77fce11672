#include "server/reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/read_pool.h"
#include "server/service_internal.h"
#include "store/base/clock.h"
#include "store/query.h"

/* A question for the read pool; it outlives the reader if it must. */
struct page_job {
	struct read_job job;
	struct id id;
	char owner[KEY_NAME_BYTES];
	bool anybody;
	struct page_query q;
	struct page page;
};

static void attempt(struct reader *r);

void reader_init(struct reader *r, struct call *call, const struct id *id,
    void (*on_page)(
	struct reader *r, enum err e, const struct why *why, struct page *page))
{
	*r = (struct reader){ .call = call,
		.id = *id,
		.q = { 0, READER_PAGE_CHUNKS, READER_PAGE_BYTES },
		.on_page = on_page };
}

static struct store *store_of(const struct reader *r)
{
	return r->call->service->o.store;
}

static void stop_timer(struct reader *r)
{
	if (r->timer)
		http_timer_cancel(r->timer);
	r->timer = NULL;
	r->call->on_wake = NULL;
}

void reader_close(struct reader *r)
{
	if (!r->call)
		return;
	tail_forget(store_of(r), &r->waiter);
	stop_timer(r);
}

static void page_run(struct read_job *job, struct query *q)
{
	struct page_job *j = (struct page_job *)job;

	const char *owner = j->anybody ? NULL : j->owner;

	job->result = query_page(q, &j->id, owner, &j->q, &j->page);
	read_pool_gone(job, q, &j->id, owner);
}

static void page_done(struct read_job *job, struct call *call)
{
	struct page_job *j = (struct page_job *)job;
	struct reader *r = call->state;

	r->on_page(r, job->result, &job->why, &j->page);
}

static void page_drop(struct read_job *job)
{
	struct page_job *j = (struct page_job *)job;

	page_fini(&j->page);
	free(j);
}

/* Memory cannot answer. */
static void ask_pool(struct reader *r)
{
	const char *owner = call_filter(r->call);
	struct page_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(r->call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = page_run;
	j->job.done = page_done;
	j->job.drop = page_drop;
	j->id = r->id;
	j->q = r->q;
	j->anybody = !owner;
	(void)snprintf(j->owner, sizeof(j->owner), "%s", owner ? owner : "");
	page_init(&j->page);
	(void)read_pool_ask(r->call, &j->job);
}

/*
 * On the writer's thread. The call outlives its armed waiter: nobody frees it
 * before reader_close().
 */
static void wake(void *arg, uint64_t number)
{
	struct call *call = arg;

	atomic_store_explicit(&call->woken, true, memory_order_release);
	http_loop_wake(call->loop, number);
}

static void on_wake(struct call *call)
{
	struct reader *r = call->state;

	if (r->timer)
		attempt(r);
}

static void on_timer(void *arg)
{
	struct reader *r = arg;

	r->timer = NULL;
	attempt(r);
}

static bool satisfied(const struct reader *r, const struct page *p)
{
	if (r->until == READER_NOW || clock_mono_ms() >= r->deadline_ms)
		return true;
	if (r->until == READER_THE_END)
		return execution_ended(p->status);
	return p->n > 0 || page_final(p);
}

/*
 * OK: armed, or memory has no such log any more and the pool was asked.
 * ERR_CONFLICT: look again. ERR_IO: nothing will come.
 */
static enum err arm(struct reader *r, const struct page *p)
{
	uint64_t seen = p->total;
	int64_t left = r->deadline_ms - clock_mono_ms();
	enum err e;

	if (r->until == READER_NEWS && r->q.from > seen)
		seen = r->q.from;
	r->waiter.wake = wake;
	r->waiter.arg = r->call;
	r->waiter.number = r->call->number;
	e = tail_wait(
	    store_of(r), &r->id, call_filter(r->call), seen, &r->waiter);
	if (e == ERR_NOT_FOUND) {
		stop_timer(r);
		ask_pool(r);
		return OK;
	}
	if (e != OK)
		return e;
	r->call->on_wake = on_wake;
	if (!r->timer)
		r->timer = http_loop_after(
		    r->call->loop, left > 0 ? left : 1, on_timer, r);
	if (r->timer)
		return OK;
	/* Without a timer there is no waiting. */
	r->until = READER_NOW;
	return ERR_CONFLICT;
}

/* Look, and answer or wait. */
static void attempt(struct reader *r)
{
	for (;;) {
		struct page page;
		enum err e;

		tail_forget(store_of(r), &r->waiter);
		page_init(&page);
		e = tail_page(
		    store_of(r), &r->id, call_filter(r->call), &r->q, &page);
		if (e == OK && !satisfied(r, &page)) {
			e = arm(r, &page);
			if (e == OK || e == ERR_CONFLICT)
				page_fini(&page);
			if (e == OK)
				return;
			if (e == ERR_CONFLICT)
				continue;
		}
		stop_timer(r);
		if (e == ERR_NOT_FOUND)
			ask_pool(r);
		else
			r->on_page(r, e, NULL, &page);
		page_fini(&page);
		return;
	}
}

void reader_read(struct reader *r, enum reader_until until, int64_t wait_ms)
{
	r->until = wait_ms > 0 ? until : READER_NOW;
	r->deadline_ms = clock_mono_ms() + wait_ms;
	attempt(r);
}
