/* Gemini's generateContent: candidates, CRLF, no marker at the end. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/upstream_plan.h"
#include "server/upstream_voice.h"
#include "store/base/jsonout.h"

static void open_candidate(struct buf *b)
{
	buf_puts(b, "{\"candidates\": [{\"content\": {\"parts\": [");
}

static void add_text(
    struct buf *b, const char *text, size_t len, bool is_thought)
{
	buf_puts(b, "{\"text\": \"");
	jsonout_escape(b, text, len);
	buf_puts(b, is_thought ? "\",\"thought\": true}" : "\"}");
}

static void add_call(struct upstream_wire *w, struct buf *b)
{
	buf_puts(b, "{\"functionCall\": {\"name\": \"");
	jsonout_escape(b, w->tool, strlen(w->tool));
	buf_printf(b, "\",\"args\": %s}}", w->arguments);
}

/* The rest of an object; ${finish} NULL: it goes on. */
static void close_candidate(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	int thoughts = w->thinks ? UPSTREAM_THOUGHT_TOKENS : 0;

	buf_puts(b, "],\"role\": \"model\"}");
	if (finish != NULL)
		buf_printf(b, ",\"finishReason\": \"%s\"",
		    strcmp(finish, "length") == 0 ? "MAX_TOKENS" : "STOP");
	buf_printf(b,
	    ",\"index\": 0}],\"usageMetadata\": {\"promptTokenCount\": %" PRId64
	    ",\"totalTokenCount\": %" PRId64,
	    w->prompt_tokens, w->prompt_tokens + tokens + thoughts);
	/* what is zero, or not known yet, is left out */
	if (tokens > 0)
		buf_printf(b, ",\"candidatesTokenCount\": %" PRId64, tokens);
	if (thoughts > 0)
		buf_printf(b, ",\"thoughtsTokenCount\": %d", thoughts);
	buf_puts(b, "},\"modelVersion\": \"");
	jsonout_escape(b, w->model, strlen(w->model));
	buf_printf(
	    b, "\",\"responseId\": \"%s\"}", w->id + strlen("chatcmpl-"));
}

static void text_event(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, bool is_thought)
{
	buf_puts(b, "data: ");
	open_candidate(b);
	add_text(b, text, len, is_thought);
	close_candidate(w, b, NULL, 0);
	buf_puts(b, "\r\n\r\n");
}

static void nothing(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	(void)b;
}

static void think(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	text_event(w, b, text, len, true);
}

static void token(
    struct upstream_wire *w, struct buf *b, const char *text, size_t len)
{
	if (w->tool == NULL)
		text_event(w, b, text, len, false);
}

static void end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens)
{
	buf_puts(b, "data: ");
	open_candidate(b);
	if (strcmp(finish, "tool_calls") == 0)
		add_call(w, b);
	else
		add_text(b, "", 0, false);
	close_candidate(w, b, finish, tokens);
	buf_puts(b, "\r\n\r\n");
}

static void garbage(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	buf_puts(b, "data: ");
	open_candidate(b);
	buf_puts(b, "<b>oops</b>\r\n\r\n");
}

/* The names that google.rpc has for what HTTP says with numbers. */
static const struct {
	int status;
	const char *name, *message;
} errors[] = {
	{ 0, "INTERNAL", "The simulation had an internal error." },
	{ 400, "INVALID_ARGUMENT", "The simulation refuses this request." },
	{ 401, "UNAUTHENTICATED", "The simulation wants another key." },
	{ 403, "PERMISSION_DENIED", "The simulation does not allow this." },
	{ 404, "NOT_FOUND", "The model is not found." },
	{ 429, "RESOURCE_EXHAUSTED", "The simulated quota is exceeded." },
	{ 503, "UNAVAILABLE", "The simulated model is overloaded." },
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
	    "{\n  \"error\": {\n    \"code\": %d,\n    \"message\": \"",
	    status);
	jsonout_escape(b, message, strlen(message));
	buf_printf(
	    b, "\",\n    \"status\": \"%s\"\n  }\n}\n", errors[row].name);
}

/* As Google does it: without the field's name. */
static void broken(struct upstream_wire *w, struct buf *b)
{
	(void)w;
	error(b, 503, "The simulated model is overloaded in mid-stream.");
}

static void whole(struct upstream_wire *w, struct buf *b, const char *text,
    size_t len, const char *finish, int64_t tokens)
{
	static const char thoughts[] = UPSTREAM_THOUGHT UPSTREAM_SECOND_THOUGHT;

	open_candidate(b);
	if (w->thinks) {
		add_text(b, thoughts, sizeof(thoughts) - 1, true);
		buf_putc(b, ',');
	}
	if (strcmp(finish, "tool_calls") == 0)
		add_call(w, b);
	else
		add_text(b, text, w->tool == NULL ? len : 0, false);
	close_candidate(w, b, finish, tokens);
}

static void models(struct buf *b)
{
	char name[UPSTREAM_MODEL_BYTES];

	jsonout_object(b);
	jsonout_key(b, "models");
	jsonout_array(b);
	for (unsigned i = 0; upstream_plan_model_name(i, name); i++) {
		char path[UPSTREAM_MODEL_BYTES + 8];

		snprintf(path, sizeof(path), "models/%s", name);
		jsonout_object(b);
		jsonout_member(b, "name", path);
		jsonout_member(b, "displayName", name);
		jsonout_key(b, "supportedGenerationMethods");
		jsonout_raw(b, "[\"generateContent\"]", 19);
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
	jsonout_object_end(b);
}

static bool is_chat(const char *path)
{
	const char *method = strchr(path, ':');

	return strncmp(path, "/v1beta/models/", 15) == 0 && method != NULL &&
	       (strcmp(method, ":generateContent") == 0 ||
		   strcmp(method, ":streamGenerateContent") == 0);
}

const struct upstream_voice upstream_voice_gemini = {
	.name = "gemini",
	.base = "/v1beta",
	.models_path = "/v1beta/models",
	.stream_type = "text/event-stream",
	.ping = ": ping\r\n\r\n",
	.key_header = "x-goog-api-key",
	.key_prefix = "",
	.is_chat = is_chat,
	.start = nothing,
	.think = think,
	.open = nothing,
	.token = token,
	.end = end,
	.garbage = garbage,
	.broken = broken,
	.whole = whole,
	.error = error,
	.models = models,
};
