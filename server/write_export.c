#include "server/write_export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/write_execution.h"
#include "server/write_page.h"
#include "store/base/jsonout.h"

#define STEP_BYTES ((size_t)64 << 10)
#define STEP_MAX_BYTES ((size_t)512 << 20)
#define ATTEMPTS_MAX_BYTES ((size_t)1 << 20)

static void forget_found(struct write_export *x)
{
	for (uint32_t i = 0; i < x->n; i++)
		execution_fini(&x->found[i]);
	x->n = x->at = 0;
}

void write_export_init(struct write_export *x)
{
	*x = (struct write_export){ 0 };
	buf_init(&x->out, STEP_MAX_BYTES);
	buf_init(&x->attempts, ATTEMPTS_MAX_BYTES);
}

void write_export_fini(struct write_export *x)
{
	forget_found(x);
	buf_fini(&x->out);
	buf_fini(&x->attempts);
	free(x->ids);
	x->ids = NULL;
}

void write_export_move(struct write_export *to, struct write_export *from)
{
	*to = *from;
	if (to->f.owner)
		to->f.owner = to->owner;
	if (to->f.after)
		to->f.after = &to->after;
	write_export_init(from);
}

/* What of the ids is there. */
static enum err next_named(struct write_export *x, struct query *q)
{
	enum err e = OK;

	forget_found(x);
	while (e == OK && x->n < WRITE_EXPORT_BATCH && x->at_id < x->n_ids) {
		e = query_execution(
		    q, &x->ids[x->at_id++], x->f.owner, &x->found[x->n]);
		if (e == OK)
			x->n++;
		else if (e == ERR_NOT_FOUND || e == ERR_GONE)
			e = OK;
	}
	x->phase =
	    e == OK && x->n > 0 ? WRITE_EXPORT_RECORD : WRITE_EXPORT_DONE;
	return e;
}

static enum err next_records(struct write_export *x, struct query *q)
{
	enum err e;

	if (x->n > 0 && x->n < x->f.limit) {
		x->phase = WRITE_EXPORT_DONE;
		return OK;
	}
	if (x->n > 0) {
		x->after = x->found[x->n - 1].id;
		x->f.after = &x->after;
	}
	forget_found(x);
	e = query_list(q, &x->f, true, x->found, &x->n);
	x->phase =
	    e == OK && x->n > 0 ? WRITE_EXPORT_RECORD : WRITE_EXPORT_DONE;
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

static void begin_record(struct write_export *x)
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
	x->phase = WRITE_EXPORT_CHUNKS;
}

/* Chunks do not say their attempt: a new one is noted once. */
static void note_attempt(struct write_export *x, const struct chunk *c)
{
	if (c->attempt == x->attempt)
		return;
	x->attempt = c->attempt;
	jsonout_array(&x->attempts);
	jsonout_int(&x->attempts, (int64_t)c->index);
	jsonout_int(&x->attempts, c->attempt);
	jsonout_array_end(&x->attempts);
}

static void write_chunks(struct write_export *x, const struct page *page)
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

static void next_record(struct write_export *x)
{
	buf_puts(&x->out, "\",\"chunk_attempts\":[");
	buf_add(&x->out, x->attempts.data, x->attempts.len);
	buf_puts(&x->out, x->deleted ? "],\"deleted\":true}\n" : "]}\n");
	x->phase = ++x->at < x->n ? WRITE_EXPORT_RECORD : WRITE_EXPORT_LIST;
}

/* One page of chunks or of text. */
static enum err one_page(struct write_export *x, struct query *q)
{
	bool text = x->phase == WRITE_EXPORT_TEXT;
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
		x->phase = WRITE_EXPORT_TEXT;
	}
out:
	page_fini(&page);
	return e;
}

enum err write_export_step(struct write_export *x, struct query *q)
{
	enum err e = OK;

	while (e == OK && x->phase != WRITE_EXPORT_DONE &&
	       x->out.len < STEP_BYTES) {
		if (x->phase == WRITE_EXPORT_LIST)
			e = x->ids ? next_named(x, q) : next_records(x, q);
		else if (x->phase == WRITE_EXPORT_RECORD)
			begin_record(x);
		else
			e = one_page(x, q);
	}
	if (e == OK)
		e = buf_state(&x->attempts);
	if (e == OK)
		e = buf_state(&x->out);
	return e;
}
