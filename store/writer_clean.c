/*
 * Deleting, between commits. A prune takes away records, a few at a time; the
 * payload of what is gone is the trash, which is emptied when no prune is
 * under way; then the file shrinks. Each turn is one transaction, so a crash
 * leaves a shorter list for the next process and nothing else.
 *
 *   prunes ──none──► trash ──none──► shrink ──enough──► rest
 *
 * A single delete is done with the other writes of a commit; one that found no
 * room comes here, behind the prunes: the little that it needs is what makes
 * room for the others.
 */
#include "store/writer_internal.h"

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"

/* One turn: what a commit may have to wait for. */
#define TURN_EXECUTIONS 32
#define TURN_TRASH 64
#define TURN_TRASH_BYTES ((size_t)64 << 10)
#define TURN_SHRINK_MS 1
/* What one of them changes beside its payload: a page of each index. */
#define EXECUTION_WAL_BYTES ((size_t)8 << 10)
#define SHRINK_WAL_BYTES ((size_t)256 << 10)
#define PUT_OFF_MS 1000

/* For those who ask how the store is. One that has failed does nothing more. */
static void tell(const struct writer *w)
{
	atomic_store(&w->store->cleaning,
	    atomic_load(&w->store->failed) == OK &&
		(w->prunes != NULL || w->trash || w->shrinking));
}

static struct write *first(const struct writer *w)
{
	return (struct write *)(void *)w->prunes;
}

static struct write *shift(struct writer *w)
{
	struct write *x = first(w);

	w->prunes = w->prunes->next;
	if (w->prunes == NULL)
		w->prunes_tail = &w->prunes;
	w->prune_next = 0;
	return x;
}

static void append(struct writer *w, struct write *x)
{
	x->mail.next = NULL;
	*w->prunes_tail = &x->mail;
	w->prunes_tail = &x->mail.next;
}

void writer_clean_retry(struct writer *w, struct write *x)
{
	ASSERT(x->kind == WRITE_DELETE);
	append(w, x);
	tell(w);
}

struct write *writer_clean_begin(struct writer *w, struct write *x)
{
	x->u.prune.gone = (struct audit_counts){ 0 };
	x->u.prune.absent = x->u.prune.live = 0;
	if (x->u.prune.n > WRITE_PRUNE_MAX) {
		x->result = ERR_INPUT;
		err_why(&x->why, "more than %d executions at once",
		    WRITE_PRUNE_MAX);
		return x;
	}
	if (x->u.prune.n == 0)
		return x;
	append(w, x);
	tell(w);
	return NULL;
}

struct write *writer_clean_stop(
    struct writer *w, enum err rc, const struct why *why)
{
	struct write *x = w->prunes == NULL ? NULL : shift(w);

	tell(w);
	if (x == NULL)
		return NULL;
	x->result = rc;
	x->why = *why;
	return x;
}

void writer_clean_forget(struct writer *w, const struct id *id)
{
	struct tail_log *l = tail_find(w->store->tail, id);

	w->trash = true;
	/* Its live rows, packed or not, go without waiting for more dead ones. */
	w->deleted_seq = w->last_seq + 1;
	tell(w);
	if (l == NULL)
		return;
	writer_pack_forget(w, l);
	tail_remove(w->store->tail, l);
}

int64_t writer_clean_wait_ms(const struct writer *w)
{
	int64_t left;

	/* A copy has enough to do with what moves by itself. */
	if (w->prunes == NULL && !w->trash &&
	    (!w->shrink || w->copying != NULL))
		return -1;
	left = w->clean_after_ms - clock_mono_ms();
	return left > 0 ? left : 0;
}

void writer_clean_rest(struct writer *w, int64_t ms)
{
	int64_t until = clock_mono_ms() + ms;

	if (w->clean_after_ms < until)
		w->clean_after_ms = until;
}

/* One of ${x}'s executions, in the open transaction. */
static enum err delete_one(struct writer *w, const struct write *x,
    const struct id *id, int64_t now_ms, struct audit_counts *gone,
    enum err *ret_result)
{
	const struct engine *engine = w->store->engine;
	const char *owner = x->u.prune.owner;
	struct execution_brief b = { 0 };
	enum err rc;

	rc = engine->execution_brief(
	    w->store->db, id, owner[0] == '\0' ? NULL : owner, &b);
	if (rc == OK && !execution_ended(b.status))
		rc = ERR_CONFLICT;
	else if (rc == OK && x->u.prune.payload_only &&
		 b.payload_deleted_ms != 0)
		rc = ERR_NOT_FOUND;
	*ret_result = rc;
	if (rc != OK)
		return rc == ERR_CONFLICT || rc == ERR_NOT_FOUND ? OK : rc;
	if (x->u.prune.payload_only)
		rc = engine->payload_delete(w->store->db, b.row, now_ms);
	else
		rc = engine->execution_delete(w->store->db, b.row, now_ms);
	gone->executions++;
	gone->chunks += b.payload_deleted_ms == 0 ? b.chunks : 0;
	gone->bytes += b.bytes - (x->u.prune.payload_only ? b.record_bytes : 0);
	return rc;
}

/* What a turn has done, for when it is durable. */
struct slice {
	uint32_t n;
	enum err result[TURN_EXECUTIONS];
	struct audit_counts gone;
};

static enum err delete_some(
    struct writer *w, const struct write *x, struct slice *s)
{
	int64_t now_ms = clock_wall_ms();
	enum err rc = OK;

	while (rc == OK && s->n < TURN_EXECUTIONS &&
	       w->prune_next + s->n < x->u.prune.n) {
		rc = delete_one(w, x, &x->u.prune.ids[w->prune_next + s->n],
		    now_ms, &s->gone, &s->result[s->n]);
		s->n++;
	}
	if (rc == OK && x->audit != NULL && s->gone.executions > 0)
		rc = w->store->engine->audit_put(
		    w->store->db, x->audit, &s->gone, now_ms);
	return rc;
}

/* The turn is durable: memory and the asker may know. */
static void settle(struct writer *w, struct write *x, const struct slice *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->result[i] == OK)
			writer_clean_forget(
			    w, &x->u.prune.ids[w->prune_next + i]);
		else if (s->result[i] == ERR_CONFLICT)
			x->u.prune.live++;
		else
			x->u.prune.absent++;
	}
	x->u.prune.gone.executions += s->gone.executions;
	x->u.prune.gone.chunks += s->gone.chunks;
	x->u.prune.gone.bytes += s->gone.bytes;
	w->prune_next += s->n;
	w->untidy_bytes += s->gone.executions * EXECUTION_WAL_BYTES;
	if (!x->u.prune.payload_only)
		atomic_fetch_add(&w->store->deleted, s->gone.executions);
}

static enum err prune_turn(struct writer *w, struct write **ret_done)
{
	struct store *store = w->store;
	struct write *x = first(w);
	struct slice s = { 0 };
	enum err rc;

	rc = store->engine->begin(store->db);
	if (rc != OK)
		return rc;
	rc = delete_some(w, x, &s);
	if (rc != OK) {
		store->engine->rollback(store->db);
		return rc;
	}
	rc = store->engine->commit(store->db);
	if (rc != OK)
		return rc;
	settle(w, x, &s);
	if (w->prune_next == x->u.prune.n)
		*ret_done = shift(w);
	return OK;
}

/* The first one is a WRITE_DELETE: on its own what it was with others. */
static enum err delete_turn(struct writer *w, struct write **ret_done)
{
	struct store *store = w->store;
	struct write *x = first(w);
	enum err rc;

	rc = store->engine->begin(store->db);
	if (rc != OK)
		return rc;
	rc = writer_apply(w, x);
	if (rc != OK) {
		store->engine->rollback(store->db);
		return rc;
	}
	rc = store->engine->commit(store->db);
	if (rc != OK)
		return rc;
	if (x->result == OK)
		writer_settle(w, x);
	w->untidy_bytes += EXECUTION_WAL_BYTES;
	*ret_done = shift(w);
	return OK;
}

static enum err trash_turn(struct writer *w)
{
	struct store *store = w->store;
	bool left = false;
	size_t bytes = 0;
	enum err rc;

	rc = store->engine->begin(store->db);
	if (rc != OK)
		return rc;
	rc = store->engine->trash_drop(
	    store->db, TURN_TRASH, TURN_TRASH_BYTES, &bytes, &left);
	if (rc != OK) {
		store->engine->rollback(store->db);
		return rc;
	}
	rc = store->engine->commit(store->db);
	if (rc != OK)
		return rc;
	w->untidy_bytes += bytes;
	w->trash = left;
	w->shrink = w->shrinking = w->shrinking || !left;
	return OK;
}

static enum err shrink_turn(struct writer *w)
{
	bool left = false;
	enum err rc;

	rc = w->store->engine->shrink(w->store->db, TURN_SHRINK_MS, &left);
	if (rc != OK)
		return rc;
	/* The last one must be copied back before the file is shorter. */
	if (w->shrinking)
		w->untidy_bytes +=
		    left ? SHRINK_WAL_BYTES : WRITER_TIDY_BYTES + 1;
	w->shrink = w->shrinking = left;
	return OK;
}

/* A deletion found no room: what was copied back is room, too. */
static bool find_room(struct writer *w)
{
	if (w->untidy_bytes > 0) {
		w->untidy_bytes = 0;
		/* That it cannot is said by what is written next. */
		return w->store->engine->tidy(w->store->db) == OK;
	}
	return writer_room_give_to_clean(w);
}

enum err writer_clean_turn(struct writer *w, struct write **ret_done)
{
	bool pruning = w->prunes != NULL;
	struct write *done = NULL;
	enum err rc;

	w->since_clean = 0;
	w->store->db->why.text[0] = '\0';
	if (pruning && first(w)->kind == WRITE_DELETE)
		rc = delete_turn(w, &done);
	else if (pruning)
		rc = prune_turn(w, &done);
	else if (w->trash)
		rc = trash_turn(w);
	else
		rc = shrink_turn(w);
	rc = writer_verdict(rc);
	if (rc == ERR_FULL && find_room(w)) {
		rc = OK; /* the next turn has it */
	} else if (writer_may_retry(rc)) {
		if (pruning)
			done = writer_clean_stop(w, rc, &w->store->db->why);
		writer_clean_rest(w, PUT_OFF_MS);
		rc = OK;
	}
	tell(w);
	if (rc == OK)
		*ret_done = done;
	return rc;
}
