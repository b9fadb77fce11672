#include "worker/error_class.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "worker/decimal.h"
#include "worker/json_in.h"
#include "worker/retry_after.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_CODE 256
#define NONE ((int)-1) /* no enum error_kind */

/* The rules that look at codes: specific ones first, general ones last. */
struct code_rule {
	enum error_kind kind;
	const char *codes[20];
};

static const struct code_rule specific[] = {
	{ ERROR_QUOTA, { "insufficient_quota", "credit_balance_exhausted",
			   "organization_spend_limit_exceeded",
			   "project_spend_limit_exceeded",
			   "organization_usage_limit_exceeded",
			   "billing_hard_limit_reached", "billing_not_active",
			   "billing_error", "payment_required",
			   "enforced_spend_limit_reached" } },
	{ ERROR_RATE_LIMIT, { "rate_limit_exceeded", "rate_limit_error",
				"slow_down", "capacity_exhausted", "tokens",
				"requests", "resource_exhausted" } },
	{ ERROR_OVERLOADED,
	    { "overloaded_error", "server_is_overloaded",
		"service_unavailable_error", "provider_overloaded",
		"temporarily_unavailable", "unavailable",
		"unavailable_error" } },
	{ ERROR_AUTH,
	    { "invalid_api_key", "authentication_error", "authentication",
		"unauthenticated", "api_key_invalid" } },
	{ ERROR_PERMISSION,
	    { "permission_error", "permission_denied", "region_restricted",
		"unsupported_country_region_territory" } },
	{ ERROR_NOT_FOUND, { "model_not_found", "not_found_error", "not_found",
			       "notfounderror", "no_endpoints",
			       "model_deprecated", "model_unavailable_upstream",
			       "privacy_restricted", "constraint_filtered",
			       "free_variant_ended", "wrong_endpoint" } },
	{ ERROR_CONTEXT_LENGTH,
	    { "context_length_exceeded", "exceed_context_size_error",
		"string_too_long", "max_tokens_exceeded",
		"token_limit_exceeded" } },
	{ ERROR_TOO_LARGE, { "request_too_large", "payload_too_large" } },
	{ ERROR_TIMEOUT, { "timeout_error", "timeout", "deadline_exceeded" } },
	{ ERROR_CONTENT_FILTER,
	    { "content_policy_violation", "content_filter", "refusal" } },
};

static const struct code_rule general[] = {
	{ ERROR_BAD_REQUEST,
	    { "invalid_request_error", "invalid_request", "invalid_argument",
		"badrequesterror", "failed_precondition", "invalid_prompt",
		"unprocessable", "precondition_failed",
		"not_supported_error" } },
	{ ERROR_SERVER, { "api_error", "server_error", "internal",
			    "internalservererror", "internal_error",
			    "provider_unavailable", "server", "unmapped" } },
	{ ERROR_CANCELED, { "cancelled", "canceled" } },
};

static const struct {
	int status;
	enum error_kind kind;
} statuses[] = {
	{ 400, ERROR_BAD_REQUEST },
	{ 401, ERROR_AUTH },
	{ 402, ERROR_QUOTA },
	{ 403, ERROR_PERMISSION },
	{ 404, ERROR_NOT_FOUND },
	{ 408, ERROR_TIMEOUT },
	{ 409, ERROR_CONFLICT },
	{ 413, ERROR_TOO_LARGE },
	{ 429, ERROR_RATE_LIMIT },
	{ 499, ERROR_CANCELED },
	{ 501, ERROR_BAD_REQUEST },
	{ 503, ERROR_OVERLOADED },
	{ 504, ERROR_TIMEOUT },
	{ 524, ERROR_TIMEOUT },
	{ 529, ERROR_OVERLOADED },
};

/* What the text says, taken apart. Lent by the input. */
struct facts {
	const struct error_class_input *in;
	const json_t *root; /* the object (or string) that counts; or NULL */
	const json_t *e;    /* where the members of the error are; or NULL */
	struct text message;
	struct text code;
	int status; /* 0: none */
};

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && strncasecmp(t.s, word, t.len) == 0;
}

static bool contains(struct text t, const char *part)
{
	size_t n = strlen(part);

	for (size_t i = 0; i + n <= t.len; i++)
		if (strncasecmp(t.s + i, part, n) == 0)
			return true;
	return false;
}

static const json_t *first_object(const json_t *v)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v))
		return v;
	json_array_foreach(v, i, item) if (json_is_object(item)) return item;
	return NULL;
}

/* The object that describes the error, and its message. */
static void find_message(struct facts *f)
{
	const json_t *error = json_object_get(f->root, "error");
	const json_t *detail;

	if (json_is_string(f->root)) {
		f->message = json_in_text(f->root);
		return;
	}
	if (!json_is_object(f->root)) {
		f->message = f->in->raw;
		return;
	}
	f->e = f->root;
	f->message = json_in_member(f->root, "message");
	if (json_is_object(error) && json_object_size(error) > 0) {
		struct text own = json_in_member(error, "message");

		f->e = error;
		if (own.len > 0)
			f->message = own;
	} else if (json_in_text(error).len > 0) {
		f->e = NULL;
		if (f->message.len == 0)
			f->message = json_in_text(error);
	} else if (f->message.len == 0) {
		detail = json_object_get(f->root, "detail");
		f->message = json_in_text(detail);
		if (f->message.len == 0)
			f->message =
			    json_in_member(json_array_get(detail, 0), "msg");
	}
}

static bool all_digits(struct text t)
{
	for (size_t i = 0; i < t.len; i++)
		if (!isdigit((unsigned char)t.s[i]))
			return false;
	return t.len > 0;
}

static int find_status(const struct facts *f)
{
	static const char *const keys[] = { "code", "http_status", "status" };
	int status = f->in->status;

	if (status != 0 && (status < 200 || status > 299))
		return status;
	for (size_t i = 0; i < COUNT(keys); i++) {
		const json_t *v = json_object_get(f->e, keys[i]);
		struct text t = json_in_text(v);
		int64_t n = 0;

		if (!(all_digits(t) && t.len <= 3 ? decimal_parse(t.s, t.len, 0,
							DECIMAL_HALF_EVEN, &n)
						  : json_in_int(v, &n)))
			continue;
		if (n >= 100 && n <= 599)
			return (int)n;
	}
	return 0;
}

static bool key_invalid(const json_t *e)
{
	const json_t *details = json_object_get(e, "details"), *item;
	size_t i;

	if (!json_is_array(details))
		return false;
	json_array_foreach(
	    details, i, item) if (is(json_in_member(item, "reason"),
				      "API_KEY_INVALID")) return true;
	return false;
}

static struct text find_code(const json_t *e)
{
	const struct {
		const char *inside, *key;
	} places[] = { { "availability", "code" }, { "details", "error_code" },
		{ "metadata", "error_type" }, { NULL, "error_type" },
		{ NULL, "code" }, { NULL, "status" }, { NULL, "type" } };

	if (key_invalid(e))
		return (struct text){ "API_KEY_INVALID", 15 };
	for (size_t i = 0; i < COUNT(places); i++) {
		const json_t *at = places[i].inside == NULL
				       ? e
				       : json_object_get(e, places[i].inside);
		struct text t = json_in_member(at, places[i].key);

		if (t.len > 0 && t.len <= MAX_CODE && !all_digits(t) &&
		    !(t.len == 5 && memcmp(t.s, "error", 5) == 0))
			return t;
	}
	return (struct text){ NULL, 0 };
}

/* The rules for cases that code and status alone would get wrong. */
static int special(const struct facts *f)
{
	const json_t *m = json_object_get(f->e, "metadata");
	struct text source = json_in_member(m, "limit_source");

	if (is(source, "openrouter_in_flight_budget") ||
	    is(json_in_member(m, "reason"), "in_flight_budget_exhausted"))
		return ERROR_RATE_LIMIT;
	if (is(source, "openrouter_key_limit") ||
	    is(source, "openrouter_credits"))
		return ERROR_QUOTA;
	if (f->status == 402 && f->in->in_request && f->in->retry_after != NULL)
		return ERROR_RATE_LIMIT;
	if (f->status == 403 &&
	    (json_object_get(m, "reasons") != NULL ||
		json_object_get(m, "flagged_input") != NULL ||
		json_object_get(m, "patterns") != NULL))
		return ERROR_CONTENT_FILTER;
	if (f->status == 403 &&
	    (contains(f->message, "key limit exceeded") ||
		contains(f->message, "budget limit exceeded")))
		return ERROR_QUOTA;
	if (f->status == 429 && contains(f->message, "per-day"))
		return ERROR_QUOTA;
	return NONE;
}

static int by_code(const struct code_rule *rules, size_t n, struct text code)
{
	for (size_t i = 0; i < n && code.len > 0; i++)
		for (const char *const *c = rules[i].codes; *c != NULL; c++)
			if (is(code, *c))
				return (int)rules[i].kind;
	return NONE;
}

/* A quota that is refilled once a day: waiting a minute does not help. */
static bool daily(const json_t *e)
{
	const json_t *detail, *violation;
	size_t i, j;

	json_array_foreach(json_object_get(e, "details"), i, detail)
	    json_array_foreach(json_object_get(detail, "violations"), j,
		violation) if (contains(json_in_member(violation, "quotaId"),
				   "PerDay")) return true;
	return false;
}

static bool about_context(const struct facts *f)
{
	static const char *const words[] = { "context length", "context window",
		"context size", "maximum context", "prompt is too long",
		"input token count", "too many tokens", "token count exceeds" };

	if (f->status != 0 && f->status != 400 && f->status != 413 &&
	    f->status != 422 && f->status != 500)
		return false;
	for (size_t i = 0; i < COUNT(words); i++)
		if (contains(f->message, words[i]))
			return true;
	return false;
}

static int by_status(int status)
{
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].status == status)
			return (int)statuses[i].kind;
	if (status >= 500 && status <= 599)
		return ERROR_SERVER;
	if (status >= 400 && status <= 499)
		return ERROR_BAD_REQUEST;
	return NONE;
}

static enum error_kind classify(const struct facts *f)
{
	int kind = special(f);

	if (kind == NONE) {
		kind = by_code(specific, COUNT(specific), f->code);
		if (kind == ERROR_RATE_LIMIT &&
		    is(f->code, "resource_exhausted") &&
		    (f->status == 402 || daily(f->e)))
			kind = ERROR_QUOTA;
	}
	if (kind == NONE && about_context(f))
		kind = ERROR_CONTEXT_LENGTH;
	if (kind == NONE)
		kind = by_status(f->status);
	if (kind == NONE)
		kind = by_code(general, COUNT(general), f->code);
	return kind == NONE ? ERROR_SERVER : (enum error_kind)kind;
}

static bool find_retryable(const struct facts *f, enum error_kind kind)
{
	const json_t *said =
	    json_object_get(json_object_get(f->e, "availability"), "retryable");
	const char *header = f->in->in_request ? f->in->should_retry : NULL;

	if (header != NULL && strcasecmp(header, "true") == 0)
		return true;
	if (header != NULL && strcasecmp(header, "false") == 0)
		return false;
	if (json_is_boolean(said))
		return json_is_true(said);
	return dialect_error_retryable(kind);
}

void error_class(const struct error_class_input *in, struct error_class *ret)
{
	struct facts f = { .in = in, .root = first_object(in->root) };
	enum error_kind kind;

	find_message(&f);
	f.status = find_status(&f);
	f.code = find_code(f.e);
	kind = classify(&f);
	if (f.message.len == 0) {
		if (f.status != 0)
			snprintf(ret->text, sizeof(ret->text),
			    "the upstream answered with HTTP status %d",
			    f.status);
		else
			snprintf(ret->text, sizeof(ret->text),
			    "the upstream failed without saying why");
		f.message = (struct text){ ret->text, strlen(ret->text) };
	}
	ret->error = (struct dialect_error){ .kind = kind,
		.message = f.message,
		.status = f.status,
		.code = f.code,
		.retryable = find_retryable(&f, kind),
		.retry_after_ms = retry_after_find(in, f.e),
		.in_request = in->in_request };
}

bool error_class_is_error(const json_t *frame, struct text name)
{
	const json_t *error = json_object_get(frame, "error");

	if (name.len == 5 && memcmp(name.s, "error", 5) == 0)
		return true;
	return (json_is_object(error) && json_object_size(error) > 0) ||
	       json_in_text(error).len > 0 ||
	       is(json_in_member(frame, "object"), "error") ||
	       is(json_in_member(frame, "type"), "error");
}
