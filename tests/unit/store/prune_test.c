/* Deleting through the writer: what goes, what stays, and who notices. */
#include "tests/unit/store/support.h"

#include "store/backup.h"
#include "store/check.h"
#include "store/retention.h"

#define LONGEST 60

static int setup(void **state)
{
	struct place *p = malloc(sizeof(*p));

	place_init(p);
	p->options.durability = STORE_NORMAL;
	place_open(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static struct id filled(
    struct store *store, const char *owner, uint32_t n, bool end)
{
	struct id id = create(store, owner);
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_start(&job.write.u.batch, &id);
	add_texts(&job.write.u.batch, &id, 0, n, LONGEST);
	if (end)
		add_end(&job.write.u.batch, &id);
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
	return id;
}

static void prune_init(
    struct job *job, const struct id *ids, uint32_t n, const char *owner)
{
	job_init(job, WRITE_PRUNE);
	job->write.u.prune.ids = ids;
	job->write.u.prune.n = n;
	snprintf(job->write.u.prune.owner, KEY_NAME_BYTES, "%s", owner);
}

static void prune(
    struct store *store, const struct id *ids, uint32_t n, bool payload_only)
{
	struct job job;

	prune_init(&job, ids, n, "");
	job.write.u.prune.payload_only = payload_only;
	assert_int_equal(job_run(&job, store), OK);
	assert_int_equal(job.write.u.prune.gone.executions, n);
	job_fini(&job);
}

static void until_clean(struct store *store)
{
	struct store_stats now;

	for (int i = 0;; i++) {
		store_stats(store, &now);
		if (!now.cleaning)
			break;
		assert_true(i < 20000);
		usleep(1000);
	}
}

/* Until the last of ${ids} is packed and has left memory. */
static void until_packed(struct store *store, const struct id *id)
{
	struct page_query q = { 0, 1, 1 };
	struct page p;

	page_init(&p);
	for (int i = 0; tail_page(store, id, NULL, &q, &p) == OK; i++) {
		assert_true(i < 20000);
		usleep(1000);
	}
	page_fini(&p);
}

static void on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("%s: %s", check_kind_name(f->kind), f->what.text);
}

/* A check of what is closed: no finding; what it counted. */
static struct check_counts checked(const char *url)
{
	const struct check_options o = { .on_finding = on_finding };
	struct check_counts counts;
	struct why why = { "" };
	struct check *c = NULL;
	bool done = false;

	if (check_open_alone(url, &o, &c, &why) != OK)
		fail_msg("%s", why.text);
	while (!done)
		assert_int_equal(check_step(c, &done), OK);
	check_counts(c, &counts);
	check_close(c);
	return counts;
}

static enum err page_of(struct query *q, const struct id *id, const char *owner)
{
	struct page_query pq = { 0, 10, PAGE_MAX_BYTES };
	struct page p;
	enum err rc;

	page_init(&p);
	rc = query_page(q, id, owner, &pq, &p);
	page_fini(&p);
	return rc;
}

/* --- what goes, what stays --- */

static void a_prune_takes_what_has_ended_and_counts_the_rest(void **state)
{
	struct place *p = *state;
	struct id id[6] = {
		filled(p->store, "ada", 10, true),
		filled(p->store, "ada", 10, false),
		filled(p->store, "bob", 10, true),
		id_new(),
		filled(p->store, "ada", 3, true),
		filled(p->store, "ada", 5, true),
	};
	struct query_gone gone = { 0 };
	struct execution e = { 0 };
	struct store_stats stats;
	struct query *q;
	struct job job;

	prune_init(&job, id, 5, "ada");
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.gone.executions, 2);
	assert_int_equal(job.write.u.prune.gone.chunks, 11 + 4);
	assert_true(job.write.u.prune.gone.bytes > 0);
	assert_int_equal(job.write.u.prune.absent, 2);
	assert_int_equal(job.write.u.prune.live, 1);
	/* Again: nothing of it is there. */
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.gone.executions, 0);
	assert_int_equal(job.write.u.prune.absent, 4);
	job_fini(&job);

	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(page_of(q, &id[0], "ada"), ERR_GONE);
	assert_int_equal(page_of(q, &id[0], NULL), ERR_GONE);
	assert_int_equal(page_of(q, &id[0], "bob"), ERR_NOT_FOUND);
	assert_int_equal(page_of(q, &id[1], "ada"), OK);
	assert_int_equal(page_of(q, &id[2], "bob"), OK);
	assert_int_equal(page_of(q, &id[5], "ada"), OK);
	assert_int_equal(query_execution(q, &id[0], "ada", &e), ERR_GONE);
	assert_int_equal(query_gone(q, &id[0], "ada", &gone), OK);
	assert_true(gone.deleted_ms > 0 && !gone.payload_only);
	assert_int_equal(query_gone(q, &id[0], "bob", &gone), ERR_NOT_FOUND);
	assert_int_equal(query_gone(q, &id[5], "ada", &gone), ERR_NOT_FOUND);
	query_close(q);
	store_stats(p->store, &stats);
	assert_int_equal(stats.deleted, 2);
}

static void a_payload_goes_and_its_record_stays(void **state)
{
	struct place *p = *state;
	struct id id[2] = { filled(p->store, "ada", 100, true),
		filled(p->store, "ada", 100, true) };
	struct query_gone gone = { 0 };
	struct execution e = { 0 };
	struct query *q;
	struct job job;

	prune(p->store, id, 1, true);
	prune_init(&job, id, 1, "");
	job.write.u.prune.payload_only = true;
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.absent, 1);
	job_fini(&job);
	assert_int_equal(query_open(p->store, &q), OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(page_of(q, &id[0], "ada"), ERR_GONE);
		assert_int_equal(page_of(q, &id[1], "ada"), OK);
		assert_int_equal(query_gone(q, &id[0], NULL, &gone), OK);
		assert_true(gone.payload_only);
		assert_int_equal(query_execution(q, &id[0], "ada", &e), OK);
		assert_null(e.request);
		assert_int_equal(e.next_index, 101);
		assert_int_equal(e.metadata_len, strlen(END_METADATA));
		assert_true(e.payload_deleted_ms > 0);
		execution_fini(&e);
		/* The same after a restart. */
		query_close(q);
		until_clean(p->store);
		place_close(p);
		place_open(p);
		assert_int_equal(query_open(p->store, &q), OK);
	}
	query_close(q);
	/* Later it may go whole. */
	prune(p->store, id, 1, false);
	place_close(p);
	assert_int_equal(checked(p->url).tombstones, 1);
}

static void too_many_at_once_are_refused(void **state)
{
	struct place *p = *state;
	static struct id id[WRITE_PRUNE_MAX + 1];
	struct job job;

	prune_init(&job, id, WRITE_PRUNE_MAX + 1, "");
	assert_int_equal(job_run(&job, p->store), ERR_INPUT);
	job.write.u.prune.n = 0;
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
}

static void tombstones_are_forgotten_by_age(void **state)
{
	struct place *p = *state;
	struct id id[3];
	struct query *q;
	struct job job;

	for (int i = 0; i < 3; i++)
		id[i] = filled(p->store, "ada", 1, true);
	prune(p->store, id, 3, false);
	job_init(&job, WRITE_TOMBSTONES_DROP);
	job.write.u.tombstones_drop.limit = 2;
	job.write.u.tombstones_drop.before_ms = 1;
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.tombstones_drop.dropped, 0);
	job.write.u.tombstones_drop.before_ms = INT64_MAX;
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.tombstones_drop.dropped, 2);
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.tombstones_drop.dropped, 1);
	job.write.u.tombstones_drop.limit = WRITE_TOMBSTONES_MAX + 1;
	assert_int_equal(job_run(&job, p->store), ERR_INPUT);
	job_fini(&job);
	assert_int_equal(query_open(p->store, &q), OK);
	for (int i = 0; i < 3; i++)
		assert_int_equal(page_of(q, &id[i], "ada"), ERR_NOT_FOUND);
	query_close(q);
}

/* --- the audit --- */

static struct audit_entry newest(struct place *p, uint32_t *ret_n)
{
	static struct audit_entry list[10];
	struct query *q;

	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(query_audit(q, 0, 10, list, ret_n), OK);
	query_close(q);
	return list[0];
}

static void what_was_done_has_a_row_and_what_failed_has_none(void **state)
{
	struct place *p = *state;
	struct audit a = { .operation = id_new(),
		.actor = "root",
		.action = "prune",
		.subject = "all" };
	struct id id[80], nobody = id_new();
	struct audit_entry e;
	struct job job;
	uint32_t n = 0;

	for (int i = 0; i < 80; i++)
		id[i] = filled(p->store, "ada", 1, true);
	/* Two writes, of more than one transaction. */
	for (int i = 0; i < 2; i++) {
		prune_init(&job, id + i * 39, 39, "");
		job.write.audit = &a;
		assert_int_equal(job_run(&job, p->store), OK);
		job_fini(&job);
	}
	e = newest(p, &n);
	assert_int_equal(n, 1);
	assert_string_equal(e.what.actor, "root");
	assert_int_equal(e.gone.executions, 78);
	assert_int_equal(e.gone.chunks, 156);

	a = (struct audit){ .operation = id_new(), .action = "delete" };
	job_init(&job, WRITE_DELETE);
	job.write.audit = &a;
	job.write.u.remove.id = nobody;
	assert_int_equal(job_run(&job, p->store), ERR_NOT_FOUND);
	job.write.u.remove.id = id[0];
	assert_int_equal(job_run(&job, p->store), ERR_GONE);
	assert_true(job.write.u.remove.deleted_ms > 0);
	newest(p, &n);
	assert_int_equal(n, 1);
	job.write.u.remove.id = id[79];
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	e = newest(p, &n);
	assert_int_equal(n, 2);
	assert_string_equal(e.what.action, "delete");
	assert_int_equal(e.gone.executions, 1);

	a = (struct audit){ .operation = id_new(), .action = "backup" };
	job_init(&job, WRITE_AUDIT);
	job.write.audit = &a;
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	e = newest(p, &n);
	assert_int_equal(n, 3);
	assert_string_equal(e.what.action, "backup");
}

/* What is gone already is not counted a second time, by whatever way. */
static void rows_that_are_gone_are_counted_once(void **state)
{
	struct place *p = *state;
	struct id id[2] = { filled(p->store, "ada", 9, true),
		filled(p->store, "ada", 9, true) };
	struct audit a = { .operation = id_new(), .action = "delete" };
	struct audit_entry e;
	struct job job;
	uint32_t n = 0;

	prune(p->store, id, 2, true);
	job_init(&job, WRITE_DELETE);
	job.write.audit = &a;
	job.write.u.remove.id = id[0];
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	e = newest(p, &n);
	assert_int_equal(e.gone.executions, 1);
	assert_int_equal(e.gone.chunks, 0);
	prune_init(&job, &id[1], 1, "");
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.gone.chunks, 0);
	job_fini(&job);
}

/* --- beside writes that never end --- */

#define FED_MOST 200
#define FED_CHUNKS 24
#define FED_BYTES 65536

struct feed {
	struct job job; /* first */
	struct store *store;
	struct job *until;
	int left;
};

static bool is_done(struct job *job)
{
	bool done;

	pthread_mutex_lock(&job->lock);
	done = job->done;
	pthread_mutex_unlock(&job->lock);
	return done;
}

/* The same again, so that there is always mail; and more than a tidy's worth. */
static void feed_on(struct write *w)
{
	struct feed *f = (struct feed *)(void *)w;

	if (!is_done(f->until) && --f->left > 0)
		assert_int_equal(writer_post(f->store, w), OK);
	else
		job_done(w);
}

static void a_prune_has_its_turn_beside_large_commits_without_end(void **state)
{
	struct place *p = *state;
	struct id old[2] = { filled(p->store, "ada", 3, true),
		filled(p->store, "ada", 3, true) };
	struct id busy = create(p->store, "ada");
	static char text[FED_BYTES];
	struct feed feed[2];
	struct job job;

	until_clean(p->store);
	memset(text, 'x', sizeof(text));
	prune_init(&job, old, 2, "");
	for (int i = 0; i < 2; i++) {
		feed[i] = (struct feed){
			.store = p->store, .until = &job, .left = FED_MOST
		};
		job_init(&feed[i].job, WRITE_BATCH);
		feed[i].job.write.on_done = feed_on;
		for (int k = 0; k < FED_CHUNKS; k++)
			add_text(&feed[i].job.write.u.batch, &busy, text,
			    sizeof(text));
		assert_int_equal(writer_post(p->store, &feed[i].job.write), OK);
	}
	assert_int_equal(job_run(&job, p->store), OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(job_wait(&feed[i].job), OK);
		assert_true(feed[i].left > 0);
		job_fini(&feed[i].job);
	}
	job_fini(&job);
}

/* --- what is large goes in the background, to the end --- */

static void a_huge_one_leaves_nothing_and_the_file_shrinks(void **state)
{
	struct place *p = *state;
	struct id huge, kept;
	struct check_counts counts;
	struct store_stats before, after;
	struct job job;

	huge = create(p->store, "ada");
	for (uint64_t from = 0; from < 600000; from += 20000) {
		job_init(&job, WRITE_BATCH);
		if (from == 0)
			add_start(&job.write.u.batch, &huge);
		add_texts(&job.write.u.batch, &huge, from, 20000, LONGEST);
		if (from == 580000)
			add_end(&job.write.u.batch, &huge);
		assert_int_equal(job_run(&job, p->store), OK);
		job_fini(&job);
	}
	kept = filled(p->store, "ada", 50, true);
	place_close(p);
	p->options.cache_bytes = 1;
	place_open(p);
	until_packed(p->store, &kept);
	until_clean(p->store);
	place_close(p);
	place_open(p);
	store_stats(p->store, &before);
	assert_true(before.db_bytes > 10 << 20);
	prune(p->store, &huge, 1, false);
	until_clean(p->store);
	place_close(p);
	counts = checked(p->url);
	assert_int_equal(counts.executions, 1);
	assert_int_equal(counts.chunks, 51);
	assert_int_equal(counts.stray_segments, 0);
	assert_int_equal(counts.stray_chunks, 0);
	assert_int_equal(counts.trash, 0);
	assert_int_equal(counts.tombstones, 1);
	place_open(p);
	store_stats(p->store, &after);
	assert_true(after.db_bytes < before.db_bytes / 2);
}

static void dead_live_rows_go_without_waiting_for_more(void **state)
{
	struct place *p = *state;
	struct id id = filled(p->store, "ada", 20, true);

	/* Too few for a turn of their own, had it not been deleted. */
	prune(p->store, &id, 1, false);
	until_clean(p->store);
	/* A commit after it: the turn before it is over. */
	filled(p->store, "ada", 0, false);
	place_close(p);
	place_open(p);
	until_clean(p->store);
	filled(p->store, "ada", 0, false);
	place_close(p);
	assert_int_equal(checked(p->url).stray_chunks, 0);
}

static enum err on_live(void *arg, int64_t row, const struct chunk *c)
{
	size_t *n = arg;

	(void)row;
	(void)c;
	++*n;
	return OK;
}

static enum err on_unreadable(void *arg, const char *what)
{
	(void)arg;
	fail_msg("%s", what);
	return ERR_CORRUPT;
}

/* How many live rows the file holds, whoever's. */
static size_t live_rows(const char *url)
{
	const struct store_options o = { .url = url };
	const struct engine *engine;
	struct engine_db *db = NULL;
	struct why why = { "" };
	size_t n = 0;
	const struct engine_seen to = {
		.on_chunk = on_live, .on_damage = on_unreadable, .arg = &n
	};
	int64_t from = 0, next = 0;

	assert_int_equal(engine_find(url, &engine, &why), OK);
	assert_int_equal(engine->open_reader(&o, &db, &why), OK);
	for (;; from = next) {
		assert_int_equal(
		    engine->seen_chunks(db, from, 1 << 20, &to, &next), OK);
		if (next == from)
			break;
	}
	engine->close(db);
	return n;
}

static void until_in_segments(struct store *store, const struct id *id)
{
	const struct query_filter f = { .status = -1, .limit = 100 };
	struct execution_brief b[100];
	struct query *q = NULL;
	uint32_t n = 0;
	bool there = false;

	assert_int_equal(query_open(store, &q), OK);
	for (int i = 0; !there; i++) {
		assert_true(i < 20000);
		usleep(1000);
		assert_int_equal(query_walk(q, &f, b, &n), OK);
		/* Of all bytes, those of segments come when it is packed. */
		for (uint32_t k = 0; k < n; k++)
			there |= id_equal(&b[k].id, id) && b[k].bytes > 200;
	}
	query_close(q);
}

static void packed_ones_leave_no_live_rows_either(void **state)
{
	struct place *p = *state;
	struct id id = filled(p->store, "ada", 20, true);

	until_in_segments(p->store, &id);
	assert_true(live_rows(p->url) > 0);
	prune(p->store, &id, 1, false);
	for (int i = 0; live_rows(p->url) > 0; i++) {
		assert_true(i < 2000);
		usleep(1000);
	}
}

/* --- the real engine, but trash cannot be dropped while told so --- */

static struct engine holding;
static const struct engine *sound;
static atomic_bool hold_trash, hold_deletes, break_deletes;

static enum err drop_or_hold(struct engine_db *db, uint32_t limit,
    size_t max_bytes, size_t *ret_bytes, bool *ret_left)
{
	if (atomic_load(&hold_trash))
		return ERR_FULL;
	return sound->trash_drop(db, limit, max_bytes, ret_bytes, ret_left);
}

static atomic_int deletes;

static enum err delete_or_hold(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	if (atomic_load(&break_deletes)) {
		err_why(&db->why, "told to fail");
		return ERR_IO;
	}
	if (atomic_load(&hold_deletes) && atomic_fetch_add(&deletes, 1) >= 40)
		return ERR_FULL;
	return sound->execution_delete(db, row, deleted_ms);
}

static void make_holding(struct store *store)
{
	sound = store->engine;
	holding = *sound;
	holding.trash_drop = drop_or_hold;
	holding.execution_delete = delete_or_hold;
	swap_engine(store, &holding);
}

static void trash_that_was_left_is_dropped_after_a_restart(void **state)
{
	struct place *p = *state;
	struct check_counts counts;
	struct id id[50];

	p->options.cache_bytes = 1;
	place_close(p);
	place_open(p);
	for (int i = 0; i < 50; i++)
		id[i] = filled(p->store, "ada", 20, true);
	until_packed(p->store, &id[49]);
	until_clean(p->store);
	make_holding(p->store);
	atomic_store(&hold_trash, true);
	prune(p->store, id, 25, false);
	prune(p->store, id + 25, 20, true);
	place_close(p);
	counts = checked(p->url);
	assert_int_equal(counts.trash, 45);
	assert_true(counts.stray_segments >= 45);
	atomic_store(&hold_trash, false);
	place_open(p);
	until_clean(p->store);
	place_close(p);
	counts = checked(p->url);
	assert_int_equal(counts.trash, 0);
	assert_int_equal(counts.stray_segments, 0);
	assert_int_equal(counts.executions, 25);
	assert_int_equal(counts.tombstones, 25);
	assert_int_equal(counts.chunks, 5 * 21);
}

static void a_prune_without_room_says_how_far_it_came(void **state)
{
	struct place *p = *state;
	struct id id[50];
	struct query *q;
	struct job job;
	int gone = 0;

	for (int i = 0; i < 50; i++)
		id[i] = filled(p->store, "ada", 2, true);
	until_clean(p->store);
	make_holding(p->store);
	atomic_store(&deletes, 0);
	atomic_store(&hold_deletes, true);
	prune_init(&job, id, 50, "");
	assert_int_equal(job_run(&job, p->store), ERR_FULL);
	assert_int_equal(query_open(p->store, &q), OK);
	for (int i = 0; i < 50; i++)
		gone += page_of(q, &id[i], NULL) == ERR_GONE;
	assert_true(gone > 0 && gone < 50);
	assert_int_equal(job.write.u.prune.gone.executions, gone);
	atomic_store(&hold_deletes, false);
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.gone.executions, 50 - gone);
	job_fini(&job);
	query_close(q);
}

static void what_stays_of_a_payload_is_not_counted_before_either(void **state)
{
	const struct retention_rule rule = { .age_ms = RETENTION_NO_LIMIT,
		.bytes = RETENTION_NO_LIMIT,
		.count = RETENTION_NO_LIMIT,
		.all_limits = true,
		.payload_only = true };
	struct place *p = *state;
	struct retention_batch found;
	struct retention *look = NULL;
	struct query *q;
	struct job job;
	struct id id;

	p->options.cache_bytes = 1;
	place_close(p);
	place_open(p);
	id = filled(p->store, "ada", 20, true);
	until_packed(p->store, &id);
	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(
	    retention_new(&rule, 1, clock_wall_ms() + 1, NULL, &look), OK);
	assert_int_equal(
	    retention_step(look, retention_walk, q, 10, &found), OK);
	assert_int_equal(found.n_payload, 1);
	assert_true(found.bytes > strlen(END_METADATA));
	prune_init(&job, &id, 1, "");
	job.write.u.prune.payload_only = true;
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job.write.u.prune.gone.bytes, found.bytes);
	job_fini(&job);
	retention_free(look);
	query_close(q);
}

static void a_store_that_failed_cleans_no_more(void **state)
{
	struct place *p = *state;
	struct store_stats now;
	struct id id = filled(p->store, "ada", 2, true);
	struct job job;

	until_clean(p->store);
	make_holding(p->store);
	atomic_store(&break_deletes, true);
	prune_init(&job, &id, 1, "");
	assert_int_equal(job_run(&job, p->store), ERR_IO);
	atomic_store(&break_deletes, false);
	job_fini(&job);
	store_stats(p->store, &now);
	assert_false(now.cleaning);
	assert_int_equal(now.deleted, 0);
}

/* Posted, and the store is closed at once: all or some, and it says which. */
static void a_stop_leaves_each_whole_or_gone(void **state)
{
	struct place *p = *state;
	struct id id[400];
	struct job job[4];
	uint64_t gone = 0;

	for (int i = 0; i < 400; i++)
		id[i] = filled(p->store, "ada", 3, true);
	for (int i = 0; i < 4; i++) {
		prune_init(&job[i], id + 100 * i, 100, "");
		job_post(&job[i], p->store);
	}
	place_close(p);
	for (int i = 0; i < 4; i++) {
		enum err rc = job_wait(&job[i]);

		assert_true(rc == OK || rc == ERR_STOPPED);
		gone += job[i].write.u.prune.gone.executions;
		job_fini(&job[i]);
	}
	assert_int_equal(checked(p->url).executions, 400 - gone);
	assert_int_equal(checked(p->url).tombstones, gone);
}

/* --- readers and copies beside it --- */

#define LOGS 60
#define CHUNKS 400

struct reading {
	struct place *p;
	struct id id[LOGS];
	atomic_bool stop;
	atomic_uint pages, gone;
	uint64_t seed;
};

/* Every page is whole or GONE, and what is gone stays gone. */
static void *read_on(void *arg)
{
	struct reading *r = arg;
	bool gone[LOGS] = { false };
	uint64_t seed = atomic_fetch_add(&r->pages, 1) + 1;
	struct query *q;
	struct page page;

	page_init(&page);
	assert_int_equal(query_open(r->p->store, &q), OK);
	while (!atomic_load(&r->stop)) {
		struct page_query pq = { 0, 50, PAGE_MAX_BYTES };
		uint32_t i;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		i = (uint32_t)(seed >> 33) % LOGS;
		do {
			enum err rc =
			    query_page(q, &r->id[i], "ada", &pq, &page);

			if (rc == ERR_GONE) {
				gone[i] = true;
				atomic_fetch_add(&r->gone, 1);
				break;
			}
			assert_int_equal(rc, OK);
			assert_false(gone[i]);
			expect_texts(&page, pq.from, LONGEST);
			assert_int_equal(page.total, CHUNKS + 1);
			assert_true(page.n > 0);
			pq.from = page_next(&page);
			atomic_fetch_add(&r->pages, 1);
		} while (!page_final(&page));
	}
	page_fini(&page);
	query_close(q);
	return NULL;
}

static void read_while_pruned(struct place *p, bool payload_only)
{
	struct reading r = { .p = p };
	pthread_t thread[3];

	for (int i = 0; i < LOGS; i++)
		r.id[i] = filled(p->store, "ada", CHUNKS, true);
	for (int i = 0; i < 3; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, read_on, &r), 0);
	for (int i = 0; i < LOGS; i++) {
		unsigned before = atomic_load(&r.pages);

		prune(p->store, &r.id[i], 1, payload_only);
		/* Some pages of those that are left, before the next. */
		while (i < LOGS - 5 && atomic_load(&r.pages) < before + 20)
			usleep(100);
	}
	while (atomic_load(&r.gone) < 100)
		usleep(100);
	atomic_store(&r.stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	until_clean(p->store);
	place_close(p);
	assert_int_equal(checked(p->url).stray_segments, 0);
}

static void a_reader_gets_a_whole_page_or_gone(void **state)
{
	read_while_pruned(*state, false);
}

static void so_does_one_who_reads_from_the_disk(void **state)
{
	struct place *p = *state;

	place_close(p);
	p->options.cache_bytes = 1;
	place_open(p);
	read_while_pruned(p, false);
}

static void and_one_whose_payload_alone_goes(void **state)
{
	struct place *p = *state;

	place_close(p);
	p->options.cache_bytes = 1;
	place_open(p);
	read_while_pruned(p, true);
}

static void a_copy_beside_a_prune_is_whole(void **state)
{
	struct place *p = *state;
	static struct id id[600];
	char part[128], target[128], url[128];
	struct check_counts counts;
	atomic_bool cancel = false;
	struct store_stats now;
	struct why why = { "" };
	struct job copy, job;
	uint64_t gone = 0;

	snprintf(part, sizeof(part), "%s/c.part", p->dir);
	snprintf(target, sizeof(target), "%s/c.db", p->dir);
	snprintf(url, sizeof(url), "%s/again.db", p->dir);
	for (int i = 0; i < 600; i++)
		id[i] = filled(p->store, "ada", 100, true);
	job_init(&copy, WRITE_COPY);
	copy.write.u.copy.path = part;
	copy.write.u.copy.cancel = &cancel;
	job_post(&copy, p->store);
	for (int i = 0; i < 5; i++) {
		prune_init(&job, id + 100 * i, 100, "");
		job.write.u.prune.payload_only = i % 2;
		assert_int_equal(job_run(&job, p->store), OK);
		gone += i % 2 == 0 ? 100 : 0;
		job_fini(&job);
	}
	assert_int_equal(job_wait(&copy), OK);
	job_fini(&copy);
	until_clean(p->store);
	if (backup_finish(part, target, &cancel, &why) != OK)
		fail_msg("%s", why.text);
	/* It is of one moment, and finishes by itself what had begun. */
	assert_int_equal(backup_restore(target, url, &why), OK);
	counts = checked(url);
	assert_true(counts.executions >= 600 - gone);
	assert_int_equal(counts.executions + counts.tombstones, 600);
	place_close(p);
	counts = checked(p->url);
	assert_int_equal(counts.executions, 600 - gone);
	assert_int_equal(counts.chunks, 100 * 101);
	p->options.url = url;
	place_open(p);
	until_clean(p->store);
	store_stats(p->store, &now);
	place_close(p);
	counts = checked(url);
	assert_int_equal(counts.stray_segments, 0);
	assert_int_equal(counts.trash, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_prune_takes_what_has_ended_and_counts_the_rest),
		T(a_payload_goes_and_its_record_stays),
		T(too_many_at_once_are_refused),
		T(tombstones_are_forgotten_by_age),
		T(what_was_done_has_a_row_and_what_failed_has_none),
		T(rows_that_are_gone_are_counted_once),
		T(a_prune_has_its_turn_beside_large_commits_without_end),
		T(a_huge_one_leaves_nothing_and_the_file_shrinks),
		T(dead_live_rows_go_without_waiting_for_more),
		T(packed_ones_leave_no_live_rows_either),
		T(trash_that_was_left_is_dropped_after_a_restart),
		T(a_prune_without_room_says_how_far_it_came),
		T(what_stays_of_a_payload_is_not_counted_before_either),
		T(a_store_that_failed_cleans_no_more),
		T(a_stop_leaves_each_whole_or_gone),
		T(a_reader_gets_a_whole_page_or_gone),
		T(so_does_one_who_reads_from_the_disk),
		T(and_one_whose_payload_alone_goes),
		T(a_copy_beside_a_prune_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
