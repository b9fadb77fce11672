#include "tests/unit/store/support.h"

#include <sys/stat.h>

static int setup(void **state)
{
	struct place *p = malloc(sizeof(*p));

	place_init(p);
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

/* A log of ${n} chunks of up to ${longest} bytes and, perhaps, its end. */
static struct id filled(
    struct store *store, uint32_t n, size_t longest, bool end)
{
	struct id id = create(store, "ada");
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_start(&job.write.u.batch, &id);
	add_texts(&job.write.u.batch, &id, 0, n, longest);
	if (end)
		add_end(&job.write.u.batch, &id);
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
	return id;
}

static void grow(struct store *store, const struct id *id, uint64_t from,
    uint32_t n, size_t longest, bool end)
{
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_texts(&job.write.u.batch, id, from, n, longest);
	if (end)
		add_end(&job.write.u.batch, id);
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
}

static bool in_memory(struct store *store, const struct id *id, uint64_t from)
{
	struct page_query q = { from, 1, 1 };
	struct page p;
	enum err rc;

	page_init(&p);
	rc = tail_page(store, id, NULL, &q, &p);
	page_fini(&p);
	return rc == OK;
}

/* Until chunk ${from} has left memory: it is then packed for certain. */
static void until_packed(
    struct store *store, const struct id *id, uint64_t from)
{
	for (int i = 0; in_memory(store, id, from); i++) {
		assert_true(i < 20000);
		usleep(1000);
	}
}

/* All pages of ${id} by ${limit}, one after the other, as one text. */
static void read_all(struct query *q, const struct id *id, uint32_t limit,
    size_t longest, struct buf *dst)
{
	struct page_query pq = { 0, limit, PAGE_MAX_BYTES };
	struct page p;

	page_init(&p);
	do {
		assert_int_equal(query_page(q, id, "ada", &pq, &p), OK);
		expect_texts(&p, pq.from, longest);
		buf_printf(dst,
		    "%llu %u %d %llu %u %lld:", (unsigned long long)p.first,
		    p.n, (int)p.status, (unsigned long long)p.total, p.attempt,
		    (long long)p.created_ms);
		buf_add(dst, p.records.data, p.records.len);
		buf_add(dst, p.metadata.data, p.metadata.len);
		pq.from = page_next(&p);
	} while (p.n > 0);
	assert_int_equal(pq.from, p.total);
	page_fini(&p);
	assert_int_equal(buf_state(dst), OK);
}

/* --- the real engine, but segments find no room while told so --- */

static struct engine holding;
static const struct engine *sound;
static atomic_bool hold_segments;

static enum err put_or_hold(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s)
{
	if (atomic_load(&hold_segments))
		return ERR_FULL;
	return sound->segment_put(db, e, s);
}

static void make_holding(struct store *store)
{
	sound = store->engine;
	holding = *sound;
	holding.segment_put = put_or_hold;
	atomic_store(&hold_segments, true);
	swap_engine(store, &holding);
}

static const uint32_t limits[] = { 1, 2, 7, PAGE_MAX_CHUNKS };
#define N_LIMITS 4

static void nobody_can_see_that_a_log_was_packed(void **state)
{
	static const struct {
		uint32_t n;
		size_t longest;
	} logs[] = { { 1, 10 }, { 20, 20 }, { 3000, 60 }, { 60, 9000 } };
	struct place *p = *state;
	struct buf before[4][N_LIMITS], after;
	struct id id[4];
	struct query *q;

	place_close(p);
	p->options.cache_bytes = 1;
	place_open(p);
	make_holding(p->store);
	assert_int_equal(query_open(p->store, &q), OK);
	buf_init(&after, 1 << 26);
	for (size_t i = 0; i < 4; i++) {
		id[i] = filled(p->store, logs[i].n, logs[i].longest, true);
		assert_true(in_memory(p->store, &id[i], 0));
		for (size_t k = 0; k < N_LIMITS; k++) {
			buf_init(&before[i][k], 1 << 26);
			read_all(q, &id[i], limits[k], logs[i].longest,
			    &before[i][k]);
		}
	}
	atomic_store(&hold_segments, false);
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 4; i++) {
			until_packed(p->store, &id[i], 0);
			for (size_t k = 0; k < N_LIMITS; k++) {
				struct buf *b = &before[i][k];

				buf_reset(&after);
				read_all(q, &id[i], limits[k], logs[i].longest,
				    &after);
				assert_int_equal(after.len, b->len);
				assert_memory_equal(
				    after.data, b->data, b->len);
			}
		}
		query_close(q);
		place_close(p);
		place_open(p);
		assert_int_equal(query_open(p->store, &q), OK);
	}
	query_close(q);
	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < N_LIMITS; k++)
			buf_fini(&before[i][k]);
	buf_fini(&after);
}

static void the_old_part_of_a_large_live_log_is_packed(void **state)
{
	struct place *p = *state;
	struct buf all;
	struct query *q;
	struct id id;

	id = filled(p->store, 600, 2000, false);
	until_packed(p->store, &id, 0);
	assert_true(in_memory(p->store, &id, 599));
	assert_int_equal(query_open(p->store, &q), OK);
	buf_init(&all, 1 << 26);
	read_all(q, &id, PAGE_MAX_CHUNKS, 2000, &all);
	read_all(q, &id, 7, 2000, &all);
	query_close(q);

	/* So it is after a restart, and the log goes on where it was. */
	place_close(p);
	place_open(p);
	assert_int_equal(query_open(p->store, &q), OK);
	grow(p->store, &id, 600, 50, 2000, false);
	read_all(q, &id, 7, 2000, &all);
	grow(p->store, &id, 650, 50, 2000, true);
	read_all(q, &id, 13, 2000, &all);
	query_close(q);
	buf_fini(&all);
}

/* How far ${id} is packed, as a closed store says. */
struct packed {
	struct id id;
	uint64_t upto;
};

static enum err note_packed(
    void *arg, const struct execution *e, uint64_t packed)
{
	struct packed *p = arg;

	if (id_equal(&e->id, &p->id))
		p->upto = packed;
	return OK;
}

static enum err pass_chunk(
    void *arg, int64_t row, int64_t seq, const struct chunk *c)
{
	(void)arg;
	(void)row;
	(void)seq;
	(void)c;
	return OK;
}

static uint64_t packed_of(struct place *p, const struct id *id)
{
	struct packed packed = { .id = *id };
	struct engine_live to = { note_packed, pass_chunk, &packed };
	const struct engine *engine;
	struct engine_db *db;
	int64_t last;

	assert_int_equal(engine_find(p->url, &engine, NULL), OK);
	assert_int_equal(engine->open(&p->options, &db, NULL), OK);
	assert_int_equal(engine->live_load(db, &to, &last), OK);
	engine->close(db);
	return packed.upto;
}

/* Until a live log has a segment: that tells when it began; else its end would. */
static void until_begun(struct store *store, const struct id *id)
{
	struct execution e = { 0 };
	struct query *q;

	assert_int_equal(query_open(store, &q), OK);
	while (e.first_chunk_ms == 0) {
		execution_fini(&e);
		e = (struct execution){ 0 };
		usleep(1000);
		assert_int_equal(query_execution(q, id, NULL, &e), OK);
	}
	assert_int_equal(e.status, EXECUTION_STREAMING);
	execution_fini(&e);
	query_close(q);
}

static void a_slow_log_does_not_keep_the_dead_alive(void **state)
{
	struct place *p = *state;
	struct id slow = filled(p->store, 3, 20, false);

	for (int i = 0; i < 13; i++)
		filled(p->store, 9000, 3, true);
	until_begun(p->store, &slow);
	place_close(p);
	assert_int_equal(packed_of(p, &slow), 3);
	place_open(p);
	grow(p->store, &slow, 3, 2, 20, true);
}

/* What a start must read back is bounded, however much runs. */
static void of_a_crowd_of_live_rows_the_oldest_are_packed(void **state)
{
	struct place *p = *state;
	struct id first = filled(p->store, 260, 3, false);

	for (int i = 1; i < 1000; i++)
		filled(p->store, 260, 3, false);
	until_begun(p->store, &first);
	place_close(p);
	place_open(p);
	grow(p->store, &first, 260, 2, 3, true);
}

static void what_had_not_ended_is_reported_after_a_restart(void **state)
{
	struct place *p = *state;
	struct id queued = create(p->store, "ada");
	struct id ended = filled(p->store, 5, 20, true);
	struct id streaming = filled(p->store, 5, 20, false);
	struct execution **list;
	struct page_query q = { 0, 100, PAGE_MAX_BYTES };
	struct tail_head head;
	struct page page;
	size_t n;

	place_close(p);
	place_open(p);
	assert_int_equal(store_unfinished(p->store, &list, &n), OK);
	assert_int_equal(n, 2);
	assert_true(id_equal(&list[0]->id, &queued));
	assert_int_equal(list[0]->status, EXECUTION_QUEUED);
	assert_string_equal(list[0]->request, "{\"messages\":[]}");
	assert_true(id_equal(&list[1]->id, &streaming));
	assert_int_equal(list[1]->status, EXECUTION_STREAMING);
	assert_int_equal(tail_head(p->store, &queued, "ada", &head), OK);
	assert_int_equal(head.status, EXECUTION_QUEUED);
	page_init(&page);
	assert_int_equal(tail_page(p->store, &streaming, "ada", &q, &page), OK);
	assert_int_equal(page.total, 5);
	assert_int_equal(page.attempt, 1);
	expect_texts(&page, 0, 20);
	page_fini(&page);
	for (size_t i = 0; i < n; i++)
		execution_free(list[i]);
	free(list);

	grow(p->store, &queued, 0, 1, 20, true);
	grow(p->store, &streaming, 5, 1, 20, true);
	place_close(p);
	place_open(p);
	assert_int_equal(store_unfinished(p->store, &list, &n), OK);
	assert_int_equal(n, 0);
	free(list);
	(void)ended;
}

static void the_record_says_how_it_ended(void **state)
{
	struct place *p = *state;
	struct id id = filled(p->store, 5, 20, true);
	struct execution e = { 0 };
	struct query *q;

	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(query_execution(q, &id, "bob", &e), ERR_NOT_FOUND);
	assert_int_equal(query_execution(q, &id, "ada", &e), OK);
	assert_int_equal(e.status, EXECUTION_COMPLETED);
	assert_int_equal(e.next_index, 6);
	assert_int_equal(e.attempts, 1);
	assert_string_equal(e.target, "demo/echo");
	assert_int_equal(e.first_chunk_ms, 1700000000001);
	assert_int_equal(e.finished_ms, 1700000000002);
	assert_string_equal(e.metadata, END_METADATA);
	assert_null(e.error_code);
	execution_fini(&e);
	query_close(q);
}

/* What a restart packs, too, which reads the rows back. */
static void an_answer_without_a_word_has_no_first_chunk(void **state)
{
	struct place *p = *state;
	struct execution e = { 0 };
	struct query *q;
	struct id id;

	make_holding(p->store);
	id = filled(p->store, 0, 20, true);
	place_close(p);
	p->options.cache_bytes = 1;
	place_open(p);
	until_packed(p->store, &id, 0);
	assert_int_equal(query_open(p->store, &q), OK);
	assert_int_equal(query_execution(q, &id, "ada", &e), OK);
	assert_int_equal(e.next_index, 1);
	assert_int_equal(e.first_chunk_ms, 0);
	execution_fini(&e);
	query_close(q);
}

static void a_log_with_a_hole_is_refused(void **state)
{
	struct place *p = *state;
	const struct engine *engine;
	struct execution *e = some_execution("ada", NULL, "x");
	struct chunk c = { .attempt = 1,
		.kind = CHUNK_TEXT,
		.content = "x",
		.content_len = 1 };
	struct store *store = NULL;
	struct engine_db *db;
	struct why why = { "" };
	int64_t seq;

	place_close(p);
	assert_int_equal(engine_find(p->url, &engine, &why), OK);
	assert_int_equal(engine->open(&p->options, &db, &why), OK);
	assert_int_equal(engine->begin(db), OK);
	assert_int_equal(engine->execution_insert(db, e), OK);
	assert_int_equal(engine->chunk_append(db, e, &c, &seq), OK);
	c.index = 2;
	assert_int_equal(engine->chunk_append(db, e, &c, &seq), OK);
	assert_int_equal(engine->commit(db), OK);
	engine->close(db);
	assert_int_equal(store_open(&p->options, &store, &why), ERR_CORRUPT);
	assert_null(store);
	assert_true(why.text[0] != '\0');
	execution_free(e);
}

static void a_store_is_opened_once(void **state)
{
	struct place *p = *state;
	struct store *store = NULL;
	struct why why = { "" };

	assert_int_equal(store_open(&p->options, &store, &why), ERR_BUSY);
	assert_null(store);
	assert_true(why.text[0] != '\0');
}

static void stats_count_what_was_committed(void **state)
{
	struct place *p = *state;
	struct store_stats s;

	filled(p->store, 5, 20, true);
	filled(p->store, 5, 20, false);
	store_stats(p->store, &s);
	assert_int_equal(s.executions, 2);
	assert_int_equal(s.chunks, 11);
	assert_true(s.commits >= 4);
	assert_true(s.commit_ns_sum >= s.commit_ns_max);
	assert_true(s.commit_ns_max > 0);
	assert_true(s.db_bytes > 0);
}

static void many_small_commits_leave_a_small_log_of_changes(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	char wal[sizeof(p->url) + 8];
	struct stat st;

	/* A commit is a page or more, however little it says. */
	for (uint64_t i = 0; i < 5000; i++)
		grow(p->store, &id, i, 1, 1, false);
	snprintf(wal, sizeof(wal), "%s-wal", p->url);
	assert_int_equal(stat(wal, &st), 0);
	assert_in_range(st.st_size, 1, 8 << 20);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nobody_can_see_that_a_log_was_packed),
		TEST(the_old_part_of_a_large_live_log_is_packed),
		TEST(a_slow_log_does_not_keep_the_dead_alive),
		TEST(of_a_crowd_of_live_rows_the_oldest_are_packed),
		TEST(what_had_not_ended_is_reported_after_a_restart),
		TEST(the_record_says_how_it_ended),
		TEST(an_answer_without_a_word_has_no_first_chunk),
		TEST(a_log_with_a_hole_is_refused),
		TEST(a_store_is_opened_once),
		TEST(stats_count_what_was_committed),
		TEST(many_small_commits_leave_a_small_log_of_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
