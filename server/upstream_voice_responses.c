/* OpenAI's Responses API: numbered events about items. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "store/base/jsonout.h"

#define THOUGHTS UPSTREAM_THOUGHT UPSTREAM_SECOND_THOUGHT

/* --- events --- */

/* Begin the event ${type}; where it began, for end_event(). */
static size_t begin_event(
    struct upstream_wire *w, struct buf *b, const char *type)
{
	size_t at = b->len;

	buf_printf(b,
	    "event: %s\ndata: {\"type\":\"%s\",\"sequence_number\":%" PRId64,
	    type, type, w->number);
	return at;
}

static void end_event(struct upstream_wire *w, struct buf *b, size_t at)
{
	buf_puts(b, "}\n\n");
	/* The client has it. */
	if (w->number++ <= w->heard && buf_state(b) == OK)
		b->len = at;
}

static const char *name_of(const struct upstream_wire *w)
{
	return w->id + strlen("chatcmpl-");
}

/* The item of the answer itself; that of thoughts comes before it. */
static int content_index(const struct upstream_wire *w)
{
	return w->thinks ? 1 : 0;
}

static void add_text(struct buf *b, const char *text, size_t len)
{
	buf_putc(b, '"');
	jsonout_escape(b, text, len);
	buf_putc(b, '"');
}

/* --- items --- */

static void add_thoughts(
    const struct upstream_wire *w, struct buf *b, const char *text)
{
	buf_printf(b, "{\"id\":\"rs_%s\",\"type\":\"reasoning\",\"summary\":[",
	    name_of(w));
	if (*text != '\0')
		buf_printf(
		    b, "{\"type\":\"summary_text\",\"text\":\"%s\"}", text);
	buf_puts(b, "]}");
}

static void add_part(struct buf *b, const char *text, size_t len)
{
	buf_puts(b, "{\"type\":\"output_text\",\"text\":");
	add_text(b, text, len);
	buf_puts(b, ",\"annotations\":[],\"logprobs\":[]}");
}

/* ${text} is what it says, or a call's arguments; NULL: nothing as yet. */
static void add_item(const struct upstream_wire *w, struct buf *b,
    const char *status, const char *text, size_t len)
{
	if (w->tool != NULL) {
		buf_printf(b,
		    "{\"id\":\"fc_%s\",\"type\":\"function_call\","
		    "\"status\":\"%s\",\"call_id\":\"call_%s\",\"name\":",
		    name_of(w), status, name_of(w));
		add_text(b, w->tool, strlen(w->tool));
		buf_puts(b, ",\"arguments\":");
		add_text(b, text != NULL ? text : "", text != NULL ? len : 0);
		buf_putc(b, '}');
		return;
	}
	buf_printf(b,
	    "{\"id\":\"msg_%s\",\"type\":\"message\",\"status\":\"%s\","
	    "\"role\":\"assistant\",\"content\":[",
	    name_of(w), status);
	if (text != NULL)
		add_part(b, text, len);
	buf_puts(b, "]}");
}

/* --- the whole of it --- */

/* Is it OpenAI's word for an end, or how it stands? */
static const char *status_of(const char *finish)
{
	return strcmp(finish, "stop") == 0 || strcmp(finish, "tool_calls") == 0
		   ? "completed"
	       : strcmp(finish, "length") == 0 ? "incomplete"
					       : finish;
}

static const char *item_status(const char *finish)
{
	const char *status = status_of(finish);

	return strcmp(status, "completed") == 0 ||
		       strcmp(status, "incomplete") == 0
		   ? status
		   : "in_progress";
}

static void add_usage(
    const struct upstream_wire *w, struct buf *b, int64_t tokens)
{
	int thoughts = w->thinks ? UPSTREAM_THOUGHT_TOKENS : 0;

	buf_printf(b,
	    "{\"input_tokens\":%" PRId64
	    ",\"input_tokens_details\":{\"cached_tokens\":0},"
	    "\"output_tokens\":%" PRId64
	    ",\"output_tokens_details\":{\"reasoning_tokens\":%d},"
	    "\"total_tokens\":%" PRId64 "}",
	    w->prompt_tokens, tokens + thoughts, thoughts,
	    w->prompt_tokens + tokens + thoughts);
}

static void add_response(const struct upstream_wire *w, struct buf *b,
    const char *finish, const char *text, size_t len, int64_t tokens)
{
	const char *status = status_of(finish);
	bool failed = strcmp(status, "failed") == 0;
	bool cut = strcmp(status, "incomplete") == 0;
	bool used = cut || strcmp(status, "completed") == 0;

	buf_printf(b,
	    "{\"id\":\"resp_%s\",\"object\":\"response\",\"created_at\":%" PRId64
	    ",\"status\":\"%s\",\"background\":%s,\"error\":%s,"
	    "\"incomplete_details\":%s,\"model\":",
	    name_of(w), w->created_s, status, w->background ? "true" : "false",
	    failed ? "{\"code\":\"server_error\",\"message\":\"The simulated "
		     "server had an error in mid-stream.\"}"
		   : "null",
	    cut ? "{\"reason\":\"max_output_tokens\"}" : "null");
	add_text(b, w->model, strlen(w->model));
	buf_puts(b, ",\"output\":[");
	if (text != NULL && w->thinks) {
		add_thoughts(w, b, THOUGHTS);
		buf_putc(b, ',');
	}
	if (text != NULL)
		add_item(w, b, item_status(finish), text, len);
	buf_printf(b, "],\"parallel_tool_calls\":true,\"store\":%s,\"usage\":",
	    w->background ? "true" : "false");
	if (used)
		add_usage(w, b, tokens);
	else
		buf_puts(b, "null");
	buf_putc(b, '}');
}

static void whole(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, const char *finish, int64_t tokens)
{
	add_response(w, b, finish, text, len, tokens);
}

/* An event about all of it. */
static void life(struct upstream_wire *w, struct buf *b, const char *type,
    const char *finish, bool told, int64_t tokens)
{
	size_t at = begin_event(w, b, type);
	const char *text = w->said.data != NULL ? w->said.data : "";

	buf_puts(b, ",\"response\":");
	add_response(w, b, finish, told ? text : NULL, w->said.len, tokens);
	end_event(w, b, at);
}

/* --- thoughts --- */

static size_t begin_thought(
    struct upstream_wire *w, struct buf *b, const char *type)
{
	size_t at = begin_event(w, b, type);

	buf_printf(b,
	    ",\"item_id\":\"rs_%s\",\"output_index\":0,\"summary_index\":0",
	    name_of(w));
	return at;
}

static void thought_item(
    struct upstream_wire *w, struct buf *b, const char *type, const char *text)
{
	size_t at = begin_event(w, b, type);

	buf_puts(b, ",\"output_index\":0,\"item\":");
	add_thoughts(w, b, text);
	end_event(w, b, at);
}

static void start(struct upstream_wire *w, struct buf *b)
{
	size_t at;

	life(w, b, "response.created", "in_progress", false, 0);
	life(w, b, "response.in_progress", "in_progress", false, 0);
	if (!w->thinks)
		return;
	thought_item(w, b, "response.output_item.added", "");
	at = begin_thought(w, b, "response.reasoning_summary_part.added");
	buf_puts(b, ",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}");
	end_event(w, b, at);
}

static void think(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	size_t at =
	    begin_thought(w, b, "response.reasoning_summary_text.delta");

	buf_puts(b, ",\"delta\":");
	add_text(b, text, len);
	end_event(w, b, at);
}

static void end_thoughts(struct upstream_wire *w, struct buf *b)
{
	size_t at = begin_thought(w, b, "response.reasoning_summary_text.done");

	buf_puts(b, ",\"text\":\"" THOUGHTS "\"");
	end_event(w, b, at);
	at = begin_thought(w, b, "response.reasoning_summary_part.done");
	buf_puts(b,
	    ",\"part\":{\"type\":\"summary_text\",\"text\":\"" THOUGHTS "\"}");
	end_event(w, b, at);
	thought_item(w, b, "response.output_item.done", THOUGHTS);
}

/* --- what it says --- */

/* An event about the part that the text is in, or about the call. */
static size_t begin_content(
    struct upstream_wire *w, struct buf *b, const char *type)
{
	size_t at = begin_event(w, b, type);

	buf_printf(b, ",\"item_id\":\"%s_%s\",\"output_index\":%d%s",
	    w->tool != NULL ? "fc" : "msg", name_of(w), content_index(w),
	    w->tool != NULL ? "" : ",\"content_index\":0");
	return at;
}

static void content_item(struct upstream_wire *w, struct buf *b,
    const char *type, const char *status, const char *text, size_t len)
{
	size_t at = begin_event(w, b, type);

	buf_printf(b, ",\"output_index\":%d,\"item\":", content_index(w));
	add_item(w, b, status, text, len);
	end_event(w, b, at);
}

static void open_item(struct upstream_wire *w, struct buf *b)
{
	size_t at;

	if (w->thinks)
		end_thoughts(w, b);
	content_item(
	    w, b, "response.output_item.added", "in_progress", NULL, 0);
	if (w->tool != NULL)
		return;
	at = begin_content(w, b, "response.content_part.added");
	buf_puts(b, ",\"part\":");
	add_part(b, "", 0);
	end_event(w, b, at);
}

static void token(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	size_t at = begin_content(w, b,
	    w->tool != NULL ? "response.function_call_arguments.delta"
			    : "response.output_text.delta");

	buf_puts(b, ",\"delta\":");
	add_text(b, text, len);
	if (w->tool == NULL)
		buf_puts(b, ",\"logprobs\":[]");
	end_event(w, b, at);
	buf_add(&w->said, text, len);
}

static void end_content(
    struct upstream_wire *w, struct buf *b, const char *finish)
{
	const char *text = w->said.data != NULL ? w->said.data : "";
	size_t len = w->said.len;
	size_t at = begin_content(w, b,
	    w->tool != NULL ? "response.function_call_arguments.done"
			    : "response.output_text.done");

	if (w->tool != NULL) {
		buf_puts(b, ",\"name\":");
		add_text(b, w->tool, strlen(w->tool));
		buf_puts(b, ",\"arguments\":");
		add_text(b, text, len);
	} else {
		buf_puts(b, ",\"text\":");
		add_text(b, text, len);
		buf_puts(b, ",\"logprobs\":[]");
	}
	end_event(w, b, at);
	if (w->tool == NULL) {
		at = begin_content(w, b, "response.content_part.done");
		buf_puts(b, ",\"part\":");
		add_part(b, text, len);
		end_event(w, b, at);
	}
	content_item(
	    w, b, "response.output_item.done", item_status(finish), text, len);
}

static void end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	bool completed = strcmp(status_of(finish), "completed") == 0;

	/* Too long to be repeated. */
	if (buf_state(&w->said) != OK)
		buf_reset(&w->said);
	/* What is cancelled stays open; no event is called so. */
	if (strcmp(finish, "cancelled") != 0)
		end_content(w, b, finish);
	life(w, b, completed ? "response.completed" : "response.incomplete",
	    finish, true, tokens);
}

static void garbage(struct upstream_wire *w, struct buf *b)
{
	(void)begin_content(w, b, "response.output_text.delta");
	buf_puts(b, ",\"delta\":<b>oops</b>\n\n");
}

static void broken(struct upstream_wire *w, struct buf *b)
{
	life(w, b, "response.failed", "failed", true, 0);
}

/* --- as the elder API has it --- */

static void error(struct buf *b, int status, const char *message)
{
	upstream_voice_openai.error(b, status, message);
}

static void models(struct buf *b)
{
	upstream_voice_openai.models(b);
}

static bool is_chat(const char *path)
{
	return strcmp(path, "/v1/responses") == 0;
}

const struct upstream_voice upstream_voice_responses = {
	.name = "responses",
	.base = "/v1",
	.models_path = "/v1/models",
	.stream_type = "text/event-stream; charset=utf-8",
	.ping = ": ping\n\n",
	.key_header = "authorization",
	.key_prefix = "Bearer ",
	.is_chat = is_chat,
	.kept_path = "/v1/responses/resp_",
	.start = start,
	.think = think,
	.open = open_item,
	.token = token,
	.end = end,
	.garbage = garbage,
	.broken = broken,
	.whole = whole,
	.error = error,
	.models = models,
};
