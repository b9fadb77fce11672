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

struct tail_log *writer_log(struct writer *w, const struct id *id)
{
	struct tail_log *l = tail_find(w->store->tail, id);

	if (l != NULL)
		return l;
	l = w->tx.created;
	while (l != NULL && !id_equal(&l->id, id))
		l = l->next;
	return l;
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
	if (rc == ERR_NOT_FOUND && x->u.create.only_existing) {
		x->result = ERR_NOT_FOUND;
		err_why(&x->why, "this idempotency key was not used yet");
		rc = OK;
	} else if (rc == ERR_NOT_FOUND) {
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
	if (x->u.create.only_existing)
		return find_earlier(w, x);
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

/* Why is it not there? */
static enum err find_tombstone(struct writer *w, struct write *x)
{
	const char *owner = x->u.remove.owner;
	enum err rc;

	rc = w->store->engine->tombstone_get(w->store->db, &x->u.remove.id,
	    owner[0] == '\0' ? NULL : owner, &x->u.remove.deleted_ms);
	if (rc != OK && rc != ERR_NOT_FOUND)
		return rc;
	x->result = rc == OK ? ERR_GONE : ERR_NOT_FOUND;
	err_why(&x->why, "%s",
	    rc == OK ? "it has been deleted" : "there is no such execution");
	return OK;
}

static enum err apply_delete(
    struct writer *w, struct write *x, struct audit_counts *gone)
{
	const struct engine *engine = w->store->engine;
	const char *owner = x->u.remove.owner;
	struct tail_log *l = tail_find(w->store->tail, &x->u.remove.id);
	struct execution_brief b = { 0 };
	enum err rc;

	rc = engine->execution_brief(
	    w->store->db, &x->u.remove.id, owner[0] == '\0' ? NULL : owner, &b);
	if (rc == ERR_NOT_FOUND)
		return find_tombstone(w, x);
	if (rc != OK)
		return rc;
	/* What ends in this very transaction has not ended for anybody yet. */
	if (!execution_ended(b.status) ||
	    (l != NULL && !execution_ended(l->status))) {
		x->result = ERR_CONFLICT;
		err_why(&x->why, "it has not ended; cancel it first");
		return OK;
	}
	*gone = (struct audit_counts){ 1,
		b.payload_deleted_ms == 0 ? b.chunks : 0, b.bytes };
	return engine->execution_delete(w->store->db, b.row, clock_wall_ms());
}

static enum err apply_tombstones_drop(struct writer *w, struct write *x)
{
	if (x->u.tombstones_drop.limit > WRITE_TOMBSTONES_MAX) {
		x->result = ERR_INPUT;
		err_why(&x->why, "more than %d tombstones at once",
		    WRITE_TOMBSTONES_MAX);
		return OK;
	}
	return w->store->engine->tombstones_drop(w->store->db,
	    x->u.tombstones_drop.before_ms, x->u.tombstones_drop.limit,
	    &x->u.tombstones_drop.dropped);
}

/* Has ${x}, which is done, something to say in the audit? */
static bool is_audited(const struct write *x)
{
	if (x->audit == NULL || x->result != OK)
		return false;
	/* With its record, which may come later (writer_import.c). */
	if (x->kind == WRITE_IMPORT)
		return false;
	if (x->kind == WRITE_STREAM)
		return x->u.stream->outcome == STREAM_DONE;
	return x->kind != WRITE_TOMBSTONES_DROP ||
	       x->u.tombstones_drop.dropped > 0;
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

static enum err apply_provider_key(struct writer *w, struct write *x)
{
	const struct provider_key *k = x->u.provider_key;
	struct engine_db *db = w->store->db;
	enum err rc;

	if (x->kind == WRITE_PROVIDER_KEY_DELETE)
		return alone(x,
		    db->engine->provider_key_delete(db, k->owner, k->upstream),
		    ERR_NOT_FOUND, "there is no such key");
	rc = vault_reserve(&w->store->vault, ++w->tx.n_provider_keys);
	return rc == OK ? db->engine->provider_key_put(db, k) : rc;
}

enum err writer_apply(struct writer *w, struct write *x)
{
	struct engine_db *db = w->store->db;
	struct audit_counts gone = { 0 };
	enum err rc = OK;

	x->result = OK;
	switch (x->kind) {
	case WRITE_CREATE: rc = apply_create(w, x); break;
	case WRITE_BATCH: rc = writer_apply_batch(w, x); break;
	case WRITE_DELETE: rc = apply_delete(w, x, &gone); break;
	case WRITE_KEY_ADD:
	case WRITE_KEY_REVOKE: rc = apply_key(w, x); break;
	case WRITE_PROVIDER_KEY_PUT:
	case WRITE_PROVIDER_KEY_DELETE: rc = apply_provider_key(w, x); break;
	case WRITE_PROMPT_ADD:
		rc = db->engine->prompt_insert(db, &x->u.prompt_add);
		break;
	case WRITE_PROMPT_DELETE:
		rc = alone(x,
		    db->engine->prompt_delete(
			db, x->u.prompt_delete.owner, x->u.prompt_delete.name),
		    ERR_NOT_FOUND, "there is no such prompt");
		break;
	case WRITE_IMPORT: rc = writer_import_apply(w, x); break;
	case WRITE_TOMBSTONES_DROP: rc = apply_tombstones_drop(w, x); break;
	case WRITE_STREAM: rc = writer_stream_apply(w, x, &gone); break;
	case WRITE_AUDIT: break;
	/* They begin when what came before them is committed. */
	case WRITE_COPY:
	case WRITE_PRUNE: return OK;
	}
	if (rc == OK && is_audited(x))
		rc =
		    db->engine->audit_put(db, x->audit, &gone, clock_wall_ms());
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
	tx->n_keys = tx->n_provider_keys = 0;
	tx->n_created = tx->n_streams = 0;
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
	atomic_fetch_add(&store->open_streams, tx->n_streams);
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
		if (c->log->stream && execution_ended(c->status))
			writer_stream_closed(w, c->log);
	}
	w->untidy_bytes += tx->bytes.len;
	clear(tx);
}

void writer_settle(struct writer *w, struct write *x)
{
	struct store *store = w->store;

	if (x->kind == WRITE_KEY_ADD) {
		keyring_add(&store->keyring, &x->u.key_add);
	} else if (x->kind == WRITE_KEY_REVOKE) {
		keyring_revoke(
		    &store->keyring, &x->u.key_revoke.id, clock_wall_ms());
	} else if (x->kind == WRITE_PROVIDER_KEY_PUT) {
		vault_put(&store->vault, x->u.provider_key);
	} else if (x->kind == WRITE_PROVIDER_KEY_DELETE) {
		vault_drop(&store->vault, x->u.provider_key->owner,
		    x->u.provider_key->upstream);
	} else if (x->kind == WRITE_DELETE) {
		writer_clean_forget(w, &x->u.remove.id);
		atomic_fetch_add(&store->deleted, 1);
	} else if (x->kind == WRITE_STREAM) {
		writer_stream_settle(w, x->u.stream);
	}
}

void writer_undo(struct writer *w)
{
	struct writer_tx *tx = &w->tx;

	for (uint32_t i = 0; i < tx->n_changes; i++) {
		tx->changes[i].log->change = 0;
		free(tx->changes[i].metadata);
	}
	/* After their changes. */
	while (tx->created != NULL) {
		struct tail_log *l = tx->created;

		tx->created = l->next;
		tail_log_free(l);
	}
	clear(tx);
}
