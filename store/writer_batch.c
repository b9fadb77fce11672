/*
 * A worker's batch, record by record, in the open transaction: rows to the
 * engine, their packed form to the stages.
 */
#include "store/writer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"

/* Room for one more element of ${size} in *${array}. */
static bool grow(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room == 0 ? 64 : *room * 2;
	void *p;

	if (n < *room)
		return true;
	p = realloc(*array, more * size);
	if (p == NULL)
		return false;
	*array = p;
	*room = more;
	return true;
}

struct writer_change *writer_change(struct writer_tx *tx, struct tail_log *l)
{
	void *p = tx->changes;

	if (l->change != 0)
		return &tx->changes[l->change - 1];
	if (!grow(&p, tx->n_changes, &tx->changes_room, sizeof(*tx->changes)))
		return NULL;
	tx->changes = p;
	tx->changes[tx->n_changes] = (struct writer_change){ .log = l,
		.status = l->status,
		.attempt = l->attempt,
		.first_chunk_ms = l->first_chunk_ms };
	l->change = ++tx->n_changes;
	return &tx->changes[l->change - 1];
}

/* How an engine is told which execution is meant. */
static struct execution key_of(const struct tail_log *l)
{
	return (struct execution){ .row = l->row,
		.id = l->id,
		.status = l->status,
		.owner = l->owner,
		.created_ms = l->created_ms,
		.next_index = chunklog_next(&l->log) };
}

/* Keep the packed form of a row that was just written. */
static enum err stage(
    struct writer_tx *tx, struct writer_change *c, const struct chunk *chunk)
{
	size_t offset = tx->bytes.len;
	void *p = tx->stages;

	if (!grow(&p, tx->n_stages, &tx->stages_room, sizeof(*tx->stages)))
		return ERR_NOMEM;
	tx->stages = p;
	chunk_pack(&tx->bytes, chunk, c->log->created_ms);
	if (buf_state(&tx->bytes) != OK)
		return ERR_NOMEM;
	tx->stages[tx->n_stages++] =
	    (struct tail_stage){ .offset = (uint32_t)offset,
		    .len = (uint32_t)(tx->bytes.len - offset) };
	if (c->last == 0)
		c->first = tx->n_stages;
	else
		tx->stages[c->last - 1].next = tx->n_stages;
	c->last = tx->n_stages;
	c->bytes += tx->bytes.len - offset;
	c->n++;
	return OK;
}

enum err writer_append(
    struct writer *w, struct writer_change *c, struct chunk *chunk)
{
	struct store *store = w->store;
	struct execution e = key_of(c->log);
	int64_t seq;
	enum err rc;

	/* The one place where an index is given: dense by construction. */
	chunk->index = e.next_index + c->n;
	rc = store->engine->chunk_append(store->db, &e, chunk, &seq);
	if (rc != OK)
		return rc;
	if (c->n == 0)
		c->first_seq = seq;
	/* A rolled back seq may come again; it must not fall behind. */
	if (seq > w->last_seq)
		w->last_seq = seq;
	return stage(&w->tx, c, chunk);
}

static enum err apply_start(
    struct writer *w, struct writer_change *c, const struct batch_start *start)
{
	struct execution e = key_of(c->log);
	enum err rc;

	rc = w->store->engine->execution_start(
	    w->store->db, &e, start->target, start->attempt, start->ts_ms);
	if (rc != OK)
		return rc;
	c->status = EXECUTION_STREAMING;
	c->attempt = start->attempt;
	return OK;
}

static enum err apply_note(
    struct writer *w, struct writer_change *c, const struct batch_note *note)
{
	struct execution e = key_of(c->log);

	return w->store->engine->execution_note(
	    w->store->db, &e, note->text, note->len);
}

static enum err apply_chunk(
    struct writer *w, struct writer_change *c, struct chunk *chunk)
{
	if (c->first_chunk_ms == 0)
		c->first_chunk_ms = chunk->ts_ms;
	return writer_append(w, c, chunk);
}

static enum err apply_end(
    struct writer *w, struct writer_change *c, struct batch_end *end)
{
	struct execution e = key_of(c->log);
	struct engine_end last;
	enum err rc;

	rc = writer_append(w, c, &end->chunk);
	if (rc != OK)
		return rc;
	c->metadata = malloc(end->metadata_len + 1);
	if (c->metadata == NULL)
		return ERR_NOMEM;
	memcpy(c->metadata, end->metadata, end->metadata_len);
	c->metadata[end->metadata_len] = '\0';
	c->metadata_len = end->metadata_len;
	c->status = end->status;
	last = (struct engine_end){ .status = end->status,
		.finished_ms = end->chunk.ts_ms,
		.first_chunk_ms = c->first_chunk_ms,
		.next_index = end->chunk.index + 1,
		.metadata = end->metadata,
		.metadata_len = end->metadata_len,
		.error_code =
		    end->error_code_len == 0 ? NULL : end->error_code };
	rc = w->store->engine->execution_end(w->store->db, &e, &last);
	/* Memory says that it lives: the disk may not know better. */
	return rc == ERR_CONFLICT ? ERR_CORRUPT : rc;
}

static enum err apply_record(
    struct writer *w, struct write *x, struct batch_record *r)
{
	struct tail_log *l = tail_find(w->store->tail, &r->id);
	struct writer_change *c;
	enum err rc = ERR_IO;

	/* Late for one that has ended or is gone: normal. */
	if (l == NULL || execution_ended(l->status))
		return OK;
	c = writer_change(&w->tx, l);
	if (c == NULL)
		return ERR_NOMEM;
	if (execution_ended(c->status))
		return OK;
	if (r->kind == BATCH_CHUNK &&
	    (chunklog_next(&l->log) + c->n >= WRITER_MAX_CHUNKS ||
		r->u.chunk.content_len + r->u.chunk.meta_len >
		    WRITER_MAX_CHUNK_BYTES)) {
		x->result = ERR_LIMIT;
		err_why(&x->why,
		    "a log holds at most %d chunks of %zu bytes each",
		    WRITER_MAX_CHUNKS, WRITER_MAX_CHUNK_BYTES);
		return OK;
	}
	switch (r->kind) {
	case BATCH_START: rc = apply_start(w, c, &r->u.start); break;
	case BATCH_CHUNK: rc = apply_chunk(w, c, &r->u.chunk); break;
	case BATCH_END: rc = apply_end(w, c, &r->u.end); break;
	case BATCH_NOTE: rc = apply_note(w, c, &r->u.note); break;
	}
	return rc;
}

enum err writer_apply_batch(struct writer *w, struct write *x)
{
	struct batch_record r;
	size_t offset = 0;
	enum err rc = OK;

	while (rc == OK && batch_each(&x->u.batch, &offset, &r))
		rc = apply_record(w, x, &r);
	return rc;
}
