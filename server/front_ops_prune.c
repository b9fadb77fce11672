/*
 * Operators: remove ended executions, or their payload, a bounded number in a
 * call. The read pool looks for a moment at a time, the writer removes a batch;
 * a client that goes ends it between batches.
 */
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/call.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_rule.h"
#include "server/write_job.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/query.h"

/* One turn of the pool; how long a call goes on before it says "more". */
#define TURN_MS 20
#define CALL_MS 2000
#define ANSWER_MAX_BYTES ((size_t)256 << 10)

/* What a call does; with the call, or with its job. */
struct pruning {
	struct body_prune ask;
	struct retention *look; /* NULL: by ids */
	struct retention_batch batch;
	struct audit audit;
	uint64_t executions, chunks, bytes, absent, live;
	int64_t oldest_ms, newest_ms; /* creation; 0: none */
	size_t at;		      /* ids that are done */
	size_t n_listed;	      /* of ask.id, by the rule */
	int64_t until_ms;	      /* mono */
};

struct look_job {
	struct read_job job;
	struct pruning *p;
};

struct erase_job {
	struct write_job job;
	struct pruning *p;
};

static void pruning_free(struct pruning *p)
{
	if (p)
		retention_free(p->look);
	free(p);
}

/* The call's state: what it does while it is here. */
struct holder {
	struct pruning *p;
};

static void holder_drop(void *state)
{
	pruning_free(((struct holder *)state)->p);
}

/* Does the call end at the limit, and another goes on? */
static bool bounded(const struct pruning *p)
{
	return !p->ask.dry_run || p->ask.list;
}

/* --- the answer --- */

static void write_list(struct buf *b, const struct pruning *p)
{
	char id[ID_TEXT];

	jsonout_key(b, "ids");
	jsonout_array(b);
	for (size_t i = 0; i < p->n_listed; i++) {
		id_text(&p->ask.id[i], id);
		jsonout_string(b, id, strlen(id));
	}
	jsonout_array_end(b);
}

static void answer(struct call *call, bool more)
{
	struct pruning *p = ((struct holder *)call->state)->p;
	struct retention_mark mark;
	char operation[ID_TEXT];
	struct buf b, next;

	id_text(&p->ask.operation, operation);
	buf_init(&b, ANSWER_MAX_BYTES);
	buf_init(&next, 1024);
	jsonout_object(&b);
	jsonout_key(&b, "dry_run");
	jsonout_bool(&b, p->ask.dry_run);
	jsonout_key(&b, "payload_only");
	jsonout_bool(&b, p->ask.rule.payload_only);
	jsonout_member_int(&b, "executions", (int64_t)p->executions);
	jsonout_member_int(&b, "chunks", (int64_t)p->chunks);
	jsonout_member_int(&b, "bytes", (int64_t)p->bytes);
	jsonout_member_int(&b, "absent", (int64_t)p->absent);
	jsonout_member_int(&b, "live", (int64_t)p->live);
	jsonout_key(&b, "oldest_created_at");
	write_execution_time(&b, p->oldest_ms);
	jsonout_key(&b, "newest_created_at");
	write_execution_time(&b, p->newest_ms);
	jsonout_member(&b, "operation", p->ask.dry_run ? NULL : operation);
	jsonout_key(&b, "more");
	jsonout_bool(&b, more);
	if (more && p->look && retention_mark(p->look, &mark))
		body_prune_next(&next, &p->ask, &mark);
	buf_putc(&next, '\0');
	jsonout_member(&b, "next", next.len > 1 ? next.data : NULL);
	if (p->ask.list)
		write_list(&b, p);
	jsonout_object_end(&b);
	if (buf_state(&next) != OK)
		b.failed = ERR_NOMEM;
	buf_fini(&next);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

/* --- looking --- */

static void add_batch(struct pruning *p)
{
	const struct retention_batch *b = &p->batch;

	if (b->n_whole + b->n_payload == 0)
		return;
	if (p->oldest_ms == 0 || b->oldest_ms < p->oldest_ms)
		p->oldest_ms = b->oldest_ms;
	if (b->newest_ms > p->newest_ms)
		p->newest_ms = b->newest_ms;
	if (!p->ask.dry_run)
		return; /* the writer counts what really went */
	p->executions += b->n_whole + b->n_payload;
	p->chunks += b->chunks;
	p->bytes += b->bytes;
	for (uint32_t i = 0; p->ask.list && i < b->n_whole; i++)
		p->ask.id[p->n_listed++] = b->whole[i];
	for (uint32_t i = 0; p->ask.list && i < b->n_payload; i++)
		p->ask.id[p->n_listed++] = b->payload[i];
}

/* What would become of ids[at]. */
static enum err pretend_id(struct pruning *p, struct query *q)
{
	struct execution e = { 0 };
	enum err rc = query_execution(q, &p->ask.id[p->at++], NULL, &e);

	if (rc == ERR_NOT_FOUND || rc == ERR_GONE ||
	    (rc == OK && p->ask.rule.payload_only && e.payload_deleted_ms)) {
		p->absent++;
		rc = OK;
	} else if (rc == OK && !execution_ended(e.status)) {
		p->live++;
	} else if (rc == OK) {
		p->executions++;
		p->chunks += e.payload_deleted_ms == 0 ? e.next_index : 0;
		p->bytes += e.bytes;
		if (p->oldest_ms == 0 || e.created_ms < p->oldest_ms)
			p->oldest_ms = e.created_ms;
		if (e.created_ms > p->newest_ms)
			p->newest_ms = e.created_ms;
	}
	execution_fini(&e);
	return rc;
}

static enum err look_by_rule(struct pruning *p, struct query *q)
{
	uint64_t left = p->ask.limit - p->executions;
	uint32_t max = RETENTION_BATCH;
	enum err rc;

	if (bounded(p) && left < max)
		max = (uint32_t)left;
	rc = retention_step(p->look, retention_walk, q, max, &p->batch);
	if (rc == OK)
		add_batch(p);
	return rc;
}

/* Is there nothing more to look for in this turn? */
static bool looked(const struct pruning *p)
{
	const struct retention_batch *b = &p->batch;

	if (!p->look)
		return p->at == p->ask.n;
	if (b->done || (bounded(p) && p->executions >= p->ask.limit))
		return true;
	return !p->ask.dry_run && b->n_whole + b->n_payload > 0;
}

static void look_run(struct read_job *job, struct query *q)
{
	struct pruning *p = ((struct look_job *)job)->p;
	int64_t until = clock_mono_ms() + TURN_MS;
	enum err rc = OK;

	do {
		rc = p->look ? look_by_rule(p, q) : pretend_id(p, q);
	} while (rc == OK && !looked(p) && clock_mono_ms() < until);
	job->result = rc;
}

static void look_drop(struct read_job *job)
{
	pruning_free(((struct look_job *)job)->p);
	free(job);
}

static void go_on(struct call *call);

static void look_done(struct read_job *job, struct call *call)
{
	struct look_job *j = (struct look_job *)job;

	((struct holder *)call->state)->p = j->p;
	j->p = NULL;
	if (job->result != OK)
		call_fail_err(call, job->result, &job->why);
	else
		go_on(call);
}

static void look(struct call *call)
{
	struct holder *h = call->state;
	struct look_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	h->p->batch = (struct retention_batch){ 0 };
	j->job.run = look_run;
	j->job.done = look_done;
	j->job.drop = look_drop;
	j->p = h->p;
	h->p = NULL;
	(void)read_pool_ask(call, &j->job);
}

/* --- removing --- */

static void erase_drop(struct write_job *job)
{
	pruning_free(((struct erase_job *)job)->p);
	free(job);
}

static void erase_done(struct write_job *job, struct call *call)
{
	struct erase_job *j = (struct erase_job *)job;
	struct pruning *p = j->p;

	((struct holder *)call->state)->p = p;
	j->p = NULL;
	p->executions += job->write.u.prune.gone.executions;
	p->chunks += job->write.u.prune.gone.chunks;
	p->bytes += job->write.u.prune.gone.bytes;
	p->absent += job->write.u.prune.absent;
	p->live += job->write.u.prune.live;
	/* It is gone, and so are not counted twice: only done counts now. */
	p->batch.n_whole = p->batch.n_payload = 0;
	if (job->write.result != OK)
		call_fail_err(call, job->write.result, &job->write.why);
	else
		go_on(call);
}

static void erase(struct call *call, const struct id *ids, uint32_t n)
{
	struct holder *h = call->state;
	struct pruning *p = h->p;
	struct erase_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.write.kind = WRITE_PRUNE;
	j->job.write.audit = &p->audit;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.prune.ids = ids;
	j->job.write.u.prune.n = n;
	j->job.write.u.prune.payload_only = p->ask.rule.payload_only;
	j->job.done = erase_done;
	j->job.drop = erase_drop;
	j->p = p;
	h->p = NULL;
	(void)write_job_ask(call, &j->job);
}

/* --- a call --- */

static void go_on_by_ids(struct call *call)
{
	struct pruning *p = ((struct holder *)call->state)->p;
	size_t left = p->ask.n - p->at, from = p->at;

	if (left == 0) {
		answer(call, false);
	} else if (p->ask.dry_run) {
		look(call);
	} else {
		left = left < WRITE_PRUNE_MAX ? left : WRITE_PRUNE_MAX;
		p->at += left;
		erase(call, &p->ask.id[from], (uint32_t)left);
	}
}

/* Whatever comes next: a look, a removal, the answer. */
static void go_on(struct call *call)
{
	struct pruning *p = ((struct holder *)call->state)->p;
	const struct retention_batch *b = &p->batch;
	struct retention_mark mark;
	bool late;

	if (!p->look) {
		go_on_by_ids(call);
		return;
	}
	late = clock_mono_ms() >= p->until_ms ||
	       atomic_load(&call->service->draining);
	if (!p->ask.dry_run && b->n_whole > 0)
		erase(call, b->whole, b->n_whole);
	else if (!p->ask.dry_run && b->n_payload > 0)
		erase(call, b->payload, b->n_payload);
	else if (b->done)
		answer(call, false);
	else if (bounded(p) && (p->executions >= p->ask.limit ||
				   (late && retention_mark(p->look, &mark))))
		answer(call, true);
	else
		look(call);
}

/* What was chosen, as it was asked. */
static void describe(struct pruning *p)
{
	struct buf b;

	buf_init(&b, sizeof(p->audit.detail) - 1);
	jsonout_object(&b);
	if (p->ask.n > 0)
		jsonout_member_int(&b, "ids", (int64_t)p->ask.n);
	else
		write_rule_members(&b, &p->ask.rule);
	if (p->ask.note[0])
		jsonout_member(&b, "note", p->ask.note);
	jsonout_object_end(&b);
	if (buf_state(&b) == OK)
		memcpy(p->audit.detail, b.data, b.len);
	buf_fini(&b);
}

static enum err begin(struct call *call, struct pruning *p)
{
	const char *body;
	struct problem why;
	size_t len;
	enum err e;

	body = http_body(call->x, &len);
	e = body_prune(body, len, &p->ask, &why);
	if (e != OK) {
		call_fail(call, &why);
		return e;
	}
	actor_audit(&call->who,
	    p->ask.rule.payload_only ? "prune.payload" : "prune", NULL,
	    &p->audit);
	describe(p);
	if (p->ask.goes_on)
		p->audit.operation = p->ask.operation;
	p->ask.operation = p->audit.operation;
	if (p->ask.n == 0)
		e = retention_new(&p->ask.rule, 1, clock_wall_ms(),
		    p->ask.goes_on ? &p->ask.mark : NULL, &p->look);
	if (e != OK)
		call_fail_err(call, e, NULL);
	p->until_ms = clock_mono_ms() + CALL_MS;
	return e;
}

void front_ops_prune(struct call *call)
{
	struct holder *h;
	struct pruning *p;

	if (call_wants_json(call) != OK)
		return;
	h = call_state(call, sizeof(*h), holder_drop);
	p = calloc(1, sizeof(*p));
	if (!h || !p) {
		pruning_free(p);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	if (begin(call, p) != OK) {
		pruning_free(p);
		return;
	}
	h->p = p;
	if (!p->ask.dry_run && atomic_load(&call->service->draining))
		call_fail_err(call, ERR_STOPPED, NULL);
	else
		go_on(call);
}
