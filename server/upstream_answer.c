#include "server/upstream_answer.h"

#include <stdlib.h>
#include <string.h>

#include "server/http.h"
#include "server/upstream_answer_internal.h"
#include "server/upstream_voice.h"
#include "server/upstream_whole.h"
#include "store/base/clock.h"
#include "store/base/id.h"
#include "store/base/log.h"
#include "store/base/utf8.h"

#define BATCH_BYTES ((size_t)16 << 10)	/* of events in one write */
#define SOCKET_BYTES ((size_t)64 << 10) /* waiting there: enough */
#define FRAGMENT_BYTES 12		/* of a tool's arguments */
#define PING_MS 50

static void on_stream_ready(struct http_exchange *x);
static void on_gone(struct http_exchange *x);

void upstream_lane_fini(struct upstream_lane *lane)
{
	buf_fini(&lane->out);
	buf_fini(&lane->token);
}

static void answer_free(struct upstream_answer *a)
{
	if (a == NULL)
		return;
	upstream_wheel_remove(&a->lane->wheel, &a->entry);
	upstream_wire_fini(&a->wire);
	body_upstream_fini(&a->asked);
	upstream_kept_drop(a->kept);
	free(a);
}

void upstream_answer_count(atomic_uint_fast64_t *n, uint64_t more)
{
	atomic_fetch_add_explicit(n, more, memory_order_relaxed);
}

/* --- what it says --- */

const char *upstream_answer_finish(const struct upstream_answer *a)
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
void upstream_answer_token(struct upstream_answer *a, int64_t i)
{
	struct buf *b = &a->lane->token;

	buf_reset(b);
	if (a->wire.tool != NULL) {
		const char *s = a->asked.arguments;
		size_t len = a->arguments_len;
		size_t from = fragment_at(s, len, i);

		buf_add(b, s + from, fragment_at(s, len, i + 1) - from);
		return;
	}
	upstream_text_token(&a->text, i, b);
	if (i == a->base)
		buf_drain(b, a->offset);
}

static void plan_tokens(struct upstream_answer *a)
{
	int64_t n;

	if (a->wire.tool != NULL) {
		a->arguments_len = strlen(a->asked.arguments);
		n = (int64_t)((a->arguments_len + FRAGMENT_BYTES - 1) /
			      FRAGMENT_BYTES);
	} else {
		if (a->asked.prefill != NULL && !a->plan.stamp)
			(void)upstream_text_resume(&a->text, a->asked.prefill,
			    a->asked.prefill_len, &a->lane->token, &a->base,
			    &a->offset);
		n = a->text.n - a->base;
	}
	if (a->asked.max_tokens >= 0 && n > a->asked.max_tokens)
		n = a->asked.max_tokens;
	a->next = a->from = a->base;
	a->end = a->base + n;
}

/* --- out --- */

/* Send what is in the lane's buffer; true when the socket can take more. */
bool upstream_answer_flush(struct upstream_answer *a)
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

void upstream_answer_sleep(struct upstream_answer *a, int64_t due_ms)
{
	if (a->entry.next == NULL)
		upstream_wheel_put(&a->lane->wheel, &a->entry, due_ms);
}

void upstream_answer_leave(struct upstream_answer *a, bool faulted)
{
	upstream_answer_count(
	    faulted ? &a->lane->counts->faulted : &a->lane->counts->finished,
	    1);
	http_exchange_set(a->x, NULL);
	answer_free(a);
}

void upstream_answer_end(struct upstream_answer *a, bool faulted)
{
	struct http_exchange *x = a->x;

	upstream_answer_leave(a, faulted);
	http_stream_end(x);
}

static void cut_stream(struct upstream_answer *a)
{
	struct http_exchange *x = a->x;

	upstream_answer_leave(a, true);
	http_stream_cut(x);
}

/* --- when --- */

int64_t upstream_answer_due(const struct upstream_answer *a, int64_t i)
{
	if (a->plan.rate <= 0)
		return a->start_ms;
	return a->start_ms +
	       (int64_t)((double)(i - a->base) * 1000 / a->plan.rate);
}

bool upstream_answer_cancelled(const struct upstream_answer *a, int64_t ms)
{
	int64_t at = a->kept != NULL ? atomic_load(&a->kept->cancelled_ms) : 0;

	return at != 0 && at < ms;
}

/*
 * Connections break so many tokens after they began, an answer at its own
 * token, however often it is told.
 */
static bool is_struck(const struct upstream_answer *a)
{
	int64_t from = a->plan.fault == UPSTREAM_ERROR ? a->base : a->from;

	return a->next - from >= a->plan.after;
}

static void end_as(struct upstream_answer *a, const char *finish)
{
	upstream_wire_end(&a->wire, &a->lane->out, finish, a->next - a->base);
	(void)upstream_answer_flush(a);
	upstream_answer_end(a, false);
}

/* Write token ${next}, unless the client has it already. */
static void tell(struct upstream_answer *a)
{
	struct buf *out = &a->lane->out;
	size_t before = out->len;

	upstream_answer_token(a, a->next);
	upstream_wire_token(
	    &a->wire, out, a->lane->token.data, a->lane->token.len);
	a->next++;
	if (out->len == before)
		a->from = a->next;
	else
		upstream_answer_count(&a->lane->counts->tokens, 1);
}

/* The fault's turn has come: false when the answer goes on as if nothing was. */
static bool strike(struct upstream_answer *a)
{
	struct buf *out = &a->lane->out;
	size_t before = out->len;

	switch (a->plan.fault) {
	case UPSTREAM_CUT:
		upstream_answer_token(a, a->next);
		upstream_wire_token(
		    &a->wire, out, a->lane->token.data, a->lane->token.len);
		out->len = before + (out->len - before) / 2;
		(void)upstream_answer_flush(a);
		a->stage = UPSTREAM_CUTTING;
		upstream_answer_sleep(a, clock_mono_ms() + UPSTREAM_CUT_MS);
		return true;
	case UPSTREAM_STALL:
		(void)upstream_answer_flush(a);
		a->stage = UPSTREAM_HELD;
		return true;
	case UPSTREAM_PINGS:
		(void)upstream_answer_flush(a);
		a->stage = UPSTREAM_PINGING;
		upstream_answer_sleep(a, clock_mono_ms());
		return true;
	case UPSTREAM_NO_END:
		(void)upstream_answer_flush(a);
		upstream_answer_end(a, true);
		return true;
	case UPSTREAM_ERROR:
		upstream_wire_broken(&a->wire, out);
		(void)upstream_answer_flush(a);
		upstream_answer_end(a, true);
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
static void talk(struct upstream_answer *a)
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
		if (a->next < a->end && upstream_answer_cancelled(a,
					    upstream_answer_due(a, a->next))) {
			end_as(a, "cancelled");
			return;
		}
		if (is_struck(a) && strike(a))
			return;
		if (a->next == a->end) {
			end_as(a, upstream_answer_finish(a));
			return;
		}
		if (upstream_answer_due(a, a->next) > now)
			break;
		tell(a);
		if (out->len >= BATCH_BYTES && !upstream_answer_flush(a))
			return;
	}
	if (out->len > 0 && !upstream_answer_flush(a))
		return;
	upstream_answer_sleep(
	    a, a->begun ? upstream_answer_due(a, a->next) : a->start_ms);
}

/* --- turns --- */

static void turn(struct upstream_answer *a)
{
	switch (a->stage) {
	case UPSTREAM_OPENING:
		a->stage = UPSTREAM_TALKING;
		upstream_answer_sleep(a, a->start_ms);
		break;
	case UPSTREAM_TALKING:
		if (a->asked.stream)
			talk(a);
		else
			upstream_whole_turn(a);
		break;
	case UPSTREAM_PINGING:
		buf_reset(&a->lane->out);
		buf_puts(&a->lane->out,
		    a->asked.stream ? a->wire.voice->ping : "\n");
		if (upstream_answer_flush(a))
			upstream_answer_sleep(a, clock_mono_ms() + PING_MS);
		break;
	case UPSTREAM_CUTTING: cut_stream(a); break;
	case UPSTREAM_HELD: break;
	}
}

static void on_due(struct upstream_wheel_entry *e)
{
	struct upstream_answer *a = (struct upstream_answer *)e;

	turn(a);
}

static void on_stream_ready(struct http_exchange *x)
{
	struct upstream_answer *a = http_exchange_get(x);

	if (a == NULL || (a->stage != UPSTREAM_OPENING && !a->full))
		return;
	a->full = false;
	if (a->entry.next == NULL)
		turn(a);
}

static void on_gone(struct http_exchange *x)
{
	struct upstream_answer *a = http_exchange_get(x);

	if (a == NULL)
		return;
	upstream_answer_count(&a->lane->counts->cut, 1);
	http_exchange_set(x, NULL);
	answer_free(a);
}

void upstream_lane_init(struct upstream_lane *lane, struct http_loop *loop,
    struct upstream_counts *counts)
{
	upstream_wheel_init(&lane->wheel, loop, on_due);
	lane->counts = counts;
	buf_init(&lane->out, UPSTREAM_OUT_BYTES);
	buf_init(&lane->token, UPSTREAM_OUT_BYTES);
}

enum err upstream_answer_start(struct upstream_lane *lane,
    struct http_exchange *x, const struct upstream_voice *voice,
    const struct upstream_plan *plan, struct body_upstream *asked,
    struct upstream_kept *kept, int64_t heard)
{
	struct upstream_answer *a = calloc(1, sizeof(*a));
	struct id id = kept != NULL ? kept->id : id_new();

	if (a == NULL)
		return ERR_NOMEM;
	a->lane = lane;
	a->x = x;
	a->plan = *plan;
	a->wire.voice = voice;
	a->wire.model = a->plan.model;
	a->wire.thinks = asked->thinks;
	a->wire.arguments = asked->arguments;
	a->wire.usage = asked->include_usage;
	a->wire.tool = asked->tool;
	a->wire.prompt_tokens = asked->prompt_tokens;
	a->wire.background = kept != NULL;
	a->wire.heard = heard;
	a->wire.created_s =
	    kept != NULL ? kept->created_s : clock_wall_ms() / 1000;
	if (upstream_wire_init(&a->wire, &id) != OK) {
		answer_free(a);
		return ERR_NOMEM;
	}
	a->asked = *asked;
	*asked = (struct body_upstream){ 0 };
	upstream_text_init(
	    &a->text, a->asked.prompt, a->asked.prompt_len, &a->plan);
	plan_tokens(a);
	a->kept = kept;
	a->start_ms =
	    kept != NULL ? kept->start_ms : clock_mono_ms() + a->plan.first_ms;
	http_exchange_set(x, a);
	http_on_gone(x, on_gone);
	upstream_answer_count(&lane->counts->streams, 1);
	if (!a->asked.stream && kept != NULL) {
		upstream_whole_now(a);
	} else if (a->plan.fault == UPSTREAM_SILENT) {
		a->stage = UPSTREAM_HELD;
	} else if (!a->asked.stream) {
		upstream_whole_open(a);
	} else {
		a->stage = UPSTREAM_OPENING;
		a->streaming = true;
		http_reply_header(x, "Cache-Control", "no-store");
		http_stream(x, 200, voice->stream_type, on_stream_ready);
	}
	return OK;
}
