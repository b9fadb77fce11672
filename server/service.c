#include "server/service.h"

#include <stdlib.h>
#include <string.h>

#include "server/auth.h"
#include "server/body.h"
#include "server/call.h"
#include "server/chats.h"
#include "server/limit.h"
#include "server/read_pool.h"
#include "server/route.h"
#include "server/service_internal.h"
#include "server/ticket.h"
#include "server/ws_handshake.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "store/import.h"
#include "store/keyring.h"
#include "store/store.h"
#include "store/tail.h"
#include "store/writer.h"
#include "worker/worker.h"

/* A callable that asks too often waits so long for its turn, then is told. */
#define HOLD_MAX_MS 10000

static bool is_open(void *arg, const struct id *execution)
{
	struct service *s = arg;
	struct tail_head head;

	return tail_head(s->o.store, execution, NULL, &head) == OK &&
	       !execution_ended(head.status);
}

static void defaults(struct service_options *o)
{
	if (o->read_threads == 0)
		o->read_threads = 2;
	if (o->max_open_per_key == 0)
		o->max_open_per_key = 1000;
	if (o->rate_per_s == 0)
		o->rate_per_s = 200;
	if (o->max_wait_ms == 0)
		o->max_wait_ms = 60000;
	if (o->ping_ms == 0)
		o->ping_ms = 15000;
	if (o->max_message_bytes == 0)
		o->max_message_bytes = (size_t)1 << 20;
	if (o->message_ms == 0)
		o->message_ms = 30000;
	if (!o->base_path)
		o->base_path = "";
}

/* "/api" from "api/", "" from "/". */
static char *path_copy(const char *path)
{
	size_t len = strlen(path);
	char *copy = malloc(len + 2);

	if (!copy)
		return NULL;
	while (len > 0 && path[len - 1] == '/')
		len--;
	copy[0] = '\0';
	if (len > 0) {
		size_t at = path[0] == '/' ? 0 : 1;

		copy[0] = '/';
		memcpy(copy + at, path, len);
		copy[at + len] = '\0';
	}
	return copy;
}

enum err service_new(const struct service_options *options,
    struct service **ret, struct why *why)
{
	struct limit_options limit;
	struct service *s;
	enum err e = ERR_NOMEM;

	s = calloc(1, sizeof(*s));
	if (!s)
		goto out;
	s->o = *options;
	defaults(&s->o);
	s->started_ms = clock_mono_ms();
	ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
	ASSERT(pthread_cond_init(&s->quiet, NULL) == 0);
	s->base_path = path_copy(s->o.base_path);
	if (!s->base_path)
		goto out;
	limit = (struct limit_options){ .rate_per_s = s->o.rate_per_s,
		.max_open = s->o.max_open_per_key,
		.is_open = is_open,
		.arg = s };
	e = limit_new(&limit, &s->limit);
	if (e != OK)
		goto out;
	e = ticket_table_new(&s->tickets);
	if (e != OK)
		goto out;
	e = chats_new(&s->chats);
	if (e != OK)
		goto out;
	e = read_pool_new(s, s->o.read_threads, &s->reads, why);
	if (e != OK)
		goto out;
	*ret = s;
	s = NULL;
out:
	service_free(s);
	return e;
}

/* Is it run, or run on, rather than settled? */
static bool goes_on(const struct service *s, const struct execution *e)
{
	return worker_recovers(s->o.worker, e);
}

/* Pages that are loaded again look for it. */
static void know_chat(struct service *s, const struct execution *e)
{
	struct body_ui ui;

	body_ui_reply(e->request, e->request_len, &ui);
	if (ui.chat[0])
		chats_put(s->chats, e->owner, ui.chat, &e->id);
}

enum err service_recover(struct service *s, size_t *ret_queued,
    size_t *ret_interrupted, struct why *why)
{
	struct execution **left = NULL;
	size_t n = 0, queued = 0, interrupted = 0;
	enum err e;

	e = store_unfinished(s->o.store, &left, &n);
	if (e != OK) {
		err_why(why, "cannot list what had not ended: %s", err_name(e));
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		if (goes_on(s, left[i]))
			continue;
		e = worker_settle(s->o.worker, left[i]);
		if (e != OK) {
			err_why(why,
			    "cannot settle an interrupted execution: "
			    "%s",
			    err_name(e));
			goto out;
		}
		interrupted++;
	}
	worker_settled(s->o.worker);
	/* Nobody is to see as running what is not. */
	e = interrupted > 0 ? writer_sync(s->o.store) : OK;
	if (e == ERR_FULL)
		log_warn("recover", "settled when the disk has room",
		    "executions=%zu", interrupted);
	else if (e != OK) {
		err_why(
		    why, "cannot settle what was interrupted: %s", err_name(e));
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		if (!goes_on(s, left[i]))
			continue;
		know_chat(s, left[i]);
		e = worker_submit(s->o.worker, &left[i]);
		if (e != OK) {
			err_why(why, "cannot run a queued execution again: %s",
			    err_name(e));
			goto out;
		}
		queued++;
	}
	*ret_queued = queued;
	*ret_interrupted = interrupted;
out:
	for (size_t i = 0; i < n; i++)
		execution_free(left[i]);
	free(left);
	return e;
}

static enum err find_key(
    void *arg, const uint8_t hash[DIGEST_BYTES], struct key *ret)
{
	struct service *s = arg;

	return keyring_find(s->o.store, hash, ret);
}

enum err service_still(struct call *call)
{
	return auth_again(&call->who, find_key, call->service);
}

static void handle(struct call *call);

static void on_held(void *arg)
{
	struct call *call = arg;

	call->hold = NULL;
	handle(call);
}

/* Let the request wait for its turn. False: it must be refused. */
static bool hold_back(struct call *call, int64_t now_ms, int64_t wait_ms)
{
	if (!call->front->patient)
		return false;
	if (call->held_since_ms == 0)
		call->held_since_ms = now_ms;
	if (now_ms + wait_ms - call->held_since_ms > HOLD_MAX_MS)
		return false;
	call->hold = http_loop_after(
	    call->loop, wait_ms > 0 ? wait_ms : 1, on_held, call);
	return call->hold != NULL;
}

/* May the key ask once more now? False: answered, or held back. */
static bool within_rate(struct call *call)
{
	struct service *s = call->service;
	int64_t now_ms = clock_mono_ms(), wait_ms = 0;
	struct problem p;

	if (limit_request(s->limit, &call->who.key, now_ms, &wait_ms) == OK)
		return true;
	if (hold_back(call, now_ms, wait_ms))
		return false;
	problem_set(&p, PROBLEM_RATE_LIMITED, NULL,
	    "at most %u requests per second with this key", s->o.rate_per_s);
	p.retry_after_ms = wait_ms;
	call_fail(call, &p);
	return false;
}

/* Does it come with a ticket, where one is taken? *${ret_spent}: in vain. */
static bool by_ticket(struct call *call, bool *ret_spent)
{
	bool socket = call->route->ticket == ROUTE_TICKET_SOCKET;
	char text[TICKET_TEXT];
	enum err e;

	if (call->route->ticket == ROUTE_NO_TICKET ||
	    http_header(call->x, "Authorization") ||
	    http_header(call->x, "X-API-Key"))
		return false;
	e = http_query_value(call->x, "ticket", text, sizeof(text));
	if (e == ERR_NOT_FOUND && socket)
		e = ws_handshake_ticket(
		    http_header(call->x, "Sec-WebSocket-Protocol"), text,
		    sizeof(text));
	if (e == ERR_NOT_FOUND)
		return false;
	if (e == OK)
		e = ticket_take(
		    call->service->tickets, text, clock_mono_ms(), &call->who);
	/* It stands for its key, and no longer than that. */
	if (e == OK)
		e = service_still(call);
	/* Each kind of ticket opens its own kind of door. */
	*ret_spent = e != OK || call->who.bound == socket;
	return true;
}

static enum err who_asks(struct service *s, const struct http_exchange *x,
    struct principal *ret, struct problem *p)
{
	if (s->o.require_keys)
		return auth_check(http_header(x, "Authorization"),
		    http_header(x, "X-API-Key"), find_key, s, ret, p);
	auth_local(ret);
	return OK;
}

/* Any one scope of the route's is enough; admin is, everywhere. */
static void refuse_scope(struct call *call)
{
	char has[32], wants[32];

	key_scopes_text(call->who.scopes, has, sizeof(has));
	key_scopes_text(call->route->scope, wants, sizeof(wants));
	call_refuse(call, PROBLEM_FORBIDDEN, NULL,
	    "this wants a key with %s %s; this one has %s",
	    strchr(wants, ',') ? "one of the scopes" : "the scope", wants, has);
}

/* Who asks, and may they? False: answered, or held back. */
static bool admit(struct call *call)
{
	const struct route *route = call->route;
	struct problem p;
	bool spent = false;

	if (route->scope == 0)
		return true;
	if (call->service->o.require_keys && by_ticket(call, &spent)) {
		if (spent) {
			call_refuse(call, PROBLEM_UNAUTHENTICATED, "ticket",
			    "the ticket is unknown, spent or older than %d s; "
			    "get a new one",
			    TICKET_MS / 1000);
			return false;
		}
	} else if (who_asks(call->service, call->x, &call->who, &p) != OK) {
		call_fail(call, &p);
		return false;
	}
	if (!auth_may(&call->who, route->scope)) {
		refuse_scope(call);
		return false;
	}
	if (route->cost == ROUTE_FREE || call->who.scopes & KEY_ADMIN)
		return true;
	return within_rate(call);
}

/* A parameter that nobody reads would be passed over in silence. */
static bool knows_query(struct call *call)
{
	char name[64], hint[128];

	if (route_check_query(call->route, http_query(call->x), name,
		sizeof(name), hint, sizeof(hint)) == OK)
		return true;
	call_refuse(call, PROBLEM_INVALID_ARGUMENT, name,
	    "%s is no query parameter here; %s", name, hint);
	return false;
}

static void handle(struct call *call)
{
	if (admit(call) && knows_query(call))
		call->route->handle(call);
}

static void refuse_route(struct call *call, enum err e, const char *allow)
{
	char names[400];

	if (e == ERR_DENIED) {
		http_reply_header(call->x, "Allow", allow);
		call_refuse(call, PROBLEM_METHOD_NOT_ALLOWED, NULL,
		    "%s knows %s, not %s", http_path(call->x), allow,
		    http_method_name(http_method(call->x)));
		return;
	}
	route_names(http_path(call->x), names, sizeof(names));
	call_refuse(call, PROBLEM_NO_ROUTE, NULL, "no route %s %.100s; %s",
	    http_method_name(http_method(call->x)), http_path(call->x), names);
}

static bool asks_for_events(const struct call *call)
{
	const char *accept = http_header(call->x, "Accept");

	return call->front->events_only && accept &&
	       strcmp(accept, "text/event-stream") == 0;
}

void service_on_request(struct http_exchange *x, void *arg)
{
	struct service *s = arg;
	struct call *call;
	char allow[64];
	enum err e;

	call = call_new(s, x);
	if (!call) {
		http_reply(x, 503, NULL, NULL);
		return;
	}
	e = route_find(http_method(x), http_path(x), s->base_path, &call->route,
	    &call->args, allow, sizeof(allow));
	call->front = call->route
			  ? call->route->front
			  : route_front_of(http_method(x), http_path(x));
	call->events = asks_for_events(call);
	if (e != OK)
		refuse_route(call, e, allow);
	else
		handle(call);
}

size_t service_max_body(const struct http_exchange *x, void *arg)
{
	struct principal who;
	struct problem p;

	/* Only admins' imports: anybody else's bytes are not waited for. */
	if (http_method(x) != HTTP_POST ||
	    strcmp(http_path(x), "/v1/executions/import") != 0 ||
	    who_asks(arg, x, &who, &p) != OK || !auth_may(&who, KEY_ADMIN))
		return 0;
	return IMPORT_LINE_BYTES + 1;
}

void service_on_refusal(struct buf *body, const char **ret_content_type,
    int status, const char *code, const char *detail)
{
	buf_printf(body, "{\"type\":\"urn:spool:error:%s\"", code);
	jsonout_member(body, "title", "The request was refused");
	jsonout_member_int(body, "status", status);
	jsonout_member(body, "detail", detail ? detail : "");
	jsonout_member(body, "code", code);
	jsonout_key(body, "retryable");
	jsonout_bool(body, status == 408 || status == 429 || status == 503);
	jsonout_object_end(body);
	*ret_content_type = "application/problem+json";
}

struct worker *service_worker(struct service *s)
{
	struct worker *w = NULL;

	pthread_mutex_lock(&s->lock);
	if (!atomic_load(&s->draining)) {
		s->n_in_worker++;
		w = s->o.worker;
	}
	pthread_mutex_unlock(&s->lock);
	return w;
}

void service_worker_done(struct service *s)
{
	pthread_mutex_lock(&s->lock);
	if (--s->n_in_worker == 0)
		pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
}

void service_write_begin(struct service *s)
{
	pthread_mutex_lock(&s->lock);
	s->n_writes++;
	pthread_mutex_unlock(&s->lock);
}

void service_write_end(struct service *s)
{
	pthread_mutex_lock(&s->lock);
	if (--s->n_writes == 0)
		pthread_cond_broadcast(&s->quiet);
	pthread_mutex_unlock(&s->lock);
}

enum err service_post(
    struct service *s, struct http_loop *loop, struct http_mail *m)
{
	enum err e = ERR_STOPPED;

	/* Held across the post: after service_stop() no loop is touched. */
	pthread_mutex_lock(&s->lock);
	if (!s->closed)
		e = http_loop_post(loop, m);
	pthread_mutex_unlock(&s->lock);
	return e;
}

void service_drain(struct service *s)
{
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->draining, true);
	while (s->n_in_worker > 0)
		pthread_cond_wait(&s->quiet, &s->lock);
	pthread_mutex_unlock(&s->lock);
}

void service_stop(struct service *s)
{
	service_drain(s);
	pthread_mutex_lock(&s->lock);
	s->closed = true;
	pthread_mutex_unlock(&s->lock);
}

void service_free(struct service *s)
{
	if (!s)
		return;
	service_stop(s);
	pthread_mutex_lock(&s->lock);
	while (s->n_writes > 0)
		pthread_cond_wait(&s->quiet, &s->lock);
	pthread_mutex_unlock(&s->lock);
	read_pool_free(s->reads);
	limit_free(s->limit);
	ticket_table_free(s->tickets);
	chats_free(s->chats);
	free(s->base_path);
	pthread_cond_destroy(&s->quiet);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
