/*
 * REST: executions with all their chunks, one a line (NDJSON). The read pool
 * makes about a page at a time, when the socket has drained the last.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_export.h"

/* It travels to the pool and back. */
struct export
{
	struct read_job job;
	struct write_export lines;
};

static void export_drop(struct read_job *job)
{
	struct export *x = (struct export *)job;

	write_export_fini(&x->lines);
	free(x);
}

static void export_run(struct read_job *job, struct query *q)
{
	struct export *x = (struct export *)job;

	job->result = write_export_step(&x->lines, q);
}

/* The call's state: the export while it is here, not with the pool. */
struct holder {
	struct export *export;
};

static void holder_drop(void *state)
{
	struct holder *h = state;

	if (h->export)
		export_drop(&h->export->job);
}

static void export_more(struct call *call)
{
	struct holder *h = call->state;
	struct export *x = h->export;

	if (!x)
		return;
	if (x->lines.phase == WRITE_EXPORT_DONE) {
		call_end(call);
		return;
	}
	buf_reset(&x->lines.out);
	h->export = NULL;
	(void)read_pool_ask(call, &x->job);
}

static void export_done(struct read_job *job, struct call *call)
{
	struct holder *h = call->state;
	struct export *x = (struct export *)job, *next;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	/* The pool drops what it ran: the state moves on in a copy. */
	next = malloc(sizeof(*next));
	if (!next) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	next->job = x->job;
	write_export_move(&next->lines, &x->lines);
	h->export = next;
	if (!call->started) {
		call->on_ready = export_more;
		call_stream(call, 200, "application/x-ndjson");
	}
	if (next->lines.out.len > 0)
		(void)http_stream_write(
		    call->x, next->lines.out.data, next->lines.out.len);
	else
		export_more(call);
}

/* A new export in the call's state; NULL: answered already. */
static struct export *export_new(struct call *call)
{
	struct holder *h = call_state(call, sizeof(*h), holder_drop);
	struct export *x = calloc(1, sizeof(*x));

	if (!h || !x) {
		free(x);
		call_fail_err(call, ERR_NOMEM, NULL);
		return NULL;
	}
	write_export_init(&x->lines);
	x->job.run = export_run;
	x->job.done = export_done;
	x->job.drop = export_drop;
	return x;
}

void front_rest_export(struct call *call)
{
	struct export *x = export_new(call);

	if (!x)
		return;
	if (write_execution_filter(call, &x->lines.f, x->lines.owner,
		&x->lines.after, WRITE_EXPORT_BATCH,
		WRITE_EXPORT_BATCH) != OK) {
		export_drop(&x->job);
		return;
	}
	x->lines.f.oldest_first = true;
	http_reply_header(call->x, "Cache-Control", "no-store");
	(void)read_pool_ask(call, &x->job);
}

void front_rest_export_named(struct call *call)
{
	const char *owner = call_filter(call), *body;
	struct problem p;
	struct export *x;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return;
	x = export_new(call);
	if (!x)
		return;
	body = http_body(call->x, &len);
	x->lines.ids = calloc(BODY_MAX_IDS, sizeof(*x->lines.ids));
	if (!x->lines.ids)
		problem_from_err(&p, ERR_NOMEM, NULL);
	e = x->lines.ids
		? body_ids(body, len, x->lines.ids, &x->lines.n_ids, &p)
		: ERR_NOMEM;
	if (e != OK) {
		call_fail(call, &p);
		export_drop(&x->job);
		return;
	}
	if (owner)
		(void)snprintf(
		    x->lines.owner, sizeof(x->lines.owner), "%s", owner);
	x->lines.f.owner = owner ? x->lines.owner : NULL;
	http_reply_header(call->x, "Cache-Control", "no-store");
	(void)read_pool_ask(call, &x->job);
}
