/*
 * OpenAI's Responses API: typed events about items. An answer made in the
 * background goes on without us: its id and the number of the last event that
 * was read are where it can be gone on from.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/ask_openai.h"
#include "worker/ask_responses.h"
#include "worker/driver.h"
#include "worker/error_class.h"
#include "worker/json_in.h"
#include "worker/results_openai.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })
#define MAX_ID_BYTES 128

struct responses_state {
	char id[MAX_ID_BYTES + 1]; /* "": none that could be asked for */
	int64_t last;		   /* sequence_number */
	bool numbered, background;
	bool called; /* what is told of calls is not in a token */
	/* Items whose arguments came in pieces: the first 64 can be told. */
	uint64_t in_pieces;
};

/* --- where it is --- */

static void keep_id(struct responses_state *s, struct text id)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

	if (id.len == 0 || id.len > MAX_ID_BYTES || s->id[0] != '\0')
		return;
	memcpy(s->id, id.s, id.len);
	s->id[id.len] = '\0';
	/* It becomes a part of a path. */
	if (strspn(s->id, plain) != id.len)
		s->id[0] = '\0';
}

static void keep_place(struct responses_state *s, const json_t *frame)
{
	const json_t *response = json_object_get(frame, "response");
	int64_t n;

	if (json_in_int(json_object_get(frame, "sequence_number"), &n) &&
	    n >= 0 && (!s->numbered || n > s->last)) {
		s->numbered = true;
		s->last = n;
	}
	if (json_is_true(json_object_get(response, "background")))
		s->background = true;
	keep_id(s, json_in_member(response, "id"));
}

static bool token(const void *state, struct buf *ret)
{
	const struct responses_state *s = state;

	if (s->id[0] == '\0' || !s->numbered || !s->background || s->called)
		return false;
	buf_printf(ret, "%s %" PRId64, s->id, s->last);
	return true;
}

static bool resume(void *state, const char *token)
{
	struct responses_state *s = state;
	const char *blank = strchr(token, ' ');
	char *end = NULL;

	if (blank == NULL)
		return false;
	keep_id(s, (struct text){ token, (size_t)(blank - token) });
	s->last = strtoll(blank + 1, &end, 10);
	s->numbered = s->background = true;
	return s->id[0] != '\0' && *end == '\0' && s->last >= 0;
}

/* --- whole items --- */

static void on_parts(
    struct answer *a, const json_t *parts, enum event_kind kind)
{
	const json_t *part;
	size_t i;

	json_array_foreach(parts, i, part)
	{
		struct text refusal = json_in_member(part, "refusal");

		answer_text(a, kind, json_in_member(part, "text"));
		answer_text(a, EVENT_REFUSAL, refusal);
	}
}

static void on_whole_item(struct answer *a, const json_t *item)
{
	const json_t *type = json_object_get(item, "type");

	if (ask_is(type, "message"))
		on_parts(a, json_object_get(item, "content"), EVENT_TEXT);
	else if (ask_is(type, "reasoning") &&
		 json_array_size(json_object_get(item, "content")) > 0)
		on_parts(a, json_object_get(item, "content"), EVENT_REASONING);
	else if (ask_is(type, "reasoning"))
		on_parts(a, json_object_get(item, "summary"), EVENT_REASONING);
	else if (ask_is(type, "function_call"))
		answer_tool_whole(a, json_in_member(item, "call_id"),
		    json_in_member(item, "name"),
		    json_object_get(item, "arguments"));
}

/* --- how it ends --- */

static void read_usage(const json_t *u, struct dialect_usage *usage)
{
	const json_t *in = json_object_get(u, "input_tokens_details");
	const json_t *out = json_object_get(u, "output_tokens_details");

	if (!json_is_object(u))
		return;
	*usage = answer_usage_none();
	usage->input_tokens = usage_count(u, "input_tokens");
	usage->output_tokens = usage_count(u, "output_tokens");
	usage->cached_input_tokens = usage_count(in, "cached_tokens");
	usage->reasoning_tokens = usage_count(out, "reasoning_tokens");
}

static void frame_usage(
    void *state, const json_t *frame, struct dialect_usage *usage)
{
	const json_t *response = json_object_get(frame, "response");

	(void)state;
	read_usage(
	    json_object_get(response == NULL ? frame : response, "usage"),
	    usage);
}

static void fail(struct answer *a, const json_t *response)
{
	struct error_class_input in = { .root = response };
	struct error_class class;

	error_class(&in, &class);
	answer_fail(a, &class.error);
}

/* ${response} has come to the end that its status says, if it does. */
static void on_end(struct answer *a, const json_t *response)
{
	const json_t *status = json_object_get(response, "status");
	struct text why = json_in_member(
	    json_object_get(response, "incomplete_details"), "reason");
	struct text done = { "completed", 9 };

	if (ask_is(status, "failed"))
		fail(a, response);
	else if (ask_is(status, "cancelled"))
		answer_fail_as(a, ERROR_CANCELED, NULL,
		    "the answer was cancelled at the upstream");
	else if (ask_is(status, "incomplete") && why.len > 0)
		answer_reason(a, why, why, NO_TEXT);
	else if (ask_is(status, "completed"))
		answer_reason(a, done, done, NO_TEXT);
	else
		answer_eof(a); /* it says itself that it is not whole */
	answer_marker(a);
}

static void start(struct answer *a, const json_t *response)
{
	answer_start(a, json_in_member(response, "id"),
	    json_in_member(response, "model"), NO_TEXT);
}

static void on_whole(struct answer *a, const json_t *response)
{
	const json_t *item;
	size_t i;

	start(a, response);
	json_array_foreach(json_object_get(response, "output"), i, item)
	    on_whole_item(a, item);
	read_usage(json_object_get(response, "usage"), &a->usage);
	on_end(a, response);
}

/* --- events --- */

static void on_item_added(
    struct answer *a, struct responses_state *s, const json_t *v, int64_t at)
{
	const json_t *item = json_object_get(v, "item");

	if (!ask_is(json_object_get(item, "type"), "function_call"))
		return;
	s->called = true;
	answer_tool_open(a, at, json_in_member(item, "call_id"),
	    json_in_member(item, "name"), NULL);
}

static void on_item_done(
    struct answer *a, struct responses_state *s, const json_t *v, int64_t at)
{
	const json_t *item = json_object_get(v, "item");
	struct tool_calls_fragment f = { .has_index = true, .index = at };

	if (!ask_is(json_object_get(item, "type"), "function_call"))
		return;
	f.arguments = json_in_member(item, "arguments");
	if (at < 64 && (s->in_pieces >> at & 1) == 0 && f.arguments.len > 0)
		answer_tool(a, &f);
	answer_tool_close(a, at);
}

static void on_arguments(
    struct answer *a, struct responses_state *s, const json_t *v, int64_t at)
{
	struct tool_calls_fragment f = { .has_index = true,
		.index = at,
		.arguments = json_in_member(v, "delta") };

	if (!s->called || f.arguments.len == 0)
		return;
	if (at < 64)
		s->in_pieces |= (uint64_t)1 << at;
	answer_tool(a, &f);
}

static const struct {
	const char *type;
	enum event_kind kind;
} deltas[] = {
	{ "response.output_text.delta", EVENT_TEXT },
	{ "response.refusal.delta", EVENT_REFUSAL },
	{ "response.reasoning_text.delta", EVENT_REASONING },
	{ "response.reasoning_summary_text.delta", EVENT_REASONING },
};

static const char *const ends[] = { "response.completed", "response.failed",
	"response.incomplete", "response.cancelled" };

static void frame(struct answer *a, void *state, const json_t *v, bool whole)
{
	struct responses_state *s = state;
	const json_t *type = json_object_get(v, "type");
	const json_t *response = json_object_get(v, "response");
	int64_t at = 0;

	if (whole && response == NULL) {
		/* All of it is not the rest of it. */
		if (s->numbered)
			answer_eof(a);
		else
			on_whole(a, v);
		return;
	}
	/* Gone on from elsewhere: nobody tells its beginning again. */
	if (s->id[0] != '\0' && response == NULL)
		answer_start(
		    a, (struct text){ s->id, strlen(s->id) }, NO_TEXT, NO_TEXT);
	keep_place(s, v);
	start(a, response);
	for (size_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++)
		if (ask_is(type, deltas[i].type))
			answer_text(
			    a, deltas[i].kind, json_in_member(v, "delta"));
	if (!json_in_int(json_object_get(v, "output_index"), &at) || at < 0)
		at = 0;
	if (ask_is(type, "response.output_item.added"))
		on_item_added(a, s, v, at);
	else if (ask_is(type, "response.output_item.done"))
		on_item_done(a, s, v, at);
	else if (ask_is(type, "response.function_call_arguments.delta"))
		on_arguments(a, s, v, at);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ask_is(type, ends[i])) {
			frame_usage(s, v, &a->usage);
			on_end(a, response);
		}
}

/* --- */

static bool attach(const struct dialect_target *target, const char *token,
    struct dialect_request *ret)
{
	struct responses_state s = { 0 };

	if (!resume(&s, token))
		return false;
	ask_responses_attach(target, s.id, s.last, ret);
	return true;
}

static bool abandon(const struct dialect_target *target, const char *token,
    struct dialect_request *ret)
{
	struct responses_state s = { 0 };

	if (!resume(&s, token))
		return false;
	ask_responses_abandon(target, s.id, ret);
	return true;
}

const struct dialect dialect_responses = {
	.name = "responses",
	.content_member = "output",
	.state_bytes = sizeof(struct responses_state),
	.frame = frame,
	.usage = frame_usage,
	.build = ask_responses,
	.list = ask_openai_list,
	.build_embeddings = ask_openai_embeddings,
	.token = token,
	.resume = resume,
	.attach = attach,
	.abandon = abandon,
	.models = results_openai_models,
	.embeddings = results_openai_embeddings,
};
