/* Backups: whole, verified, never over another file, made beside the work. */
#include "tests/unit/store/support.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/backup.h"
#include "store/check.h"

#define LOGS 20
#define LONGEST 300

struct world {
	struct place place;
	struct id id[LOGS];
	char target[128], part[128], second[128];
	atomic_bool cancel;
};

static void fill(struct world *w, uint32_t chunks)
{
	for (int i = 0; i < LOGS; i++) {
		struct job job;

		w->id[i] = create(w->place.store, "ann");
		job_init(&job, WRITE_BATCH);
		add_start(&job.write.u.batch, &w->id[i]);
		add_texts(&job.write.u.batch, &w->id[i], 0, chunks, LONGEST);
		add_end(&job.write.u.batch, &w->id[i]);
		assert_int_equal(job_run(&job, w->place.store), OK);
		job_fini(&job);
	}
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	place_init(&w->place);
	w->place.options.durability = STORE_NORMAL;
	place_open(&w->place);
	fill(w, 100);
	snprintf(w->target, sizeof(w->target), "%s/b.db", w->place.dir);
	snprintf(w->part, sizeof(w->part), "%s/b.db.part", w->place.dir);
	snprintf(w->second, sizeof(w->second), "%s/r.db", w->place.dir);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	place_fini(&w->place);
	free(w);
	return 0;
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

/* Nothing but these names is in the directory. */
static void assert_no_leftovers(struct world *w)
{
	char command[300];

	snprintf(command, sizeof(command),
	    "ls -A %s | grep -E 'part|^b.db-|^b.db.lock' | grep -q . && exit 1 "
	    "|| exit 0",
	    w->place.dir);
	assert_int_equal(system(command), 0);
}

static void on_finding(void *arg, const struct check_finding *f)
{
	(void)f;
	++*(int *)arg;
}

static int count_findings(const char *path)
{
	int n = 0;
	const struct check_options o = { .on_finding = on_finding, .arg = &n };
	struct check *c = NULL;
	bool done = false;

	assert_int_equal(check_open_alone(path, &o, &c, NULL), OK);
	while (!done)
		assert_int_equal(check_step(c, &done), OK);
	check_close(c);
	return n;
}

/* The store at ${path} has the logs of ${w}, whole. */
static void expect_all(struct world *w, char *path)
{
	struct place p = { .options = { .url = path } };
	struct query *q;

	assert_int_equal(count_findings(path), 0);
	place_open(&p);
	assert_int_equal(query_open(p.store, &q), OK);
	for (int i = 0; i < LOGS; i++) {
		const struct page_query pq = { 0, PAGE_MAX_CHUNKS,
			PAGE_MAX_BYTES };
		struct page page;

		page_init(&page);
		assert_int_equal(
		    query_page(q, &w->id[i], "ann", &pq, &page), OK);
		assert_int_equal(page.n, 101);
		expect_texts(&page, 0, LONGEST);
		page_fini(&page);
	}
	query_close(q);
	place_close(&p);
}

static void a_backup_restored_is_the_same_store(void **state)
{
	struct world *w = *state;
	struct why why = { "" };
	struct stat st;

	assert_int_equal(backup_alone(w->place.url, w->target, &why), ERR_BUSY);
	place_close(&w->place);
	assert_int_equal(backup_alone(w->place.url, w->target, &why), OK);
	assert_no_leftovers(w);
	assert_int_equal(stat(w->target, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_int_equal(backup_restore(w->target, w->second, &why), OK);
	assert_no_leftovers(w);
	assert_int_equal(stat(w->second, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	expect_all(w, w->second);
	/* The backup itself is as it was. */
	assert_true(there(w->target));
}

static void nothing_is_ever_replaced(void **state)
{
	struct world *w = *state;
	struct why why = { "" };
	char wal[200];

	place_close(&w->place);
	assert_int_equal(backup_alone(w->place.url, w->target, &why), OK);
	assert_int_equal(
	    backup_alone(w->place.url, w->target, &why), ERR_CONFLICT);
	assert_int_equal(
	    backup_restore(w->target, w->place.url, &why), ERR_CONFLICT);
	/* Another store's log would be taken for the new one's. */
	snprintf(wal, sizeof(wal), "%s-wal", w->second);
	close(open(wal, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(
	    backup_restore(w->target, w->second, &why), ERR_CONFLICT);
	assert_non_null(strstr(why.text, "r.db-wal"));
	assert_false(there(w->second));
	assert_no_leftovers(w);
}

static void a_damaged_backup_is_not_restored(void **state)
{
	struct world *w = *state;
	struct why why = { "" };
	char noise[4096];
	int fd;

	place_close(&w->place);
	assert_int_equal(backup_alone(w->place.url, w->target, &why), OK);
	memset(noise, 0x5a, sizeof(noise));
	fd = open(w->target, O_WRONLY);
	assert_int_equal(pwrite(fd, noise, 4096, 12 * 4096), 4096);
	close(fd);
	assert_int_equal(
	    backup_restore(w->target, w->second, &why), ERR_CORRUPT);
	assert_false(there(w->second));
	assert_int_equal(truncate(w->target, 5000), 0);
	assert_int_equal(
	    backup_restore(w->target, w->second, &why), ERR_CORRUPT);
	assert_null(strstr(why.text, ".part"));
	/* Not even a store: what was given is named, not its copy. */
	fd = open(w->target, O_WRONLY | O_TRUNC);
	assert_int_equal(pwrite(fd, noise, 4096, 0), 4096);
	close(fd);
	assert_int_equal(
	    backup_restore(w->target, w->second, &why), ERR_CORRUPT);
	assert_non_null(strstr(why.text, w->target));
	assert_null(strstr(why.text, ".part"));
	assert_int_equal(
	    backup_restore("/nowhere/b.db", w->second, &why), ERR_NOT_FOUND);
	assert_false(there(w->second));
	assert_no_leftovers(w);
}

static void a_store_in_use_is_no_backup(void **state)
{
	struct world *w = *state;
	struct why why = { "" };

	assert_int_equal(
	    backup_restore(w->place.url, w->second, &why), ERR_BUSY);
	assert_false(there(w->second));
}

/* --- by the writer --- */

static void copy_init(struct job *job, struct world *w)
{
	job_init(job, WRITE_COPY);
	job->write.u.copy.path = w->part;
	job->write.u.copy.cancel = &w->cancel;
}

struct load {
	struct world *w;
	atomic_bool stop;
	atomic_int_fast64_t waits;
	int64_t longest_ns, over;
	struct id last;
};

/* Writes as a worker does, and counts how long each commit took. */
static void *work(void *arg)
{
	struct load *l = arg;
	struct store *store = l->w->place.store;

	while (!atomic_load(&l->stop)) {
		struct job job;
		int64_t from = clock_mono_ns(), took;

		l->last = create(store, "bob");
		job_init(&job, WRITE_BATCH);
		add_start(&job.write.u.batch, &l->last);
		add_texts(&job.write.u.batch, &l->last, 0, 100, LONGEST);
		add_end(&job.write.u.batch, &l->last);
		assert_int_equal(job_run(&job, store), OK);
		job_fini(&job);
		took = clock_mono_ns() - from;
		atomic_fetch_add(&l->waits, 1);
		l->longest_ns = took > l->longest_ns ? took : l->longest_ns;
		l->over += took > 20 * 1000000;
	}
	return NULL;
}

static void a_copy_under_load_is_whole_and_nobody_waits(void **state)
{
	struct world *w = *state;
	struct load load = { .w = w };
	int64_t during = 0;
	struct why why = { "" };
	pthread_t thread;
	char lock[140];

	snprintf(lock, sizeof(lock), "%s.lock", w->target);
	for (int i = 0; i < 10; i++)
		fill(w, 400);
	fill(w, 100);
	assert_int_equal(pthread_create(&thread, NULL, work, &load), 0);
	for (int round = 0; round < 5; round++) {
		struct job job;

		int64_t before = atomic_load(&load.waits);

		copy_init(&job, w);
		assert_int_equal(job_run(&job, w->place.store), OK);
		job_fini(&job);
		during += atomic_load(&load.waits) - before;
		assert_int_equal(
		    backup_finish(w->part, w->target, &w->cancel, &why), OK);
		assert_no_leftovers(w);
		expect_all(w, w->target);
		unlink(w->target);
		unlink(lock);
	}
	atomic_store(&load.stop, true);
	pthread_join(thread, NULL);
	print_message("%lld commits beside 5 copies, %lld over 20 ms, longest "
		      "%lld ms\n",
	    (long long)during, (long long)load.over,
	    (long long)load.longest_ns / 1000000);
	/* How long one takes is the machine's; that they go on is ours. */
	assert_true(during >= 25);
	assert_true(load.longest_ns < 2000000000);
}

static void a_copy_holds_what_was_committed_before_it_was_asked(void **state)
{
	struct world *w = *state;
	struct job job;
	struct id last = create(w->place.store, "ann");
	struct place p = { .options = { .url = w->part } };
	struct query *q;
	struct execution e = { 0 };

	copy_init(&job, w);
	assert_int_equal(job_run(&job, w->place.store), OK);
	job_fini(&job);
	place_open(&p);
	assert_int_equal(query_open(p.store, &q), OK);
	assert_int_equal(query_execution(q, &last, "ann", &e), OK);
	execution_fini(&e);
	query_close(q);
	place_close(&p);
}

static void one_copy_at_a_time_and_it_can_be_stopped(void **state)
{
	struct world *w = *state;
	struct job first, second;

	atomic_store(&w->cancel, true);
	copy_init(&first, w);
	assert_int_equal(job_run(&first, w->place.store), ERR_STOPPED);
	job_fini(&first);
	assert_false(there(w->part));
	atomic_store(&w->cancel, false);
	/* Closing ends it, and answers. */
	copy_init(&first, w);
	copy_init(&second, w);
	job_post(&first, w->place.store);
	job_post(&second, w->place.store);
	place_close(&w->place);
	job_wait(&first);
	assert_int_not_equal(job_wait(&second), OK);
	if (first.write.result != OK)
		assert_false(there(w->part));
	job_fini(&first);
	job_fini(&second);
}

static void a_copy_that_cannot_be_made_is_refused_and_the_store_goes_on(
    void **state)
{
	struct world *w = *state;
	struct job job;

	close(open(w->part, O_CREAT | O_WRONLY, 0600));
	copy_init(&job, w);
	assert_int_equal(job_run(&job, w->place.store), ERR_CONFLICT);
	job_fini(&job);
	copy_init(&job, w);
	job.write.u.copy.path = "/nowhere/at/all";
	assert_int_equal(job_run(&job, w->place.store), ERR_INPUT);
	job_fini(&job);
	create(w->place.store, "ann");
	assert_int_equal(store_failed(w->place.store, NULL), OK);
}

/* --- an engine whose file a stranger holds while it is told so --- */

static struct engine held;
static const struct engine *sound;
static atomic_int hold_steps, steps;

static enum err step_or_busy(struct engine_copy *c, int pages, bool *ret_done)
{
	atomic_fetch_add(&steps, 1);
	if (atomic_load(&hold_steps) == 0)
		return sound->copy_step(c, pages, ret_done);
	atomic_fetch_sub(&hold_steps, 1);
	return ERR_BUSY;
}

static void make_held(struct store *store, int n)
{
	atomic_store(&hold_steps, n);
	atomic_store(&steps, 0);
	sound = store->engine;
	held = *sound;
	held.copy_step = step_or_busy;
	swap_engine(store, &held);
}

static void a_stranger_who_holds_the_file_is_waited_for(void **state)
{
	struct world *w = *state;
	struct job job;

	make_held(w->place.store, 5);
	copy_init(&job, w);
	assert_int_equal(job_run(&job, w->place.store), OK);
	job_fini(&job);
	assert_true(there(w->part));
}

static void but_not_for_ever_nor_without_a_pause(void **state)
{
	struct world *w = *state;
	struct job job;

	make_held(w->place.store, INT32_MAX);
	copy_init(&job, w);
	assert_int_equal(job_run(&job, w->place.store), ERR_BUSY);
	assert_non_null(strstr(job.write.why.text, "another program"));
	assert_int_equal(atomic_load(&steps), 100);
	assert_false(there(w->part));
	job_fini(&job);
	create(w->place.store, "ann");
}

static void a_copy_leaves_the_reserve_of_the_stores_disk(void **state)
{
	struct world *w = *state;
	struct engine_copy *copy = NULL;
	struct engine_db *db;
	const struct engine *engine;
	struct engine_stats now;
	bool done;

	place_close(&w->place);
	assert_int_equal(engine_find(w->place.url, &engine, NULL), OK);
	assert_int_equal(engine->open(&w->place.options, &db, NULL), OK);
	engine->stats(db, &now);
	assert_int_equal(
	    engine->copy_begin(db, w->part, now.free_bytes, &copy), ERR_FULL);
	assert_non_null(strstr(db->why.text, "to spare"));
	assert_false(there(w->part));
	assert_int_equal(
	    engine->copy_begin(db, w->part, (uint64_t)1 << 20, &copy), OK);
	assert_int_equal(engine->copy_step(copy, 4, &done), OK);
	engine->copy_end(copy);
	engine->close(db);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_backup_restored_is_the_same_store),
		T(nothing_is_ever_replaced),
		T(a_damaged_backup_is_not_restored),
		T(a_store_in_use_is_no_backup),
		T(a_copy_under_load_is_whole_and_nobody_waits),
		T(a_copy_holds_what_was_committed_before_it_was_asked),
		T(one_copy_at_a_time_and_it_can_be_stopped),
		T(a_stranger_who_holds_the_file_is_waited_for),
		T(but_not_for_ever_nor_without_a_pause),
		T(a_copy_leaves_the_reserve_of_the_stores_disk),
		T(a_copy_that_cannot_be_made_is_refused_and_the_store_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
