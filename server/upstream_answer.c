#include "server/upstream_answer.h"

#include <stdlib.h>
#include <string.h>

#include "server/body_upstream.h"
#include "server/http.h"
#include "server/upstream_plan.h"
#include "server/upstream_text.h"
#include "server/upstream_wire.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/utf8.h"

#define OUT_MAX_BYTES ((size_t)32 << 20)
#define BATCH_BYTES ((size_t)16 << 10)	/* of events in one write */
#define SOCKET_BYTES ((size_t)64 << 10) /* waiting there: enough */
#define FRAGMENT_BYTES 12		/* of a tool's arguments */
#define PING_MS 50
#define CUT_MS 10 /* for what was written to leave first */
#define WHOLE_MAX_TOKENS 1000000

static const char event_stream[] = "text/event-stream; charset=utf-8";

/*
 *            on_ready               tokens written
 *   OPENING ----------> TALKING ----------------------> (exchange ends)
 *                          |  \
 *      fault stall, silent |   \ fault cut: half an event is written
 *                          v    v
 *                        HELD  CUTTING --> (connection broken)
 *
 * OPENING sleeps until the socket is ready, TALKING in the wheel until the next
 * token is due, or (${full}) until the socket has drained; CUTTING and PINGING
 * in the wheel; HELD until the client leaves.
 */
enum stage { OPENING, TALKING, PINGING, CUTTING, HELD };

struct answer {
	struct upstream_wheel_entry entry; /* first */
	struct upstream_lane *lane;
	struct http_exchange *x;
	struct upstream_plan plan;
	struct upstream_text text;
	struct upstream_wire wire;
	struct body_upstream asked;
	enum stage stage;
	bool begun;	   /* the first event is out */
	bool streaming;	   /* http_stream() was called */
	bool full;	   /* waits for the socket, not for the clock */
	int64_t start_ms;  /* when token ${base} was due */
	int64_t base;	   /* tokens the client had already (prefill) */
	size_t offset;	   /* and bytes of token ${base} */
	int64_t next, end; /* tokens */
	uint64_t pieces;   /* written for the fault split */
};

static void on_stream_ready(struct http_exchange *x);
static void on_gone(struct http_exchange *x);

void upstream_lane_fini(struct upstream_lane *lane)
{
	buf_fini(&lane->out);
	buf_fini(&lane->token);
}

static void answer_free(struct answer *a)
{
	if (a == NULL)
		return;
	upstream_wheel_remove(&a->lane->wheel, &a->entry);
	upstream_wire_fini(&a->wire);
	body_upstream_fini(&a->asked);
	free(a);
}

static void count(atomic_uint_fast64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

/* --- what it says --- */

static const char *finish_of(const struct answer *a)
{
	if (a->asked.max_tokens >= 0 &&
	    a->end - a->base >= a->asked.max_tokens &&
	    (a->wire.tool != NULL || a->end < a->text.n))
		return "length";
	return a->wire.tool != NULL ? "tool_calls" : "stop";
}

/* Fragments are cut by bytes and then moved back to a code point's end. */
static size_t fragment_at(const char *arguments, size_t len, int64_t i)
{
	size_t at = (size_t)i * FRAGMENT_BYTES;

	return at < len ? utf8_cut(arguments, at) : len;
}

/* Token ${i} into the lane's scratch. */
static void make_token(struct answer *a, int64_t i)
{
	struct buf *b = &a->lane->token;

	buf_reset(b);
	if (a->wire.tool != NULL) {
		const char *s = a->asked.arguments;
		size_t len = strlen(s);
		size_t from = fragment_at(s, len, i);

		buf_add(b, s + from, fragment_at(s, len, i + 1) - from);
		return;
	}
	upstream_text_token(&a->text, i, b);
	if (i == a->base)
		buf_drain(b, a->offset);
}

static void plan_tokens(struct answer *a)
{
	int64_t n;

	if (a->wire.tool != NULL) {
		size_t len = strlen(a->asked.arguments);

		n = (int64_t)((len + FRAGMENT_BYTES - 1) / FRAGMENT_BYTES);
	} else {
		if (a->asked.prefill != NULL && !a->plan.stamp)
			(void)upstream_text_resume(&a->text, a->asked.prefill,
			    a->asked.prefill_len, &a->lane->token, &a->base,
			    &a->offset);
		n = a->text.n - a->base;
	}
	if (a->asked.max_tokens >= 0 && n > a->asked.max_tokens)
		n = a->asked.max_tokens;
	a->next = a->base;
	a->end = a->base + n;
}

/* --- out --- */

/* Send what is in the lane's buffer; true when the socket can take more. */
static bool flush(struct answer *a)
{
	struct buf *out = &a->lane->out;
	size_t at = 0, waiting = 0;

	ASSERT(buf_state(out) == OK);
	while (a->plan.fault == UPSTREAM_SPLIT && at < out->len) {
		size_t n = 1 + upstream_plan_mix(a->plan.seed, a->pieces++) % 7;

		if (n > out->len - at)
			n = out->len - at;
		waiting = http_stream_write(a->x, out->data + at, n);
		at += n;
	}
	if (at < out->len)
		waiting = http_stream_write(a->x, out->data, out->len);
	buf_reset(out);
	a->full = waiting >= SOCKET_BYTES;
	return !a->full;
}

static void sleep_until(struct answer *a, int64_t due_ms)
{
	if (a->entry.next == NULL)
		upstream_wheel_put(&a->lane->wheel, &a->entry, due_ms);
}

static void end_stream(struct answer *a, bool faulted)
{
	struct http_exchange *x = a->x;

	count(faulted ? &a->lane->counts->faulted : &a->lane->counts->finished,
	    1);
	http_exchange_set(x, NULL);
	answer_free(a);
	http_stream_end(x);
}

static void cut_stream(struct answer *a)
{
	struct http_exchange *x = a->x;

	count(&a->lane->counts->faulted, 1);
	http_exchange_set(x, NULL);
	answer_free(a);
	http_stream_cut(x);
}

static void reply_whole(struct answer *a, int status, const char *type,
    struct buf *body, bool faulted)
{
	struct http_exchange *x = a->x;

	count(faulted ? &a->lane->counts->faulted : &a->lane->counts->finished,
	    1);
	http_exchange_set(x, NULL);
	answer_free(a);
	http_reply(x, status, type, body);
	buf_fini(body);
}

/* --- when --- */

static int64_t due_of(const struct answer *a, int64_t i)
{
	if (a->plan.rate <= 0)
		return a->start_ms;
	return a->start_ms +
	       (int64_t)((double)(i - a->base) * 1000 / a->plan.rate);
}

/* The fault's turn has come: false when the answer goes on as if nothing was. */
static bool strike(struct answer *a)
{
	struct buf *out = &a->lane->out;
	size_t before = out->len;

	switch (a->plan.fault) {
	case UPSTREAM_CUT:
		make_token(a, a->next);
		upstream_wire_token(
		    &a->wire, out, a->lane->token.data, a->lane->token.len);
		out->len = before + (out->len - before) / 2;
		(void)flush(a);
		a->stage = CUTTING;
		sleep_until(a, clock_mono_ms() + CUT_MS);
		return true;
	case UPSTREAM_STALL:
		(void)flush(a);
		a->stage = HELD;
		return true;
	case UPSTREAM_PINGS:
		(void)flush(a);
		a->stage = PINGING;
		sleep_until(a, clock_mono_ms());
		return true;
	case UPSTREAM_NO_END:
		(void)flush(a);
		end_stream(a, true);
		return true;
	case UPSTREAM_ERROR:
		upstream_wire_broken(out);
		(void)flush(a);
		end_stream(a, true);
		return true;
	case UPSTREAM_GARBAGE:
		upstream_wire_garbage(&a->wire, out);
		a->plan.fault = UPSTREAM_FINE;
		return false;
	case UPSTREAM_FINE:
	case UPSTREAM_STATUS:
	case UPSTREAM_SPLIT:
	case UPSTREAM_SILENT: break;
	}
	return false;
}

/* Write what is due. Pulled: never more than the socket wants. */
static void talk(struct answer *a)
{
	struct buf *out = &a->lane->out;
	int64_t now = clock_mono_ms();

	buf_reset(out);
	for (;;) {
		if (!a->begun) {
			if (now < a->start_ms)
				break;
			upstream_wire_begin(&a->wire, out);
			a->begun = true;
		}
		if (a->next - a->base >= a->plan.after && strike(a))
			return;
		if (a->next == a->end) {
			upstream_wire_end(
			    &a->wire, out, finish_of(a), a->end - a->base);
			(void)flush(a);
			end_stream(a, false);
			return;
		}
		if (due_of(a, a->next) > now)
			break;
		make_token(a, a->next);
		upstream_wire_token(
		    &a->wire, out, a->lane->token.data, a->lane->token.len);
		a->next++;
		count(&a->lane->counts->tokens, 1);
		if (out->len >= BATCH_BYTES && !flush(a))
			return;
	}
	if (out->len > 0 && !flush(a))
		return;
	sleep_until(a, a->begun ? due_of(a, a->next) : a->start_ms);
}

/* --- answers that are not streams --- */

static void whole_text(struct answer *a, struct buf *body)
{
	struct buf text;

	buf_init(&text, OUT_MAX_BYTES);
	for (; a->next < a->end && a->next < WHOLE_MAX_TOKENS; a->next++) {
		make_token(a, a->next);
		buf_add(&text, a->lane->token.data, a->lane->token.len);
		count(&a->lane->counts->tokens, 1);
	}
	upstream_wire_whole(&a->wire, body, text.data != NULL ? text.data : "",
	    text.len, finish_of(a), a->next - a->base);
	if (buf_state(&text) != OK)
		body->failed = text.failed;
	buf_fini(&text);
}

static void on_whole_ready(struct http_exchange *x)
{
	struct answer *a = http_exchange_get(x);

	if (a != NULL && a->stage == OPENING) {
		a->stage = TALKING;
		sleep_until(a, a->start_ms);
	}
}

/* A faulty body goes out as a stream, where it can be cut and split. */
static void whole_fault(struct answer *a, struct buf *body)
{
	struct buf *out = &a->lane->out;

	buf_reset(out);
	if (a->plan.fault == UPSTREAM_SPLIT) {
		buf_add(out, body->data, body->len);
		(void)flush(a);
		end_stream(a, false);
		return;
	}
	if (a->plan.fault == UPSTREAM_STALL || a->plan.fault == UPSTREAM_CUT ||
	    a->plan.fault == UPSTREAM_NO_END)
		buf_add(out, body->data, body->len / 2);
	else if (a->plan.fault == UPSTREAM_GARBAGE)
		buf_puts(out, "<b>oops</b>");
	if (a->plan.fault == UPSTREAM_PINGS)
		a->stage = PINGING;
	else if (a->plan.fault == UPSTREAM_CUT)
		a->stage = CUTTING;
	else
		a->stage = HELD;
	(void)flush(a);
	if (a->stage != HELD)
		sleep_until(a, clock_mono_ms() + CUT_MS);
	else if (a->plan.fault != UPSTREAM_STALL)
		end_stream(a, true);
}

static void whole(struct answer *a)
{
	struct buf body;

	buf_init(&body, OUT_MAX_BYTES);
	if (a->plan.fault == UPSTREAM_ERROR)
		upstream_wire_error(&body, 500,
		    "The simulated server had an error in mid-answer.");
	else
		whole_text(a, &body);
	if (buf_state(&body) != OK) {
		buf_reset(&body);
		upstream_wire_error(&body, 500, "The answer is too large.");
		reply_whole(a, 500, "application/json", &body, true);
	} else if (a->streaming) {
		whole_fault(a, &body);
	} else {
		reply_whole(a, 200, "application/json", &body,
		    a->plan.fault == UPSTREAM_ERROR);
	}
	buf_fini(&body);
}

/* --- turns --- */

static void turn(struct answer *a)
{
	switch (a->stage) {
	case OPENING:
		a->stage = TALKING;
		sleep_until(a, a->start_ms);
		break;
	case TALKING:
		if (a->asked.stream)
			talk(a);
		else
			whole(a);
		break;
	case PINGING:
		buf_reset(&a->lane->out);
		buf_puts(&a->lane->out, a->asked.stream ? ": ping\n\n" : "\n");
		if (flush(a))
			sleep_until(a, clock_mono_ms() + PING_MS);
		break;
	case CUTTING: cut_stream(a); break;
	case HELD: break;
	}
}

static void on_due(struct upstream_wheel_entry *e)
{
	struct answer *a = (struct answer *)e;

	turn(a);
}

static void on_stream_ready(struct http_exchange *x)
{
	struct answer *a = http_exchange_get(x);

	if (a == NULL || (a->stage != OPENING && !a->full))
		return;
	a->full = false;
	if (a->entry.next == NULL)
		turn(a);
}

static void on_gone(struct http_exchange *x)
{
	struct answer *a = http_exchange_get(x);

	if (a == NULL)
		return;
	count(&a->lane->counts->cut, 1);
	http_exchange_set(x, NULL);
	answer_free(a);
}

void upstream_lane_init(struct upstream_lane *lane, struct http_loop *loop,
    struct upstream_counts *counts)
{
	upstream_wheel_init(&lane->wheel, loop, on_due);
	lane->counts = counts;
	buf_init(&lane->out, OUT_MAX_BYTES);
	buf_init(&lane->token, OUT_MAX_BYTES);
}

/* A whole answer takes as long as its tokens would. */
static void open_whole(struct answer *a)
{
	a->stage = TALKING;
	a->start_ms = due_of(a, a->end);
	if (a->plan.fault != UPSTREAM_FINE && a->plan.fault != UPSTREAM_ERROR) {
		a->stage = OPENING;
		a->streaming = true;
		http_stream(a->x, 200, "application/json", on_whole_ready);
	} else {
		sleep_until(a, a->start_ms);
	}
}

enum err upstream_answer_start(struct upstream_lane *lane,
    struct http_exchange *x, const struct upstream_plan *plan,
    struct body_upstream *asked)
{
	struct answer *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->lane = lane;
	a->x = x;
	a->plan = *plan;
	a->wire.model = a->plan.model;
	a->wire.usage = asked->include_usage;
	a->wire.tool = asked->tool;
	a->wire.prompt_tokens = asked->prompt_tokens;
	if (upstream_wire_init(&a->wire) != OK) {
		answer_free(a);
		return ERR_NOMEM;
	}
	a->asked = *asked;
	*asked = (struct body_upstream){ 0 };
	upstream_text_init(
	    &a->text, a->asked.prompt, a->asked.prompt_len, &a->plan);
	plan_tokens(a);
	a->start_ms = clock_mono_ms() + a->plan.first_ms;
	http_exchange_set(x, a);
	http_on_gone(x, on_gone);
	count(&lane->counts->streams, 1);
	if (a->plan.fault == UPSTREAM_SILENT) {
		a->stage = HELD;
	} else if (!a->asked.stream) {
		open_whole(a);
	} else {
		a->stage = OPENING;
		a->streaming = true;
		http_reply_header(x, "Cache-Control", "no-store");
		http_stream(x, 200, event_stream, on_stream_ready);
	}
	return OK;
}
