#include "worker/finish.h"

#include <string.h>
#include <strings.h>

static const struct {
	const char *native;
	enum finish_reason reason;
} reasons[] = {
	{ "stop", FINISH_STOP },
	{ "eos", FINISH_STOP },
	{ "eos_token", FINISH_STOP },
	{ "end_turn", FINISH_STOP },
	{ "stop_sequence", FINISH_STOP },
	{ "complete", FINISH_STOP },
	{ "completed", FINISH_STOP },
	{ "finished", FINISH_STOP },
	{ "load", FINISH_STOP },
	{ "unload", FINISH_STOP },
	{ "length", FINISH_LENGTH },
	{ "max_tokens", FINISH_LENGTH },
	{ "max_output_tokens", FINISH_LENGTH },
	{ "model_length", FINISH_LENGTH },
	{ "model_context_window_exceeded", FINISH_LENGTH },
	{ "token_limit", FINISH_LENGTH },
	{ "tool_calls", FINISH_TOOL_CALLS },
	{ "tool_use", FINISH_TOOL_CALLS },
	{ "function_call", FINISH_TOOL_CALLS },
	{ "tool_call", FINISH_TOOL_CALLS },
	{ "content_filter", FINISH_CONTENT_FILTER },
	{ "safety", FINISH_CONTENT_FILTER },
	{ "recitation", FINISH_CONTENT_FILTER },
	{ "language", FINISH_CONTENT_FILTER },
	{ "blocklist", FINISH_CONTENT_FILTER },
	{ "prohibited_content", FINISH_CONTENT_FILTER },
	{ "spii", FINISH_CONTENT_FILTER },
	{ "image_safety", FINISH_CONTENT_FILTER },
	{ "image_prohibited_content", FINISH_CONTENT_FILTER },
	{ "image_recitation", FINISH_CONTENT_FILTER },
	{ "refusal", FINISH_CONTENT_FILTER },
	{ "sensitive", FINISH_CONTENT_FILTER },
	{ "content_filtered", FINISH_CONTENT_FILTER },
	{ "guardrail_intervened", FINISH_CONTENT_FILTER },
	{ "pause_turn", FINISH_PAUSE },
	{ "compaction", FINISH_PAUSE },
};

static const struct {
	const char *native;
	enum error_kind kind;
} failures[] = {
	{ "error", ERROR_SERVER },
	{ "abort", ERROR_SERVER },
	{ "aborted", ERROR_SERVER },
	{ "network_error", ERROR_SERVER },
	{ "insufficient_system_resource", ERROR_SERVER },
	{ "malformed_response", ERROR_SERVER },
	{ "malformed_function_call", ERROR_BAD_TOOL_CALL },
	{ "unexpected_tool_call", ERROR_BAD_TOOL_CALL },
	{ "too_many_tool_calls", ERROR_BAD_TOOL_CALL },
	{ "missing_thought_signature", ERROR_BAD_REQUEST },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0;
}

struct finish finish_of(struct text native)
{
	for (size_t i = 0; i < COUNT(reasons); i++)
		if (is(native, reasons[i].native))
			return (struct finish){ .reason = reasons[i].reason };
	for (size_t i = 0; i < COUNT(failures); i++)
		if (is(native, failures[i].native))
			return (struct finish){ .reason = FINISH_UNKNOWN,
				.fails = true,
				.kind = failures[i].kind };
	return (struct finish){ .reason = FINISH_UNKNOWN };
}
