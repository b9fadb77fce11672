/* What the client of a socket says, and what is done about it. */
#include <string.h>

#include "server/cancel.h"
#include "server/limit.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_page.h"
#include "server/ws_internal.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"

/* --- start --- */

static void tell_started(
    struct ws *ws, const struct ws_part *p, const struct submitted *s)
{
	struct buf b;

	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "started", p->tag, &s->id);
	jsonout_member(&b, "status", execution_status_name(s->status));
	jsonout_key(&b, "replayed");
	jsonout_bool(&b, s->existed);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

static void on_started(struct call *part, const struct submitted *s)
{
	struct ws_part *p = part->memo;
	struct ws *ws = ws_of(part);

	ws_enter(ws);
	p->id = s->id;
	p->told = true;
	if (!p->query)
		tell_started(ws, p, s);
	if (p->follow)
		ws_follow_start(p);
	else
		ws_part_end(p);
	ws_leave(ws);
}

static void start(struct ws *ws, struct body_ws *w)
{
	struct ws_part *p = ws_part_new(ws, w, WS_START);

	if (!p)
		return;
	if (p->query && body_create_blind(&w->create,
			    ws->call->service->o.never_goes_on) != OK) {
		call_fail_err(p->part, ERR_NOMEM, NULL);
		return;
	}
	if (p->query)
		ws_query_started(ws, w);
	p->part->cancel_if_gone = w->cancel_if_gone;
	submit_start(p->part, &w->create, w->hash, on_started);
}

/* --- the others --- */

static void on_cancelled(
    struct call *part, const struct id *id, enum execution_status status)
{
	struct ws_part *p = part->memo;
	struct ws *ws = ws_of(part);
	struct buf b;

	ws_enter(ws);
	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "cancelled", p->tag, id);
	jsonout_member(&b, "status", execution_status_name(status));
	jsonout_key(&b, "cancelled");
	jsonout_bool(&b, status == EXECUTION_CANCELLED);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
	ws_part_end(p);
	ws_leave(ws);
}

static void cancel(struct ws *ws, const struct body_ws *w)
{
	struct ws_part *p = ws_part_new(ws, w, WS_CANCEL);

	if (p)
		cancel_start(p->part, &p->id, on_cancelled);
}

static void subscribe(struct ws *ws, const struct body_ws *w)
{
	struct ws_part *old = ws_part_follower(ws, &w->execution), *p;

	/* Again is: go on from there. */
	if (old)
		ws_part_end(old);
	p = ws_part_new(ws, w, WS_FOLLOW);
	if (p)
		ws_follow_start(p);
}

static void unsubscribe(struct ws *ws, const struct body_ws *w)
{
	struct ws_part *p = ws_part_follower(ws, &w->execution);
	struct problem problem;
	struct buf b;

	if (!p) {
		problem_set(&problem, PROBLEM_NOT_FOUND, "execution_id",
		    "this socket does not follow that execution");
		ws_part_problem(ws, w->tag, &w->execution, &problem);
		return;
	}
	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "unsubscribed", w->tag, &w->execution);
	jsonout_member_int(&b, "next_index", (int64_t)p->from);
	jsonout_object_end(&b);
	ws_part_end(p);
	ws_send(ws, &b);
	buf_fini(&b);
}

static void pong(struct ws *ws, const struct body_ws *w)
{
	struct buf b;

	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "pong", w->tag, NULL);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

/* --- may it be said? --- */

static bool needs_run(const struct body_ws *w)
{
	return w->type == BODY_WS_START || w->type == BODY_WS_QUERY ||
	       w->type == BODY_WS_CANCEL || w->cancel_if_gone;
}

/* A message costs what a request costs. */
static enum err within_rate(struct ws *ws, struct problem *p)
{
	struct service *s = ws->call->service;
	const struct principal *who = &ws->call->who;
	int64_t wait_ms = 0;
	enum err e;

	if (who->scopes & KEY_ADMIN)
		return OK;
	e = limit_request(s->limit, &who->key, clock_mono_ms(), &wait_ms);
	if (e == OK)
		return OK;
	problem_set(p, PROBLEM_RATE_LIMITED, NULL,
	    "at most %u requests per second with this key", s->o.rate_per_s);
	p->retry_after_ms = wait_ms;
	return e;
}

/* ${e} and ${p}: what is wrong with it already. */
static enum err judge(
    struct ws *ws, const struct body_ws *w, enum err e, struct problem *p)
{
	struct problem rate;
	enum err within = within_rate(ws, &rate);

	/* What is no message has cost as much. */
	if (within != OK) {
		*p = rate;
		return within;
	}
	if (e == OK && needs_run(w) && !auth_may(&ws->call->who, KEY_RUN)) {
		e = ERR_DENIED;
		problem_from_err(p, e, NULL);
	}
	return e;
}

static void obey(struct ws *ws, struct body_ws *w)
{
	switch (w->type) {
	case BODY_WS_START:
	case BODY_WS_QUERY: start(ws, w); break;
	case BODY_WS_SUBSCRIBE: subscribe(ws, w); break;
	case BODY_WS_UNSUBSCRIBE: unsubscribe(ws, w); break;
	case BODY_WS_CANCEL: cancel(ws, w); break;
	case BODY_WS_PING: pong(ws, w); break;
	}
}

void ws_message(struct ws *ws, const char *text, size_t len)
{
	struct body_ws w;
	struct problem p;
	enum err e;

	if (service_still(ws->call) != OK) {
		ws_frame_close(ws->frame, WS_FRAME_POLICY,
		    "the key is not in use any more");
		return;
	}
	e = body_ws(text, len, &w, &p);
	e = judge(ws, &w, e, &p);
	if (e == OK)
		obey(ws, &w);
	else if (w.type == BODY_WS_QUERY)
		ws_query_problem(ws, w.tag, 0, p.detail);
	else
		ws_part_problem(ws, w.tag, NULL, &p);
	body_ws_fini(&w);
}
