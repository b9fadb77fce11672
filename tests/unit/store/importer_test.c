/* Lines of an export into a store: what is stored, what was there, what not. */
#include "tests/unit/store/support.h"

#include <semaphore.h>

#include "store/check.h"
#include "store/importer.h"
#include "store/pack.h"
#include "tests/unit/store/import_line.h"

struct fates {
	struct importer_told told[300];
	size_t n;
};

static void on_told(void *arg, const struct importer_told *t)
{
	struct fates *f = arg;

	assert_true(f->n < sizeof(f->told) / sizeof(f->told[0]));
	f->told[f->n++] = *t;
}

static struct importer *open_importer(
    struct place *p, struct fates *f, bool dry_run)
{
	const struct importer_options o = { .store = p->store,
		.dry_run = dry_run,
		.on_told = on_told,
		.arg = f };
	struct importer *m = NULL;

	*f = (struct fates){ 0 };
	assert_int_equal(importer_open(&o, &m), OK);
	return m;
}

/* The fates of ${n} lines. */
static void import_lines(struct place *p, const char *const *lines, size_t n,
    bool dry_run, struct fates *f)
{
	struct importer *m = open_importer(p, f, dry_run);
	struct why why = { "" };

	for (size_t i = 0; i < n; i++)
		assert_int_equal(
		    importer_line(m, i + 1, lines[i], strlen(lines[i]), &why),
		    OK);
	assert_int_equal(importer_finish(m, &why), OK);
	importer_close(m);
	assert_int_equal(f->n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(f->told[i].line, i + 1);
}

static enum importer_fate import_one(
    struct place *p, const char *line, struct why *why)
{
	struct fates f;

	import_lines(p, &line, 1, false, &f);
	*why = f.told[0].why;
	return f.told[0].fate;
}

static void on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("%s: %s", check_kind_name(f->kind), f->what.text);
}

/* Closes the store; nothing may be wrong in it. */
static void expect_sound(struct place *p, uint64_t executions, uint64_t chunks)
{
	const struct check_options o = { .on_finding = on_finding };
	struct check_counts counts;
	struct why why = { "" };
	struct check *c = NULL;
	bool done = false;

	place_close(p);
	assert_int_equal(check_open_alone(p->url, &o, &c, &why), OK);
	while (!done)
		assert_int_equal(check_step(c, &done), OK);
	check_counts(c, &counts);
	check_close(c);
	assert_int_equal(counts.executions, executions);
	assert_int_equal(counts.chunks, chunks);
	assert_int_equal(counts.stray_segments, 0);
}

/* A line of its own id whose ${n} text chunks do not compress. */
static char *large_line(unsigned id, uint32_t n, size_t bytes)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	uint64_t x = id * 0x9e3779b97f4a7c15u + 1;
	char tail[16], total[40];
	struct buf chunks;
	char *a, *b, *c, *d;

	buf_init(&chunks, (size_t)64 << 20);
	for (uint32_t i = 0; i < n; i++) {
		buf_printf(&chunks, "{\"index\":%u,\"content\":\"", i);
		for (size_t k = 0; k < bytes; k++) {
			x = x * 6364136223846793005u + 1442695040888963407u;
			buf_putc(&chunks, digits[x >> 58]);
		}
		buf_puts(&chunks,
		    "\",\"timestamp\":\"2026-01-02T21:24:00.000Z\","
		    "\"metadata\":{\"kind\":\"text\"}},");
	}
	buf_printf(&chunks,
	    "{\"index\":%u,\"content\":\"\",\"timestamp\":"
	    "\"2026-01-02T21:24:00.300Z\",\"metadata\":{\"kind\":\"end\","
	    "\"status\":\"completed\"}}",
	    n);
	buf_putc(&chunks, '\0');
	snprintf(total, sizeof(total), "\"total_chunks\":%u", n + 1);
	snprintf(tail, sizeof(tail), "-%012x", id);
	a = line_with(LINE, LINE_CHUNKS, chunks.data);
	b = line_with(a, "\"total_chunks\":4", total);
	c = line_with(b,
	    ",\"text\":\"Hi \\u0000\xf0\x9f\x8c\x8a\",\"chunk_attempts\":"
	    "[[0,1],[2,2]]",
	    "");
	free(a);
	a = line_with(c, "-0123456789ab", tail);
	snprintf(total, sizeof(total), "\"idempotency_key\":\"k%u\"", id);
	d = line_with(a, "\"idempotency_key\":\"k\"", total);
	free(a);
	free(b);
	free(c);
	buf_fini(&chunks);
	return d;
}

/* --- facts --- */

static void a_line_is_stored_and_read_as_it_was(void **state)
{
	struct page_query q = { 0, 100, 1 << 20 };
	struct page_cursor at = { 0 };
	struct execution e = { 0 };
	struct query *query = NULL;
	struct place p;
	struct page page;
	struct why why;
	struct chunk c;
	struct id id;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, LINE, &why), IMPORTER_IMPORTED);
	assert_int_equal(id_parse(LINE_ID, 36, &id), OK);
	assert_int_equal(query_open(p.store, &query), OK);
	assert_int_equal(query_execution(query, &id, "shop", &e), OK);
	assert_string_equal(e.metadata, "{\"a\":1.0e2,\"a\":\"\\/\"}");
	assert_int_equal(e.finished_ms, 1767389040300);
	assert_int_equal(e.attempts, 2);
	execution_fini(&e);
	assert_int_equal(
	    query_execution(query, &id, "other", &e), ERR_NOT_FOUND);
	page_init(&page);
	assert_int_equal(query_page(query, &id, "shop", &q, &page), OK);
	assert_true(page_final(&page));
	assert_int_equal(page.n, 4);
	assert_true(page_each(&page, &at, &c));
	assert_memory_equal(c.content, "Hello", 5);
	page_fini(&page);
	query_close(query);
	expect_sound(&p, 1, 4);
	place_fini(&p);
}

static void the_same_again_existed_and_another_content_is_refused(void **state)
{
	static const struct {
		const char *from, *to, *what;
	} others[] = {
		{ "\"owner\":\"shop\"", "\"owner\":\"shup\"", "owner" },
		{ "\"target\":\"sim/m\"", "\"target\":null", "target" },
		{ "23:59.400Z", "23:59.401Z", "started_at" },
		{ "\"attempts\":2", "\"attempts\":3", "attempts" },
		{ "\"idempotency_key\":\"k\"", "\"idempotency_key\":\"l\"",
		    "idempotency_key" },
		{ "eeff\"", "eefe\"", "request_hash" },
		{ "1.0\"}", "1.1\"}", "request" },
		{ "1.0e2", "1.0e3", "metadata" },
		{ "Hello", "Hullo", "chunks" },
		{ "1.50", "1.51", "chunks" },
		{ "00.100Z", "00.101Z", "chunks" },
	};
	struct place p;
	struct why why;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, LINE, &why), IMPORTER_IMPORTED);
	assert_int_equal(import_one(&p, LINE, &why), IMPORTER_EXISTED);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		char *line = line_with(LINE, others[i].from, others[i].to);

		assert_int_equal(import_one(&p, line, &why), IMPORTER_REFUSED);
		if (strstr(why.text, "conflict") == NULL ||
		    strstr(why.text, others[i].what) == NULL)
			fail_msg("%s: %s", others[i].what, why.text);
		free(line);
	}
	expect_sound(&p, 1, 4);
	place_fini(&p);
}

static void a_used_idempotency_key_is_refused(void **state)
{
	char *line = line_with(LINE, "89ab\"", "89ac\"");
	struct place p;
	struct why why;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, LINE, &why), IMPORTER_IMPORTED);
	assert_int_equal(import_one(&p, line, &why), IMPORTER_REFUSED);
	assert_non_null(strstr(why.text, "idempotency key"));
	expect_sound(&p, 1, 4);
	place_fini(&p);
	free(line);
}

static void fates_come_in_the_order_of_the_lines(void **state)
{
	const char *lines[300];
	char *made[100];
	struct fates f;
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	/* Each twice in a row, and nonsense: together under way. */
	for (unsigned i = 0; i < 100; i++) {
		made[i] = large_line(i + 1, 3, 20);
		lines[3 * i] = lines[3 * i + 1] = made[i];
		lines[3 * i + 2] = "{}";
	}
	import_lines(&p, lines, 300, false, &f);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(f.told[3 * i].fate, IMPORTER_IMPORTED);
		assert_int_equal(f.told[3 * i + 1].fate, IMPORTER_EXISTED);
		assert_int_equal(f.told[3 * i + 2].fate, IMPORTER_REFUSED);
		assert_false(f.told[3 * i + 2].has_id);
		free(made[i]);
	}
	expect_sound(&p, 100, 400);
	place_fini(&p);
}

static void a_dry_run_stores_nothing(void **state)
{
	const char *lines[] = { LINE, "{", LINE };
	struct fates f;
	struct place p;

	(void)state;
	place_init(&p);
	/* Without a store too. */
	import_lines(&p, lines, 3, true, &f);
	assert_int_equal(f.told[0].fate, IMPORTER_IMPORTED);
	place_open(&p);
	import_lines(&p, lines, 3, true, &f);
	assert_int_equal(f.told[0].fate, IMPORTER_IMPORTED);
	assert_int_equal(f.told[1].fate, IMPORTER_REFUSED);
	expect_sound(&p, 0, 0);
	place_open(&p);
	import_lines(&p, lines, 1, false, &f);
	import_lines(&p, lines, 1, true, &f);
	assert_int_equal(f.told[0].fate, IMPORTER_EXISTED);
	place_fini(&p);
}

static void a_large_one_is_whole(void **state)
{
	char *line = large_line(7, 3000, 1000);
	struct place p;
	struct why why;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, line, &why), IMPORTER_IMPORTED);
	assert_int_equal(import_one(&p, line, &why), IMPORTER_EXISTED);
	expect_sound(&p, 1, 3001);
	place_fini(&p);
	free(line);
}

/* Refused at its last commit: what was stored of it goes. */
static void what_a_refused_large_one_left_is_dropped(void **state)
{
	char *first = large_line(1, 300, 1000);
	char *other = large_line(2, 3000, 1000);
	char *same = line_with(
	    other, "\"idempotency_key\":\"k2\"", "\"idempotency_key\":\"k1\"");
	char *last = large_line(3, 300, 1000);
	struct place p;
	struct why why;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(import_one(&p, first, &why), IMPORTER_IMPORTED);
	assert_int_equal(import_one(&p, same, &why), IMPORTER_REFUSED);
	assert_non_null(strstr(why.text, "idempotency key"));
	/* It begins when all of the other is gone. */
	assert_int_equal(import_one(&p, last, &why), IMPORTER_IMPORTED);
	expect_sound(&p, 2, 602);
	place_fini(&p);
	free(first);
	free(other);
	free(same);
	free(last);
}

/* As a process leaves it that was killed between two commits of an import. */
static void leave_half(struct place *p, uint32_t segments)
{
	const struct engine *engine;
	struct engine_db *db = NULL;
	struct buf raw;
	int64_t row;

	buf_init(&raw, 1000);
	chunk_pack(&raw,
	    &(struct chunk){ .attempt = 1, .content = "x", .content_len = 1 },
	    0);
	assert_int_equal(engine_find(p->url, &engine, NULL), OK);
	assert_int_equal(engine->open(&p->options, &db, NULL), OK);
	assert_int_equal(engine->begin(db), OK);
	assert_int_equal(engine->import_begin(db, &row), OK);
	for (uint32_t i = 0; i < segments; i++) {
		struct engine_segment s = { .first = i,
			.n = 1,
			.payload = raw.data,
			.payload_len = raw.len,
			.raw_len = raw.len };

		assert_int_equal(engine->import_segment(db, row, &s), OK);
	}
	assert_int_equal(engine->commit(db), OK);
	engine->close(db);
	buf_fini(&raw);
}

static void what_a_crash_left_is_dropped_after_the_next_start(void **state)
{
	char *line = large_line(1, 300, 1000);
	struct place p;
	struct why why;
	struct id id;

	(void)state;
	place_init(&p);
	leave_half(&p, 1000);
	place_open(&p);
	/* Its number is not given away. */
	id = create(p.store, "shop");
	(void)id;
	assert_int_equal(import_one(&p, line, &why), IMPORTER_IMPORTED);
	expect_sound(&p, 2, 301);
	place_fini(&p);
	free(line);
}

/* The real engine, but the disk is low from the first segment on. */
static struct store *lowered;
static struct engine lowering;
static const struct engine *sound;

static enum err segment_and_low(
    struct engine_db *db, int64_t row, const struct engine_segment *s)
{
	atomic_store(&lowered->low, true);
	return sound->import_segment(db, row, s);
}

static void a_large_one_leaves_a_low_disk_alone(void **state)
{
	char *line = large_line(1, 2000, 1000);
	struct why why = { "" };
	struct importer *m;
	struct fates f;
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	lowered = p.store;
	sound = p.store->engine;
	lowering = *sound;
	lowering.import_segment = segment_and_low;
	swap_engine(p.store, &lowering);
	m = open_importer(&p, &f, false);
	assert_int_equal(importer_line(m, 1, line, strlen(line), &why), OK);
	assert_int_equal(importer_finish(m, &why), ERR_FULL);
	assert_true(why.text[0] != '\0');
	importer_close(m);
	assert_int_equal(f.n, 0);
	/* Later it is as if it had never been tried. */
	swap_engine(p.store, sound);
	atomic_store(&p.store->low, false);
	assert_int_equal(import_one(&p, line, &why), IMPORTER_IMPORTED);
	expect_sound(&p, 1, 2001);
	place_fini(&p);
	free(line);
}

/* --- what is done again, told, and stopped --- */

/* Who looks for it in the writer's transaction deletes it in the same one. */
static struct engine deleting;
static int n_deleted;

static enum err brief_and_delete(struct engine_db *db, const struct id *id,
    const char *owner, struct execution_brief *ret)
{
	enum err rc = sound->execution_brief(db, id, owner, ret);

	if (rc == OK && n_deleted++ == 0)
		assert_int_equal(sound->execution_delete(db, ret->row, 1), OK);
	return rc;
}

static void what_was_deleted_meanwhile_is_stored_again(void **state)
{
	const char *lines[] = { LINE, LINE };
	struct fates f;
	struct place p;

	(void)state;
	place_init(&p);
	place_open(&p);
	n_deleted = 0;
	sound = p.store->engine;
	deleting = *sound;
	deleting.execution_brief = brief_and_delete;
	swap_engine(p.store, &deleting);
	import_lines(&p, lines, 2, false, &f);
	assert_int_equal(n_deleted, 1);
	assert_int_equal(f.told[0].fate, IMPORTER_IMPORTED);
	assert_int_equal(f.told[1].fate, IMPORTER_IMPORTED);
	import_lines(&p, lines, 1, false, &f);
	assert_int_equal(f.told[0].fate, IMPORTER_EXISTED);
	place_fini(&p);
}

static void each_is_counted_in_the_audit_with_its_record(void **state)
{
	struct audit a = { .operation = id_new(), .actor = "me" };
	char *large = large_line(1, 300, 1000);
	const char *lines[] = { LINE, LINE, "{}", large };
	struct audit_entry e[2];
	struct importer *m = NULL;
	struct fates f = { 0 };
	struct query *q;
	struct why why;
	struct place p;
	uint32_t n = 0;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(
	    importer_open(&(struct importer_options){ .store = p.store,
			      .audit = &a,
			      .on_told = on_told,
			      .arg = &f },
		&m),
	    OK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    importer_line(m, i + 1, lines[i], strlen(lines[i]), &why),
		    OK);
	assert_int_equal(importer_finish(m, &why), OK);
	importer_close(m);
	assert_int_equal(query_open(p.store, &q), OK);
	assert_int_equal(query_audit(q, INT64_MAX, 2, e, &n), OK);
	query_close(q);
	assert_int_equal(n, 1);
	assert_string_equal(e[0].what.actor, "me");
	assert_int_equal(e[0].gone.executions, 2);
	assert_int_equal(e[0].gone.chunks, 4 + 301);
	assert_true(e[0].gone.bytes > 200000);
	free(large);
	place_fini(&p);
}

struct stuck {
	struct job job; /* first */
	sem_t there, go;
};

static void wait_here(struct write *w)
{
	struct stuck *s = (struct stuck *)(void *)w;

	sem_post(&s->there);
	sem_wait(&s->go);
	job_done(w);
}

static void a_stop_ends_a_wait_for_the_writer(void **state)
{
	atomic_bool stop = true;
	struct why why = { "" };
	struct importer *m = NULL;
	struct fates f = { 0 };
	struct stuck stuck;
	struct job waiting;
	struct place p;

	(void)state;
	place_init(&p);
	p.options.backlog_bytes = 1;
	place_open(&p);
	job_init(&stuck.job, WRITE_BATCH);
	job_init(&waiting, WRITE_BATCH);
	sem_init(&stuck.there, 0, 0);
	sem_init(&stuck.go, 0, 0);
	stuck.job.write.on_done = wait_here;
	job_post(&stuck.job, p.store);
	sem_wait(&stuck.there);
	job_post(&waiting, p.store);
	assert_int_equal(
	    importer_open(&(struct importer_options){ .store = p.store,
			      .stop = &stop,
			      .on_told = on_told,
			      .arg = &f },
		&m),
	    OK);
	assert_int_equal(
	    importer_line(m, 1, LINE, strlen(LINE), &why), ERR_STOPPED);
	importer_close(m);
	sem_post(&stuck.go);
	assert_int_equal(job_wait(&stuck.job), OK);
	assert_int_equal(job_wait(&waiting), OK);
	job_fini(&stuck.job);
	job_fini(&waiting);
	assert_int_equal(f.n, 0);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_stored_and_read_as_it_was),
		cmocka_unit_test(
		    the_same_again_existed_and_another_content_is_refused),
		cmocka_unit_test(a_used_idempotency_key_is_refused),
		cmocka_unit_test(fates_come_in_the_order_of_the_lines),
		cmocka_unit_test(a_dry_run_stores_nothing),
		cmocka_unit_test(a_large_one_is_whole),
		cmocka_unit_test(a_large_one_leaves_a_low_disk_alone),
		cmocka_unit_test(what_was_deleted_meanwhile_is_stored_again),
		cmocka_unit_test(each_is_counted_in_the_audit_with_its_record),
		cmocka_unit_test(a_stop_ends_a_wait_for_the_writer),
		cmocka_unit_test(what_a_refused_large_one_left_is_dropped),
		cmocka_unit_test(
		    what_a_crash_left_is_dropped_after_the_next_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
