/*
 * The Chat Completions dialect: OpenAI and Azure, OpenRouter, vLLM, SGLang,
 * llama.cpp, LM Studio, AI Refinery and whoever else calls itself compatible.
 */
#include <stdlib.h>
#include <string.h>

#include "worker/ask_openai.h"
#include "worker/driver.h"
#include "worker/error_class.h"
#include "worker/json_in.h"
#include "worker/results_openai.h"
#include "worker/scan_delta.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })

/* The text of reasoning_details, joined. Fails through the buffer. */
static void reasoning_details(const json_t *details, struct buf *out)
{
	const json_t *item;
	size_t i;

	json_array_foreach(details, i, item)
	{
		struct text type = json_in_member(item, "type");
		struct text t = NO_TEXT;

		if (type.len == 14 && memcmp(type.s, "reasoning.text", 14) == 0)
			t = json_in_member(item, "text");
		else if (type.len == 17 &&
			 memcmp(type.s, "reasoning.summary", 17) == 0)
			t = json_in_member(item, "summary");
		buf_add(out, t.s, t.len);
	}
}

/* Servers mirror one text in up to three members: take exactly one. */
static void on_reasoning(struct answer *a, const json_t *delta)
{
	struct text t = json_in_member(delta, "reasoning");
	struct buf joined;

	if (t.len == 0)
		t = json_in_member(delta, "reasoning_content");
	if (t.len > 0) {
		answer_text(a, EVENT_REASONING, t);
		return;
	}
	buf_init(&joined, DIALECT_MAX_BODY_BYTES);
	reasoning_details(json_object_get(delta, "reasoning_details"), &joined);
	if (buf_state(&joined) != OK)
		answer_fail_err(a, buf_state(&joined));
	else
		answer_text(a, EVENT_REASONING,
		    (struct text){ joined.data, joined.len });
	buf_fini(&joined);
}

/* One function of a call; ${f} has index and id. */
static void on_function(
    struct answer *a, const json_t *function, struct tool_calls_fragment *f)
{
	char *made = NULL;
	enum err err;

	f->name = json_in_member(function, "name");
	err = tool_calls_arguments(
	    json_object_get(function, "arguments"), &f->arguments, &made);
	if (err == OK)
		answer_tool(a, f);
	else
		answer_fail_err(a, err);
	free(made);
}

static void on_tool_calls(struct answer *a, const json_t *delta, bool whole)
{
	const json_t *calls = json_object_get(delta, "tool_calls"), *call;
	const json_t *function = json_object_get(delta, "function_call");
	struct tool_calls_fragment f;
	size_t i;

	json_array_foreach(calls, i, call)
	{
		f = (struct tool_calls_fragment){ 0 };
		f.has_index =
		    json_in_int(json_object_get(call, "index"), &f.index);
		if (!f.has_index && whole) {
			f.has_index = true;
			f.index = (int64_t)i;
		}
		f.id = json_in_member(call, "id");
		on_function(a, json_object_get(call, "function"), &f);
	}
	/* The form before there were tools. */
	if (json_array_size(calls) == 0 && json_is_object(function)) {
		f = (struct tool_calls_fragment){ .has_index = true };
		on_function(a, function, &f);
	}
}

static void on_choice(struct answer *a, const json_t *choice, bool whole)
{
	const json_t *delta =
	    json_object_get(choice, whole ? "message" : "delta");

	on_reasoning(a, delta);
	answer_text(a, EVENT_TEXT, json_in_member(delta, "content"));
	answer_text(a, EVENT_REFUSAL, json_in_member(delta, "refusal"));
	on_tool_calls(a, delta, whole);
	answer_reason(a, json_in_member(choice, "finish_reason"),
	    json_in_member(choice, "native_finish_reason"), NO_TEXT);
}

/* Only the first of several answers counts. */
static bool is_first(const json_t *choice)
{
	int64_t index;

	if (!json_is_object(choice))
		return false;
	return !json_in_int(json_object_get(choice, "index"), &index) ||
	       index == 0;
}

static void frame_usage(
    void *state, const json_t *frame, struct dialect_usage *usage)
{
	(void)state;
	usage_openai(json_object_get(frame, "usage"), usage);
}

/* An error inside a choice comes after that choice's own text. */
static void on_choice_error(struct answer *a, const json_t *choice)
{
	struct error_class_input in = { .root = choice };
	struct error_class class;

	error_class(&in, &class);
	answer_fail(a, &class.error);
}

static void frame(struct answer *a, void *state, const json_t *v, bool whole)
{
	const json_t *choices = json_object_get(v, "choices"), *choice;
	const json_t *failed = NULL;
	size_t i;

	answer_start(a, json_in_member(v, "id"), json_in_member(v, "model"),
	    json_in_member(v, "provider"));
	json_array_foreach(choices, i, choice)
	{
		if (!is_first(choice))
			continue;
		on_choice(a, choice, whole);
		if (error_class_is_error(choice, NO_TEXT) && failed == NULL)
			failed = choice;
	}
	frame_usage(state, v, &a->usage);
	if (failed != NULL)
		on_choice_error(a, failed);
}

/* Nearly every frame is one piece of text: no tree is made for it. */
static bool quick(struct answer *a, struct text frame)
{
	struct buf scratch;
	struct text t;
	bool read;

	buf_init(&scratch, SCAN_DELTA_MAX_BYTES);
	read = scan_delta(frame.s, frame.len, &scratch, &t);
	if (read)
		answer_text(a, EVENT_TEXT, t);
	buf_fini(&scratch);
	return read;
}

const struct dialect dialect_openai = {
	.name = "openai",
	.content_member = "choices",
	.frame = frame,
	.quick = quick,
	.usage = frame_usage,
	.build = ask_openai,
	.list = ask_openai_list,
	.build_embeddings = ask_openai_embeddings,
	.models = results_openai_models,
	.embeddings = results_openai_embeddings,
	.generation = results_openai_generation,
};
