/*
 * POST /stream: a text in, events out that say their type: delta, tool_call,
 * done, error. Its clients cut what they read wherever the network cut it, so
 * events are small, ASCII, and written one by one.
 */
#include <jansson.h>
#include <string.h>

#include "server/body.h"
#include "server/events.h"
#include "server/front.h"
#include "server/front_call_list.h"
#include "server/front_chunk_meta.h"
#include "server/front_ending.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/telling.h"
#include "server/write_page.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"

#define PING_MS 15000
#define HOLD_MS 10000
/* Of text in one event: escaped, six times it, it fits a packet. */
#define PIECE_BYTES 192

struct stream_telling {
	struct telling t;
	struct front_call_list calls;
};

static struct buf *event(struct telling *t, const char *type)
{
	telling_event(t);
	jsonout_object(t->out);
	jsonout_member(t->out, "type", type);
	return t->out;
}

static void event_end(struct telling *t)
{
	jsonout_object_end(t->out);
	telling_event_end(t);
}

static void tell_text(struct telling *t, const struct chunk *c)
{
	const char *at = c->content, *end = at + c->content_len;

	while (at < end) {
		size_t n = (size_t)(end - at);
		struct buf *b = event(t, "delta");

		if (n > PIECE_BYTES)
			n = PIECE_BYTES;
		/* Back to where a code point begins. */
		while (at + n < end && ((unsigned char)at[n] & 0xc0) == 0x80)
			n--;
		jsonout_key(b, "content");
		jsonout_object(b);
		jsonout_key(b, "content");
		jsonout_string(b, at, n);
		jsonout_object_end(b);
		event_end(t);
		at += n;
	}
}

/* Told once, whole: its clients parse the arguments at once. */
static void tell_call(struct stream_telling *s, const struct chunk *c)
{
	struct jsonscan_slice args = front_chunk_meta(c, "arguments");
	bool valid = jsonscan_is(front_chunk_meta(c, "valid_json"), "true");
	const struct front_call *call = front_call_list_of(&s->calls, c);
	struct buf *b;

	if (!call) {
		s->t.out->failed = ERR_NOMEM;
		return;
	}
	if (!front_chunk_meta_is(c, "phase", "end"))
		return;
	if (!valid) {
		b = event(&s->t, "tool_execution_error");
		jsonout_key(b, "toolId");
		jsonout_raw(b, call->id, strlen(call->id));
		jsonout_member(b, "error", "the arguments are not valid JSON");
		event_end(&s->t);
		return;
	}
	b = event(&s->t, "tool_call");
	jsonout_key(b, "toolCall");
	jsonout_object(b);
	jsonout_key(b, "id");
	jsonout_raw(b, call->id, strlen(call->id));
	jsonout_key(b, "function");
	jsonout_object(b);
	jsonout_key(b, "name");
	jsonout_raw(b, call->name, strlen(call->name));
	jsonout_key(b, "arguments");
	if (args.len > 2)
		jsonout_raw(b, args.p, args.len);
	else
		jsonout_string(b, "{}", 2);
	jsonout_object_end(b);
	jsonout_object_end(b);
	event_end(&s->t);
}

static void fail(struct telling *t, const char *text)
{
	struct buf *b = event(t, "error");

	jsonout_member(b, "error", text);
	event_end(t);
	t->over = true;
}

static void chunk(struct telling *t, const struct chunk *c)
{
	struct stream_telling *s = (struct stream_telling *)t;

	switch (c->kind) {
	case CHUNK_TEXT: tell_text(t, c); break;
	case CHUNK_TOOL_CALL: tell_call(s, c); break;
	case CHUNK_RESET:
		if (t->n > 0)
			fail(t, "the answer was begun again, which this "
				"stream cannot say");
		break;
	case CHUNK_REASONING:
	case CHUNK_TOOL_START:
	case CHUNK_TOOL_RESULT:
	case CHUNK_TOOL_ERROR:
	case CHUNK_SOURCE:
	case CHUNK_ERROR:
	case CHUNK_END:
	default: break;
	}
}

static void end(struct telling *t, const struct page *last)
{
	struct front_ending e;

	if (last->status == EXECUTION_COMPLETED) {
		(void)event(t, "done");
		event_end(t);
		return;
	}
	front_ending_read(last, &e);
	fail(t, e.message[0] ? e.message : "the execution did not complete");
}

static bool refuse(
    struct telling *t, const struct page *last, struct problem *ret)
{
	struct front_ending e;

	if (last->status == EXECUTION_COMPLETED)
		return false;
	front_ending_read(last, &e);
	front_ending_problem(&e, &t->id, ret);
	return true;
}

static void fini(struct telling *t)
{
	front_call_list_fini(&((struct stream_telling *)t)->calls);
}

static const struct telling_kind kind = {
	.chunk = chunk,
	.end = end,
	.refuse = refuse,
	.fini = fini,
	.ascii = true,
	.apart = true,
};

/* --- the front --- */

static void event_problem(struct buf *b, const struct problem *p)
{
	buf_puts(b, "data: ");
	jsonout_object(b);
	jsonout_member(b, "type", "error");
	jsonout_member(b, "error", p->detail);
	jsonout_object_end(b);
	buf_puts(b, "\n\n");
}

static int status(const struct problem *p)
{
	return front_openai.problem_status(p);
}

const struct front front_stream = {
	.name = "stream",
	.page = write_page,
	.problem_type = "application/json",
	.problem = front_openai_problem,
	.problem_status = status,
	.event_problem = event_problem,
};

static void on_made(struct call *call, const struct submitted *s)
{
	struct telling *t = telling_new(&kind, sizeof(struct stream_telling));

	if (!t) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	front_openai_name(call, &s->id);
	events_start(call, &s->id,
	    &(struct events_options){ .ping_ms = PING_MS,
		.wait_ms = EVENTS_FOR_EVER,
		.telling = t,
		.hold_ms = HOLD_MS });
}

void front_stream_start(struct call *call)
{
	uint8_t hash[DIGEST_BYTES];
	struct body_create create;
	json_t *root = NULL;
	struct problem p;
	const char *body;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return;
	body = http_body(call->x, &len);
	e = body_parse(body, len, &root, &p);
	if (e == OK)
		e = body_question(
		    root, call->service->o.never_goes_on, &create, &p);
	json_decref(root);
	if (e != OK) {
		call_fail(call, &p);
		return;
	}
	digest_sha256(body, len, hash);
	submit_start(call, &create, hash, on_made);
}
