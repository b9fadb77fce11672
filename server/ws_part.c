/* What one socket is asked for, many things at once. */
#include <string.h>

#include "server/service_internal.h"
#include "server/ws_internal.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "worker/worker.h"

void ws_part_head(
    struct buf *b, const char *type, const char *tag, const struct id *id)
{
	char text[ID_TEXT];

	jsonout_object(b);
	jsonout_member(b, "type", type);
	if (tag && tag[0]) {
		jsonout_key(b, "id");
		jsonout_raw(b, tag, strlen(tag));
	}
	if (id) {
		id_text(id, text);
		jsonout_member(b, "execution_id", text);
	}
}

void ws_part_problem(struct ws *ws, const char *tag, const struct id *id,
    const struct problem *p)
{
	struct buf b;

	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "error", tag, id);
	jsonout_key(&b, "error");
	problem_json(&b, p, NULL);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

static void on_fail(struct call *part, const struct problem *problem)
{
	struct ws_part *p = part->memo;
	struct ws *ws = ws_of(part);

	ws_enter(ws);
	if (p->query)
		ws_query_problem(ws, p->tag, p->characters, problem->detail);
	else
		ws_part_problem(
		    ws, p->tag, p->kind == WS_START ? NULL : &p->id, problem);
	ws_part_end(p);
	ws_leave(ws);
}

/* Say so in the form of who asked. */
static void refuse(
    struct ws *ws, const struct body_ws *w, const struct problem *p)
{
	if (w->type == BODY_WS_QUERY)
		ws_query_problem(ws, w->tag, 0, p->detail);
	else
		ws_part_problem(ws, w->tag, NULL, p);
}

struct ws_part *ws_part_new(
    struct ws *ws, const struct body_ws *w, enum ws_kind kind)
{
	size_t key_len = kind == WS_START ? strlen(w->idempotency_key) + 1 : 0;
	struct ws_part *p = NULL;
	struct call *part = NULL;
	struct problem problem;

	if (ws->n_parts >= WS_MAX_PARTS) {
		problem_set(&problem, PROBLEM_FAILED_PRECONDITION, NULL,
		    "at most %d executions are followed, started and "
		    "cancelled at once on one socket; unsubscribe from some, "
		    "or open another",
		    WS_MAX_PARTS);
		refuse(ws, w, &problem);
		return NULL;
	}
	part = call_part_new(ws->call, on_fail);
	p = part ? call_memo(part, sizeof(*p) + key_len, NULL) : NULL;
	if (!p) {
		if (part)
			call_part_end(part);
		problem_from_err(&problem, ERR_NOMEM, NULL);
		refuse(ws, w, &problem);
		return NULL;
	}
	ws->n_parts++;
	*p = (struct ws_part){ .kind = kind,
		.part = part,
		.query = w->type == BODY_WS_QUERY,
		.id = w->execution,
		.from = w->from,
		.follow = w->follow,
		.cancel_if_gone = w->cancel_if_gone };
	memcpy(p->tag, w->tag, sizeof(p->tag));
	if (key_len > 1) {
		memcpy(p->idempotency_key, w->idempotency_key, key_len);
		part->idempotency_key = p->idempotency_key;
	}
	return p;
}

void ws_part_end(struct ws_part *p)
{
	struct ws *ws = ws_of(p->part);

	if (p->queued)
		TAILQ_REMOVE(&ws->turns, p, turn);
	if (ws->reading == p->part->part)
		ws->reading = 0;
	ws->n_parts--;
	call_part_end(p->part);
}

struct ws_part *ws_part_follower(struct ws *ws, const struct id *id)
{
	struct call *part;

	LIST_FOREACH(part, &ws->call->parts, link)
	{
		struct ws_part *p = part->memo;

		if (p->kind == WS_FOLLOW && id_equal(&p->id, id))
			return p;
	}
	return NULL;
}

void ws_part_cancel_all(struct ws *ws)
{
	struct service *s = ws->call->service;
	struct call *part;

	LIST_FOREACH(part, &ws->call->parts, link)
	{
		struct ws_part *p = part->memo;
		struct worker *w;

		/* Told: it is the caller's, which the worker does not ask. */
		if (p->kind != WS_FOLLOW || !p->cancel_if_gone || !p->told)
			continue;
		/* None at a stop: it is not the client that left then. */
		w = service_worker(s);
		if (!w)
			return;
		if (worker_cancel(w, &p->id) != OK)
			log_warn("ws", "runs on unread", "err=nomem");
		service_worker_done(s);
	}
}
