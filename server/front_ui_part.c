#include "server/front_ui_part.h"

#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/front_call_list.h"
#include "server/front_chunk_meta.h"
#include "server/front_ending.h"
#include "server/front_openai.h"
#include "store/base/jsonout.h"

#define ARGUMENTS_MAX_BYTES ((size_t)64 << 20)

struct ui_telling {
	struct telling t;
	char message[BODY_UI_NAME_BYTES];
	bool started;
	/* The open part: text-… or reasoning-…; NULL: none. */
	const char *open;
	uint64_t parts; /* so far: the names of text parts */
	struct front_call_list calls;
};

static void fini(struct telling *t)
{
	front_call_list_fini(&((struct ui_telling *)t)->calls);
}

/* An event of ${kind}${suffix}; its members come next. */
static struct buf *event(
    struct ui_telling *s, const char *kind, const char *suffix)
{
	telling_event(&s->t);
	jsonout_object(s->t.out);
	jsonout_key(s->t.out, "type");
	buf_printf(s->t.out, "\"%s%s\"", kind, suffix);
	return s->t.out;
}

static void event_end(struct ui_telling *s)
{
	jsonout_object_end(s->t.out);
	telling_event_end(&s->t);
}

static void part_id(struct ui_telling *s)
{
	jsonout_key(s->t.out, "id");
	buf_printf(s->t.out, "\"%llu\"", (unsigned long long)s->parts);
}

static void start(struct ui_telling *s)
{
	char id[ID_TEXT];
	struct buf *b;

	if (s->started)
		return;
	s->started = true;
	id_text(&s->t.id, id);
	b = event(s, "start", "");
	jsonout_member(b, "messageId", s->message[0] ? s->message : id);
	event_end(s);
	(void)event(s, "start-step", "");
	event_end(s);
}

static void close_part(struct ui_telling *s)
{
	if (!s->open)
		return;
	(void)event(s, s->open, "-end");
	part_id(s);
	event_end(s);
	s->open = NULL;
}

static void open_part(struct ui_telling *s, const char *kind)
{
	start(s);
	if (s->open && strcmp(s->open, kind) == 0)
		return;
	close_part(s);
	s->open = kind;
	s->parts++;
	(void)event(s, kind, "-start");
	part_id(s);
	event_end(s);
}

static void tell_text(struct ui_telling *s, const struct chunk *c)
{
	struct buf *b;

	open_part(s, "text");
	b = event(s, "text", "-delta");
	part_id(s);
	jsonout_key(b, "delta");
	jsonout_string(b, c->content, c->content_len);
	event_end(s);
}

static void tell_reasoning(struct ui_telling *s, const struct chunk *c)
{
	struct buf *b;

	open_part(s, "reasoning");
	b = event(s, "reasoning", "-delta");
	part_id(s);
	jsonout_key(b, "delta");
	front_chunk_meta_copy(b, c, "text", "\"\"");
	event_end(s);
}

/* --- calls --- */

static void call_members(
    struct buf *b, const struct front_call *call, bool named)
{
	jsonout_key(b, "toolCallId");
	jsonout_raw(b, call->id, strlen(call->id));
	if (!named)
		return;
	jsonout_key(b, "toolName");
	jsonout_raw(b, call->name, strlen(call->name));
}

/* The arguments are a value here; in one line, as events are. */
static void put_input(struct buf *b, struct jsonscan_slice arguments)
{
	struct buf text;

	buf_init(&text, ARGUMENTS_MAX_BYTES);
	if (!arguments.p || jsonscan_text(arguments, &text) != OK)
		buf_reset(&text);
	/* Strings have no bare line ends: these are white space. */
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n' || text.data[i] == '\r')
			text.data[i] = ' ';
	if (text.len > 0)
		jsonout_raw(b, text.data, text.len);
	else
		jsonout_raw(b, "{}", 2);
	if (buf_state(&text) != OK)
		b->failed = text.failed;
	buf_fini(&text);
}

static void tell_whole_call(
    struct ui_telling *s, const struct front_call *call, const struct chunk *c)
{
	struct jsonscan_slice args = front_chunk_meta(c, "arguments");
	bool valid = jsonscan_is(front_chunk_meta(c, "valid_json"), "true");
	struct buf *b;

	b = event(s, "tool-input", valid ? "-available" : "-error");
	call_members(b, call, true);
	jsonout_key(b, "input");
	if (valid) {
		put_input(b, args);
	} else {
		front_chunk_meta_copy(b, c, "arguments", "\"\"");
		jsonout_member(
		    b, "errorText", "the arguments are not valid JSON");
	}
	event_end(s);
}

static void tell_call(struct ui_telling *s, const struct chunk *c)
{
	const struct front_call *call;
	struct buf *b;

	start(s);
	close_part(s);
	call = front_call_list_of(&s->calls, c);
	if (!call) {
		/* Its bytes would not be the same: none is better. */
		s->t.out->failed = ERR_NOMEM;
		return;
	}
	if (front_chunk_meta_is(c, "phase", "end")) {
		tell_whole_call(s, call, c);
		return;
	}
	if (front_chunk_meta_is(c, "phase", "start")) {
		b = event(s, "tool-input", "-start");
		call_members(b, call, true);
	} else {
		b = event(s, "tool-input", "-delta");
		call_members(b, call, false);
		jsonout_key(b, "inputTextDelta");
		front_chunk_meta_copy(b, c, "arguments", "\"\"");
	}
	event_end(s);
}

/* --- the end --- */

static void finish(struct ui_telling *s, const char *reason)
{
	struct buf *b;

	(void)event(s, "finish-step", "");
	event_end(s);
	b = event(s, "finish", "");
	jsonout_member(b, "finishReason", reason);
	event_end(s);
	telling_event(&s->t);
	buf_puts(s->t.out, "[DONE]");
	telling_event_end(&s->t);
	s->t.over = true;
}

static void fail(struct ui_telling *s, const char *text)
{
	struct buf *b;

	start(s);
	close_part(s);
	b = event(s, "error", "");
	jsonout_member(b, "errorText", text);
	event_end(s);
	finish(s, "error");
}

static void chunk(struct telling *t, const struct chunk *c)
{
	struct ui_telling *s = (struct ui_telling *)t;

	switch (c->kind) {
	case CHUNK_TEXT: tell_text(s, c); break;
	case CHUNK_REASONING: tell_reasoning(s, c); break;
	case CHUNK_TOOL_CALL: tell_call(s, c); break;
	case CHUNK_RESET:
		if (s->started)
			fail(s, "The answer was begun again, which this stream "
				"cannot say.");
		break;
	case CHUNK_TOOL_START:
	case CHUNK_TOOL_RESULT:
	case CHUNK_TOOL_ERROR:
	case CHUNK_SOURCE:
	case CHUNK_ERROR:
	case CHUNK_END:
	default: break;
	}
}

static const char *reason_of(const struct front_ending *e)
{
	const char *word = front_openai_finish(e->finish_reason);

	return strcmp(word, "tool_calls") == 0	     ? "tool-calls"
	       : strcmp(word, "content_filter") == 0 ? "content-filter"
						     : word;
}

static void end(struct telling *t, const struct page *last)
{
	struct ui_telling *s = (struct ui_telling *)t;
	struct front_ending e;

	front_ending_read(last, &e);
	if (e.status == EXECUTION_FAILED) {
		fail(s, e.message[0] ? e.message : "The execution failed.");
		return;
	}
	start(s);
	close_part(s);
	if (e.status == EXECUTION_CANCELLED) {
		(void)event(s, "abort", "");
		event_end(s);
		finish(s, "other");
		return;
	}
	finish(s, reason_of(&e));
}

static bool refuse(
    struct telling *t, const struct page *last, struct problem *ret)
{
	struct front_ending e;

	if (last->status != EXECUTION_FAILED)
		return false;
	front_ending_read(last, &e);
	front_ending_problem(&e, &t->id, ret);
	return true;
}

static const struct telling_kind kind = {
	.chunk = chunk,
	.end = end,
	.refuse = refuse,
	.fini = fini,
};

struct telling *front_ui_part_new(const char *message, uint64_t from)
{
	struct ui_telling *s = telling_new(&kind, sizeof(*s));

	if (!s)
		return NULL;
	(void)snprintf(s->message, sizeof(s->message), "%s", message);
	s->t.from = from;
	return &s->t;
}
