#include "server/call.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/service_internal.h"
#include "server/when.h"
#include "store/base/log.h"

#define PROBLEM_MAX_BYTES 8192
#define EVENTS "text/event-stream"

static void call_free(struct call *call)
{
	if (call->hold)
		http_timer_cancel(call->hold);
	/* It may look at its parts a last time. */
	if (call->state_drop)
		call->state_drop(call->state);
	while (!LIST_EMPTY(&call->parts))
		call_part_end(LIST_FIRST(&call->parts));
	free(call->state);
	if (call->memo_drop)
		call->memo_drop(call->memo);
	free(call->memo);
	free(call);
}

static void on_gone(struct http_exchange *x)
{
	struct call *call = http_exchange_get(x);

	http_exchange_set(x, NULL);
	if (call)
		call_free(call);
}

static void on_wake(struct http_exchange *x)
{
	struct call *call = http_exchange_get(x);

	if (call && call->on_wake)
		call->on_wake(call);
}

static void on_ready(struct http_exchange *x)
{
	struct call *call = http_exchange_get(x);

	if (call && call->on_ready)
		call->on_ready(call);
}

static size_t on_bytes(struct http_exchange *x, const char *data, size_t len)
{
	struct call *call = http_exchange_get(x);

	return call ? call->on_bytes(call, data, len) : len;
}

static void on_drain(struct http_exchange *x)
{
	struct call *call = http_exchange_get(x);

	if (call && call->on_drain)
		call->on_drain(call);
}

struct call *call_new(struct service *s, struct http_exchange *x)
{
	struct call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	call->service = s;
	call->x = x;
	call->loop = http_exchange_loop(x);
	call->number = http_exchange_number(x);
	LIST_INIT(&call->parts);
	http_exchange_set(x, call);
	http_on_gone(x, on_gone);
	http_on_wake(x, on_wake);
	return call;
}

struct call *call_part_new(struct call *whole,
    void (*on_fail)(struct call *part, const struct problem *p))
{
	struct call *part = calloc(1, sizeof(*part));

	ASSERT(!whole->whole);
	if (!part)
		return NULL;
	part->service = whole->service;
	part->x = whole->x;
	part->loop = whole->loop;
	part->number = whole->number;
	part->front = whole->front;
	part->who = whole->who;
	part->route = whole->route;
	LIST_INIT(&part->parts);
	part->whole = whole;
	part->part = ++whole->last_part;
	part->on_fail = on_fail;
	LIST_INSERT_HEAD(&whole->parts, part, link);
	return part;
}

void call_part_end(struct call *part)
{
	LIST_REMOVE(part, link);
	call_free(part);
}

struct call *call_part_find(struct call *whole, uint64_t number)
{
	struct call *part;

	LIST_FOREACH(part, &whole->parts, link)
	if (part->part == number)
		return part;
	return NULL;
}

struct call *call_find(struct http_loop *loop, uint64_t number, uint64_t part)
{
	struct http_exchange *x = http_exchange_find(loop, number);
	struct call *call = x ? http_exchange_get(x) : NULL;

	return call && part ? call_part_find(call, part) : call;
}

void *call_state(struct call *call, size_t bytes, void (*drop)(void *state))
{
	ASSERT(!call->state);
	call->state = calloc(1, bytes);
	if (call->state)
		call->state_drop = drop;
	return call->state;
}

void *call_memo(struct call *call, size_t bytes, void (*drop)(void *memo))
{
	ASSERT(!call->memo);
	call->memo = calloc(1, bytes);
	if (call->memo)
		call->memo_drop = drop;
	return call->memo;
}

/* Let go of the exchange: what is left of the call is freed. */
static struct http_exchange *part(struct call *call)
{
	struct http_exchange *x = call->x;

	ASSERT(!call->whole);
	http_exchange_set(x, NULL);
	call_free(call);
	return x;
}

void call_reply(
    struct call *call, int status, const char *type, struct buf *body)
{
	enum err e = buf_state(body);

	if (e != OK) {
		buf_fini(body);
		call_fail_err(call, e, NULL);
		return;
	}
	http_reply(part(call), status, type, body);
	buf_fini(body);
}

void call_reply_json(struct call *call, int status, struct buf *body)
{
	call_reply(call, status, "application/json", body);
}

void call_reply_empty(struct call *call, int status)
{
	http_reply(part(call), status, NULL, NULL);
}

static void fail_in_stream(struct call *call, const struct problem *p)
{
	struct buf b;

	if (!call->events) {
		call_cut(call);
		return;
	}
	buf_init(&b, PROBLEM_MAX_BYTES);
	call->front->event_problem(&b, p);
	(void)http_stream_write(call->x, b.data, b.len);
	buf_fini(&b);
	call_end(call);
}

static void fail_headers(struct http_exchange *x, const struct problem *p)
{
	const struct problem_kind *k = problem_kind(p->code);
	char text[32];

	if (p->code == PROBLEM_UNAUTHENTICATED)
		http_reply_header(
		    x, "WWW-Authenticate", "Bearer realm=\"spool\"");
	if (p->retry_after_ms > 0) {
		(void)snprintf(text, sizeof(text), "%lld",
		    (long long)((p->retry_after_ms + 999) / 1000));
		http_reply_header(x, "Retry-After", text);
	}
	if (k->never_retry)
		http_reply_header(x, "x-should-retry", "false");
	http_reply_header(x, "Cache-Control", "no-store");
}

void call_fail(struct call *call, const struct problem *p)
{
	const struct front *front = call->front;
	struct buf b;
	int status;

	if (call->whole) {
		call->on_fail(call, p);
		return;
	}
	if (call->started) {
		fail_in_stream(call, p);
		return;
	}
	buf_init(&b, PROBLEM_MAX_BYTES);
	/* A client that reads events sees nothing else (wire.md 3.6). */
	if (call->events) {
		front->event_problem(&b, p);
		status = 200;
	} else {
		front->problem(&b, p, http_path(call->x));
		status = front->problem_status(p);
	}
	fail_headers(call->x, p);
	if (buf_state(&b) != OK)
		buf_fini(&b);
	http_reply(part(call), status,
	    status == 200 ? EVENTS : front->problem_type, &b);
	buf_fini(&b);
}

void call_fail_err(struct call *call, enum err e, const struct why *why)
{
	struct problem p;

	problem_from_err(&p, e, why);
	if (e == ERR_GONE)
		problem_set_gone(
		    &p, call->gone.deleted_ms, call->gone.payload_only);
	if (p.code == PROBLEM_INTERNAL)
		log_error("call", "failed", "err=%s request=%s why=%s",
		    err_name(e), http_request_id(call->x),
		    why ? why->text : "");
	call_fail(call, &p);
}

void call_refuse(struct call *call, enum problem_code code, const char *field,
    const char *fmt, ...)
{
	char text[sizeof(((struct problem *)0)->detail)];
	struct problem p;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem_set(&p, code, field, "%s", text);
	call_fail(call, &p);
}

void call_stream(struct call *call, int status, const char *type)
{
	call->started = true;
	http_stream(call->x, status, type, on_ready);
}

void call_end(struct call *call)
{
	http_stream_end(part(call));
}

void call_cut(struct call *call)
{
	http_stream_cut(part(call));
}

void call_upgrade(struct call *call, const char *protocol)
{
	call->started = true;
	http_on_drain(call->x, on_drain);
	http_upgrade(call->x, protocol, on_bytes, on_ready);
}

void call_on_drain(struct call *call, void (*f)(struct call *call))
{
	call->on_drain = f;
	http_on_drain(call->x, on_drain);
}

void call_upgrade_end(struct call *call)
{
	http_upgrade_close(part(call));
}

const char *call_filter(const struct call *call)
{
	return auth_filter(&call->who);
}

enum err call_id(struct call *call, struct id *ret)
{
	if (id_parse(call->args.arg[0].text, call->args.arg[0].len, ret) ==
		OK &&
	    (!call->who.bound || id_equal(ret, &call->who.execution)))
		return OK;
	call_fail_err(call, ERR_NOT_FOUND, NULL);
	return ERR_NOT_FOUND;
}

static enum err query_text(
    struct call *call, const char *name, char *dst, size_t room)
{
	enum err e = http_query_value(call->x, name, dst, room);

	if (e == ERR_INPUT)
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, name,
		    "query parameter %s is sent twice, too long (at most %zu "
		    "bytes) or not well encoded",
		    name, room - 1);
	return e;
}

enum err call_number(struct call *call, const char *const *names, int64_t min,
    int64_t max, int64_t *ret)
{
	for (; *names; names++) {
		char text[32], *end;
		long long v;
		enum err e = query_text(call, *names, text, sizeof(text));

		if (e == ERR_NOT_FOUND)
			continue;
		if (e != OK)
			return ERR_INPUT;
		errno = 0;
		v = strtoll(text, &end, 10);
		if (end == text || *end || errno || v < min || v > max ||
		    text[0] == ' ' || text[0] == '+') {
			call_refuse(call, PROBLEM_INVALID_ARGUMENT, *names,
			    "%s must be a whole number from %lld to %lld",
			    *names, (long long)min, (long long)max);
			return ERR_INPUT;
		}
		*ret = v;
		return OK;
	}
	return OK;
}

enum err call_text(struct call *call, const char *name, char *dst, size_t room)
{
	enum err e = query_text(call, name, dst, room);

	if (e == ERR_NOT_FOUND)
		dst[0] = '\0';
	return e == ERR_NOT_FOUND ? OK : e;
}

enum err call_bool(struct call *call, const char *name, bool *ret)
{
	char text[8];
	enum err e = query_text(call, name, text, sizeof(text));
	bool yes;

	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != OK)
		return ERR_INPUT;
	yes = !strcmp(text, "true") || !strcmp(text, "1");
	if (!yes && strcmp(text, "false") && strcmp(text, "0")) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, name,
		    "%s must be true or false", name);
		return ERR_INPUT;
	}
	*ret = yes;
	return OK;
}

enum err call_time(struct call *call, const char *name, int64_t *ret_ms)
{
	char text[48];
	enum err e = query_text(call, name, text, sizeof(text));

	if (e == ERR_NOT_FOUND)
		return OK;
	if (e != OK)
		return ERR_INPUT;
	if (when_parse(text, ret_ms) == OK)
		return OK;
	call_refuse(call, PROBLEM_INVALID_ARGUMENT, name,
	    "%s must be a time like 2026-01-02T03:04:05Z, or milliseconds "
	    "since 1970",
	    name);
	return ERR_INPUT;
}

enum err call_wants_json(struct call *call)
{
	const char *type = http_header(call->x, "Content-Type");
	static const char json[] = "application/json";

	if (type && strncasecmp(type, json, sizeof(json) - 1) == 0) {
		type += sizeof(json) - 1;
		type += strspn(type, " \t");
		if (*type == '\0' || *type == ';')
			return OK;
	}
	call_refuse(call, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
	    "send the body as Content-Type: application/json");
	return ERR_INPUT;
}
