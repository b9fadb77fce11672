/* REST: one request that polls many executions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/write_page.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/query.h"
#include "store/tail.h"

/* Packed bytes of one answer, shared by what was asked for. */
#define ANSWER_BYTES ((size_t)4 << 20)

/* What became of each question. */
struct pages {
	enum err result[BODY_MAX_POLLS];
	struct query_gone gone[BODY_MAX_POLLS]; /* with ERR_GONE */
	struct page page[BODY_MAX_POLLS];
};

struct many {
	struct body_poll ask;
	struct pages *pages; /* NULL: with the read pool */
	struct waiter waiter[BODY_MAX_POLLS];
	struct http_timer *timer;
	int64_t deadline_ms; /* mono */
	struct store *store;
};

/* What memory could not answer. */
struct many_job {
	struct read_job job;
	struct body_poll ask;
	char owner[KEY_NAME_BYTES];
	bool anybody;
	struct pages *pages;
};

static struct page_query question(const struct body_poll *ask, size_t i)
{
	size_t bytes = ANSWER_BYTES / ask->n;

	return (struct page_query){ ask->from[i],
		ask->limit ? ask->limit : READER_PAGE_CHUNKS,
		bytes < READER_PAGE_BYTES ? bytes : READER_PAGE_BYTES };
}

static void pages_reset(struct pages *pages)
{
	for (size_t i = 0; i < BODY_MAX_POLLS; i++)
		page_fini(&pages->page[i]);
}

static struct pages *pages_new(void)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	for (size_t i = 0; pages && i < BODY_MAX_POLLS; i++)
		page_init(&pages->page[i]);
	return pages;
}

static void pages_free(struct pages *pages)
{
	if (pages)
		pages_reset(pages);
	free(pages);
}

static void disarm(struct many *m)
{
	for (size_t i = 0; i < m->ask.n; i++)
		tail_forget(m->store, &m->waiter[i]);
	if (m->timer)
		http_timer_cancel(m->timer);
	m->timer = NULL;
}

static void many_drop(void *state)
{
	struct many *m = state;

	disarm(m);
	pages_free(m->pages);
}

static void answer(
    struct call *call, const struct body_poll *ask, const struct pages *pages)
{
	struct buf b;

	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "executions");
	jsonout_array(&b);
	for (size_t i = 0; i < ask->n; i++) {
		struct problem p;

		if (pages->result[i] == OK) {
			write_page(&b, &pages->page[i]);
			continue;
		}
		problem_from_err(&p, pages->result[i], NULL);
		if (pages->result[i] == ERR_GONE)
			problem_set_gone(&p, pages->gone[i].deleted_ms,
			    pages->gone[i].payload_only);
		jsonout_object(&b);
		jsonout_member(&b, "execution_id", ask->name[i]);
		jsonout_key(&b, "error");
		problem_json(&b, &p, NULL);
		jsonout_object_end(&b);
	}
	jsonout_array_end(&b);
	jsonout_object_end(&b);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void job_run(struct read_job *job, struct query *q)
{
	struct many_job *j = (struct many_job *)job;
	const char *owner = j->anybody ? NULL : j->owner;

	for (size_t i = 0; i < j->ask.n; i++) {
		struct page_query pq = question(&j->ask, i);

		if (!j->ask.valid[i] || j->pages->result[i] != ERR_NOT_FOUND)
			continue;
		job->result = query_page(
		    q, &j->ask.id[i], owner, &pq, &j->pages->page[i]);
		read_pool_gone(job, q, &j->ask.id[i], owner);
		j->pages->result[i] = job->result;
		j->pages->gone[i] = job->gone;
	}
	job->result = OK;
}

static void job_done(struct read_job *job, struct call *call)
{
	struct many_job *j = (struct many_job *)job;

	answer(call, &j->ask, j->pages);
}

static void job_drop(struct read_job *job)
{
	struct many_job *j = (struct many_job *)job;

	pages_free(j->pages);
	free(j);
}

static void ask_pool(struct call *call, struct many *m)
{
	const char *owner = call_filter(call);
	struct many_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = job_run;
	j->job.done = job_done;
	j->job.drop = job_drop;
	j->ask = m->ask;
	j->anybody = !owner;
	(void)snprintf(j->owner, sizeof(j->owner), "%s", owner ? owner : "");
	j->pages = m->pages;
	m->pages = NULL;
	(void)read_pool_ask(call, &j->job);
}

/* Ask memory for all; what it has not is counted, and so is what is news. */
static void look(
    struct call *call, struct many *m, size_t *ret_missing, size_t *ret_news)
{
	pages_reset(m->pages);
	*ret_missing = *ret_news = 0;
	for (size_t i = 0; i < m->ask.n; i++) {
		struct page_query q = question(&m->ask, i);
		struct page *page = &m->pages->page[i];
		enum err e = ERR_NOT_FOUND;

		if (m->ask.valid[i])
			e = tail_page(m->store, &m->ask.id[i],
			    call_filter(call), &q, page);
		m->pages->result[i] = e;
		if (e == ERR_NOT_FOUND && m->ask.valid[i])
			++*ret_missing;
		else if (e != OK || page->n > 0 || page_final(page))
			++*ret_news;
	}
}

/* False: something happened meanwhile; look again. */
static bool arm(struct call *call, struct many *m)
{
	for (size_t i = 0; i < m->ask.n; i++) {
		struct waiter *w = &m->waiter[i];
		uint64_t seen = m->pages->page[i].total;
		enum err e;

		w->wake = http_loop_wake;
		w->arg = call->loop;
		w->number = call->number;
		if (m->ask.from[i] > seen)
			seen = m->ask.from[i];
		e = tail_wait(
		    m->store, &m->ask.id[i], call_filter(call), seen, w);
		/* The store has stopped: what there is must do. */
		if (e == ERR_IO)
			m->deadline_ms = 0;
		if (e != OK)
			return false;
	}
	return true;
}

static void attempt(struct call *call);

static void on_timer(void *arg)
{
	struct call *call = arg;
	struct many *m = call->state;

	m->timer = NULL;
	attempt(call);
}

static void attempt(struct call *call)
{
	struct many *m = call->state;
	size_t missing, news;
	int64_t left;

	for (;;) {
		disarm(m);
		look(call, m, &missing, &news);
		left = m->deadline_ms - clock_mono_ms();
		if (missing > 0 || news > 0 || left <= 0)
			break;
		if (!arm(call, m))
			continue;
		call->on_wake = attempt;
		m->timer = http_loop_after(call->loop, left, on_timer, call);
		if (m->timer)
			return;
		disarm(m);
		break;
	}
	call->on_wake = NULL;
	if (missing > 0)
		ask_pool(call, m);
	else
		answer(call, &m->ask, m->pages);
}

void front_rest_poll(struct call *call)
{
	int64_t max_wait = call->service->o.max_wait_ms;
	struct many *m;
	struct problem p;
	const char *body;
	size_t len;

	if (call_wants_json(call) != OK)
		return;
	m = call_state(call, sizeof(*m), many_drop);
	if (!m) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	m->store = call->service->o.store;
	body = http_body(call->x, &len);
	if (body_poll(body, len, &m->ask, &p) != OK) {
		call_fail(call, &p);
		return;
	}
	m->pages = pages_new();
	if (!m->pages) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	if (m->ask.wait_ms > max_wait)
		m->ask.wait_ms = max_wait;
	m->deadline_ms = clock_mono_ms() + m->ask.wait_ms;
	attempt(call);
}
