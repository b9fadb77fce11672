#include "server/front_openai_whole.h"

#include <stdlib.h>

#include "server/front_chunk_meta.h"
#include "server/front_openai.h"
#include "store/base/jsonout.h"

#define ROOM 16

void front_openai_whole_init(struct front_openai_whole *w)
{
	*w = (struct front_openai_whole){ 0 };
	buf_init(&w->text, FRONT_OPENAI_WHOLE_BYTES);
	buf_init(&w->reasoning, FRONT_OPENAI_WHOLE_BYTES);
	buf_init(&w->refusal, FRONT_OPENAI_WHOLE_BYTES);
}

void front_openai_whole_fini(struct front_openai_whole *w)
{
	for (size_t i = 0; i < w->n_calls; i++)
		buf_fini(&w->calls[i]);
	free(w->calls);
	w->calls = NULL;
	w->n_calls = 0;
	buf_fini(&w->text);
	buf_fini(&w->reasoning);
	buf_fini(&w->refusal);
}

/* The call that ${c} is of; NULL: there is none, or no room. */
static struct buf *call_of(struct front_openai_whole *w, const struct chunk *c)
{
	int64_t index = 0;

	if (jsonscan_int(front_chunk_meta(c, "index"), &index) != OK ||
	    index < 0 || index >= FRONT_OPENAI_WHOLE_CALLS)
		return NULL;
	while (w->n_calls <= (size_t)index) {
		if (w->n_calls % ROOM == 0) {
			struct buf *more = reallocarray(
			    w->calls, w->n_calls + ROOM, sizeof(*more));

			if (!more) {
				w->failed = ERR_NOMEM;
				return NULL;
			}
			w->calls = more;
		}
		buf_init(&w->calls[w->n_calls++], FRONT_OPENAI_WHOLE_BYTES);
	}
	return &w->calls[index];
}

static void take_call(struct front_openai_whole *w, const struct chunk *c)
{
	struct buf *b = call_of(w, c);

	if (!b)
		return;
	if (front_chunk_meta_is(c, "phase", "start")) {
		buf_reset(b);
		jsonout_object(b);
		jsonout_key(b, "id");
		front_chunk_meta_copy(b, c, "id", "\"\"");
		jsonout_member(b, "type", "function");
		jsonout_key(b, "function");
		jsonout_object(b);
		jsonout_key(b, "name");
		front_chunk_meta_copy(b, c, "name", "\"\"");
	} else if (front_chunk_meta_is(c, "phase", "end") && b->len > 0) {
		jsonout_key(b, "arguments");
		front_chunk_meta_copy(b, c, "arguments", "\"\"");
		jsonout_object_end(b);
		jsonout_object_end(b);
	}
}

static void take_reasoning(struct buf *b, const struct chunk *c)
{
	struct jsonscan_slice v = front_chunk_meta(c, "text");

	if (v.len > 2 && v.p[0] == '"')
		buf_add(b, v.p + 1, v.len - 2);
}

static void take(struct front_openai_whole *w, const struct chunk *c)
{
	enum err failed = w->failed;

	switch (c->kind) {
	case CHUNK_TEXT:
		jsonout_escape(c->meta_len > 2 ? &w->refusal : &w->text,
		    c->content, c->content_len);
		break;
	case CHUNK_REASONING: take_reasoning(&w->reasoning, c); break;
	case CHUNK_TOOL_CALL: take_call(w, c); break;
	case CHUNK_RESET:
		front_openai_whole_fini(w);
		front_openai_whole_init(w);
		w->failed = failed;
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

void front_openai_whole_take(
    struct front_openai_whole *w, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c))
		take(w, &c);
}

enum err front_openai_whole_state(const struct front_openai_whole *w)
{
	enum err e = w->failed;

	if (e == OK)
		e = buf_state(&w->text);
	if (e == OK)
		e = buf_state(&w->reasoning);
	if (e == OK)
		e = buf_state(&w->refusal);
	for (size_t i = 0; e == OK && i < w->n_calls; i++)
		e = buf_state(&w->calls[i]);
	return e;
}

/* A string from its inside; null when it is empty. */
static void member(struct buf *b, const char *key, const struct buf *inside)
{
	jsonout_key(b, key);
	if (inside->len == 0) {
		jsonout_null(b);
		return;
	}
	buf_putc(b, '"');
	buf_add(b, inside->data, inside->len);
	buf_putc(b, '"');
}

static void write_message(struct buf *b, const struct front_openai_whole *w)
{
	jsonout_object(b);
	jsonout_member(b, "role", "assistant");
	if (w->text.len == 0 && w->n_calls == 0 && w->refusal.len == 0)
		jsonout_member(b, "content", "");
	else
		member(b, "content", &w->text);
	member(b, "refusal", &w->refusal);
	if (w->reasoning.len > 0)
		member(b, "reasoning_content", &w->reasoning);
	if (w->n_calls > 0) {
		jsonout_key(b, "tool_calls");
		jsonout_array(b);
		for (size_t i = 0; i < w->n_calls; i++)
			if (w->calls[i].len > 0)
				jsonout_raw(
				    b, w->calls[i].data, w->calls[i].len);
		jsonout_array_end(b);
	}
	jsonout_key(b, "annotations");
	jsonout_array(b);
	jsonout_array_end(b);
	jsonout_object_end(b);
}

void front_openai_whole_write(struct buf *b, struct front_openai_whole *w,
    const struct page *last, const char *model, const struct front_ending *e)
{
	char id[FRONT_OPENAI_ID_BYTES];

	front_openai_id(&last->id, "chatcmpl-", id);
	jsonout_object(b);
	jsonout_member(b, "id", id);
	jsonout_member(b, "object", "chat.completion");
	jsonout_member_int(b, "created", last->created_ms / 1000);
	jsonout_member(b, "model", model[0] ? model : "default");
	jsonout_key(b, "choices");
	jsonout_array(b);
	jsonout_object(b);
	jsonout_member_int(b, "index", 0);
	jsonout_key(b, "message");
	write_message(b, w);
	jsonout_member(b, "logprobs", NULL);
	jsonout_member(
	    b, "finish_reason", front_openai_finish(e->finish_reason));
	jsonout_object_end(b);
	jsonout_array_end(b);
	jsonout_key(b, "usage");
	front_ending_usage(b, e);
	jsonout_member(b, "system_fingerprint", NULL);
	jsonout_object_end(b);
}
