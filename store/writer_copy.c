/*
 * A copy of the store, made by the writer itself, a little between commits:
 * pages that commits change meanwhile are changed in the copy too, so it need
 * not begin again, and nothing is pinned.
 */
#include "store/writer_internal.h"

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/store_internal.h"

/* What a commit may have to wait for: 64 KiB of SQLite's pages. */
#define TURN_PAGES 16
/* A stranger holds the file: so often it is tried again, after this long. */
#define BUSY_TRIES 100
#define BUSY_MS 20

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
	rc = w->store->engine->copy_begin(w->store->db, x->u.copy.path,
	    atomic_load(&w->store->reserve_bytes), &w->copy);
	if (rc != OK) {
		x->result = rc;
		x->why = w->store->db->why;
		return x;
	}
	w->copying = x;
	w->copy_busy = 0;
	w->copy_after_ms = 0;
	return NULL;
}

int64_t writer_copy_wait_ms(const struct writer *w)
{
	int64_t left;

	if (w->copying == NULL)
		return -1;
	left = w->copy_after_ms - clock_mono_ms();
	return left > 0 ? left : 0;
}

struct write *writer_copy_turn(struct writer *w)
{
	struct why why = { "" };
	bool done = false;
	enum err rc;

	if (writer_copy_wait_ms(w) != 0)
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
	if (rc == OK && !done) {
		w->copy_busy = 0;
		return NULL;
	}
	if (rc == ERR_BUSY && ++w->copy_busy < BUSY_TRIES) {
		w->copy_after_ms = clock_mono_ms() + BUSY_MS;
		return NULL;
	}
	if (rc == ERR_BUSY)
		err_why(&w->store->db->why,
		    "another program holds the store's file");
	return finish(w, rc, &w->store->db->why);
}

struct write *writer_copy_stop(
    struct writer *w, enum err rc, const struct why *why)
{
	return w->copying == NULL ? NULL : finish(w, rc, why);
}
