/* Anthropic's Messages: events with names, an answer made of blocks. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "store/base/jsonout.h"

static void begin_event(struct buf *b, const char *type)
{
	buf_printf(b, "event: %s\ndata: {\"type\":\"%s\"", type, type);
}

static void end_event(struct buf *b)
{
	buf_puts(b, "}\n\n");
}

/* The block of the answer itself; that of thoughts comes before it. */
static int content_index(struct upstream_wire *w)
{
	return w->thinks ? 1 : 0;
}

static int64_t all_tokens(struct upstream_wire *w, int64_t tokens)
{
	return tokens + (w->thinks ? UPSTREAM_THOUGHT_TOKENS : 0);
}

static void add_message(
    struct upstream_wire *w, struct buf *b, const char *content)
{
	buf_printf(b,
	    "\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\","
	    "\"model\":\"",
	    w->id + strlen("chatcmpl-"));
	jsonout_escape(b, w->model, strlen(w->model));
	buf_printf(b, "\",\"content\":[%s", content);
}

static void add_tool(struct upstream_wire *w, struct buf *b, const char *input)
{
	buf_printf(b, "{\"type\":\"tool_use\",\"id\":\"toolu_%s\",\"name\":\"",
	    w->id + strlen("chatcmpl-"));
	jsonout_escape(b, w->tool, strlen(w->tool));
	buf_printf(b, "\",\"input\":%s}", input);
}

static void block_stop(struct buf *b, int index)
{
	begin_event(b, "content_block_stop");
	buf_printf(b, ",\"index\":%d", index);
	end_event(b);
}

static void start(struct upstream_wire *w, struct buf *b)
{
	begin_event(b, "message_start");
	buf_puts(b, ",\"message\":{");
	add_message(w, b, "");
	buf_printf(b,
	    "],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
	    "\"input_tokens\":%" PRId64 ",\"output_tokens\":1}}",
	    w->prompt_tokens);
	end_event(b);
	if (!w->thinks)
		return;
	begin_event(b, "content_block_start");
	buf_puts(b, ",\"index\":0,\"content_block\":{\"type\":\"thinking\","
		    "\"thinking\":\"\",\"signature\":\"\"}");
	end_event(b);
}

static void delta(struct buf *b, int index, const char *type, const char *key,
    const char *text, size_t len)
{
	begin_event(b, "content_block_delta");
	buf_printf(b, ",\"index\":%d,\"delta\":{\"type\":\"%s\",\"%s\":\"",
	    index, type, key);
	jsonout_escape(b, text, len);
	buf_puts(b, "\"}");
	end_event(b);
}

static void think(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	(void)w;
	delta(b, 0, "thinking_delta", "thinking", text, len);
}

static void open_block(struct upstream_wire *w, struct buf *b)
{
	if (w->thinks) {
		delta(b, 0, "signature_delta", "signature", "sim", 3);
		block_stop(b, 0);
	}
	begin_event(b, "content_block_start");
	buf_printf(b, ",\"index\":%d,\"content_block\":", content_index(w));
	if (w->tool != NULL)
		add_tool(w, b, "{}");
	else
		buf_puts(b, "{\"type\":\"text\",\"text\":\"\"}");
	end_event(b);
}

static void token(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	if (w->tool != NULL)
		delta(b, content_index(w), "input_json_delta", "partial_json",
		    text, len);
	else
		delta(b, content_index(w), "text_delta", "text", text, len);
}

static const char *stop_reason(const char *finish)
{
	return strcmp(finish, "length") == 0	   ? "max_tokens"
	       : strcmp(finish, "tool_calls") == 0 ? "tool_use"
						   : "end_turn";
}

static void end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	block_stop(b, content_index(w));
	begin_event(b, "message_delta");
	buf_printf(b,
	    ",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null},"
	    "\"usage\":{\"output_tokens\":%" PRId64,
	    stop_reason(finish), all_tokens(w, tokens));
	if (w->thinks)
		buf_printf(b,
		    ",\"output_tokens_details\":{\"thinking_tokens\":%d}",
		    UPSTREAM_THOUGHT_TOKENS);
	buf_putc(b, '}');
	end_event(b);
	begin_event(b, "message_stop");
	end_event(b);
}

static void garbage(struct upstream_wire *w, struct buf *b)
{
	begin_event(b, "content_block_delta");
	buf_printf(
	    b, ",\"index\":%d,\"delta\":<b>oops</b>\n\n", content_index(w));
}

static const struct {
	int status;
	const char *type, *message;
} errors[] = {
	{ 0, "api_error", "The simulated server had an error." },
	{ 400, "invalid_request_error",
	    "The simulation refuses this request." },
	{ 401, "authentication_error", "invalid x-api-key" },
	{ 403, "permission_error", "The simulation does not allow this." },
	{ 404, "not_found_error", "The model does not exist." },
	{ 413, "request_too_large", "The request is too large." },
	{ 429, "rate_limit_error", "Rate limit reached in the simulation." },
	{ 529, "overloaded_error", "The simulation is overloaded." },
};

static void error(struct buf *b, int status, const char *message)
{
	size_t row = 0;

	for (size_t i = 1; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (errors[i].status == status)
			row = i;
	if (message == NULL)
		message = errors[row].message;
	buf_printf(b,
	    "{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":\"",
	    errors[row].type);
	jsonout_escape(b, message, strlen(message));
	buf_puts(b, "\"}}");
}

static void broken(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	buf_puts(b, "event: error\ndata: ");
	error(b, 529, "The simulation is overloaded in mid-stream.");
	buf_puts(b, "\n\n");
}

static void whole(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, const char *finish, int64_t tokens)
{
	buf_putc(b, '{');
	add_message(w, b,
	    w->thinks ? "{\"type\":\"thinking\",\"thinking\":"
			"\"" UPSTREAM_THOUGHT UPSTREAM_SECOND_THOUGHT
			"\",\"signature\":\"sim\"},"
		      : "");
	if (strcmp(finish, "tool_calls") == 0) {
		add_tool(w, b, w->arguments);
	} else {
		buf_puts(b, "{\"type\":\"text\",\"text\":\"");
		jsonout_escape(b, text, w->tool == NULL ? len : 0);
		buf_puts(b, "\"}");
	}
	buf_printf(b,
	    "],\"stop_reason\":\"%s\",\"stop_sequence\":null,\"usage\":{"
	    "\"input_tokens\":%" PRId64 ",\"output_tokens\":%" PRId64 "}}",
	    stop_reason(finish), w->prompt_tokens, all_tokens(w, tokens));
}

static void models(struct buf *b)
{
	char name[UPSTREAM_MODEL_BYTES];

	jsonout_object(b);
	jsonout_key(b, "data");
	jsonout_array(b);
	for (unsigned i = 0; upstream_plan_model_name(i, name); i++) {
		jsonout_object(b);
		jsonout_member(b, "type", "model");
		jsonout_member(b, "id", name);
		jsonout_member(b, "display_name", name);
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
	jsonout_key(b, "has_more");
	jsonout_bool(b, false);
	jsonout_object_end(b);
}

static bool is_chat(const char *path)
{
	return strcmp(path, "/v1/messages") == 0;
}

const struct upstream_voice upstream_voice_anthropic = {
	.name = "anthropic",
	.base = "",
	.models_path = "/v1/models",
	.stream_type = "text/event-stream; charset=utf-8",
	.ping = "event: ping\ndata: {\"type\": \"ping\"}\n\n",
	.key_header = "x-api-key",
	.key_prefix = "",
	.is_chat = is_chat,
	.start = start,
	.think = think,
	.open = open_block,
	.token = token,
	.end = end,
	.garbage = garbage,
	.broken = broken,
	.whole = whole,
	.error = error,
	.models = models,
};
