/*
 * Imports. A small one is stored with the other writes of a commit. A large one
 * is stored a little between commits, under a number that no record has yet:
 * nobody sees anything of it before the last turn, which writes the record.
 * What a crash or a refusal leaves of one is dropped in the same small turns,
 * and before the next large one begins.
 */
#include "store/writer_internal.h"

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/import.h"
#include "store/store_internal.h"

/* Payload in one commit: what others may have to wait for. */
#define TURN_BYTES ((size_t)128 << 10)
#define DROP_SEGMENTS 64
#define PUT_OFF_MS 1000
/* With mail waiting, a turn only after this many commits. */
#define COMMITS_A_TURN 4

static bool is_large(const struct write *x)
{
	return x->u.import.import->payload.len > TURN_BYTES;
}

static enum err put_segment(
    struct writer *w, const struct import *i, int64_t row, size_t k)
{
	const struct import_segment *from = &i->segments[k];
	struct engine_segment s = { .first = from->first,
		.n = from->n,
		.codec = from->codec,
		.payload = i->payload.data + from->at,
		.payload_len = from->len,
		.raw_len = from->raw_len };

	return w->store->engine->import_segment(w->store->db, row, &s);
}

/* Which of the two is it? */
static enum err tell_conflict(struct writer *w, struct write *x)
{
	struct execution_brief b;
	enum err rc;

	rc = w->store->engine->execution_brief(
	    w->store->db, &x->u.import.import->e.id, NULL, &b);
	if (rc != OK && rc != ERR_NOT_FOUND)
		return rc;
	x->u.import.existed = rc == OK;
	x->result = ERR_CONFLICT;
	err_why(&x->why, "%s",
	    rc == OK ? "there is an execution with this id"
		     : "its owner has used its idempotency key for another "
		       "execution");
	return OK;
}

/* The record; a conflict is the write's own affair. */
static enum err finish(struct writer *w, struct write *x)
{
	struct import *i = x->u.import.import;
	const struct engine *engine = w->store->engine;
	struct audit_counts n;
	enum err rc;

	x->u.import.existed = false;
	i->e.bytes = i->payload.len + i->e.request_len + i->e.metadata_len;
	rc = engine->import_finish(w->store->db, &i->e);
	if (rc == ERR_CONFLICT)
		return tell_conflict(w, x);
	n = (struct audit_counts){ 1, i->e.next_index, i->e.bytes };
	if (rc == OK && x->audit != NULL)
		rc = engine->audit_put(
		    w->store->db, x->audit, &n, clock_wall_ms());
	return rc;
}

enum err writer_import_apply(struct writer *w, struct write *x)
{
	struct import *i = x->u.import.import;
	enum err rc;

	if (is_large(x))
		return OK;
	/* A try that was undone may have given it one. */
	i->e.row = 0;
	rc = finish(w, x);
	if (rc != OK || x->result != OK)
		return rc;
	for (size_t k = 0; rc == OK && k < i->n_segments; k++)
		rc = put_segment(w, i, i->e.row, k);
	return rc;
}

struct write *writer_import_begin(struct writer *w, struct write *x)
{
	if (!is_large(x))
		return x;
	x->u.import.import->e.row = 0;
	x->u.import.stored = 0;
	x->mail.next = NULL;
	*w->imports_tail = &x->mail;
	w->imports_tail = &x->mail.next;
	return NULL;
}

bool writer_import_due(const struct writer *w)
{
	return (w->import_unclean || w->imports != NULL) &&
	       clock_mono_ms() >= w->import_after_ms;
}

/* The first of the large ones leaves. */
static struct write *shift(struct writer *w)
{
	struct mail *m = w->imports;

	w->imports = m->next;
	if (w->imports == NULL)
		w->imports_tail = &w->imports;
	return (struct write *)(void *)m;
}

/* As much of ${x} as a turn may write; *${ret_done} with its record. */
static enum err put_some(struct writer *w, struct write *x, bool *ret_done)
{
	struct import *i = x->u.import.import;
	const struct engine *engine = w->store->engine;
	size_t k = x->u.import.stored, bytes = 0;
	int64_t row = i->e.row;
	enum err rc = OK;

	if (row == 0)
		rc = engine->import_begin(w->store->db, &row);
	for (; rc == OK && k < i->n_segments && bytes < TURN_BYTES; k++) {
		rc = put_segment(w, i, row, k);
		bytes += i->segments[k].len;
	}
	i->e.row = row;
	*ret_done = rc == OK && k == i->n_segments;
	if (*ret_done)
		rc = finish(w, x);
	x->u.import.stored = k;
	w->untidy_bytes += bytes;
	return rc;
}

static enum err drop_some(struct writer *w)
{
	bool left = true;
	enum err rc;

	rc = w->store->engine->import_drop(w->store->db, DROP_SEGMENTS, &left);
	if (rc == OK)
		w->import_unclean = left;
	return rc;
}

enum err writer_import_look(struct writer *w)
{
	const struct engine *engine = w->store->engine;
	enum err rc = engine->begin(w->store->db);

	w->import_unclean = true;
	if (rc == OK) {
		rc = drop_some(w);
		if (rc == OK)
			rc = engine->commit(w->store->db);
		else
			engine->rollback(w->store->db);
	}
	/* What cannot be dropped now is tried again in its turn. */
	if (rc != OK)
		w->import_unclean = true;
	rc = writer_verdict(rc);
	return writer_may_retry(rc) ? OK : rc;
}

/* A turn in the open transaction. */
static enum err take_turn(struct writer *w, bool *ret_done)
{
	if (w->import_unclean)
		return drop_some(w);
	return put_some(w, (struct write *)(void *)w->imports, ret_done);
}

enum err writer_import_turn(struct writer *w, bool mail, struct write **ret)
{
	const struct engine *engine;
	bool done = false, begun = false;
	struct why why = { "" };
	struct write *x;
	enum err rc;

	if (!writer_import_due(w) ||
	    (mail && ++w->since_import < COMMITS_A_TURN))
		return OK;
	w->since_import = 0;
	/* It is new, however far it has come: what runs needs the room. */
	if (!w->import_unclean && atomic_load(&w->store->low)) {
		err_why(&why, "little of the disk is free");
		*ret = writer_import_stop(w, ERR_FULL, &why);
		return OK;
	}
	engine = w->store->engine;
	rc = engine->begin(w->store->db);
	begun = rc == OK;
	if (rc == OK)
		rc = take_turn(w, &done);
	if (rc == OK) {
		rc = engine->commit(w->store->db);
		begun = false;
	}
	if (begun)
		engine->rollback(w->store->db);
	rc = writer_verdict(rc);
	if (rc == OK && done) {
		x = shift(w);
		/* Refused by its record: its segments are nobody's. */
		w->import_unclean = x->result != OK;
		*ret = x;
		return OK;
	}
	if (rc == OK || !writer_may_retry(rc))
		return rc;
	/* What was undone is not known to the turn: it begins anew. */
	w->import_after_ms = clock_mono_ms() + PUT_OFF_MS;
	*ret = writer_import_stop(w, rc, &w->store->db->why);
	return OK;
}

struct write *writer_import_stop(
    struct writer *w, enum err rc, const struct why *why)
{
	struct write *x;

	if (w->imports == NULL)
		return NULL;
	x = shift(w);
	w->import_unclean |= x->u.import.import->e.row != 0;
	x->result = rc;
	x->why = *why;
	return x;
}
