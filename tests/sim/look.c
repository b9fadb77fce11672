#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/check.h"
#include "store/store_internal.h"
#include "tests/sim/world.h"

static const char *const owners[] = { "ann", "bob" };

enum err world_read(struct world *w, const struct known *k, const char *owner,
    const struct page_query *q, struct page *ret)
{
	enum err rc = tail_page(w->store, &k->id, owner, q, ret);

	if (rc != ERR_NOT_FOUND)
		return rc;
	if (w->query == NULL)
		rc = query_open(w->store, &w->query);
	else
		rc = OK;
	return rc == OK ? query_page(w->query, &k->id, owner, q, ret) : rc;
}

/* --- what is not there --- */

/* Its record must be what it was. */
static void look_at_record(struct world *w, struct known *k)
{
	struct execution e = { 0 };
	enum err rc = query_execution(w->query, &k->id, NULL, &e);

	if (rc != OK) {
		if (!world_excused(w, rc))
			world_break(w, k, "its record cannot be read: %s",
			    err_name(rc));
	} else if (e.request != NULL || e.payload_deleted_ms == 0) {
		world_break(w, k, "its request was not deleted");
	} else if ((execution_ended(k->status) &&
		       (e.status != k->status || e.next_index != k->total)) ||
		   !execution_ended(e.status)) {
		world_break(w, k, "its record has changed");
	}
	execution_fini(&e);
}

/* Reads say that it, or its payload, was deleted. */
static void is_gone(struct world *w, struct known *k)
{
	struct query_gone gone = { 0 };
	enum err rc = OK;

	if (w->query == NULL)
		rc = query_open(w->store, &w->query);
	if (rc == OK)
		rc = query_gone(w->query, &k->id, NULL, &gone);
	if (rc != OK) {
		if (!world_excused(w, rc))
			world_break(w, k, "it is gone, but not since when: %s",
			    err_name(rc));
		return;
	}
	if (gone.payload_only) {
		if (k->state != KNOWN_STORED || (!k->bare && !k->payload_asked))
			world_break(w, k, "its chunks are gone");
		k->bare = true;
		look_at_record(w, k);
		return;
	}
	if (k->forgotten)
		world_break(w, k, "its deletion was forgotten, and is known");
	else if (k->state != KNOWN_GONE && !k->delete_asked)
		world_break(w, k, "it is not there any more");
	else if (k->deleted_ms != 0 && k->deleted_ms != gone.deleted_ms)
		world_break(w, k, "it was deleted at another time");
	k->state = KNOWN_GONE;
	k->deleted_ms = gone.deleted_ms;
	/* A forgetting whose commit failed may show after the next start. */
	if (w->n_forgets == 0 && store_failed(w->store, NULL) == OK)
		k->forget_asked = false;
}

/* Reads do not know it. */
static void is_unknown(struct world *w, struct known *k)
{
	if (k->state == KNOWN_STORED && !k->delete_asked) {
		world_break(w, k, "it is not there any more");
	} else if (k->state == KNOWN_STORED || k->state == KNOWN_GONE) {
		if (!k->forget_asked && !k->forgotten)
			world_break(w, k, "it was deleted, and nobody knows");
		k->state = KNOWN_GONE;
		k->forgotten = true;
	}
}

/* What it means that ${k} could not be read. */
static void cannot(struct world *w, struct known *k, enum err rc)
{
	if (rc == ERR_GONE)
		is_gone(w, k);
	else if (rc == ERR_NOT_FOUND)
		is_unknown(w, k);
	else if (!world_excused(w, rc))
		world_break(w, k, "cannot be read: %s", err_name(rc));
}

void world_resolve(struct world *w)
{
	struct page_query q = { INT64_MAX, 1, 1 };
	struct page p;
	enum err rc;

	/* What became of the last commit is known after the next start. */
	if (store_failed(w->store, NULL) != OK)
		return;
	for (size_t i = 0; i < w->n_known && !disk_is_off(); i++) {
		struct known *k = &w->known[i];

		if (!k->unsure || k->pending > 0)
			continue;
		page_init(&p);
		rc = world_read(w, k, NULL, &q, &p);
		page_fini(&p);
		if (rc == OK && k->state == KNOWN_GONE && k->import_asked)
			known_back(k);
		if (rc == OK && (k->state == KNOWN_GONE || k->bare))
			world_break(w, k, "it was deleted, but can be read");
		else if (rc != OK)
			cannot(w, k, rc);
		if (rc == OK || rc == ERR_GONE || rc == ERR_NOT_FOUND)
			k->unsure = k->delete_asked = k->payload_asked =
			    k->import_asked = false;
	}
}

/* --- all of it --- */

void world_compare(struct world *w, struct known *k)
{
	struct page_query q = { 0, 1 + dice_throw(&w->dice, 400),
		PAGE_MAX_BYTES };
	struct why why = { "" };
	struct page p;
	struct hearing heard = { 0 };
	enum err rc;

	page_init(&p);
	for (;;) {
		rc = world_read(w, k, NULL, &q, &p);
		if (rc != OK)
			break;
		/* Only a start asks for what was never answered. */
		if (k->state == KNOWN_ASKED)
			k->state = KNOWN_STORED;
		if (k->bare) {
			world_break(w, k, "its chunks were deleted");
			break;
		}
		if (!known_saw(k, q.from, &p, &why) ||
		    !known_heard(k, &p, &heard, &why)) {
			world_break(w, k, "%s", why.text);
			break;
		}
		q.from = page_next(&p);
		if (p.n == 0)
			break;
	}
	if (rc == ERR_NOT_FOUND && k->state == KNOWN_ASKED)
		k->state = KNOWN_NEVER;
	else if (rc != OK)
		cannot(w, k, rc);
	page_fini(&p);
}

bool world_is_live(struct world *w, struct known *k)
{
	struct page_query q = { INT64_MAX, 1, 1 };
	bool live = false;
	struct page p;

	if (k->state == KNOWN_GONE || k->state == KNOWN_NEVER)
		return false;
	page_init(&p);
	live =
	    world_read(w, k, NULL, &q, &p) == OK && !execution_ended(p.status);
	page_fini(&p);
	return live || k->state == KNOWN_ASKED;
}

/* --- one reader --- */

static void on_wake(void *arg, uint64_t number)
{
	struct reader *r = arg;
	struct world *w = r->world;

	(void)number;
	if (w->o.lie != NULL && w->o.lie->wakes && dice_is(&w->dice, 1, 10))
		return;
	r->woken = true;
}

void reader_leave(struct reader *r)
{
	if (r->waiting)
		tail_forget(r->world->store, &r->waiter);
	r->seated = r->waiting = r->woken = false;
}

void reader_seat(struct reader *r)
{
	struct world *w = r->world;
	struct known *k;

	reader_leave(r);
	if (w->n_known == 0)
		return;
	r->of = dice_throw(&w->dice, (uint32_t)w->n_known);
	k = &w->known[r->of];
	r->seated = true;
	r->from_start = k->total == 0 || dice_is(&w->dice, 1, 2);
	r->heard = (struct hearing){ 0 };
	r->from =
	    r->from_start ? 0 : dice_throw(&w->dice, (uint32_t)k->total + 2);
}

static void wait_for_more(struct reader *r, const struct page *p)
{
	struct world *w = r->world;
	struct known *k = &w->known[r->of];
	uint64_t seen = r->from > p->total ? r->from : p->total;
	enum err rc;

	r->waiter = (struct waiter){ .wake = on_wake, .arg = r };
	rc = tail_wait(w->store, &k->id, NULL, seen, &r->waiter);
	if (rc == OK)
		r->waiting = true;
	else if (rc != ERR_CONFLICT && rc != ERR_NOT_FOUND &&
		 !(rc == ERR_IO && store_failed(w->store, NULL) != OK))
		world_break(w, k, "cannot wait: %s", err_name(rc));
	/* All that was committed is announced before a turn ends. */
	else if (rc == ERR_CONFLICT && !disk_is_off())
		world_break(w, k, "there is more, but the page had none");
}

static void took(struct reader *r, const struct page *p)
{
	struct world *w = r->world;
	struct known *k = &w->known[r->of];
	struct why why = { "" };

	if (!known_saw(k, r->from, p, &why) ||
	    (r->from_start && !known_heard(k, p, &r->heard, &why))) {
		world_break(w, k, "%s", why.text);
		return;
	}
	r->from = page_next(p);
	if (page_final(p))
		reader_leave(r);
	else if (p->n == 0)
		wait_for_more(r, p);
}

void reader_turn(struct reader *r)
{
	struct world *w = r->world;
	struct known *k = &w->known[r->of];
	struct page_query q;
	struct page p;
	enum err rc;

	if (!r->seated)
		reader_seat(r);
	if (!r->seated || (r->waiting && !r->woken))
		return;
	r->waiting = r->woken = false;
	k = &w->known[r->of];
	q = (struct page_query){ r->from, dice_size(&w->dice, 500),
		dice_is(&w->dice, 1, 4) ? 1 + dice_throw(&w->dice, 2000)
					: PAGE_MAX_BYTES };
	page_init(&p);
	if (dice_is(&w->dice, 1, 30)) {
		/* A stranger learns nothing. */
		rc = world_read(w, k, owners[1 - k->owner], &q, &p);
		if (rc == OK || rc == ERR_GONE)
			world_break(w, k, "a stranger learns of it");
	} else {
		rc = world_read(w, k, owners[k->owner], &q, &p);
		if (rc == OK)
			took(r, &p);
		else
			cannot(w, k, rc);
	}
	if (rc != OK)
		reader_leave(r);
	page_fini(&p);
}

void world_check_waiters(struct world *w)
{
	struct tail_stats stats;
	size_t armed = 0;

	if (disk_is_off())
		return;
	for (size_t i = 0; i < WORLD_READERS; i++) {
		struct reader *r = &w->reader[i];
		struct known *k = &w->known[r->of];
		struct tail_head head;

		armed += r->waiting && r->waiter.armed;
		if (!r->waiting || r->woken)
			continue;
		if (!r->waiter.armed) {
			world_break(w, k, "a reader's wake was lost");
		} else if (tail_head(w->store, &k->id, NULL, &head) != OK) {
			world_break(w, k, "a reader waits for what is gone");
		} else if (head.total > r->waiter.seen ||
			   execution_ended(head.status)) {
			world_break(w, k, "a reader waits for what is there");
		}
	}
	tail_stats(w->store, &stats);
	if (stats.waiters != armed)
		world_break(w, NULL, "%zu readers wait, the tail counts %llu",
		    armed, (unsigned long long)stats.waiters);
}

/* --- the store's own look --- */

static void on_finding(void *arg, const struct check_finding *f)
{
	struct world *w = arg;

	/* What could not be read is a finding, too. */
	if (!world_excused(w, ERR_IO))
		world_break(w, NULL, "check finds: %s: %s",
		    check_kind_name(f->kind), f->what.text);
}

/* The store counts what clients know. */
static void compare_counts(struct world *w, const struct check *check)
{
	uint64_t executions = 0, chunks = 0;
	struct check_counts n;

	check_counts(check, &n);
	for (size_t i = 0; i < w->n_known; i++)
		if (w->known[i].state == KNOWN_STORED) {
			executions++;
			chunks += w->known[i].bare ? 0 : w->known[i].total;
		}
	if (n.executions != executions || n.chunks != chunks)
		world_break(w, NULL,
		    "%llu executions and %llu chunks are stored, clients know "
		    "of %llu and %llu",
		    (unsigned long long)n.executions,
		    (unsigned long long)n.chunks,
		    (unsigned long long)executions, (unsigned long long)chunks);
	if (n.trash > 0 || n.stray_segments > 0)
		world_break(w, NULL,
		    "%llu executions and %llu segments wait to be dropped",
		    (unsigned long long)n.trash,
		    (unsigned long long)n.stray_segments);
}

void world_check_store(struct world *w, bool end)
{
	struct check_options options = {
		.quick = !end, .on_finding = on_finding, .arg = w
	};
	struct check *check = NULL;
	struct why why = { "" };
	bool done = false;
	enum err rc;

	rc = check_open(w->store, &options, &check, &why);
	while (rc == OK && !done)
		rc = check_step(check, &done);
	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "check: %s: %s", err_name(rc),
		    check == NULL ? why.text : check_why(check)->text);
	if (rc == OK && end)
		compare_counts(w, check);
	check_close(check);
}
