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
#include "server/write_page.h"
#include "store/base/jsonout.h"
#include "store/query.h"

#define BATCH 8
#define STEP_BYTES ((size_t)64 << 10)
#define STEP_MAX_BYTES ((size_t)512 << 20)
#define ATTEMPTS_MAX_BYTES ((size_t)1 << 20)

enum phase {
	PHASE_LIST,   /* the next records */
	PHASE_RECORD, /* begin a line */
	PHASE_CHUNKS, /* its chunks */
	PHASE_TEXT,   /* the same again, as one text */
	PHASE_DONE,
};

/* Where an export stands; it travels to the pool and back. */
struct export
{
	struct read_job job;
	struct query_filter f;
	char owner[KEY_NAME_BYTES];
	struct id after;
	struct execution found[BATCH];
	uint32_t n, at;
	enum phase phase;
	struct page_query q;
	uint64_t begin;	     /* of the text: behind the last reset */
	bool deleted;	     /* since it was listed: its line is not whole */
	uint32_t attempt;    /* of the last chunk; 0 before the first */
	struct buf attempts; /* where each attempt's chunks begin */
	/* Only these, in this order; NULL: what the filter says. */
	struct id *ids;
	size_t n_ids, at_id;
	struct buf out;
};

static void forget_found(struct export *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		execution_fini(&x->found[i]);
	x->n = x->at = 0;
}

static void export_drop(struct read_job *job)
{
	struct export *x = (struct export *)job;

	forget_found(x);
	buf_fini(&x->out);
	buf_fini(&x->attempts);
	free(x->ids);
	free(x);
}

/* What of the ids is there. */
static enum err next_named(struct export *x, struct query *q)
{
	enum err e = OK;

	forget_found(x);
	while (e == OK && x->n < BATCH && x->at_id < x->n_ids) {
		e = query_execution(
		    q, &x->ids[x->at_id++], x->f.owner, &x->found[x->n]);
		if (e == OK)
			x->n++;
		else if (e == ERR_NOT_FOUND || e == ERR_GONE)
			e = OK;
	}
	x->phase = e == OK && x->n > 0 ? PHASE_RECORD : PHASE_DONE;
	return e;
}

static enum err next_records(struct export *x, struct query *q)
{
	enum err e;

	if (x->n > 0 && x->n < x->f.limit) {
		x->phase = PHASE_DONE;
		return OK;
	}
	if (x->n > 0) {
		x->after = x->found[x->n - 1].id;
		x->f.after = &x->after;
	}
	forget_found(x);
	e = query_list(q, &x->f, true, x->found, &x->n);
	x->phase = e == OK && x->n > 0 ? PHASE_RECORD : PHASE_DONE;
	return e;
}

/* What a client needs no more, but an import: who asked for it, with what. */
static void write_idempotency(struct buf *b, const struct execution *e)
{
	static const uint8_t none[DIGEST_BYTES];
	char hex[2 * DIGEST_BYTES + 1];

	for (size_t i = 0; i < DIGEST_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", e->request_hash[i]);
	jsonout_member(b, "idempotency_key", e->idempotency_key);
	jsonout_member(b, "request_hash",
	    memcmp(e->request_hash, none, DIGEST_BYTES) ? hex : NULL);
}

static void begin_record(struct export *x)
{
	jsonout_object(&x->out);
	write_execution_members(&x->out, &x->found[x->at], true);
	write_idempotency(&x->out, &x->found[x->at]);
	if (x->found[x->at].payload_deleted_ms > 0) {
		jsonout_key(&x->out, "payload_deleted");
		jsonout_bool(&x->out, true);
	}
	jsonout_key(&x->out, "chunks");
	jsonout_array(&x->out);
	x->q = (struct page_query){ 0, 1000, STEP_BYTES };
	x->begin = 0;
	x->deleted = false;
	x->attempt = 0;
	buf_reset(&x->attempts);
	x->phase = PHASE_CHUNKS;
}

/* Chunks do not say their attempt: a new one is noted once. */
static void note_attempt(struct export *x, const struct chunk *c)
{
	if (c->attempt == x->attempt)
		return;
	x->attempt = c->attempt;
	jsonout_array(&x->attempts);
	jsonout_int(&x->attempts, (int64_t)c->index);
	jsonout_int(&x->attempts, c->attempt);
	jsonout_array_end(&x->attempts);
}

static void write_chunks(struct export *x, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	bool goes_on = x->out.len == 0 && page->first > 0 && page->n > 0;

	/* A step that begins inside the array: its bracket becomes a comma. */
	if (goes_on)
		jsonout_array(&x->out);

	while (page_each(page, &at, &c)) {
		if (c.kind == CHUNK_RESET)
			x->begin = c.index + 1;
		note_attempt(x, &c);
		write_page_chunk(&x->out, &c);
	}
	if (goes_on && x->out.data)
		x->out.data[0] = ',';
}

static void next_record(struct export *x)
{
	buf_puts(&x->out, "\",\"chunk_attempts\":[");
	buf_add(&x->out, x->attempts.data, x->attempts.len);
	buf_puts(&x->out, x->deleted ? "],\"deleted\":true}\n" : "]}\n");
	x->phase = ++x->at < x->n ? PHASE_RECORD : PHASE_LIST;
}

/* One page of chunks or of text. */
static enum err one_page(struct export *x, struct query *q)
{
	bool text = x->phase == PHASE_TEXT;
	struct page_cursor at = { 0 };
	struct page page;
	struct chunk c;
	enum err e;

	page_init(&page);
	e = query_page(q, &x->found[x->at].id, x->f.owner, &x->q, &page);
	/* The line ends with what was read, and says that it is cut. */
	if (e == ERR_NOT_FOUND || e == ERR_GONE)
		x->deleted = x->found[x->at].payload_deleted_ms == 0;
	else if (e != OK)
		goto out;
	if (!text)
		write_chunks(x, &page);
	while (text && page_each(&page, &at, &c))
		if (c.kind == CHUNK_TEXT)
			jsonout_escape(&x->out, c.content, c.content_len);
	x->q.from = page_next(&page);
	if (e == OK && page.n > 0 && x->q.from < page.total)
		goto out;
	e = OK;
	if (text) {
		next_record(x);
	} else {
		buf_puts(&x->out, "],\"text\":\"");
		x->q.from = x->begin;
		x->phase = PHASE_TEXT;
	}
out:
	page_fini(&page);
	return e;
}

static void export_run(struct read_job *job, struct query *q)
{
	struct export *x = (struct export *)job;
	enum err e = OK;

	while (e == OK && x->phase != PHASE_DONE && x->out.len < STEP_BYTES) {
		if (x->phase == PHASE_LIST)
			e = x->ids ? next_named(x, q) : next_records(x, q);
		else if (x->phase == PHASE_RECORD)
			begin_record(x);
		else
			e = one_page(x, q);
	}
	if (e == OK)
		e = buf_state(&x->attempts);
	if (e == OK)
		e = buf_state(&x->out);
	job->result = e;
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
	if (x->phase == PHASE_DONE) {
		call_end(call);
		return;
	}
	buf_reset(&x->out);
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
	*next = *x;
	if (next->f.owner)
		next->f.owner = next->owner;
	if (next->f.after)
		next->f.after = &next->after;
	buf_init(&x->out, 1);
	buf_init(&x->attempts, 1);
	x->ids = NULL;
	x->n = 0;
	h->export = next;
	if (!call->started) {
		call->on_ready = export_more;
		call_stream(call, 200, "application/x-ndjson");
	}
	if (next->out.len > 0)
		(void)http_stream_write(call->x, next->out.data, next->out.len);
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
	buf_init(&x->out, STEP_MAX_BYTES);
	buf_init(&x->attempts, ATTEMPTS_MAX_BYTES);
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
	if (write_execution_filter(
		call, &x->f, x->owner, &x->after, BATCH, BATCH) != OK) {
		export_drop(&x->job);
		return;
	}
	x->f.oldest_first = true;
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
	x->ids = calloc(BODY_MAX_IDS, sizeof(*x->ids));
	if (!x->ids)
		problem_from_err(&p, ERR_NOMEM, NULL);
	e = x->ids ? body_ids(body, len, x->ids, &x->n_ids, &p) : ERR_NOMEM;
	if (e != OK) {
		call_fail(call, &p);
		export_drop(&x->job);
		return;
	}
	if (owner)
		(void)snprintf(x->owner, sizeof(x->owner), "%s", owner);
	x->f.owner = owner ? x->owner : NULL;
	http_reply_header(call->x, "Cache-Control", "no-store");
	(void)read_pool_ask(call, &x->job);
}
