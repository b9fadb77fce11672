/*
 * Ollama's own dialect, /api/chat: lines of JSON, calls that come whole, and
 * counters on the last line.
 */
#include "worker/ask_ollama.h"
#include "worker/driver.h"
#include "worker/json_in.h"
#include "worker/results_ollama.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })

static void on_tool_calls(struct answer *a, const json_t *message)
{
	const json_t *call, *function;
	size_t i;

	json_array_foreach(json_object_get(message, "tool_calls"), i, call)
	{
		function = json_object_get(call, "function");
		answer_tool_whole(a, json_in_member(call, "id"),
		    json_in_member(function, "name"),
		    json_object_get(function, "arguments"));
	}
}

static void merge(const json_t *frame, const char *key, int64_t *count)
{
	int64_t n = usage_count(frame, key);

	if (n >= 0)
		*count = n;
}

static void frame_usage(
    void *state, const json_t *frame, struct dialect_usage *usage)
{
	(void)state;
	merge(frame, "prompt_eval_count", &usage->input_tokens);
	merge(frame, "eval_count", &usage->output_tokens);
	merge(frame, "total_duration", &usage->total_ns);
	merge(frame, "load_duration", &usage->load_ns);
	merge(frame, "prompt_eval_duration", &usage->prompt_ns);
	merge(frame, "eval_duration", &usage->output_ns);
}

static void frame(struct answer *a, void *state, const json_t *v, bool whole)
{
	const json_t *message = json_object_get(v, "message");
	struct text reason = json_in_member(v, "done_reason");

	answer_start(a, NO_TEXT, json_in_member(v, "model"), NO_TEXT);
	answer_text(a, EVENT_REASONING, json_in_member(message, "thinking"));
	answer_text(a, EVENT_TEXT, json_in_member(message, "content"));
	on_tool_calls(a, message);
	frame_usage(state, v, &a->usage);
	/* A line of many that came alone; its reader took it for all. */
	if (whole && json_is_false(json_object_get(v, "done")))
		answer_eof(a);
	if (!json_is_true(json_object_get(v, "done")))
		return;
	/* Older servers do not say why. */
	if (reason.len > 0)
		answer_reason(a, reason, reason, NO_TEXT);
	else
		answer_stop(a);
	if (!whole)
		answer_marker(a);
}

const struct dialect dialect_ollama = {
	.name = "ollama",
	.framing = DIALECT_NDJSON,
	.frame = frame,
	.usage = frame_usage,
	.build = ask_ollama,
	.list = ask_ollama_list,
	.build_embeddings = ask_ollama_embeddings,
	.models = results_ollama_models,
	.embeddings = results_ollama_embeddings,
};
