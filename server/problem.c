#include "server/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/base/utf8.h"

#define TABLE                                                                  \
	X(INTERNAL, "internal", 500, "INTERNAL", 500, "The server failed",     \
	    false, false)                                                      \
	X(BAD_JSON, "bad_json", 400, "INVALID_ARGUMENT", 400,                  \
	    "The body is not JSON", false, true)                               \
	X(INVALID_ARGUMENT, "invalid_argument", 400, "INVALID_ARGUMENT", 400,  \
	    "Part of the request is wrong", false, true)                       \
	X(FAILED_PRECONDITION, "failed_precondition", 400,                     \
	    "FAILED_PRECONDITION", 400, "What this needs is not there", false, \
	    true)                                                              \
	X(UNAUTHENTICATED, "unauthenticated", 401, "UNAUTHENTICATED", 401,     \
	    "A valid key is needed", false, false)                             \
	X(FORBIDDEN, "forbidden", 403, "PERMISSION_DENIED", 403,               \
	    "The key may not do this", false, false)                           \
	X(NOT_FOUND, "not_found", 404, "NOT_FOUND", 404,                       \
	    "There is no such thing", false, false)                            \
	X(GONE, "gone", 410, "NOT_FOUND", 404, "It has been deleted", false,   \
	    true)                                                              \
	X(NO_ROUTE, "no_route", 404, "NOT_FOUND", 404,                         \
	    "There is no such route", false, false)                            \
	X(METHOD_NOT_ALLOWED, "method_not_allowed", 405, "INVALID_ARGUMENT",   \
	    400, "The route knows other methods", false, false)                \
	X(UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", 415,               \
	    "INVALID_ARGUMENT", 400, "The body's type is not taken", false,    \
	    false)                                                             \
	X(UPGRADE_REQUIRED, "upgrade_required", 426, "FAILED_PRECONDITION",    \
	    400, "The route is a WebSocket", false, true)                      \
	X(NOT_ENDED, "not_ended", 409, "FAILED_PRECONDITION", 400,             \
	    "The execution has not ended", false, true)                        \
	X(CONFLICT, "conflict", 409, "ALREADY_EXISTS", 409,                    \
	    "It is there already", false, true)                                \
	X(IDEMPOTENCY_MISMATCH, "idempotency_mismatch", 422,                   \
	    "FAILED_PRECONDITION", 400,                                        \
	    "The idempotency key was used for another request", false, true)   \
	X(RATE_LIMITED, "rate_limited", 429, "RESOURCE_EXHAUSTED", 429,        \
	    "Too many requests", true, false)                                  \
	X(TOO_MANY_OPEN, "too_many_open", 429, "RESOURCE_EXHAUSTED", 429,      \
	    "Too many executions of this key have not ended", true, false)     \
	X(OVERLOADED, "overloaded", 503, "UNAVAILABLE", 503,                   \
	    "The server is full", true, false)                                 \
	X(DRAINING, "draining", 503, "UNAVAILABLE", 503,                       \
	    "The server is about to stop", true, false)                        \
	X(STORAGE_FULL, "storage_full", 507, "UNAVAILABLE", 503,               \
	    "The disk is full", true, false)                                   \
	X(STORAGE_ERROR, "storage_error", 503, "UNAVAILABLE", 503,             \
	    "The store has stopped", true, false)                              \
	X(DEADLINE_EXCEEDED, "deadline_exceeded", 504, "DEADLINE_EXCEEDED",    \
	    504, "The execution goes on", true, false)                         \
	X(EXECUTION_FAILED, "execution_failed", 502, "ABORTED", 409,           \
	    "The execution failed", false, true)                               \
	X(EXECUTION_CANCELLED, "execution_cancelled", 409, "CANCELLED", 499,   \
	    "The execution was cancelled", false, true)

static const struct problem_kind kinds[PROBLEM_CODES] = {
#define X(name, code, http, callable, callable_http, title, again, never) \
	[PROBLEM_##name] = { code, http, callable, callable_http, title,  \
		again, never },
	TABLE
#undef X
};

const struct problem_kind *problem_kind(enum problem_code code)
{
	ASSERT((unsigned)code < PROBLEM_CODES);
	return &kinds[code];
}

/* Texts are cut at a code point's edge, and never break the JSON. */
static void tidy(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && !utf8_valid(text, len))
		text[--len] = '\0';
}

void problem_set(struct problem *p, enum problem_code code, const char *field,
    const char *fmt, ...)
{
	va_list ap;

	*p = (struct problem){ .code = code };
	va_start(ap, fmt);
	(void)vsnprintf(p->detail, sizeof(p->detail), fmt, ap);
	va_end(ap);
	if (field)
		(void)snprintf(p->field, sizeof(p->field), "%s", field);
	tidy(p->detail);
	tidy(p->field);
}

void problem_set_gone(struct problem *p, int64_t deleted_ms, bool payload_only)
{
	char at[CLOCK_TEXT + 4] = "";

	if (deleted_ms > 0) {
		memcpy(at, " at ", 4);
		clock_text(deleted_ms, at + 4);
	}
	if (payload_only)
		problem_set(p, PROBLEM_GONE, NULL,
		    "its request and chunks were deleted%s; its record is "
		    "still there",
		    at);
	else
		problem_set(p, PROBLEM_GONE, NULL, "it was deleted%s", at);
	p->deleted_ms = deleted_ms;
	p->payload_deleted = payload_only;
}

void problem_from_err(struct problem *p, enum err e, const struct why *why)
{
	const char *text = why && why->text[0] ? why->text : NULL;

	switch (e) {
	case ERR_INPUT:
		problem_set(p, PROBLEM_INVALID_ARGUMENT, NULL, "%s",
		    text ? text : "the request is wrong");
		break;
	case ERR_NOT_FOUND:
		problem_set(p, PROBLEM_NOT_FOUND, NULL,
		    "there is no such thing, or it is not yours");
		break;
	case ERR_GONE: problem_set_gone(p, 0, false); break;
	case ERR_CONFLICT:
		problem_set(p, PROBLEM_CONFLICT, NULL, "%s",
		    text ? text : "it is there already, or in another state");
		break;
	case ERR_LIMIT:
	case ERR_BUSY:
	case ERR_NOMEM:
		problem_set(p, PROBLEM_OVERLOADED, NULL,
		    "the server has no room now; try again");
		p->retry_after_ms = 1000;
		break;
	case ERR_FULL:
		problem_set(p, PROBLEM_STORAGE_FULL, NULL,
		    "the disk is full; nothing new is taken until there is "
		    "room");
		p->retry_after_ms = 30000;
		break;
	case ERR_STOPPED:
		problem_set(p, PROBLEM_DRAINING, NULL,
		    "the server is stopping; try again soon");
		p->retry_after_ms = 2000;
		break;
	case ERR_IO:
	case ERR_CORRUPT:
		problem_set(p, PROBLEM_STORAGE_ERROR, NULL,
		    "the store failed and has stopped; the operator's log "
		    "says why");
		p->retry_after_ms = 5000;
		break;
	case ERR_DENIED:
		problem_set(p, PROBLEM_FORBIDDEN, NULL,
		    "the key's scopes do not cover this");
		break;
	case OK:
	case ERR_SEALED:
	case ERR_TIMEOUT:
	case ERR_CANCELLED:
	case ERR_UPSTREAM:
	case ERR_VERSION:
	default: problem_set(p, PROBLEM_INTERNAL, NULL, "INTERNAL"); break;
	}
}

static void member_if(struct buf *b, const char *key, const char *s)
{
	if (s[0])
		jsonout_member(b, key, s);
}

static void member_gone(struct buf *b, const struct problem *p)
{
	char at[CLOCK_TEXT];

	if (p->code != PROBLEM_GONE)
		return;
	clock_text(p->deleted_ms, at);
	jsonout_member(b, "deleted_at", p->deleted_ms > 0 ? at : NULL);
	jsonout_key(b, "payload_only");
	jsonout_bool(b, p->payload_deleted);
}

void problem_json(struct buf *b, const struct problem *p, const char *instance)
{
	const struct problem_kind *k = problem_kind(p->code);

	jsonout_object(b);
	jsonout_key(b, "type");
	buf_printf(b, "\"urn:spool:error:%s\"", k->code);
	jsonout_member(b, "title", k->title);
	jsonout_member_int(b, "status", k->status);
	jsonout_member(b, "detail", p->detail);
	if (instance && utf8_valid(instance, strlen(instance)))
		jsonout_member(b, "instance", instance);
	jsonout_member(b, "code", k->code);
	jsonout_key(b, "retryable");
	jsonout_bool(b, k->retryable);
	member_if(b, "field", p->field);
	member_if(b, "execution_id", p->execution);
	member_if(b, "execution_error", p->execution_error);
	member_gone(b, p);
	if (p->retry_after_ms > 0)
		jsonout_member_int(b, "retry_after_ms", p->retry_after_ms);
	jsonout_object_end(b);
}

void problem_callable(struct buf *b, const struct problem *p)
{
	const struct problem_kind *k = problem_kind(p->code);

	buf_puts(b, "{\"error\":{");
	jsonout_member(b, "status", k->callable);
	jsonout_member(b, "message", p->detail);
	jsonout_key(b, "details");
	jsonout_object(b);
	jsonout_member(b, "code", k->code);
	jsonout_key(b, "retryable");
	jsonout_bool(b, k->retryable);
	member_if(b, "field", p->field);
	member_if(b, "execution_id", p->execution);
	member_if(b, "execution_error", p->execution_error);
	member_gone(b, p);
	if (p->retry_after_ms > 0)
		jsonout_member_int(b, "retry_after_ms", p->retry_after_ms);
	buf_puts(b, "}}}");
}
