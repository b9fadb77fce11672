#include "server/front_openai_chunk.h"

#include <stdio.h>

#include "server/front_chunk_meta.h"
#include "server/front_ending.h"
#include "server/front_openai.h"
#include "store/base/jsonout.h"
#include "store/request.h"

struct telling_chunks {
	struct telling t;
	char id[FRONT_OPENAI_ID_BYTES];
	char model[REQUEST_MAX_MODEL_BYTES + 1];
	enum body_usage usage;
	bool spoken; /* the role was told, and something of the answer */
};

static void begin(struct telling *t)
{
	front_openai_id(&t->id, "chatcmpl-", ((struct telling_chunks *)t)->id);
}

/* What all chunks begin with. */
static void head(struct telling_chunks *s)
{
	struct buf *b = s->t.out;

	telling_event(&s->t);
	jsonout_object(b);
	jsonout_member(b, "id", s->id);
	jsonout_member(b, "object", "chat.completion.chunk");
	jsonout_member_int(b, "created", s->t.created_ms / 1000);
	jsonout_member(b, "model", s->model);
	jsonout_member(b, "system_fingerprint", NULL);
	jsonout_key(b, "choices");
	jsonout_array(b);
}

/* … and end with; ${e} NULL: no usage here. */
static void foot(struct telling_chunks *s, const struct front_ending *e)
{
	struct buf *b = s->t.out;

	jsonout_array_end(b);
	if (e) {
		jsonout_key(b, "usage");
		front_ending_usage(b, e);
	} else if (s->usage == BODY_USAGE_EXTRA) {
		jsonout_key(b, "usage");
		jsonout_null(b);
	}
	jsonout_object_end(b);
	telling_event_end(&s->t);
}

/* A chunk whose delta is written between this and choice_end(). */
static void choice(struct telling_chunks *s)
{
	head(s);
	jsonout_object(s->t.out);
	jsonout_member_int(s->t.out, "index", 0);
	jsonout_key(s->t.out, "delta");
	jsonout_object(s->t.out);
}

static void choice_end(struct telling_chunks *s, const char *finish,
    const struct front_ending *usage)
{
	struct buf *b = s->t.out;

	jsonout_object_end(b);
	jsonout_member(b, "logprobs", NULL);
	jsonout_member(b, "finish_reason", finish);
	jsonout_object_end(b);
	foot(s, usage);
}

static void speak(struct telling_chunks *s, bool text)
{
	if (s->spoken)
		return;
	s->spoken = true;
	choice(s);
	jsonout_member(s->t.out, "role", "assistant");
	jsonout_member(s->t.out, "content", text ? "" : NULL);
	choice_end(s, NULL, NULL);
}

static void tell_text(struct telling_chunks *s, const struct chunk *c)
{
	/* The only member that a text's metadata may have. */
	bool refusal = c->meta_len > 2;

	speak(s, true);
	choice(s);
	jsonout_key(s->t.out, refusal ? "refusal" : "content");
	jsonout_string(s->t.out, c->content, c->content_len);
	choice_end(s, NULL, NULL);
}

static void tell_reasoning(struct telling_chunks *s, const struct chunk *c)
{
	speak(s, true);
	choice(s);
	jsonout_key(s->t.out, "reasoning_content");
	front_chunk_meta_copy(s->t.out, c, "text", "\"\"");
	choice_end(s, NULL, NULL);
}

static void tell_call(struct telling_chunks *s, const struct chunk *c)
{
	bool starts = front_chunk_meta_is(c, "phase", "start");
	struct buf *b = s->t.out;

	/* Its end says again what the deltas said. */
	if (front_chunk_meta_is(c, "phase", "end"))
		return;
	speak(s, false);
	choice(s);
	jsonout_key(b, "tool_calls");
	jsonout_array(b);
	jsonout_object(b);
	jsonout_key(b, "index");
	front_chunk_meta_copy(b, c, "index", "0");
	if (starts) {
		jsonout_key(b, "id");
		front_chunk_meta_copy(b, c, "id", "\"\"");
		jsonout_member(b, "type", "function");
	}
	jsonout_key(b, "function");
	jsonout_object(b);
	if (starts) {
		jsonout_key(b, "name");
		front_chunk_meta_copy(b, c, "name", "\"\"");
	}
	jsonout_key(b, "arguments");
	front_chunk_meta_copy(b, c, "arguments", "\"\"");
	jsonout_object_end(b);
	jsonout_object_end(b);
	jsonout_array_end(b);
	choice_end(s, NULL, NULL);
}

static void tell_problem(struct telling *t, const struct problem *p)
{
	telling_event(t);
	front_openai_problem(t->out, p, NULL);
	telling_event_end(t);
	t->over = true;
}

static void tell_reset(struct telling_chunks *s)
{
	struct problem p;

	if (!s->spoken)
		return;
	problem_set(&p, PROBLEM_CONFLICT, NULL,
	    "the answer was begun again, which this stream cannot say; read "
	    "the execution without stream");
	id_text(&s->t.id, p.execution);
	tell_problem(&s->t, &p);
}

static void chunk(struct telling *t, const struct chunk *c)
{
	struct telling_chunks *s = (struct telling_chunks *)t;

	switch (c->kind) {
	case CHUNK_TEXT: tell_text(s, c); break;
	case CHUNK_REASONING: tell_reasoning(s, c); break;
	case CHUNK_TOOL_CALL: tell_call(s, c); break;
	case CHUNK_RESET: tell_reset(s); break;
	case CHUNK_TOOL_START:
	case CHUNK_TOOL_RESULT:
	case CHUNK_TOOL_ERROR:
	case CHUNK_SOURCE:
	case CHUNK_ERROR:
	case CHUNK_END:
	default: break;
	}
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

static void end(struct telling *t, const struct page *last)
{
	struct telling_chunks *s = (struct telling_chunks *)t;
	struct front_ending e;
	struct problem p;

	front_ending_read(last, &e);
	if (e.status != EXECUTION_COMPLETED) {
		front_ending_problem(&e, &t->id, &p);
		tell_problem(t, &p);
		return;
	}
	speak(s, true);
	choice(s);
	choice_end(s, front_openai_finish(e.finish_reason),
	    s->usage == BODY_USAGE_FINISH ? &e : NULL);
	if (s->usage == BODY_USAGE_EXTRA) {
		head(s);
		foot(s, &e);
	}
	telling_event(t);
	buf_puts(t->out, "[DONE]");
	telling_event_end(t);
}

static const struct telling_kind kind = {
	.begin = begin,
	.chunk = chunk,
	.end = end,
	.refuse = refuse,
	.ids = true,
};

struct telling *front_openai_chunk_new(
    const char *model, enum body_usage usage, uint64_t from)
{
	struct telling_chunks *s = telling_new(&kind, sizeof(*s));

	if (!s)
		return NULL;
	(void)snprintf(
	    s->model, sizeof(s->model), "%s", model[0] ? model : "default");
	s->usage = usage;
	s->t.from = from;
	return &s->t;
}
