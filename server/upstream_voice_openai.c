/* OpenAI's Chat Completions, with the name that others gave to thoughts. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "store/base/jsonout.h"

#define HEAD_MAX_BYTES 1024
/* When the simulation was "trained": any fixed second does. */
#define MODEL_CREATED_S 1767225600

static const char no_logprobs[] = ",\"logprobs\":null,\"finish_reason\":null}]";

static void add_common(
    struct upstream_wire *w, struct buf *b, const char *object)
{
	jsonout_member(b, "id", w->id);
	jsonout_member(b, "object", object);
	jsonout_member_int(b, "created", w->created_s);
	jsonout_member(b, "model", w->model);
	jsonout_member(b, "service_tier", "default");
	jsonout_member(b, "system_fingerprint", "simulation");
}

static void head(struct upstream_wire *w)
{
	buf_puts(&w->head, "data: {");
	add_common(w, &w->head, "chat.completion.chunk");
	jsonout_key(&w->head, "choices");
}

static void event_open(struct upstream_wire *w, struct buf *b)
{
	buf_add(b, w->head.data, w->head.len);
}

static void event_close(struct upstream_wire *w, struct buf *b)
{
	buf_puts(b, w->usage ? ",\"usage\":null}\n\n" : "}\n\n");
}

static void start(struct upstream_wire *w, struct buf *b)
{
	event_open(w, b);
	buf_printf(b,
	    "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":%s,"
	    "\"refusal\":null}%s",
	    w->tool != NULL ? "null" : "\"\"", no_logprobs);
	event_close(w, b);
}

static void think(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	event_open(w, b);
	buf_puts(b, "[{\"index\":0,\"delta\":{\"reasoning_content\":\"");
	jsonout_escape(b, text, len);
	buf_puts(b, "\"}");
	buf_add(b, no_logprobs, sizeof(no_logprobs) - 1);
	event_close(w, b);
}

static void open_tool(struct upstream_wire *w, struct buf *b)
{
	if (w->tool == NULL)
		return;
	event_open(w, b);
	buf_printf(b,
	    "[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":"
	    "\"call_%s\",\"type\":\"function\",\"function\":{\"name\":\"",
	    w->id + strlen("chatcmpl-"));
	jsonout_escape(b, w->tool, strlen(w->tool));
	buf_printf(b, "\",\"arguments\":\"\"}}]}%s", no_logprobs);
	event_close(w, b);
}

static void token(
    struct upstream_wire *w, struct buf *b, const char *token, size_t len)
{
	event_open(w, b);
	if (w->tool != NULL)
		buf_puts(b,
		    "[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,"
		    "\"function\":{\"arguments\":\"");
	else
		buf_puts(b, "[{\"index\":0,\"delta\":{\"content\":\"");
	jsonout_escape(b, token, len);
	buf_puts(b, w->tool != NULL ? "\"}}]}" : "\"}");
	buf_add(b, no_logprobs, sizeof(no_logprobs) - 1);
	event_close(w, b);
}

static void add_usage(struct upstream_wire *w, struct buf *b, int64_t tokens)
{
	int thoughts = w->thinks ? UPSTREAM_THOUGHT_TOKENS : 0;

	buf_printf(b,
	    "\"usage\":{\"prompt_tokens\":%" PRId64
	    ",\"completion_tokens\":%" PRId64 ",\"total_tokens\":%" PRId64 ","
	    "\"prompt_tokens_details\":{\"cached_tokens\":0,"
	    "\"audio_tokens\":0},\"completion_tokens_details\":{"
	    "\"reasoning_tokens\":%d,\"audio_tokens\":0,"
	    "\"accepted_prediction_tokens\":0,"
	    "\"rejected_prediction_tokens\":0}}",
	    w->prompt_tokens, tokens + thoughts,
	    w->prompt_tokens + tokens + thoughts, thoughts);
}

static void end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	event_open(w, b);
	buf_printf(b,
	    "[{\"index\":0,\"delta\":{},\"logprobs\":null,"
	    "\"finish_reason\":\"%s\"}]",
	    finish);
	event_close(w, b);
	if (w->usage) {
		event_open(w, b);
		buf_puts(b, "[],");
		add_usage(w, b, tokens);
		buf_puts(b, "}\n\n");
	}
	buf_puts(b, "data: [DONE]\n\n");
}

static void garbage(struct upstream_wire *w, struct buf *b)
{
	event_open(w, b);
	buf_puts(b, "[{\"index\":0,\"delta\":{\"content\":<b>oops</b>\n\n");
}

static void error(struct buf *b, int status, const char *message);

static void broken(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	buf_puts(b, "data: ");
	error(b, 500, "The simulated server had an error in mid-stream.");
	buf_puts(b, "\n\n");
}

static void whole(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, const char *finish, int64_t tokens)
{
	jsonout_object(b);
	add_common(w, b, "chat.completion");
	buf_puts(b,
	    ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
	if (w->thinks)
		buf_printf(b, "\"reasoning_content\":\"%s\",",
		    UPSTREAM_THOUGHT UPSTREAM_SECOND_THOUGHT);
	buf_puts(b, "\"content\":");
	if (w->tool == NULL) {
		buf_putc(b, '"');
		jsonout_escape(b, text, len);
		buf_puts(b, "\",\"refusal\":null");
	} else {
		buf_printf(b,
		    "null,\"refusal\":null,\"tool_calls\":[{\"id\":\"call_%s\","
		    "\"type\":\"function\",\"function\":{\"name\":\"",
		    w->id + strlen("chatcmpl-"));
		jsonout_escape(b, w->tool, strlen(w->tool));
		buf_puts(b, "\",\"arguments\":\"");
		jsonout_escape(b, text, len);
		buf_puts(b, "\"}}]");
	}
	buf_printf(
	    b, "},\"logprobs\":null,\"finish_reason\":\"%s\"}],", finish);
	add_usage(w, b, tokens);
	buf_putc(b, '}');
}

/* What OpenAI's API says with each status; the first row is for the rest. */
static const struct {
	int status;
	const char *type, *code, *message;
} errors[] = {
	{ 0, "server_error", "server_error",
	    "The simulated server had an error." },
	{ 400, "invalid_request_error", "invalid_request_error",
	    "The simulation refuses this request." },
	{ 401, "invalid_request_error", "invalid_api_key",
	    "Incorrect API key provided." },
	{ 403, "permission_error", "permission_denied",
	    "The simulation does not allow this." },
	{ 404, "invalid_request_error", "model_not_found",
	    "The model does not exist." },
	{ 405, "invalid_request_error", "method_not_allowed",
	    "Not allowed method." },
	{ 409, "conflict_error", "conflict", "Simulated lock conflict." },
	{ 413, "invalid_request_error", "request_too_large",
	    "The request is too large." },
	{ 429, "requests", "rate_limit_exceeded",
	    "Rate limit reached in the simulation." },
	{ 503, "service_unavailable_error", "server_is_overloaded",
	    "The simulation is overloaded." },
};

static void error(struct buf *b, int status, const char *message)
{
	size_t row = 0;

	for (size_t i = 1; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == status)
			row = i;
	/* Not jsonout's: it may follow "data: ", and wants no comma. */
	buf_putc(b, '{');
	jsonout_key(b, "error");
	jsonout_object(b);
	jsonout_member(
	    b, "message", message != NULL ? message : errors[row].message);
	jsonout_member(b, "type", errors[row].type);
	jsonout_member(b, "param", NULL);
	jsonout_member(b, "code", errors[row].code);
	jsonout_object_end(b);
	jsonout_object_end(b);
}

static void models(struct buf *b)
{
	char name[UPSTREAM_MODEL_BYTES];

	jsonout_object(b);
	jsonout_member(b, "object", "list");
	jsonout_key(b, "data");
	jsonout_array(b);
	for (unsigned i = 0; upstream_plan_model_name(i, name); i++) {
		jsonout_object(b);
		jsonout_member(b, "id", name);
		jsonout_member(b, "object", "model");
		jsonout_member_int(b, "created", MODEL_CREATED_S);
		jsonout_member(b, "owned_by", "simulation");
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
	jsonout_object_end(b);
}

static bool is_chat(const char *path)
{
	return strcmp(path, "/v1/chat/completions") == 0;
}

const struct upstream_voice upstream_voice_openai = {
	.name = "openai",
	.base = "/v1",
	.models_path = "/v1/models",
	.stream_type = "text/event-stream; charset=utf-8",
	.ping = ": ping\n\n",
	.key_header = "authorization",
	.key_prefix = "Bearer ",
	.is_chat = is_chat,
	.head = head,
	.start = start,
	.think = think,
	.open = open_tool,
	.token = token,
	.end = end,
	.garbage = garbage,
	.broken = broken,
	.whole = whole,
	.error = error,
	.models = models,
};
