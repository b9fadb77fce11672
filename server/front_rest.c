/* The REST front: its form, and reading one execution. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/cancel.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/write_page.h"

static int rest_status(const struct problem *p)
{
	return problem_kind(p->code)->status;
}

const struct front front_rest = {
	.name = "rest",
	.page = write_page,
	.problem_type = "application/problem+json",
	.problem = problem_json,
	.problem_status = rest_status,
};

/* --- chunks --- */

static void chunks_drop(void *state)
{
	reader_close(state);
}

static void on_chunks(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct call *call = r->call;
	const char *match = http_header(call->x, "If-None-Match");
	char etag[64];
	struct buf b;

	if (e != OK) {
		call_fail_err(call, e, why);
		return;
	}
	(void)snprintf(etag, sizeof(etag), "\"%llu.%s\"",
	    (unsigned long long)page_next(page),
	    execution_status_name(page->status));
	http_reply_header(call->x, "ETag", etag);
	http_reply_header(call->x, "Cache-Control",
	    page_final(page) ? "private, max-age=31536000, immutable"
			     : "no-store");
	if (match && (strcmp(match, "*") == 0 || strstr(match, etag))) {
		call_reply_empty(call, 304);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	(void)buf_room(
	    &b, 768 + page->records.len * 5 / 4 + (size_t)page->n * 112);
	write_page(&b, page);
	call_reply_json(call, 200, &b);
}

void front_rest_chunks(struct call *call)
{
	static const char *const from_names[] = { "fromIndex", "from_index",
		NULL };
	static const char *const limit_names[] = { "limit", NULL };
	static const char *const wait_names[] = { "wait_ms", "waitMs", NULL };
	int64_t from = 0, limit = READER_PAGE_CHUNKS, wait_ms = 0;
	int64_t max_wait = call->service->o.max_wait_ms;
	struct reader *r;
	struct id id;

	if (call_id(call, &id) != OK ||
	    call_number(call, from_names, 0, INT64_MAX, &from) != OK ||
	    call_number(call, limit_names, 1, PAGE_MAX_CHUNKS, &limit) != OK ||
	    call_number(call, wait_names, 0, BODY_MAX_WAIT_MS, &wait_ms) != OK)
		return;
	r = call_state(call, sizeof(*r), chunks_drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(r, call, &id, on_chunks);
	r->q.from = (uint64_t)from;
	r->q.limit = (uint32_t)limit;
	reader_read(r, READER_NEWS, wait_ms < max_wait ? wait_ms : max_wait);
}

/* --- the text --- */

struct text {
	struct reader reader;
	bool reading; /* a page is on its way: a drain must not ask again */
	bool looked;  /* for resets: what came before one is withdrawn */
	bool ended;   /* the last page is written */
	uint64_t begin;
	uint64_t total; /* as of the first page: a live log's end for us */
};

static void text_drop(void *state)
{
	reader_close(&((struct text *)state)->reader);
}

static void text_more(struct call *call)
{
	struct text *t = call->state;

	if (t->reading)
		return;
	if (t->ended) {
		call_end(call);
		return;
	}
	t->reading = true;
	reader_read(&t->reader, READER_NOW, 0);
}

/* Is ${page} the last of what is to be written? */
static bool text_last(const struct text *t, const struct page *page)
{
	return page->n == 0 || page_next(page) >= t->total;
}

/* Find the last reset; true once the whole log was looked at. */
static bool text_look(struct text *t, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c))
		if (c.kind == CHUNK_RESET)
			t->begin = c.index + 1;
	if (!text_last(t, page)) {
		t->reader.q.from = page_next(page);
		return false;
	}
	t->reader.q.from = t->begin;
	return true;
}

static void text_send(struct text *t, struct page *page)
{
	static const char type[] = "text/plain; charset=utf-8";
	struct call *call = t->reader.call;
	bool last = text_last(t, page);
	struct buf b;

	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	write_page_text(&b, page);
	if (!call->started)
		http_reply_header(call->x, "X-Execution-Status",
		    execution_status_name(page->status));
	if (!call->started && last) {
		call_reply(call, 200, type, &b);
		return;
	}
	if (buf_state(&b) != OK) {
		buf_fini(&b);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	if (!call->started) {
		call->on_ready = text_more;
		call_stream(call, 200, type);
	}
	t->reader.q.from = page_next(page);
	t->ended = last;
	if (b.len > 0)
		(void)http_stream_write(call->x, b.data, b.len);
	/* Nothing written means no drain: go on at once. */
	if (b.len == 0)
		text_more(call);
	buf_fini(&b);
}

static void on_text(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct text *t = (struct text *)r;

	t->reading = false;
	if (e != OK) {
		call_fail_err(r->call, e, why);
		return;
	}
	if (t->total == 0)
		t->total = page->total;
	if (!t->looked && page->attempt > 1) {
		t->looked = text_look(t, page);
		text_more(r->call);
		return;
	}
	t->looked = true;
	text_send(t, page);
}

void front_rest_text(struct call *call)
{
	struct text *t;
	struct id id;

	if (call_id(call, &id) != OK)
		return;
	t = call_state(call, sizeof(*t), text_drop);
	if (!t) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(&t->reader, call, &id, on_text);
	http_reply_header(call->x, "Cache-Control", "no-store");
	text_more(call);
}

/* --- cancel --- */

static void on_cancelled(
    struct call *call, const struct id *id, enum execution_status status)
{
	struct buf b;

	buf_init(&b, 256);
	cancel_write(&b, id, status);
	call_reply_json(call, execution_ended(status) ? 200 : 202, &b);
}

void front_rest_cancel(struct call *call)
{
	struct id id;

	if (call_id(call, &id) == OK)
		cancel_start(call, &id, on_cancelled);
}
