/*
 * Streams: each request reads the record, is judged, and changes it, in the one
 * transaction that also holds its rows; so two of one stream never cross, and
 * what is answered is on disk.
 *
 * A stream that forks read is only hidden when it is deleted; the last fork to
 * go takes it along, and what it was a fork of, if that is hidden too.
 */
#include "store/writer_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/store_internal.h"

#define EXPIRE_SOME 16
#define EXPIRE_EVERY_MS 500
/* What a deletion changes: a page of each index. */
#define DELETE_WAL_BYTES ((size_t)8 << 10)

/* How many messages ${s} has, as far as this transaction has come. */
static uint64_t total_of(struct writer *w, const struct stream *s)
{
	struct tail_log *l = s->closed ? NULL : writer_log(w, &s->id);
	uint64_t n;

	if (l == NULL)
		return s->total;
	n = chunklog_next(&l->log);
	return l->change == 0 ? n : n + w->tx.changes[l->change - 1].n;
}

/* The record, exact. ERR_NOT_FOUND. */
static enum err get(struct writer *w, const struct stream *by, int64_t now_ms,
    struct stream *ret, bool *ret_expired)
{
	struct engine_db *db = w->store->db;
	enum err rc;

	rc = db->engine->stream_get(db, by->owner, by->name, ret);
	if (rc != OK)
		return rc;
	ret->total = total_of(w, ret);
	*ret_expired = stream_expired(ret, now_ms);
	return OK;
}

/* --- deleting --- */

static void note_removed(
    struct stream_write *sw, const struct stream *s, bool hidden)
{
	sw->removed[sw->n_removed++] =
	    (struct stream_removed){ .id = s->id, .hidden = hidden };
}

/* ${s} goes, and what only it has kept; hidden if others read it. */
static enum err remove_stream(struct writer *w, struct stream_write *sw,
    struct stream s, int64_t now_ms, struct audit_counts *gone)
{
	struct engine_db *db = w->store->db;
	enum err rc = OK;

	while (rc == OK) {
		if (s.forks > 0) {
			rc = db->engine->stream_hide(db, &s, now_ms);
			note_removed(sw, &s, true);
			break;
		}
		rc = db->engine->stream_delete(db, &s);
		note_removed(sw, &s, false);
		gone->chunks += s.total - s.first;
		if (rc != OK || s.source_row == 0 ||
		    sw->n_removed > STREAM_MAX_DEPTH)
			break;
		rc = db->engine->stream_at(db, s.source_row, &s);
		if (rc != OK || s.deleted_ms == 0 || s.forks > 0)
			break;
	}
	return rc;
}

void writer_stream_closed(struct writer *w, struct tail_log *l)
{
	atomic_fetch_sub(&w->store->open_streams, 1);
	if (l->unpacked)
		writer_pack_want(w, l);
	else
		tail_packed(w->store->tail, l, l->packed, 0);
}

void writer_stream_settle(struct writer *w, const struct stream_write *sw)
{
	for (uint32_t i = 0; i < sw->n_removed; i++) {
		const struct stream_removed *r = &sw->removed[i];
		struct tail_log *l = tail_find(w->store->tail, &r->id);
		const struct tail_news end = { .status = EXECUTION_CANCELLED };

		/* Whoever waits is told, and finds it gone. */
		if (l != NULL && !execution_ended(l->status)) {
			tail_announce(w->store->tail, l, &end);
			writer_stream_closed(w, l);
		}
		if (!r->hidden)
			writer_clean_forget(w, &r->id);
		w->untidy_bytes += DELETE_WAL_BYTES;
	}
}

static enum err apply_delete(struct writer *w, struct stream_write *sw,
    int64_t now_ms, struct audit_counts *gone)
{
	struct stream s;
	bool expired;
	enum err rc = get(w, &sw->stream, now_ms, &s, &expired);

	if (rc == ERR_NOT_FOUND) {
		sw->outcome = STREAM_NOT_THERE;
		return OK;
	}
	if (rc != OK)
		return rc;
	if (s.deleted_ms != 0 || expired) {
		sw->outcome = expired ? STREAM_NOT_THERE : STREAM_GONE;
		return OK;
	}
	return remove_stream(w, sw, s, now_ms, gone);
}

/* --- growing --- */

static enum err append_all(struct writer *w, const struct stream *s,
    struct writer_change *c, const struct stream_body *body)
{
	bool json = stream_is_json(s->type);
	uint32_t n = stream_count(body, s->type);
	int64_t now_ms = clock_wall_ms();
	enum err rc = OK;

	if (c->first_chunk_ms == 0)
		c->first_chunk_ms = now_ms;
	for (uint32_t i = 0; rc == OK && i < n; i++) {
		struct chunk chunk = { .attempt = i + 1,
			.kind = CHUNK_TEXT,
			.ts_ms = now_ms,
			.content = json ? body->json[i].p : body->bytes,
			.content_len = json ? body->json[i].len : body->len };

		rc = writer_append(w, c, &chunk);
	}
	return rc;
}

/*
 * Add ${body} (NULL: nothing) to ${s}, whose log is in memory because it is
 * open, and close it if it says so. Keeps the record.
 */
static enum err grow(
    struct writer *w, struct stream *s, const struct stream_body *body)
{
	struct engine_db *db = w->store->db;
	struct tail_log *l = writer_log(w, &s->id);
	struct writer_change *c;
	enum err rc = OK;

	if (l == NULL || execution_ended(l->status))
		return ERR_CORRUPT;
	c = writer_change(&w->tx, l);
	if (c == NULL)
		return ERR_NOMEM;
	if (body != NULL) {
		rc = append_all(w, s, c, body);
		s->total += stream_count(body, s->type);
	}
	if (rc == OK && s->closed)
		c->status = EXECUTION_COMPLETED;
	return rc == OK ? db->engine->stream_grown(db, s) : rc;
}

static enum err renew(struct writer *w, struct stream *s, int64_t now_ms)
{
	struct engine_db *db = w->store->db;
	int64_t until = stream_renewal(s, now_ms);

	if (until == 0)
		return OK;
	s->expires_ms = until;
	return db->engine->stream_renewed(db, s->row, until);
}

/* What ${a} says about the stream itself. */
static void mark(struct stream *s, const struct stream_append *a)
{
	if (a->seq[0] != '\0')
		memcpy(s->seq, a->seq, sizeof(s->seq));
	if (a->close) {
		s->closed = true;
		s->closer = a->tuple;
	}
}

static enum err apply_append(
    struct writer *w, struct stream_write *sw, int64_t now_ms)
{
	struct engine_db *db = w->store->db;
	const struct stream_append *a = &sw->append;
	struct stream s;
	bool expired;
	enum err rc = get(w, &sw->stream, now_ms, &s, &expired);

	if (rc == ERR_NOT_FOUND || (rc == OK && expired)) {
		sw->outcome = STREAM_NOT_THERE;
		return OK;
	}
	if (rc == OK && a->tuple.producer[0] != '\0')
		rc = db->engine->producer_get(
		    db, s.row, a->tuple.producer, &sw->producer);
	if (rc != OK)
		return rc;
	sw->outcome = stream_judge(&s, a, &sw->producer);
	if (sw->outcome == STREAM_DONE && a->has_body &&
	    s.total + stream_count(&a->body, s.type) > STREAM_MAX_MESSAGES)
		sw->outcome = STREAM_FULL;
	if (sw->outcome == STREAM_DONE) {
		mark(&s, a);
		rc = grow(w, &s, a->has_body ? &a->body : NULL);
		if (rc == OK && a->tuple.producer[0] != '\0')
			rc = db->engine->producer_put(
			    db, s.row, &a->tuple, sw->producer.known, s.total);
	}
	if (rc == OK && s.deleted_ms == 0)
		rc = renew(w, &s, now_ms);
	sw->stream = s;
	return rc;
}

static enum err apply_renew(
    struct writer *w, struct stream_write *sw, int64_t now_ms)
{
	struct stream s;
	bool expired;
	enum err rc = get(w, &sw->stream, now_ms, &s, &expired);

	if (rc == ERR_NOT_FOUND ||
	    (rc == OK && (expired || s.deleted_ms != 0))) {
		sw->outcome = STREAM_NOT_THERE;
		return OK;
	}
	return rc == OK ? renew(w, &s, now_ms) : rc;
}

/* --- creating --- */

/* The row ${place} of ${s}, or of what that is a fork of, into ${ret}. */
static enum err read_row(
    struct writer *w, struct stream s, uint64_t place, struct page *ret)
{
	const struct page_query q = { place, 1, 1 };
	struct engine_db *db = w->store->db;
	enum err rc = OK;

	while (rc == OK && place < s.first)
		rc = db->engine->stream_at(db, s.source_row, &s);
	if (rc == OK)
		rc = tail_page(w->store, &s.id, NULL, &q, ret);
	if (rc == ERR_NOT_FOUND)
		rc = db->engine->chunk_page(db, &s.id, NULL, &q, ret);
	return rc == OK && ret->n != 1 ? ERR_CORRUPT : rc;
}

static enum err read_chunk(struct writer *w, const struct stream *s,
    uint64_t place, struct page *page, struct chunk *ret)
{
	struct page_cursor at = { 0 };
	enum err rc = read_row(w, *s, place, page);

	if (rc == OK && !page_each(page, &at, ret))
		rc = ERR_CORRUPT;
	return rc;
}

/* Messages from ${from} on, so many of one append: are they there? */
static enum err one_append(struct writer *w, const struct stream *source,
    uint64_t from, uint64_t n, bool *ret)
{
	uint32_t first = 0;
	struct page page;
	struct chunk c;
	enum err rc;

	page_init(&page);
	rc = read_chunk(w, source, from, &page, &c);
	if (rc == OK)
		first = c.attempt;
	if (rc == OK)
		rc = read_chunk(w, source, from + n - 1, &page, &c);
	if (rc == OK)
		*ret = c.attempt == first + n - 1;
	page_fini(&page);
	return rc;
}

/*
 * Where ${s}, a fork of ${source}, begins: at messages of an append, or with
 * the first bytes of one, which are ${ret_slice} then (of ${page}).
 */
static enum err place_fork(struct writer *w, struct stream_write *sw,
    const struct stream *source, struct page *page, struct chunk *ret_slice)
{
	struct stream *s = &sw->stream;
	uint64_t sub = s->fork_sub;
	bool whole = true;
	enum err rc = OK;

	s->first = s->fork_at;
	if (s->fork_at > source->total ||
	    (sub > 0 && s->fork_at == source->total)) {
		sw->outcome = STREAM_BEYOND;
		return OK;
	}
	if (sub == 0)
		return OK;
	if (stream_is_json(source->type)) {
		whole = sub <= source->total - s->fork_at;
		if (whole)
			rc = one_append(w, source, s->fork_at, sub, &whole);
		s->first += sub;
	} else {
		rc = read_chunk(w, source, s->fork_at, page, ret_slice);
		whole = rc == OK && sub <= ret_slice->content_len;
		ret_slice->content_len = (size_t)sub;
	}
	if (rc == OK && !whole)
		sw->outcome = STREAM_BEYOND;
	return rc;
}

/* How many forks lie between ${s} and what is none. */
static enum err depth_of(struct writer *w, const struct stream *s, int *ret)
{
	struct engine_db *db = w->store->db;
	struct stream at = *s;
	enum err rc = OK;

	for (*ret = 0; rc == OK && at.source_row != 0; ++*ret)
		rc = db->engine->stream_at(db, at.source_row, &at);
	return rc;
}

/* The source of ${sw}'s fork, or why there is none. */
static enum err find_source(struct writer *w, struct stream_write *sw,
    int64_t now_ms, struct stream *ret)
{
	struct stream *s = &sw->stream, by = *s;
	bool expired = false;
	int depth = 0;
	enum err rc;

	memcpy(by.name, s->source, sizeof(by.name));
	rc = get(w, &by, now_ms, ret, &expired);
	if (rc == ERR_NOT_FOUND || (rc == OK && expired)) {
		sw->outcome = STREAM_NO_SOURCE;
		return OK;
	}
	if (rc != OK)
		return rc;
	if (ret->deleted_ms != 0)
		sw->outcome = STREAM_SOURCE_GONE;
	else if (s->type[0] != '\0' && !stream_same_type(s->type, ret->type))
		sw->outcome = STREAM_OTHER_TYPE;
	if (sw->outcome != STREAM_DONE)
		return OK;
	rc = depth_of(w, ret, &depth);
	if (rc == OK && depth + 1 >= STREAM_MAX_DEPTH)
		sw->outcome = STREAM_TOO_DEEP;
	return rc;
}

/* What a fork has of its source unless it asks for something else. */
static void inherit(
    struct stream_write *sw, const struct stream *source, int64_t now_ms)
{
	struct stream *s = &sw->stream;

	s->source_row = source->row;
	if (sw->at_tail)
		s->fork_at = source->total;
	if (s->type[0] == '\0')
		memcpy(s->type, source->type, sizeof(s->type));
	if (s->ttl_s >= 0 || s->expires_at[0] != '\0')
		return;
	s->ttl_s = source->ttl_s;
	memcpy(s->expires_at, source->expires_at, sizeof(s->expires_at));
	s->expires_ms = source->ttl_s < 0 ? source->expires_ms : now_ms;
}

/* The record and the log of ${s}, empty. */
static enum err insert(struct writer *w, struct stream *s)
{
	struct engine_db *db = w->store->db;
	struct writer_tx *tx = &w->tx;
	struct tail_log *l;
	enum err rc;

	s->id = id_new();
	s->packed = s->total = s->first;
	rc = db->engine->stream_insert(db, s);
	if (rc != OK)
		return rc;
	l = tail_log_new(&(struct execution){ .row = s->row,
			     .id = s->id,
			     .owner = s->owner,
			     .created_ms = s->created_ms,
			     .status = EXECUTION_STREAMING },
	    s->first);
	if (l == NULL)
		return ERR_NOMEM;
	l->stream = true;
	*tx->created_tail = l;
	tx->created_tail = &l->next;
	tx->n_streams++;
	return OK;
}

static enum err create_new(
    struct writer *w, struct stream_write *sw, int64_t now_ms)
{
	const struct stream_body *body = &sw->append.body;
	struct stream *s = &sw->stream, source;
	struct chunk slice = { .content = NULL };
	struct stream_body cut = { 0 };
	struct page page;
	enum err rc = OK;

	page_init(&page);
	s->created_ms = now_ms;
	if (s->source[0] != '\0') {
		rc = find_source(w, sw, now_ms, &source);
		if (rc == OK && sw->outcome == STREAM_DONE) {
			inherit(sw, &source, now_ms);
			rc = place_fork(w, sw, &source, &page, &slice);
		}
	}
	if (rc == OK && sw->outcome == STREAM_DONE && sw->append.has_body &&
	    stream_is_json(s->type) && !body->is_json)
		sw->outcome = STREAM_NOT_JSON;
	if (rc == OK && sw->outcome == STREAM_DONE &&
	    atomic_load(&w->store->open_streams) + w->tx.n_streams >=
		STREAM_MAX_OPEN)
		sw->outcome = STREAM_TOO_MANY;
	if (rc != OK || sw->outcome != STREAM_DONE)
		goto out;
	if (s->ttl_s >= 0)
		s->expires_ms = now_ms;
	if (s->ttl_s >= 0)
		s->expires_ms = stream_renewal(s, now_ms);
	rc = insert(w, s);
	if (rc == OK && slice.content_len > 0) {
		cut.bytes = slice.content;
		cut.len = slice.content_len;
		rc = grow(w, s, &cut);
	}
	if (rc == OK && (sw->append.has_body || sw->append.close)) {
		s->closed = sw->append.close;
		rc = grow(w, s, sw->append.has_body ? body : NULL);
	}
out:
	page_fini(&page);
	return rc;
}

static enum err apply_create(struct writer *w, struct stream_write *sw,
    int64_t now_ms, struct audit_counts *gone)
{
	struct stream there;
	bool expired = false;
	enum err rc = get(w, &sw->stream, now_ms, &there, &expired);

	if (rc != OK && rc != ERR_NOT_FOUND)
		return rc;
	if (rc == OK && expired) {
		/* What forks still read keeps its name until they are gone. */
		sw->outcome = there.forks > 0 ? STREAM_TAKEN : STREAM_DONE;
		rc = remove_stream(w, sw, there, now_ms, gone);
		if (rc != OK || sw->outcome != STREAM_DONE)
			return rc;
	} else if (rc == OK) {
		sw->stream.closed = sw->append.close;
		sw->outcome =
		    there.deleted_ms == 0 &&
			    stream_same(&there, &sw->stream, sw->at_tail)
			? STREAM_SAME
			: STREAM_TAKEN;
		sw->stream = there;
		return OK;
	}
	return create_new(w, sw, now_ms);
}

enum err writer_stream_apply(
    struct writer *w, struct write *x, struct audit_counts *gone)
{
	struct stream_write *sw = x->u.stream;
	int64_t now_ms = clock_wall_ms();
	enum err rc = OK;

	sw->outcome = STREAM_DONE;
	sw->n_removed = 0;
	switch (sw->kind) {
	case STREAM_CREATE: rc = apply_create(w, sw, now_ms, gone); break;
	case STREAM_APPEND: rc = apply_append(w, sw, now_ms); break;
	case STREAM_RENEW: rc = apply_renew(w, sw, now_ms); break;
	case STREAM_DELETE: rc = apply_delete(w, sw, now_ms, gone); break;
	}
	return rc;
}

/* --- what has expired --- */

struct expiry {
	struct stream list[EXPIRE_SOME];
	struct stream_write done[EXPIRE_SOME];
	uint32_t n;
};

static enum err expire_some(struct writer *w, struct expiry *e, int64_t now_ms)
{
	struct engine_db *db = w->store->db;
	struct audit_counts gone = { 0 };
	enum err rc = db->engine->begin(db);

	if (rc != OK)
		return rc;
	for (uint32_t i = 0; rc == OK && i < e->n; i++) {
		struct stream s;

		/* One that went before it may have changed it. */
		rc = db->engine->stream_at(db, e->list[i].row, &s);
		if (rc == ERR_NOT_FOUND) {
			rc = OK;
			continue;
		}
		s.total = total_of(w, &s);
		if (rc == OK)
			rc = remove_stream(w, &e->done[i], s, now_ms, &gone);
	}
	if (rc == OK)
		rc = db->engine->audit_put(db, &w->expire_as, &gone, now_ms);
	if (rc == OK)
		return db->engine->commit(db);
	db->engine->rollback(db);
	return rc;
}

enum err writer_stream_turn(struct writer *w)
{
	struct engine_db *db = w->store->db;
	int64_t now_ms = clock_wall_ms();
	struct expiry *e;
	enum err rc;

	if (clock_mono_ms() < w->expire_ms)
		return OK;
	w->expire_ms = clock_mono_ms() + EXPIRE_EVERY_MS;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return OK;
	rc =
	    db->engine->stream_expired(db, now_ms, EXPIRE_SOME, e->list, &e->n);
	if (rc == OK && e->n > 0)
		rc = expire_some(w, e, now_ms);
	for (uint32_t i = 0; rc == OK && i < e->n; i++)
		writer_stream_settle(w, &e->done[i]);
	if (rc == OK && e->n == EXPIRE_SOME)
		w->expire_ms = 0;
	free(e);
	rc = writer_verdict(rc);
	return writer_may_retry(rc) ? OK : rc;
}
