#include "worker/dialect.h"

#include <string.h>

#include "store/base/utf8.h"
#include "store/request.h"
#include "worker/ask.h"
#include "worker/driver.h"
#include "worker/json_in.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define MAX_URL_BYTES ((size_t)8 << 10)
#define MAX_HEADER_BYTES ((size_t)32 << 10)
#define MAX_WARNING_BYTES ((size_t)4 << 10)

/* All drivers: a new one is one line in each table. */
static const struct dialect *const dialects[] = { &dialect_openai,
	&dialect_ollama, &dialect_gemini, &dialect_anthropic,
	&dialect_responses };
static const char *const names[] = { "openai", "ollama", "gemini", "anthropic",
	"responses", NULL };

_Static_assert(COUNT(names) == COUNT(dialects) + 1, "a driver has no name");

const struct dialect *dialect_find(const char *name)
{
	for (size_t i = 0; i < COUNT(dialects); i++)
		if (strcmp(dialects[i]->name, name) == 0)
			return dialects[i];
	return NULL;
}

const char *const *dialect_names(void)
{
	return names;
}

const char *dialect_finish_name(enum finish_reason r)
{
	switch (r) {
	case FINISH_STOP: return "stop";
	case FINISH_LENGTH: return "length";
	case FINISH_TOOL_CALLS: return "tool_calls";
	case FINISH_CONTENT_FILTER: return "content_filter";
	case FINISH_PAUSE: return "pause";
	case FINISH_UNKNOWN: return "unknown";
	}
	return "unknown";
}

static const struct {
	const char *name;
	bool retryable;
} kinds[] = {
	[ERROR_AUTH] = { "auth", false },
	[ERROR_PERMISSION] = { "permission", false },
	[ERROR_QUOTA] = { "quota", false },
	[ERROR_NOT_FOUND] = { "not_found", false },
	[ERROR_BAD_REQUEST] = { "bad_request", false },
	[ERROR_CONTEXT_LENGTH] = { "context_length", false },
	[ERROR_TOO_LARGE] = { "too_large", false },
	[ERROR_TIMEOUT] = { "timeout", true },
	[ERROR_CONFLICT] = { "conflict", true },
	[ERROR_RATE_LIMIT] = { "rate_limit", true },
	[ERROR_OVERLOADED] = { "overloaded", true },
	[ERROR_SERVER] = { "server", true },
	[ERROR_CONTENT_FILTER] = { "content_filter", false },
	[ERROR_TRUNCATED] = { "truncated", true },
	[ERROR_EMPTY] = { "empty", true },
	[ERROR_BAD_TOOL_CALL] = { "bad_tool_call", true },
	[ERROR_PROTOCOL] = { "protocol", false },
	[ERROR_NETWORK] = { "network", true },
	[ERROR_CANCELED] = { "canceled", false },
};

const char *dialect_error_name(enum error_kind k)
{
	return (size_t)k < COUNT(kinds) ? kinds[k].name : "server";
}

bool dialect_error_retryable(enum error_kind k)
{
	return (size_t)k < COUNT(kinds) && kinds[k].retryable;
}

void dialect_request_init(struct dialect_request *r)
{
	buf_init(&r->url, MAX_URL_BYTES);
	buf_init(&r->body, DIALECT_MAX_BODY_BYTES);
	buf_init(&r->headers, MAX_HEADER_BYTES);
	buf_init(&r->warnings, MAX_WARNING_BYTES);
	r->is_get = r->alone = false;
}

void dialect_request_fini(struct dialect_request *r)
{
	if (r == NULL)
		return;
	buf_fini(&r->url);
	buf_fini(&r->body);
	buf_fini(&r->headers);
	buf_fini(&r->warnings);
}

/* True when a control byte in ${s} would end a header or split a request. */
static bool has_control(const char *s)
{
	for (; s != NULL && *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

static enum err check_base(const struct dialect_target *target, struct why *why)
{
	if (target->base_url == NULL || *target->base_url == '\0' ||
	    has_control(target->base_url)) {
		err_why(why, "base_url: empty, or has a control byte");
		return ERR_INPUT;
	}
	/* Never echo it: it is the key. */
	if (has_control(target->key)) {
		err_why(why, "key: has a line break or another control byte");
		return ERR_INPUT;
	}
	return OK;
}

static enum err check_target(
    const struct dialect_target *target, struct why *why)
{
	enum err err = check_base(target, why);

	if (err != OK)
		return err;
	if (target->model == NULL || *target->model == '\0' ||
	    strlen(target->model) > REQUEST_MAX_MODEL_BYTES ||
	    has_control(target->model) ||
	    !utf8_valid(target->model, strlen(target->model))) {
		err_why(why, "model: empty, too long, or not plain text");
		return ERR_INPUT;
	}
	return OK;
}

/* What every driver relies on, and what comes of it. */
static enum err build(
    const struct dialect *d, const json_t *root, struct ask *a)
{
	const json_t *choice;

	a->request = root;
	choice = ask_member(a, "tool_choice");
	if (ask_member(a, "input") != NULL) {
		if (d->build_embeddings == NULL)
			ask_refuse(a, "input: this upstream has no embeddings");
		else
			d->build_embeddings(a);
		return a->err;
	}
	if (json_array_size(ask_member(a, "messages")) == 0)
		ask_refuse(a, "messages: empty or missing");
	if (json_is_object(choice) && json_in_member(choice, "name").len == 0)
		ask_refuse(a, "tool_choice: it names no function");
	if (a->err == OK)
		d->build(a);
	return a->err;
}

/* Add what the operator wants to be sent; was all of it written? */
static enum err finish(const struct dialect_target *target,
    struct dialect_request *r, struct why *why)
{
	enum err url = buf_state(&r->url), body = buf_state(&r->body), headers;

	if (target->headers != NULL)
		buf_puts(&r->headers, target->headers);
	headers = buf_state(&r->headers);

	if (url == ERR_LIMIT || body == ERR_LIMIT || headers == ERR_LIMIT) {
		err_why(why, "the request, its URL or its key is too long");
		return ERR_INPUT;
	}
	return url == OK && body == OK && headers == OK ? OK : ERR_NOMEM;
}

enum err dialect_build(const struct dialect *d, const char *request, size_t len,
    const struct dialect_target *target, struct dialect_request *ret,
    struct why *why)
{
	struct dialect_request out;
	struct ask ask = { .text = request,
		.text_len = len,
		.target = target,
		.ret = &out,
		.why = why };
	json_t *root = NULL;
	enum err err;

	dialect_request_init(&out);
	err = check_target(target, why);
	if (err != OK)
		goto out;
	err = json_in_parse(request, len, &root);
	if (err == OK && !json_is_object(root))
		err = ERR_INPUT;
	if (err == ERR_INPUT || err == ERR_LIMIT) {
		err_why(why, "the request is not a JSON object");
		err = ERR_INPUT;
	}
	if (err == OK)
		err = build(d, root, &ask);
	if (err == OK)
		err = finish(target, &out, why);
	if (err == OK) {
		dialect_request_fini(ret);
		*ret = out;
		dialect_request_init(&out);
	}
out:
	json_decref(root);
	dialect_request_fini(&out);
	return err;
}

enum err dialect_build_models(const struct dialect *d,
    const struct dialect_target *target, const char *after,
    struct dialect_request *ret, struct why *why)
{
	struct dialect_request out;
	struct ask ask = { .target = target, .ret = &out, .why = why };
	enum err err;

	dialect_request_init(&out);
	err = check_base(target, why);
	if (err == OK) {
		d->list(&ask, after);
		err = ask.err;
	}
	if (err == OK)
		err = finish(target, &out, why);
	if (err == OK) {
		dialect_request_fini(ret);
		*ret = out;
		dialect_request_init(&out);
	}
	dialect_request_fini(&out);
	return err;
}

static enum err ask_of(bool ask(const struct dialect_target *target,
			   const char *token, struct dialect_request *ret),
    const struct dialect_target *target, const char *token,
    struct dialect_request *ret)
{
	struct why why = { "" };
	struct dialect_request out;
	enum err err = ERR_INPUT;

	dialect_request_init(&out);
	if (ask != NULL && check_target(target, &why) == OK &&
	    ask(target, token, &out))
		err = finish(target, &out, &why);
	if (err == OK) {
		dialect_request_fini(ret);
		*ret = out;
		dialect_request_init(&out);
	}
	dialect_request_fini(&out);
	return err;
}

enum err dialect_attach(const struct dialect *d,
    const struct dialect_target *target, const char *token,
    struct dialect_request *ret)
{
	return ask_of(d->attach, target, token, ret);
}

enum err dialect_abandon(const struct dialect *d,
    const struct dialect_target *target, const char *token,
    struct dialect_request *ret)
{
	return ask_of(d->abandon, target, token, ret);
}
