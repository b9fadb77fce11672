/*
 * Copies: executions that are exported and come back, as they were or as
 * another's; backups of all, made while everything else goes on.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/log.h"
#include "store/check.h"
#include "store/pack.h"
#include "store/sqlite.h"
#include "store/store_internal.h"
#include "tests/sim/asked.h"

#define LARGE_CHUNKS 24
#define LARGE_CHUNK_BYTES 16384

static const char *const owners[] = { "ann", "bob" };

/* --- an export --- */

/* All chunks of ${k} into ${to}, a page a segment. */
static enum err take_chunks(struct world *w, struct known *k, struct import *to)
{
	struct page_query q = { 0, 1000, PACK_SEGMENT_BYTES };
	struct import_segment *s;
	struct page p;
	enum err rc;

	page_init(&p);
	for (;;) {
		rc = world_read(w, k, NULL, &q, &p);
		if (rc != OK || p.n == 0)
			break;
		to->segments = realloc(
		    to->segments, (to->n_segments + 1) * sizeof(*to->segments));
		ASSERT(to->segments != NULL);
		s = &to->segments[to->n_segments++];
		*s = (struct import_segment){ .first = p.first,
			.n = p.n,
			.raw_at = to->raw.len,
			.raw_len = p.records.len };
		buf_add(&to->raw, p.records.data, p.records.len);
		q.from = page_next(&p);
	}
	page_fini(&p);
	return rc;
}

void world_export(struct world *w)
{
	struct shelf *s = &w->shelf[dice_throw(&w->dice, WORLD_SHELVES)];
	struct import *to = &s->import;
	struct known *k;
	enum err rc;

	if (w->n_known == 0)
		return;
	k = &w->known[dice_throw(&w->dice, (uint32_t)w->n_known)];
	if (k->state != KNOWN_STORED || !execution_ended(k->status) ||
	    k->bare || k->pending > 0 || k->unsure)
		return;
	import_fini(to);
	s->full = false;
	rc = take_chunks(w, k, to);
	if (rc == OK && w->query == NULL)
		rc = query_open(w->store, &w->query);
	if (rc == OK)
		rc = query_execution(w->query, &k->id, NULL, &to->e);
	if (rc != OK) {
		if (!world_excused(w, rc))
			world_break(w, k, "not exported: %s", err_name(rc));
		return;
	}
	if (to->e.next_index != k->total)
		world_break(w, k, "its record counts other chunks");
	s->full = true;
	s->key = k->key;
	s->body = k->body;
	s->owner = k->owner;
}

/* --- an import --- */

/* ${from} again, ${large}: with more before it. */
static void copy_import(
    struct world *w, const struct import *from, bool large, struct import *to)
{
	static char text[LARGE_CHUNK_BYTES];
	struct chunk c = { .attempt = 1,
		.ts_ms = from->e.created_ms,
		.content = text,
		.content_len = sizeof(text) };
	struct execution *e = execution_copy(&from->e);
	size_t n = large ? LARGE_CHUNKS : 0, at;

	ASSERT(e != NULL);
	to->e = *e;
	to->e.row = 0;
	free(e);
	to->segments =
	    calloc(n + from->n_segments, sizeof(struct import_segment));
	ASSERT(to->segments != NULL);
	to->n_segments = n + from->n_segments;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < sizeof(text); k++)
			text[k] = (char)(' ' + dice_throw(&w->dice, 95));
		at = to->raw.len;
		chunk_pack(&to->raw, &c, from->e.created_ms);
		to->segments[i] = (struct import_segment){ .first = i,
			.n = 1,
			.raw_at = at,
			.raw_len = to->raw.len - at };
	}
	for (size_t i = 0; i < from->n_segments; i++) {
		to->segments[n + i] = from->segments[i];
		to->segments[n + i].first += n;
		to->segments[n + i].raw_at += to->raw.len;
	}
	to->e.next_index += n;
	buf_add(&to->raw, from->raw.data, from->raw.len);
	ASSERT(buf_state(&to->raw) == OK);
}

/* Is what is there what came in? */
static void compare(struct world *w, struct known *k, const struct import *i)
{
	struct page_query q = { 0, 1000, PAGE_MAX_BYTES };
	struct execution e = { 0 };
	const char *what = "";
	size_t at = 0;
	struct page p;
	enum err rc = OK;

	page_init(&p);
	do {
		rc = world_read(w, k, NULL, &q, &p);
		if (rc == OK && !import_same_chunks(i, &p, &at))
			world_break(w, k, "other chunks than were imported");
		q.from = page_next(&p);
	} while (rc == OK && p.n > 0);
	page_fini(&p);
	if (rc == OK && at != i->raw.len)
		world_break(w, k, "fewer chunks than were imported");
	if (rc == OK && w->query == NULL)
		rc = query_open(w->store, &w->query);
	if (rc == OK)
		rc = query_execution(w->query, &k->id, NULL, &e);
	if (rc == OK && !import_same_record(i, &e, &what))
		world_break(w, k, "another %s than was imported", what);
	if (rc != OK && !world_excused(w, rc))
		world_break(w, k, "imported, cannot be read: %s", err_name(rc));
	execution_fini(&e);
}

static void imported(struct asked *a, struct known *k)
{
	struct world *w = a->world;

	if (k->state == KNOWN_STORED && !k->delete_asked)
		world_break(w, k, "imported, though it was there");
	if (world_with_key(w, k, true) != NULL)
		world_break(w, k, "imported with a key that was used");
	known_back(k);
	k->forget_asked = w->n_forgets > 0;
	k->unsure = true;
	if (k->pending == 0)
		compare(w, k, &a->import);
}

static void told_import(struct asked *a)
{
	struct world *w = a->world;
	struct known *k = a->of[0];
	enum err rc = a->write.result;
	bool there = k->state == KNOWN_STORED;

	if (rc == OK)
		imported(a, k);
	else if (rc == ERR_CONFLICT && !there &&
		 world_with_key(w, k, false) == NULL)
		world_break(w, k, "its import is in conflict with nobody");
	else if (rc == ERR_CONFLICT && there && k->pending == 0 && !k->bare &&
		 !k->delete_asked)
		compare(w, k, &a->import);
	else if (rc != ERR_CONFLICT && !world_excused(w, rc))
		world_break(w, k, "not imported: %s: %s", err_name(rc),
		    a->write.why.text);
	if (rc == ERR_IO)
		return;
	if (k->state == KNOWN_ASKED)
		k->state = KNOWN_NEVER;
	if (k->pending == 0)
		k->import_asked = false;
}

/* Who the import ${e} is to clients; NULL: they can know no more. */
static struct known *whose(
    struct world *w, const struct shelf *s, struct execution *e, bool as_new)
{
	struct known *k = as_new ? NULL : world_find_id(w, &e->id);

	if (k != NULL)
		return k;
	k = world_new_known(w);
	if (k == NULL)
		return NULL;
	k->number = ++w->n_created;
	k->state = KNOWN_ASKED;
	k->foreign = true;
	k->owner = s->owner;
	k->body = s->body;
	if (as_new) {
		/* Another id of the same millisecond, and no key. */
		for (size_t i = 9; i < sizeof(e->id.byte); i++)
			e->id.byte[i] = (uint8_t)dice_bits(&w->dice);
		free(e->idempotency_key);
		e->idempotency_key = NULL;
	} else {
		k->key = s->key;
	}
	k->id = e->id;
	return k;
}

void world_import(struct world *w)
{
	const struct shelf *s = &w->shelf[dice_throw(&w->dice, WORLD_SHELVES)];
	bool as_new = dice_is(&w->dice, 1, 2);
	struct pack pack;
	struct known *k;
	struct asked *a;

	if (!s->full)
		return;
	a = asked_new(w, NULL, WRITE_IMPORT, told_import);
	copy_import(
	    w, &s->import, as_new && dice_is(&w->dice, 1, 2), &a->import);
	k = whose(w, s, &a->import.e, as_new);
	if (k == NULL) {
		asked_free(a);
		return;
	}
	asked_about(a, k);
	ASSERT(pack_init(&pack) == OK);
	ASSERT(import_pack(&a->import, &pack) == OK);
	pack_fini(&pack);
	a->write.u.import.import = &a->import;
	a->write.mail.bytes = a->import.payload.len;
	k->n_asked++;
	if (asked_post(a) == OK)
		k->import_asked = true;
	else if (k->state == KNOWN_ASKED)
		k->state = KNOWN_NEVER;
}

/* --- a backup --- */

static atomic_bool never;

static void told_copy(struct asked *a)
{
	struct world *w = a->world;
	enum err rc = a->write.result;

	w->copying = false;
	w->copied = rc == OK;
	/* The same turn of the writer may delete more. */
	for (size_t i = 0; i < w->n_known; i++)
		w->known[i].there = w->known[i].state == KNOWN_STORED;
	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "no backup: %s: %s", err_name(rc),
		    a->write.why.text);
}

void world_copy(struct world *w)
{
	struct asked *a;

	if (w->copying)
		return;
	world_drop_copy(w);
	a = asked_new(w, NULL, WRITE_COPY, told_copy);
	a->write.u.copy.path = world_copy_path();
	a->write.u.copy.cancel = &never;
	w->copying = asked_post(a) == OK;
}

void world_drop_copy(struct world *w)
{
	(void)w;
	unlink(world_copy_path());
	disk_remove(world_copy_path());
}

static void on_finding(void *arg, const struct check_finding *f)
{
	struct world *w = arg;

	if (!world_excused(w, ERR_IO))
		world_break(w, NULL, "check of a backup finds: %s: %s",
		    check_kind_name(f->kind), f->what.text);
}

static enum err check_copy(struct world *w)
{
	struct check_options o = { .on_finding = on_finding, .arg = w };
	struct check *check = NULL;
	struct why why = { "" };
	bool done = false;
	enum err rc = check_open_alone(world_copy_path(), &o, &check, &why);

	while (rc == OK && !done)
		rc = check_step(check, &done);
	if (rc != OK && !world_excused(w, rc))
		world_break(w, NULL, "a backup cannot be checked: %s: %s",
		    err_name(rc),
		    check == NULL ? why.text : check_why(check)->text);
	check_close(check);
	return rc;
}

/* What the copy has of ${k}: what clients know of it now, or more. */
static enum err compare_copy(
    struct world *w, struct engine_db *copy, const struct known *k)
{
	struct page_query q = { 0, 1000, PAGE_MAX_BYTES };
	struct page_cursor at;
	struct chunk c;
	struct page p;
	enum err rc;

	page_init(&p);
	for (;;) {
		at = (struct page_cursor){ 0 };
		rc = copy->engine->chunk_page(
		    copy, &k->id, owners[k->owner], &q, &p);
		if (rc != OK || p.n == 0)
			break;
		while (page_each(&p, &at, &c))
			if (!known_same(k, &c))
				world_break(w, k,
				    "a backup has another chunk %" PRIu64,
				    c.index);
		q.from = page_next(&p);
	}
	if (rc == OK && !k->there && k->state != KNOWN_STORED)
		world_break(w, k, "it is in a backup, though it was not there");
	else if (rc == OK &&
		 (q.from < k->total || p.status < k->status ||
		     (execution_ended(k->status) && q.from != k->total)))
		world_break(w, k,
		    "a backup has %" PRIu64 " chunks of %" PRIu64 ", and %s",
		    q.from, k->total, execution_status_name(p.status));
	else if ((rc == ERR_NOT_FOUND || rc == ERR_GONE) && k->there &&
		 k->state == KNOWN_STORED && !k->bare)
		world_break(w, k, "a backup has it not");
	page_fini(&p);
	return rc == ERR_NOT_FOUND || rc == ERR_GONE ? OK : rc;
}

void world_look_at_copy(struct world *w)
{
	struct store_options o = { .url = world_copy_path() };
	const struct engine *engine = sqlite_engine();
	struct engine_db *copy = NULL;
	enum err rc;

	if (!w->copied || disk_is_off())
		return;
	w->copied = false;
	rc = check_copy(w);
	if (rc == OK)
		rc = engine->open_alone(&o, &copy, NULL);
	for (size_t i = 0; rc == OK && i < w->n_known; i++)
		if (w->known[i].pending == 0 && !w->known[i].unsure &&
		    w->known[i].state != KNOWN_ASKED)
			rc = compare_copy(w, copy, &w->known[i]);
	if (rc != OK && !world_excused(w, rc))
		world_break(
		    w, NULL, "a backup cannot be read: %s", err_name(rc));
	engine->close(copy);
	world_drop_copy(w);
}
