/* The callable front: what its names do. */
#include <jansson.h>
#include <stdio.h>
#include <strings.h>
#include <string.h>

#include "server/body.h"
#include "server/cancel.h"
#include "server/events.h"
#include "server/front_callable_args.h"
#include "server/front_handlers.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_page.h"
#include "store/base/clock.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"

/* A client gives up after 70 s. */
#define RUN_MS 60000
#define PING_MS 30000
#define OUTPUT_MAX_BYTES ((size_t)64 << 20)

/* The data of the body; NULL: answered. */
static json_t *read_data(struct call *call)
{
	json_t *data = NULL;
	struct problem p;
	const char *body;
	size_t len;

	if (call->service->o.strict_callable && call_wants_json(call) != OK)
		return NULL;
	body = http_body(call->x, &len);
	if (front_callable_args_data(body, len, &data, &p) == OK)
		return data;
	call_fail(call, &p);
	return NULL;
}

static bool read_poll(struct call *call, struct callable_poll *ret)
{
	json_t *data = read_data(call);
	struct problem p;
	enum err e;

	if (!data)
		return false;
	e = front_callable_args_poll(data, ret, &p);
	json_decref(data);
	if (e != OK)
		call_fail(call, &p);
	return e == OK;
}

/* The streaming form: chunks as messages, the head as result. */
static void follow_start(struct call *call, const struct id *id, uint64_t from)
{
	events_start(call, id,
	    &(struct events_options){
		.from = from, .ping_ms = PING_MS, .wait_ms = EVENTS_FOR_EVER });
}

/* --- get_execution_chunks --- */

static void poll_drop(void *state)
{
	reader_close(state);
}

static void on_poll(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct call *call = r->call;
	struct buf b;

	if (e != OK) {
		call_fail_err(call, e, why);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	(void)buf_room(
	    &b, 768 + page->records.len * 5 / 4 + (size_t)page->n * 112);
	call->front->page(&b, page);
	call_reply_json(call, 200, &b);
}

void front_callable_get_chunks(struct call *call)
{
	int64_t max_wait = call->service->o.max_wait_ms;
	struct callable_poll poll;
	struct reader *r;

	if (!read_poll(call, &poll))
		return;
	if (call->events) {
		follow_start(call, &poll.id, poll.from);
		return;
	}
	r = call_state(call, sizeof(*r), poll_drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(r, call, &poll.id, on_poll);
	r->q.from = poll.from;
	if (poll.limit > 0)
		r->q.limit = poll.limit;
	/* Held open only when asked: its clients' polls overlap. */
	reader_read(
	    r, READER_NEWS, poll.wait_ms < max_wait ? poll.wait_ms : max_wait);
}

/* --- execute --- */

static void start(struct call *call,
    void (*on_done)(struct call *call, const struct submitted *s))
{
	uint8_t hash[DIGEST_BYTES];
	struct body_create create;
	struct problem p;
	const char *body;
	json_t *data;
	size_t len;
	enum err e;

	data = read_data(call);
	if (!data)
		return;
	e = body_create(data, &create, &p);
	json_decref(data);
	if (e != OK) {
		call_fail(call, &p);
		return;
	}
	e = body_create_blind(&create, call->service->o.never_goes_on);
	if (e != OK) {
		body_create_fini(&create);
		call_fail_err(call, e, NULL);
		return;
	}
	body = http_body(call->x, &len);
	digest_sha256(body, len, hash);
	submit_start(call, &create, hash, on_done);
}

static void on_started(struct call *call, const struct submitted *s)
{
	char id[ID_TEXT];
	struct buf b;

	if (call->events) {
		follow_start(call, &s->id, 0);
		return;
	}
	id_text(&s->id, id);
	if (s->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	buf_init(&b, 1024);
	buf_puts(&b, "{\"result\":{");
	jsonout_member(&b, "execution_id", id);
	jsonout_member(&b, "status",
	    execution_ended(s->status) ? execution_status_name(s->status)
				       : "streaming");
	jsonout_member(&b, "message",
	    "Streaming execution started. Poll /get_execution_chunks for "
	    "updates.");
	buf_puts(&b, "}}");
	call_reply_json(call, 200, &b);
}

void front_callable_execute(struct call *call)
{
	start(call, on_started);
}

/* --- execute_prompt: run, and answer with the whole --- */

struct run {
	struct reader reader;
	struct buf output;
	int64_t until_ms; /* mono */
};

static void run_drop(void *state)
{
	struct run *run = state;

	reader_close(&run->reader);
	buf_fini(&run->output);
}

static void run_take(struct run *run, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c)) {
		if (c.kind == CHUNK_RESET)
			buf_reset(&run->output);
		else if (c.kind == CHUNK_TEXT)
			buf_add(&run->output, c.content, c.content_len);
	}
}

static void run_failed(struct call *call, const struct page *page,
    const struct callable_end *end, const char *id)
{
	bool cancelled = page->status == EXECUTION_CANCELLED;
	struct problem p;

	problem_set(&p,
	    cancelled ? PROBLEM_EXECUTION_CANCELLED : PROBLEM_EXECUTION_FAILED,
	    NULL, "%s",
	    end->message[0] ? end->message
	    : cancelled	    ? "the execution was cancelled"
			    : "the execution failed");
	(void)snprintf(p.execution, sizeof(p.execution), "%s", id);
	(void)snprintf(
	    p.execution_error, sizeof(p.execution_error), "%s", end->code);
	call_fail(call, &p);
}

static void run_answer(struct run *run, const struct page *page)
{
	struct call *call = run->reader.call;
	struct callable_end end;
	char id[ID_TEXT];
	struct buf b;

	id_text(&page->id, id);
	front_callable_args_end(page->metadata.data, page->metadata.len, &end);
	if (page->status != EXECUTION_COMPLETED) {
		run_failed(call, page, &end, id);
		return;
	}
	if (buf_state(&run->output) != OK) {
		call_fail_err(call, buf_state(&run->output), NULL);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	buf_puts(&b, "{\"result\":{");
	jsonout_key(&b, "output");
	jsonout_string(
	    &b, run->output.data ? run->output.data : "", run->output.len);
	jsonout_member_int(&b, "tokensUsed", end.tokens);
	jsonout_key(&b, "cost");
	if (end.cost >= 0)
		buf_printf(&b, "%.12g", end.cost);
	else
		jsonout_null(&b);
	jsonout_member(&b, "execution_id", id);
	jsonout_member(&b, "status", execution_status_name(page->status));
	if (page->metadata.len > 0) {
		jsonout_key(&b, "metadata");
		write_page_json(&b, page->metadata.data, page->metadata.len);
	}
	buf_puts(&b, "}}");
	call_reply_json(call, 200, &b);
}

static void on_run(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct run *run = (struct run *)r;
	int64_t left = run->until_ms - clock_mono_ms();
	struct problem p;

	if (e != OK) {
		call_fail_err(r->call, e, why);
		return;
	}
	run_take(run, page);
	if (page_final(page)) {
		run_answer(run, page);
		return;
	}
	if (left > 0 || page_next(page) < page->total) {
		r->q.from = page_next(page);
		reader_read(r, READER_NEWS, left);
		return;
	}
	problem_set(&p, PROBLEM_DEADLINE_EXCEEDED, NULL,
	    "no end within %d s; the execution goes on: poll "
	    "get_execution_chunks with details.execution_id",
	    RUN_MS / 1000);
	id_text(&r->id, p.execution);
	call_fail(r->call, &p);
}

static void on_run_started(struct call *call, const struct submitted *s)
{
	struct run *run;

	if (call->events) {
		follow_start(call, &s->id, 0);
		return;
	}
	run = call_state(call, sizeof(*run), run_drop);
	if (!run) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&run->output, OUTPUT_MAX_BYTES);
	reader_init(&run->reader, call, &s->id, on_run);
	run->until_ms = clock_mono_ms() + RUN_MS;
	reader_read(&run->reader, READER_NEWS, RUN_MS);
}

void front_callable_execute_prompt(struct call *call)
{
	start(call, on_run_started);
}

/* --- cancel --- */

static void on_cancelled(
    struct call *call, const struct id *id, enum execution_status status)
{
	struct buf b;

	buf_init(&b, 512);
	buf_puts(&b, call->events ? "data: {\"result\":" : "{\"result\":");
	cancel_write(&b, id, status);
	buf_puts(&b, call->events ? "}\n\n" : "}");
	call_reply(call, 200,
	    call->events ? "text/event-stream" : "application/json", &b);
}

void front_callable_cancel(struct call *call)
{
	struct callable_poll poll;

	if (read_poll(call, &poll))
		cancel_start(call, &poll.id, on_cancelled);
}
