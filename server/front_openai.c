/* The OpenAI-compatible front: errors, ids. */
#include "server/front_openai.h"

#include <stdio.h>
#include <string.h>

#include "server/front.h"
#include "server/write_page.h"
#include "store/base/jsonout.h"

/* How its clients know an error. */
struct word {
	int status;
	const char *type, *code; /* code NULL: ours */
};

/* What ended an execution (error.code in its metadata), in their words. */
static const struct {
	const char *code;
	struct word word;
} failures[] = {
	{ "bad_request", { 400, "invalid_request_error", NULL } },
	{ "context_length",
	    { 400, "invalid_request_error", "context_length_exceeded" } },
	{ "too_large", { 400, "invalid_request_error", NULL } },
	{ "content_filter", { 400, "invalid_request_error", NULL } },
	{ "not_found", { 404, "invalid_request_error", "model_not_found" } },
	{ "rate_limit", { 429, "rate_limit_error", "rate_limit_exceeded" } },
	{ "quota", { 429, "insufficient_quota", "insufficient_quota" } },
	{ "overloaded", { 503, "overloaded", NULL } },
	{ "interrupted", { 503, "server_error", NULL } },
	{ "storage_full", { 507, "server_error", NULL } },
	{ "timeout", { 504, "server_error", NULL } },
	{ "connect_timeout", { 504, "server_error", NULL } },
	{ "first_token_timeout", { 504, "server_error", NULL } },
	{ "idle_timeout", { 504, "server_error", NULL } },
	{ "total_timeout", { 504, "server_error", NULL } },
};

static struct word word_of(const struct problem *p)
{
	const struct problem_kind *k = problem_kind(p->code);
	struct word w = { k->status, "invalid_request_error", k->code };

	if (p->code == PROBLEM_EXECUTION_FAILED)
		for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]);
		     i++)
			if (strcmp(failures[i].code, p->execution_error) == 0) {
				w = failures[i].word;
				if (!w.code)
					w.code = failures[i].code;
				return w;
			}
	if (p->code == PROBLEM_EXECUTION_FAILED && p->execution_error[0])
		w.code = p->execution_error;
	/* There are no other words for a model that is not there. */
	if (p->code == PROBLEM_INVALID_ARGUMENT &&
	    strcmp(p->field, "model") == 0)
		w = (struct word){ 404, w.type, "model_not_found" };
	else if (w.status == 401)
		w.code = "invalid_api_key";
	else if (w.status == 403)
		w.type = "permission_error";
	else if (w.status == 429)
		w = (struct word){ 429, "rate_limit_error",
			p->code == PROBLEM_RATE_LIMITED ? "rate_limit_exceeded"
							: w.code };
	else if (w.status == 503)
		w.type = "overloaded";
	else if (w.status >= 500)
		w.type = "server_error";
	return w;
}

static int status(const struct problem *p)
{
	return word_of(p).status;
}

static void member_if(struct buf *b, const char *key, const char *s)
{
	if (s[0])
		jsonout_member(b, key, s);
}

void front_openai_problem(
    struct buf *b, const struct problem *p, const char *instance)
{
	const struct problem_kind *k = problem_kind(p->code);
	struct word w = word_of(p);

	(void)instance;
	buf_puts(b, "{\"error\":{");
	jsonout_member(b, "message", p->detail);
	jsonout_member(b, "type", w.type);
	jsonout_member(b, "param", p->field[0] ? p->field : NULL);
	jsonout_member(b, "code", w.code);
	jsonout_key(b, "details");
	jsonout_object(b);
	jsonout_member(b, "code", k->code);
	jsonout_key(b, "retryable");
	jsonout_bool(b, k->retryable);
	member_if(b, "execution_id", p->execution);
	member_if(b, "execution_error", p->execution_error);
	if (p->retry_after_ms > 0)
		jsonout_member_int(b, "retry_after_ms", p->retry_after_ms);
	buf_puts(b, "}}}");
}

/* No [DONE] behind it: that would be a proper end. */
static void event_problem(struct buf *b, const struct problem *p)
{
	buf_puts(b, "data: ");
	front_openai_problem(b, p, NULL);
	buf_puts(b, "\n\n");
}

const struct front front_openai = {
	.name = "openai",
	.page = write_page,
	.problem_type = "application/json",
	.problem = front_openai_problem,
	.problem_status = status,
	.event_problem = event_problem,
};

void front_openai_id(
    const struct id *id, const char *prefix, char dst[FRONT_OPENAI_ID_BYTES])
{
	char text[ID_TEXT];

	id_text(id, text);
	(void)snprintf(dst, FRONT_OPENAI_ID_BYTES, "%s%s", prefix, text);
}

enum err front_openai_call_id(
    struct call *call, const char *prefix, struct id *ret)
{
	size_t n = strlen(prefix);

	if (call->args.arg[0].len > n &&
	    memcmp(call->args.arg[0].text, prefix, n) == 0) {
		call->args.arg[0].text += n;
		call->args.arg[0].len -= n;
	}
	return call_id(call, ret);
}

const char *front_openai_finish(const char *reason)
{
	static const char *const words[] = { "length", "tool_calls",
		"content_filter" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], reason) == 0)
			return words[i];
	return "stop";
}

void front_openai_name(struct call *call, const struct id *id)
{
	char text[ID_TEXT];

	id_text(id, text);
	http_reply_header(call->x, "X-Execution-Id", text);
}
