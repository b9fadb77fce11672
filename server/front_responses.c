/*
 * POST /v1/responses: an execution made, and told as it comes, whole, or left to
 * itself; GET …/{id}: told again.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/body.h"
#include "server/cancel.h"
#include "server/events.h"
#include "server/front_ending.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/front_record.h"
#include "server/front_response_event.h"
#include "server/front_response_read.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "store/base/digest.h"

#define PREFIX "resp_"
#define PING_MS 15000
/* As long as the clients' libraries wait. */
#define WAIT_MS 600000
/* Of the requests and answers that one request goes on from. */
#define PAST_MAX_BYTES ((size_t)16 << 20)

/* What is remembered of the request while it is answered. */
struct responses {
	struct service *service;
	json_t *root, *past; /* the body, and what it goes on from */
	struct body_past needs;
	size_t known; /* of what it needs */
	size_t past_bytes;
	bool stream, background;
	uint64_t from; /* the first event wanted */
	int64_t wait_ms;
	/* Whoever leaves, leaves nothing running. */
	bool cancel_on_leave, begun;
	struct id id;
};

static void responses_drop(void *memo)
{
	struct responses *r = memo;

	if (r->cancel_on_leave && r->begun)
		cancel_left(r->service, &r->id);
	json_decref(r->root);
	json_decref(r->past);
}

/* --- whole --- */

static void whole_drop(void *state)
{
	reader_close(state);
}

/* Somebody waited for it: what failed is refused. */
static void on_answer(struct call *call, const struct front_response_found *f)
{
	struct responses *r = call->memo;
	struct problem p;

	if (r->begun && !r->background && f->ended &&
	    f->ending.status == EXECUTION_FAILED) {
		front_ending_problem(&f->ending, &f->r.id, &p);
		call_fail(call, &p);
		return;
	}
	if (r->begun && !r->background && !f->ended) {
		problem_set(&p, PROBLEM_DEADLINE_EXCEEDED, NULL,
		    "no end within %d s; the response goes on: GET it by its "
		    "id, resp_ and the execution_id",
		    WAIT_MS / 1000);
		id_text(&f->r.id, p.execution);
		/* Asked again, it would be another execution. */
		http_reply_header(call->x, "x-should-retry", "false");
		r->cancel_on_leave = false;
		call_fail(call, &p);
		return;
	}
	front_response_reply(call, f);
}

static void on_waited(
    struct reader *reader, enum err e, const struct why *why, struct page *page)
{
	struct call *call = reader->call;
	struct id id = reader->id;

	(void)page;
	if (e != OK)
		call_fail_err(call, e, why);
	else
		front_response_read(call, &id, on_answer);
}

static void whole_start(struct call *call, const struct id *id)
{
	const struct responses *r = call->memo;
	struct reader *reader;

	if (r->wait_ms == 0) {
		front_response_read(call, id, on_answer);
		return;
	}
	reader = call_state(call, sizeof(*reader), whole_drop);
	if (!reader) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(reader, call, id, on_waited);
	/* Until the end only the status is wanted: an empty page. */
	reader->q.from = INT64_MAX;
	reader->q.limit = 1;
	reader_read(reader, READER_THE_END, r->wait_ms);
}

/* --- as it comes --- */

static void on_record(struct call *call, const struct execution *e)
{
	const struct responses *r = call->memo;
	struct telling *t = front_response_event_new(
	    e->model, body_responses_echo(e->request, e->request_len), r->from);

	if (!t) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	events_start(call, &e->id,
	    &(struct events_options){
		.ping_ms = PING_MS, .wait_ms = EVENTS_FOR_EVER, .telling = t });
}

static void answer(struct call *call, const struct id *id)
{
	const struct responses *r = call->memo;

	front_openai_name(call, id);
	if (r->stream)
		front_record_ask(call, id, on_record, NULL);
	else
		whole_start(call, id);
}

/* --- POST --- */

static void on_made(struct call *call, const struct submitted *s)
{
	struct responses *r = call->memo;

	r->id = s->id;
	r->begun = true;
	if (s->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	answer(call, &s->id);
}

/* All that the body goes on from is known. */
static void make(struct call *call)
{
	struct responses *r = call->memo;
	uint8_t hash[DIGEST_BYTES];
	struct body_responses body;
	struct problem p;
	const char *text;
	size_t len;

	if (body_responses(r->root, call->service->o.never_goes_on, r->past,
		&body, &p) != OK) {
		call_fail(call, &p);
		return;
	}
	r->stream = body.stream;
	r->background = body.background;
	r->cancel_on_leave = body.cancel_if_gone;
	r->wait_ms = body.background ? 0 : WAIT_MS;
	text = http_body(call->x, &len);
	digest_sha256(text, len, hash);
	call->cancel_if_gone = body.cancel_if_gone;
	submit_start(call, &body.create, hash, on_made);
}

static void ask_next(struct call *call);

/* The request is wanted of the one that is gone on from, of others the answer. */
static enum err note(
    struct responses *r, const struct front_response_found *f, bool previous)
{
	struct buf b;
	enum err e;

	buf_init(&b, PAST_MAX_BYTES);
	front_response_output(&b, &f->r, f->ended ? &f->ending : NULL);
	e = buf_state(&b);
	r->past_bytes += b.len + (previous ? f->e.request_len : 0);
	if (e == OK && r->past_bytes > PAST_MAX_BYTES)
		e = ERR_LIMIT;
	if (e == OK)
		e = body_responses_note(r->past, &f->r.id,
		    previous ? f->e.request : NULL, f->e.request_len, b.data,
		    b.len);
	buf_fini(&b);
	return e;
}

static void on_past(struct call *call, const struct front_response_found *f)
{
	struct responses *r = call->memo;
	bool previous = r->needs.previous && r->known == 0;
	enum err e;

	if (previous &&
	    (!f->ended || f->ending.status != EXECUTION_COMPLETED)) {
		call_refuse(call,
		    f->ended ? PROBLEM_FAILED_PRECONDITION : PROBLEM_NOT_ENDED,
		    "previous_response_id",
		    "only a response that is completed can be gone on from");
		return;
	}
	e = note(r, f, previous);
	if (e == ERR_LIMIT) {
		call_refuse(call, PROBLEM_FAILED_PRECONDITION,
		    previous ? "previous_response_id" : "input",
		    "the conversation so far is larger than %d MiB; begin a "
		    "new one",
		    (int)(PAST_MAX_BYTES >> 20));
		return;
	}
	if (e != OK) {
		call_fail_err(call, e, NULL);
		return;
	}
	r->known++;
	ask_next(call);
}

/* One after the other. */
static void ask_next(struct call *call)
{
	struct responses *r = call->memo;

	if (r->known < r->needs.n)
		front_response_read(call, &r->needs.id[r->known], on_past);
	else
		make(call);
}

void front_responses_create(struct call *call)
{
	struct responses *r;
	struct problem p;
	const char *body;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return;
	r = call_memo(call, sizeof(*r), responses_drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	r->service = call->service;
	r->past = json_object();
	body = http_body(call->x, &len);
	e = body_parse(body, len, &r->root, &p);
	if (e == OK)
		e = body_responses_past(r->root, &r->needs, &p);
	if (e != OK)
		call_fail(call, &p);
	else if (!r->past)
		call_fail_err(call, ERR_NOMEM, NULL);
	else
		ask_next(call);
}

/* --- GET --- */

/*
 * What a client has seen: the number of the last event it knows, in the query
 * or, as reconnecting readers of events say it, in a header. False: answered.
 */
static bool read_after(struct call *call, uint64_t *ret_from)
{
	static const char *const names[] = { "starting_after", NULL };
	int64_t after = -1;

	if (events_last_id(call, &after) != OK)
		return false;
	if (after < 0 &&
	    call_number(call, names, -1, INT64_MAX - 1, &after) != OK)
		return false;
	*ret_from = (uint64_t)(after + 1);
	return true;
}

void front_responses_show(struct call *call)
{
	static const char *const wait_names[] = { "wait_ms", NULL };
	struct responses *r;
	struct id id;

	if (front_openai_call_id(call, PREFIX, &id) != OK)
		return;
	r = call_memo(call, sizeof(*r), responses_drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	if (call_bool(call, "stream", &r->stream) == OK &&
	    read_after(call, &r->from) &&
	    call_number(call, wait_names, 0, WAIT_MS, &r->wait_ms) == OK)
		answer(call, &id);
}
