#include "server/upstream_whole.h"

#include "server/http.h"
#include "server/upstream_answer_internal.h"
#include "store/base/clock.h"

#define MAX_TOKENS 1000000

static void reply(
    struct upstream_answer *a, int status, struct buf *body, bool faulted)
{
	struct http_exchange *x = a->x;

	upstream_answer_leave(a, faulted);
	http_reply(x, status, "application/json", body);
}

/* What it says before token ${end}. */
static void add_text(struct upstream_answer *a, int64_t end, const char *finish,
    struct buf *body)
{
	struct buf text;

	buf_init(&text, UPSTREAM_OUT_BYTES);
	for (; a->next < end && a->next < MAX_TOKENS; a->next++) {
		upstream_answer_token(a, a->next);
		buf_add(&text, a->lane->token.data, a->lane->token.len);
		upstream_answer_count(&a->lane->counts->tokens, 1);
	}
	upstream_wire_whole(&a->wire, body, text.data != NULL ? text.data : "",
	    text.len, finish, a->next - a->base);
	if (buf_state(&text) != OK)
		body->failed = text.failed;
	buf_fini(&text);
}

void upstream_whole_now(struct upstream_answer *a)
{
	int64_t now = clock_mono_ms(), due, n = a->base;
	const char *finish = upstream_answer_finish(a);
	struct buf body;

	for (; n < a->end; n++) {
		due = upstream_answer_due(a, n);
		if (a->plan.fault == UPSTREAM_ERROR &&
		    n - a->base >= a->plan.after && due <= now)
			finish = "failed";
		else if (upstream_answer_cancelled(a, due))
			finish = "cancelled";
		else if (due > now)
			finish = "in_progress";
		else
			continue;
		break;
	}
	buf_init(&body, UPSTREAM_OUT_BYTES);
	add_text(a, n, finish, &body);
	if (buf_state(&body) == OK) {
		reply(a, 200, &body, false);
	} else {
		buf_reset(&body);
		upstream_wire_error(
		    a->wire.voice, &body, 500, "The answer is too large.");
		reply(a, 500, &body, true);
	}
	buf_fini(&body);
}

static void on_ready(struct http_exchange *x)
{
	struct upstream_answer *a = http_exchange_get(x);

	if (a != NULL && a->stage == UPSTREAM_OPENING) {
		a->stage = UPSTREAM_TALKING;
		upstream_answer_sleep(a, a->start_ms);
	}
}

/* A faulty body goes out as a stream, where it can be cut and split. */
static void play_fault(struct upstream_answer *a, struct buf *body)
{
	struct buf *out = &a->lane->out;

	buf_reset(out);
	if (a->plan.fault == UPSTREAM_SPLIT) {
		buf_add(out, body->data, body->len);
		(void)upstream_answer_flush(a);
		upstream_answer_end(a, false);
		return;
	}
	if (a->plan.fault == UPSTREAM_STALL || a->plan.fault == UPSTREAM_CUT ||
	    a->plan.fault == UPSTREAM_NO_END)
		buf_add(out, body->data, body->len / 2);
	else if (a->plan.fault == UPSTREAM_GARBAGE)
		buf_puts(out, "<b>oops</b>");
	if (a->plan.fault == UPSTREAM_PINGS)
		a->stage = UPSTREAM_PINGING;
	else if (a->plan.fault == UPSTREAM_CUT)
		a->stage = UPSTREAM_CUTTING;
	else
		a->stage = UPSTREAM_HELD;
	(void)upstream_answer_flush(a);
	if (a->stage != UPSTREAM_HELD)
		upstream_answer_sleep(a, clock_mono_ms() + UPSTREAM_CUT_MS);
	else if (a->plan.fault != UPSTREAM_STALL)
		upstream_answer_end(a, true);
}

void upstream_whole_turn(struct upstream_answer *a)
{
	struct buf body;

	buf_init(&body, UPSTREAM_OUT_BYTES);
	if (a->plan.fault == UPSTREAM_ERROR)
		upstream_wire_error(a->wire.voice, &body, 500,
		    "The simulated server had an error in mid-answer.");
	else
		add_text(a, a->end, upstream_answer_finish(a), &body);
	if (buf_state(&body) != OK && a->streaming) {
		upstream_answer_end(a, true);
	} else if (buf_state(&body) != OK) {
		buf_reset(&body);
		upstream_wire_error(
		    a->wire.voice, &body, 500, "The answer is too large.");
		reply(a, 500, &body, true);
	} else if (a->streaming) {
		play_fault(a, &body);
	} else {
		reply(a, 200, &body, a->plan.fault == UPSTREAM_ERROR);
	}
	buf_fini(&body);
}

void upstream_whole_open(struct upstream_answer *a)
{
	a->stage = UPSTREAM_TALKING;
	a->start_ms = upstream_answer_due(a, a->end);
	if (a->plan.fault != UPSTREAM_FINE && a->plan.fault != UPSTREAM_ERROR) {
		a->stage = UPSTREAM_OPENING;
		a->streaming = true;
		http_stream(a->x, 200, "application/json", on_ready);
	} else {
		upstream_answer_sleep(a, a->start_ms);
	}
}
