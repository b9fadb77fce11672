/* Ollama's /api/chat: lines of JSON, calls that come whole. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "store/base/jsonout.h"

/* Durations are said in nanoseconds; these are made up. */
#define LOAD_NS INT64_C(1200000000)
#define TOKEN_NS INT64_C(25000000)

static void open_line(struct upstream_wire *w, struct buf *b)
{
	buf_puts(b, "{\"model\":\"");
	jsonout_escape(b, w->model, strlen(w->model));
	buf_puts(b, "\",\"created_at\":\"2026-01-01T00:00:00.123456789Z\","
		    "\"message\":{\"role\":\"assistant\",");
}

static void text_line(struct upstream_wire *w, struct buf *b, const char *key,
    const char *text, size_t len)
{
	open_line(w, b);
	if (strcmp(key, "content") != 0)
		buf_puts(b, "\"content\":\"\",");
	buf_printf(b, "\"%s\":\"", key);
	jsonout_escape(b, text, len);
	buf_puts(b, "\"},\"done\":false}\n");
}

static void start(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	(void)b;
}

static void think(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	text_line(w, b, "thinking", text, len);
}

static void token(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	if (w->tool == NULL)
		text_line(w, b, "content", text, len);
}

static void add_call(struct upstream_wire *w, struct buf *b)
{
	buf_puts(b, "\"tool_calls\":[{\"function\":{\"name\":\"");
	jsonout_escape(b, w->tool, strlen(w->tool));
	buf_printf(b, "\",\"arguments\":%s}}]", w->arguments);
}

static void add_done(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	bool length = strcmp(finish, "length") == 0;
	int64_t all = tokens + (w->thinks ? UPSTREAM_THOUGHT_TOKENS : 0);

	buf_printf(b,
	    "},\"done\":true,\"done_reason\":\"%s\",\"total_duration\":%" PRId64
	    ",\"load_duration\":%" PRId64 ",\"prompt_eval_count\":%" PRId64
	    ",\"prompt_eval_duration\":%" PRId64 ",\"eval_count\":%" PRId64
	    ",\"eval_duration\":%" PRId64 "}",
	    length ? "length" : "stop",
	    LOAD_NS + (w->prompt_tokens + all) * TOKEN_NS, LOAD_NS,
	    w->prompt_tokens, w->prompt_tokens * TOKEN_NS, all, all * TOKEN_NS);
}

static void end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	if (strcmp(finish, "tool_calls") == 0) {
		open_line(w, b);
		buf_puts(b, "\"content\":\"\",");
		add_call(w, b);
		buf_puts(b, "},\"done\":false}\n");
	}
	open_line(w, b);
	buf_puts(b, "\"content\":\"\"");
	add_done(w, b, finish, tokens);
	buf_putc(b, '\n');
}

static void garbage(struct upstream_wire *w, struct buf *b)
{
	open_line(w, b);
	buf_puts(b, "\"content\":<b>oops</b>\n");
}

static void error(struct buf *b, int status, const char *message)
{
	static const struct {
		int status;
		const char *message;
	} words[] = {
		{ 0, "the simulated server had an error" },
		{ 401, "unauthorized" },
		{ 404, "model not found" },
		{ 429, "rate limit reached in the simulation" },
		{ 503, "server busy, please try again. "
		       "maximum pending requests exceeded" },
	};
	const char *word = words[0].message;

	for (size_t i = 1; i < sizeof(words) / sizeof(words[0]); i++)
		if (words[i].status == status)
			word = words[i].message;
	if (message != NULL)
		word = message;
	buf_puts(b, "{\"error\":\"");
	jsonout_escape(b, word, strlen(word));
	buf_puts(b, "\"}");
}

static void broken(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	error(b, 500, "the simulated runner stopped in mid-stream");
	buf_putc(b, '\n');
}

static void whole(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, const char *finish, int64_t tokens)
{
	open_line(w, b);
	buf_puts(b, "\"content\":\"");
	if (w->tool == NULL)
		jsonout_escape(b, text, len);
	buf_putc(b, '"');
	if (w->thinks)
		buf_puts(b,
		    ",\"thinking\":\"" UPSTREAM_THOUGHT UPSTREAM_SECOND_THOUGHT
		    "\"");
	if (strcmp(finish, "tool_calls") == 0) {
		buf_putc(b, ',');
		add_call(w, b);
	}
	add_done(w, b, finish, tokens);
}

static void models(struct buf *b)
{
	char name[UPSTREAM_MODEL_BYTES];

	jsonout_object(b);
	jsonout_key(b, "models");
	jsonout_array(b);
	for (unsigned i = 0; upstream_plan_model_name(i, name); i++) {
		jsonout_object(b);
		jsonout_member(b, "name", name);
		jsonout_member(b, "model", name);
		jsonout_member_int(b, "size", 0);
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
	jsonout_object_end(b);
}

static bool is_chat(const char *path)
{
	return strcmp(path, "/api/chat") == 0;
}

const struct upstream_voice upstream_voice_ollama = {
	.name = "ollama",
	.base = "",
	.models_path = "/api/tags",
	.stream_type = "application/x-ndjson",
	.ping = "\n",
	.key_header = "authorization",
	.key_prefix = "Bearer ",
	.is_chat = is_chat,
	.start = start,
	.think = think,
	.open = start,
	.token = token,
	.end = end,
	.garbage = garbage,
	.broken = broken,
	.whole = whole,
	.error = error,
	.models = models,
};
