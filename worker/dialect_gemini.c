/*
 * Google's Gemini API, generateContent: candidates made of parts, calls that
 * come whole, no marker at the end but the end of the body.
 */
#include <stdio.h>

#include "worker/ask_gemini.h"
#include "worker/driver.h"
#include "worker/json_in.h"
#include "worker/results_gemini.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })

/* Counts as they came; what the model calls input and output are sums. */
struct gemini_state {
	bool known;
	int64_t prompt, tool_prompt, candidates, thoughts, cached;
};

static void merge(const json_t *usage, const char *key, int64_t *count)
{
	int64_t n = usage_count(usage, key);

	if (n >= 0)
		*count = n;
}

static int64_t or_zero(int64_t n)
{
	return n < 0 ? 0 : n;
}

static void frame_usage(
    void *state, const json_t *frame, struct dialect_usage *usage)
{
	const json_t *u = json_object_get(frame, "usageMetadata");
	struct gemini_state *s = state;

	if (!s->known)
		*s = (struct gemini_state){ true, -1, -1, -1, -1, -1 };
	merge(u, "promptTokenCount", &s->prompt);
	merge(u, "toolUsePromptTokenCount", &s->tool_prompt);
	merge(u, "candidatesTokenCount", &s->candidates);
	merge(u, "thoughtsTokenCount", &s->thoughts);
	merge(u, "cachedContentTokenCount", &s->cached);
	if (s->prompt >= 0)
		usage->input_tokens =
		    usage_sum(s->prompt, or_zero(s->tool_prompt));
	if (s->candidates >= 0 || s->thoughts >= 0)
		usage->output_tokens =
		    usage_sum(or_zero(s->candidates), or_zero(s->thoughts));
	usage->reasoning_tokens = s->thoughts;
	usage->cached_input_tokens = s->cached;
}

static void on_part(struct answer *a, const json_t *part)
{
	const json_t *call = json_object_get(part, "functionCall");
	bool thought = json_is_true(json_object_get(part, "thought"));

	answer_text(a, thought ? EVENT_REASONING : EVENT_TEXT,
	    json_in_member(part, "text"));
	if (json_is_object(call))
		answer_tool_whole(a, json_in_member(call, "id"),
		    json_in_member(call, "name"),
		    json_object_get(call, "args"));
}

static void on_candidate(struct answer *a, const json_t *candidate)
{
	const json_t *parts =
	    json_object_get(json_object_get(candidate, "content"), "parts");
	struct text reason = json_in_member(candidate, "finishReason");
	const json_t *part;
	size_t i;

	json_array_foreach(parts, i, part) on_part(a, part);
	answer_reason(
	    a, reason, reason, json_in_member(candidate, "finishMessage"));
}

/* Only the first of several answers counts. */
static bool is_first(const json_t *candidate)
{
	int64_t index;

	if (!json_is_object(candidate))
		return false;
	return !json_in_int(json_object_get(candidate, "index"), &index) ||
	       index == 0;
}

/* The prompt was refused: there is no candidate, but a reason. */
static void on_blocked(struct answer *a, struct text why)
{
	char native[ANSWER_MAX_REASON + 1];
	int n = snprintf(native, sizeof(native), "prompt_blocked:%.*s",
	    why.len > 128 ? 128 : (int)why.len, why.s);

	answer_reason(a, (struct text){ "content_filter", 14 },
	    (struct text){ native, (size_t)n }, NO_TEXT);
}

static void frame(struct answer *a, void *state, const json_t *v, bool whole)
{
	const json_t *candidates = json_object_get(v, "candidates"), *candidate;
	struct text blocked =
	    json_in_member(json_object_get(v, "promptFeedback"), "blockReason");
	size_t i;

	(void)whole;
	answer_start(a, json_in_member(v, "responseId"),
	    json_in_member(v, "modelVersion"), NO_TEXT);
	json_array_foreach(candidates, i, candidate)
	{
		if (is_first(candidate))
			on_candidate(a, candidate);
	}
	if (json_array_size(candidates) == 0 && blocked.len > 0)
		on_blocked(a, blocked);
	frame_usage(state, v, &a->usage);
}

const struct dialect dialect_gemini = {
	.name = "gemini",
	.state_bytes = sizeof(struct gemini_state),
	.frame = frame,
	.usage = frame_usage,
	.build = ask_gemini,
	.list = ask_gemini_list,
	.build_embeddings = ask_gemini_embeddings,
	.models = results_gemini_models,
	.embeddings = results_gemini_embeddings,
};
