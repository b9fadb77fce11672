/*
 * The Chat Completions dialect: OpenAI and Azure, OpenRouter, vLLM, SGLang,
 * llama.cpp, LM Studio, AI Refinery and whoever else calls itself compatible.
 */
#include "worker/driver.h"

#include <stdlib.h>
#include <string.h>

#include "worker/error_class.h"
#include "worker/json_in.h"
#include "worker/results_openai.h"
#include "worker/scan_delta.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })

/* --- what comes back --- */

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
	const json_t *arguments = json_object_get(function, "arguments");
	char *text = NULL;

	f->name = json_in_member(function, "name");
	f->arguments = json_in_text(arguments);
	if (json_is_object(arguments) || json_is_array(arguments)) {
		text = json_dumps(
		    arguments, JSON_COMPACT | JSON_REAL_PRECISION(17));
		if (text == NULL) {
			answer_fail_err(a, ERR_NOMEM);
			return;
		}
		f->arguments = (struct text){ text, strlen(text) };
	}
	answer_tool(a, f);
	free(text);
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
	    json_in_member(choice, "native_finish_reason"));
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

static void frame_usage(const json_t *frame, struct dialect_usage *usage)
{
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

static void frame(struct answer *a, const json_t *v, bool whole)
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
	frame_usage(v, &a->usage);
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

/* --- what is sent --- */

/* Members that mean and are called the same on both sides. */
static const char *const same[] = { "messages", "temperature", "top_p",
	"presence_penalty", "frequency_penalty", "stop", "seed", "tools",
	"parallel_tool_calls", "response_format", "reasoning_effort" };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OPENAI_MAX_STOP 4

/* Set a member; a NULL ${v} is an earlier failure. False: no memory. */
static bool set(json_t *object, const char *key, json_t *v)
{
	return json_object_set_new(object, key, v) == 0;
}

static bool copy(
    json_t *to, const char *to_key, const json_t *from, const char *from_key)
{
	json_t *v = json_object_get(from, from_key);

	return v == NULL || json_object_set(to, to_key, v) == 0;
}

static bool set_streaming(json_t *body, const json_t *request, bool is_openai)
{
	json_t *options;

	if (json_is_false(json_object_get(request, "stream")))
		return set(body, "stream", json_false());
	options = json_object();
	if (!set(body, "stream", json_true()) ||
	    !set(body, "stream_options", options) ||
	    !set(options, "include_usage", json_true()))
		return false;
	/* Padding against traffic analysis would double the bytes. */
	return !is_openai || set(options, "include_obfuscation", json_false());
}

static bool set_choice(json_t *body, const json_t *request)
{
	const json_t *choice = json_object_get(request, "tool_choice");
	json_t *name = json_object_get(choice, "name");

	if (!json_is_object(choice))
		return copy(body, "tool_choice", request, "tool_choice");
	return set(body, "tool_choice",
	    json_pack(
		"{s:s,s:{s:O}}", "type", "function", "function", "name", name));
}

static bool set_extra(json_t *body, const json_t *request)
{
	json_t *extra = json_object_get(request, "extra"), *v;
	const char *key;

	json_object_foreach(
	    extra, key, v) if (json_object_get(body, key) == NULL &&
			       json_object_set(body, key, v) != 0) return false;
	return true;
}

static enum err check(
    const json_t *request, const struct dialect_target *target, struct why *why)
{
	const json_t *choice = json_object_get(request, "tool_choice");
	const json_t *stop = json_object_get(request, "stop");

	if (json_array_size(json_object_get(request, "messages")) == 0) {
		err_why(why, "messages: empty or missing");
		return ERR_INPUT;
	}
	if (json_is_object(choice) && json_in_member(choice, "name").len == 0) {
		err_why(why, "tool_choice: it names no function");
		return ERR_INPUT;
	}
	if (target->is_openai && json_array_size(stop) > OPENAI_MAX_STOP) {
		err_why(why, "stop: this upstream takes at most %d texts",
		    OPENAI_MAX_STOP);
		return ERR_INPUT;
	}
	return OK;
}

static bool fill(
    json_t *body, const json_t *request, const struct dialect_target *target)
{
	if (!set(body, "model", json_string(target->model)) ||
	    !set_streaming(body, request, target->is_openai))
		return false;
	for (size_t i = 0; i < COUNT(same); i++)
		if (!copy(body, same[i], request, same[i]))
			return false;
	return set_choice(body, request) &&
	       copy(body,
		   target->is_openai ? "max_completion_tokens" : "max_tokens",
		   request, "max_output_tokens");
}

static int on_bytes(const char *bytes, size_t len, void *arg)
{
	buf_add(arg, bytes, len);
	return 0;
}

static enum err build(const json_t *request,
    const struct dialect_target *target, struct dialect_request *ret,
    struct why *why)
{
	bool streaming = !json_is_false(json_object_get(request, "stream"));
	json_t *body = json_object();
	enum err err = check(request, target, why);

	if (err != OK)
		goto out;
	err = ERR_NOMEM;
	if (body == NULL || !fill(body, request, target) ||
	    !set_extra(body, request))
		goto out;
	/* 15 digits give back what was written: 0.7, not 0.69999999999999996 */
	if (json_dump_callback(body, on_bytes, &ret->body,
		JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0)
		goto out;
	buf_printf(&ret->url, "%s/chat/completions", target->base_url);
	buf_puts(&ret->headers, "Content-Type: application/json\n");
	buf_printf(&ret->headers, "Accept: %s\n",
	    streaming ? "text/event-stream" : "application/json");
	buf_puts(&ret->headers, "Accept-Encoding: identity\n");
	if (target->key != NULL && *target->key != '\0')
		buf_printf(
		    &ret->headers, "Authorization: Bearer %s\n", target->key);
	err = OK;
out:
	json_decref(body);
	return err;
}

const struct dialect dialect_openai = {
	.name = "openai",
	.content_member = "choices",
	.frame = frame,
	.quick = quick,
	.usage = frame_usage,
	.build = build,
	.models = results_openai_models,
	.embeddings = results_openai_embeddings,
	.generation = results_openai_generation,
};
