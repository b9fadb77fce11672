#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"

/* Executions that are taken over in one commit. */
#define TAKE_SOME 2000

/* While rows are read back: which log has this row number? */
struct load {
	struct store *store;
	struct why *why;
	struct tail_log **slot; /* open hash table by row, at most half full */
	size_t n, n_slots;	/* a power of two */
	struct buf packed;
};

static struct tail_log **slot_of(struct load *ld, int64_t row)
{
	uint64_t i = (uint64_t)row * 0x9e3779b97f4a7c15u >> 20;

	for (;; i++) {
		struct tail_log **slot = &ld->slot[i & (ld->n_slots - 1)];

		if (*slot == NULL || (*slot)->row == row)
			return slot;
	}
}

static enum err remember(struct load *ld, struct tail_log *l)
{
	struct tail_log **old = ld->slot;
	size_t n_old = ld->n_slots;

	if (2 * (ld->n + 1) > ld->n_slots) {
		struct tail_log **slot =
		    calloc(n_old == 0 ? 64 : 2 * n_old, sizeof(*slot));

		if (slot == NULL)
			return ERR_NOMEM;
		ld->slot = slot;
		ld->n_slots = n_old == 0 ? 64 : 2 * n_old;
		for (size_t i = 0; i < n_old; i++)
			if (old[i] != NULL)
				*slot_of(ld, old[i]->row) = old[i];
		free(old);
	}
	*slot_of(ld, l->row) = l;
	ld->n++;
	return OK;
}

static enum err keep_unfinished(struct store *store, const struct execution *e)
{
	size_t room = store->unfinished_room;
	void *p;

	if (store->n_unfinished == room) {
		room = room == 0 ? 16 : 2 * room;
		p = realloc(
		    store->unfinished, room * sizeof(*store->unfinished));
		if (p == NULL)
			return ERR_NOMEM;
		store->unfinished = p;
		store->unfinished_room = room;
	}
	p = execution_copy(e);
	if (p == NULL)
		return ERR_NOMEM;
	store->unfinished[store->n_unfinished++] = p;
	return OK;
}

static enum err on_execution(
    void *arg, const struct execution *e, uint64_t packed)
{
	struct load *ld = arg;
	struct tail_log *l = tail_log_new(e, packed);
	enum err rc = ERR_NOMEM;

	if (l == NULL)
		return ERR_NOMEM;
	/* Until its rows are there it counts as live: see settle(). */
	l->first_chunk_ms = e->first_chunk_ms;
	if (execution_ended(e->status)) {
		l->metadata_len = e->metadata_len;
		l->metadata = malloc(e->metadata_len + 1);
		if (l->metadata == NULL)
			goto out;
		memcpy(l->metadata, e->metadata == NULL ? "" : e->metadata,
		    e->metadata_len);
		l->metadata[e->metadata_len] = '\0';
		/* Where it must end, checked in settle(). */
		l->read_at = e->next_index;
	} else if (keep_unfinished(ld->store, e) != OK) {
		goto out;
	}
	rc = remember(ld, l);
	if (rc == OK) {
		tail_insert(ld->store->tail, l);
		l = NULL;
	}
out:
	tail_log_free(l);
	return rc;
}

static enum execution_status status_of(const struct stream *s)
{
	if (s->deleted_ms != 0)
		return EXECUTION_CANCELLED;
	return s->closed ? EXECUTION_COMPLETED : EXECUTION_STREAMING;
}

static enum err on_stream(void *arg, const struct stream *s)
{
	struct load *ld = arg;
	struct stream lent = *s;
	const struct execution e = { .row = s->row,
		.id = s->id,
		.owner = lent.owner,
		.created_ms = s->created_ms,
		.status = status_of(s) };
	struct tail_log *l = tail_log_new(&e, s->packed);
	enum err rc = ERR_NOMEM;

	if (l != NULL)
		rc = remember(ld, l);
	if (rc != OK) {
		tail_log_free(l);
		return rc;
	}
	l->stream = true;
	l->read_at = s->closed ? s->total : 0;
	if (!s->closed)
		atomic_fetch_add(&ld->store->open_streams, 1);
	tail_insert(ld->store->tail, l);
	return OK;
}

static enum err on_chunk(
    void *arg, int64_t row, int64_t seq, const struct chunk *c)
{
	struct load *ld = arg;
	struct writer *w = &ld->store->writer;
	struct tail_log *l = ld->n == 0 ? NULL : *slot_of(ld, row);
	char text[ID_TEXT];
	enum err rc;

	/* Dead: of nobody, or in a segment already. */
	if (l == NULL || c->index < l->packed)
		return OK;
	if (c->index != chunklog_next(&l->log)) {
		id_text(&l->id, text);
		err_why(ld->why,
		    "execution %s: chunk %" PRIu64 " is stored where %" PRIu64
		    " was to follow",
		    text, c->index, chunklog_next(&l->log));
		return ERR_CORRUPT;
	}
	buf_reset(&ld->packed);
	chunk_pack(&ld->packed, c, l->created_ms);
	if (buf_state(&ld->packed) != OK)
		return ERR_NOMEM;
	/* Nobody else is here yet: no lock. */
	rc = chunklog_reserve(&l->log, 1, ld->packed.len);
	if (rc != OK)
		return rc;
	chunklog_append(&l->log, ld->packed.data, (uint32_t)ld->packed.len);
	if (c->attempt > l->attempt)
		l->attempt = c->attempt;
	if (l->first_chunk_ms == 0 && c->index == 0 && c->kind != CHUNK_END)
		l->first_chunk_ms = c->ts_ms;
	/* The first puts it into its place; settle() counts the rest. */
	if (!l->unpacked)
		writer_pack_grown(w, l, 1, seq);
	return OK;
}

/* All rows are there: ended logs are sealed, and must be whole. */
static enum err settle(struct load *ld, struct tail_log *l)
{
	char text[ID_TEXT];
	uint64_t next = chunklog_next(&l->log);

	if (next > l->packed + 1)
		writer_pack_grown(&ld->store->writer, l,
		    (uint32_t)(next - l->packed - 1), l->first_seq);
	if (!execution_ended(l->status)) {
		tail_weigh(ld->store->tail, l);
		return OK;
	}
	if (next != l->read_at || next == 0) {
		id_text(&l->id, text);
		err_why(ld->why,
		    "execution %s has ended with %" PRIu64
		    " chunks, but %" PRIu64 " are stored",
		    text, l->read_at, next);
		return ERR_CORRUPT;
	}
	l->read_at = 0;
	chunklog_seal(&l->log);
	tail_weigh(ld->store->tail, l);
	/* Packed whole, and still here: harmless, and good to evict. */
	if (l->packed == next)
		tail_packed(ld->store->tail, l, next, 0);
	return OK;
}

static int by_age(const void *a, const void *b)
{
	const struct execution *x = *(struct execution *const *)a;
	const struct execution *y = *(struct execution *const *)b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return memcmp(x->id.byte, y->id.byte, sizeof(x->id.byte));
}

/* Become a node, and take what nodes left that are gone. */
static enum err take_over(struct store *store)
{
	const struct engine *engine = store->engine;
	uint32_t n = TAKE_SOME;
	uint64_t epoch;
	enum err rc;

	rc = engine->node_join(store->db, &epoch);
	while (rc == OK && n == TAKE_SOME)
		rc = engine->node_take(store->db, TAKE_SOME, &n);
	return rc;
}

enum err store_load(struct store *store, struct why *why)
{
	struct load ld = { .store = store, .why = why };
	struct engine_live to = { on_execution, on_chunk, &ld, on_stream };
	enum err rc;

	/* One chunk: what a page may hold holds here too. */
	buf_init(&ld.packed, (size_t)64 << 20);
	if (why != NULL)
		why->text[0] = '\0';
	rc = take_over(store);
	if (rc == OK)
		rc = store->engine->live_load(
		    store->db, &to, &store->writer.last_seq);
	/* Dead rows that the last process left behind. */
	store->writer.dropping = true;
	for (size_t i = 0; rc == OK && i < ld.n_slots; i++)
		if (ld.slot[i] != NULL)
			rc = settle(&ld, ld.slot[i]);
	if (rc != OK && why != NULL && why->text[0] == '\0')
		*why = store->db->why;
	if (rc == OK && store->n_unfinished > 1)
		qsort(store->unfinished, store->n_unfinished,
		    sizeof(*store->unfinished), by_age);
	free(ld.slot);
	buf_fini(&ld.packed);
	return rc;
}
