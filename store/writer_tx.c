/*
 * One transaction. Readers see nothing of it before the commit: rows go to the
 * engine at once, and what memory is to show of them is staged here. Room is
 * reserved before the commit, so that after it nothing can fail.
 */
#include "store/writer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"

/* Beyond any transaction: a bound for one enormous batch. */
#define TX_MAX_BYTES ((size_t)512 << 20)

void writer_tx_init(struct writer_tx *tx)
{
	*tx = (struct writer_tx){ 0 };
	buf_init(&tx->bytes, TX_MAX_BYTES);
	tx->created_tail = &tx->created;
}

void writer_tx_fini(struct writer_tx *tx)
{
	buf_fini(&tx->bytes);
	free(tx->stages);
	free(tx->changes);
}

bool writer_may_retry(enum err rc)
{
	return rc == ERR_FULL || rc == ERR_NOMEM || rc == ERR_BUSY;
}

enum err writer_verdict(enum err rc)
{
	if (rc == OK || rc == ERR_CORRUPT || writer_may_retry(rc))
		return rc;
	/* Room that is bounded by us is as good as no memory. */
	return rc == ERR_LIMIT ? ERR_NOMEM : ERR_IO;
}

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

/* The change of ${l} in this transaction; NULL without memory. */
static struct writer_change *change_of(struct writer_tx *tx, struct tail_log *l)
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

static enum err append(
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

static enum err apply_chunk(
    struct writer *w, struct writer_change *c, struct chunk *chunk)
{
	if (c->first_chunk_ms == 0)
		c->first_chunk_ms = chunk->ts_ms;
	return append(w, c, chunk);
}

static enum err apply_end(
    struct writer *w, struct writer_change *c, struct batch_end *end)
{
	struct execution e = key_of(c->log);
	struct engine_end last;
	enum err rc;

	rc = append(w, c, &end->chunk);
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
	c = change_of(&w->tx, l);
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
	}
	return rc;
}

static enum err apply_batch(struct writer *w, struct write *x)
{
	struct batch_record r;
	size_t offset = 0;
	enum err rc = OK;

	while (rc == OK && batch_each(&x->u.batch, &offset, &r))
		rc = apply_record(w, x, &r);
	return rc;
}

/* The owner has used the key: for the same request, or for another? */
static enum err find_earlier(struct writer *w, struct write *x)
{
	struct execution *e = x->u.create.execution;
	struct execution earlier = { 0 };
	enum err rc = ERR_NOT_FOUND;

	if (e->idempotency_key != NULL)
		rc = w->store->engine->execution_by_key(
		    w->store->db, e->owner, e->idempotency_key, &earlier);
	if (rc == ERR_NOT_FOUND) {
		x->result = ERR_CONFLICT;
		err_why(&x->why, "an execution with this id is there already");
		rc = OK;
	} else if (rc == OK && memcmp(earlier.request_hash, e->request_hash,
				   DIGEST_BYTES) != 0) {
		x->result = ERR_CONFLICT;
		err_why(&x->why,
		    "this idempotency key was used for another request");
	} else if (rc == OK) {
		e->id = earlier.id;
		e->row = earlier.row;
		e->status = earlier.status;
		x->u.create.existed = true;
	}
	execution_fini(&earlier);
	return rc;
}

static enum err apply_create(struct writer *w, struct write *x)
{
	struct execution *e = x->u.create.execution;
	struct writer_tx *tx = &w->tx;
	struct tail_log *l;
	enum err rc;

	ASSERT(e->row == 0 && e->status == EXECUTION_QUEUED);
	x->u.create.existed = false;
	rc = w->store->engine->execution_insert(w->store->db, e);
	if (rc == ERR_CONFLICT)
		return find_earlier(w, x);
	if (rc != OK)
		return rc;
	l = tail_log_new(e, 0);
	if (l == NULL)
		return ERR_NOMEM;
	*tx->created_tail = l;
	tx->created_tail = &l->next;
	tx->n_created++;
	return OK;
}

static enum err apply_delete(struct writer *w, struct write *x)
{
	const struct engine *engine = w->store->engine;
	const char *owner = x->u.remove.owner;
	struct tail_log *l = tail_find(w->store->tail, &x->u.remove.id);
	struct execution e = { 0 };
	enum err rc;

	rc = engine->execution_get(
	    w->store->db, &x->u.remove.id, owner[0] == '\0' ? NULL : owner, &e);
	/* What ends in this very transaction has not ended for anybody yet. */
	if (rc == OK && (!execution_ended(e.status) ||
			    (l != NULL && !execution_ended(l->status))))
		rc = ERR_CONFLICT;
	if (rc == OK)
		rc = engine->execution_delete(w->store->db, &e);
	execution_fini(&e);
	if (rc == ERR_NOT_FOUND || rc == ERR_CONFLICT) {
		x->result = rc;
		err_why(&x->why, "%s",
		    rc == ERR_CONFLICT ? "it has not ended; cancel it first"
				       : "there is no such execution");
		rc = OK;
	}
	return rc;
}

/* ${rc} of a write that may fail alone with ${alone}. */
static enum err alone(
    struct write *x, enum err rc, enum err allowed, const char *words)
{
	if (rc != allowed)
		return rc;
	x->result = rc;
	err_why(&x->why, "%s", words);
	return OK;
}

static enum err apply_key(struct writer *w, struct write *x)
{
	struct engine_db *db = w->store->db;
	const char *owner = x->u.key_revoke.owner;
	enum err rc;

	if (x->kind == WRITE_KEY_ADD) {
		rc = keyring_reserve(&w->store->keyring, ++w->tx.n_keys);
		if (rc == OK)
			rc = db->engine->key_insert(db, &x->u.key_add);
		return alone(x, rc, ERR_CONFLICT, "this key is there already");
	}
	rc = db->engine->key_revoke(db, &x->u.key_revoke.id,
	    owner[0] == '\0' ? NULL : owner, clock_wall_ms());
	return alone(x, rc, ERR_NOT_FOUND, "there is no such key");
}

enum err writer_apply(struct writer *w, struct write *x)
{
	struct engine_db *db = w->store->db;
	enum err rc = OK;

	x->result = OK;
	switch (x->kind) {
	case WRITE_CREATE: rc = apply_create(w, x); break;
	case WRITE_BATCH: rc = apply_batch(w, x); break;
	case WRITE_DELETE: rc = apply_delete(w, x); break;
	case WRITE_KEY_ADD:
	case WRITE_KEY_REVOKE: rc = apply_key(w, x); break;
	case WRITE_PROMPT_ADD:
		rc = db->engine->prompt_insert(db, &x->u.prompt_add);
		break;
	case WRITE_PROMPT_DELETE:
		rc = alone(x,
		    db->engine->prompt_delete(
			db, x->u.prompt_delete.owner, x->u.prompt_delete.name),
		    ERR_NOT_FOUND, "there is no such prompt");
		break;
	}
	return writer_verdict(rc);
}

enum err writer_reserve(struct writer *w)
{
	enum err rc = OK;

	for (uint32_t i = 0; rc == OK && i < w->tx.n_changes; i++) {
		struct writer_change *c = &w->tx.changes[i];

		if (c->n > 0)
			rc = tail_reserve(
			    w->store->tail, c->log, c->n, c->bytes);
	}
	return writer_verdict(rc);
}

/* Ready for the next transaction; the memory stays, within reason. */
static void clear(struct writer_tx *tx)
{
	tx->n_stages = tx->n_changes = 0;
	tx->n_keys = tx->n_created = 0;
	tx->created = NULL;
	tx->created_tail = &tx->created;
	if (tx->bytes.cap > (size_t)16 << 20)
		buf_fini(&tx->bytes);
	buf_reset(&tx->bytes);
}

void writer_announce(struct writer *w)
{
	struct writer_tx *tx = &w->tx;
	struct store *store = w->store;

	atomic_fetch_add(&store->executions, tx->n_created);
	atomic_fetch_add(&store->chunks, tx->n_stages);
	while (tx->created != NULL) {
		struct tail_log *l = tx->created;

		tx->created = l->next;
		l->next = NULL;
		tail_insert(store->tail, l);
	}
	for (uint32_t i = 0; i < tx->n_changes; i++) {
		struct writer_change *c = &tx->changes[i];
		struct tail_news news = { .status = c->status,
			.attempt = c->attempt,
			.n = c->n,
			.bytes = tx->bytes.data,
			.stages = tx->stages,
			.first = c->first,
			.metadata = c->metadata,
			.metadata_len = c->metadata_len };

		c->log->change = 0;
		c->log->first_chunk_ms = c->first_chunk_ms;
		tail_announce(store->tail, c->log, &news);
		if (c->n > 0)
			writer_pack_grown(w, c->log, c->n, c->first_seq);
	}
	w->untidy_bytes += tx->bytes.len;
	clear(tx);
}

void writer_settle(struct writer *w, struct write *x)
{
	struct store *store = w->store;
	struct tail_log *l;

	if (x->kind == WRITE_KEY_ADD) {
		keyring_add(&store->keyring, &x->u.key_add);
	} else if (x->kind == WRITE_KEY_REVOKE) {
		keyring_revoke(
		    &store->keyring, &x->u.key_revoke.id, clock_wall_ms());
	} else if (x->kind == WRITE_DELETE) {
		l = tail_find(store->tail, &x->u.remove.id);
		if (l != NULL) {
			writer_pack_forget(w, l);
			tail_remove(store->tail, l);
		}
	}
}

void writer_undo(struct writer *w)
{
	struct writer_tx *tx = &w->tx;

	while (tx->created != NULL) {
		struct tail_log *l = tx->created;

		tx->created = l->next;
		tail_log_free(l);
	}
	for (uint32_t i = 0; i < tx->n_changes; i++) {
		tx->changes[i].log->change = 0;
		free(tx->changes[i].metadata);
	}
	clear(tx);
}
