/*
 * A copy of the store, made by the writer itself, a little between commits:
 * pages that commits change meanwhile are changed in the copy too, so it need
 * not begin again, and nothing is pinned.
 */
#include "store/writer_internal.h"

#include "store/base/log.h"
#include "store/store_internal.h"

/* What a commit may have to wait for: 64 KiB of SQLite's pages. */
#define TURN_PAGES 16

static struct write *finish(
    struct writer *w, enum err rc, const struct why *why)
{
	struct write *x = w->copying;

	w->store->engine->copy_end(w->copy);
	w->copy = NULL;
	w->copying = NULL;
	x->result = rc;
	if (rc != OK)
		x->why = *why;
	return x;
}

struct write *writer_copy_begin(struct writer *w, struct write *x)
{
	enum err rc;

	if (w->copying != NULL) {
		x->result = ERR_BUSY;
		err_why(&x->why, "another backup is under way");
		return x;
	}
	rc = w->store->engine->copy_begin(
	    w->store->db, x->u.copy.path, &w->copy);
	if (rc != OK) {
		x->result = rc;
		x->why = w->store->db->why;
		return x;
	}
	w->copying = x;
	return NULL;
}

struct write *writer_copy_turn(struct writer *w)
{
	struct why why = { "" };
	bool done = false;
	enum err rc;

	if (w->copying == NULL)
		return NULL;
	if (atomic_load(w->copying->u.copy.cancel)) {
		err_why(&why, "it was stopped");
		return finish(w, ERR_STOPPED, &why);
	}
	if (w->full == ERR_FULL) {
		err_why(&why, "the store's disk is full");
		return finish(w, ERR_FULL, &why);
	}
	rc = w->store->engine->copy_step(w->copy, TURN_PAGES, &done);
	if (rc == ERR_BUSY || (rc == OK && !done))
		return NULL;
	return finish(w, rc, &w->store->db->why);
}

struct write *writer_copy_stop(
    struct writer *w, enum err rc, const struct why *why)
{
	return w->copying == NULL ? NULL : finish(w, rc, why);
}
