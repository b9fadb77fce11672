/* The questions of store/engine.h about imports, asked of every engine. */
#include "tests/contract/engine_fixture.h"

/* A record whose strings are literals: never execution_fini()ed. */
static struct execution ended(const char *key, uint64_t chunks)
{
	static char owner[] = "ada", model[] = "m", target[] = "sim/m";
	static char request[] = "{\"a\":1}", metadata[] = "{\"b\":2}";
	static char code[] = "idle";

	return (struct execution){ .id = id_new(),
		.status = EXECUTION_FAILED,
		.owner = owner,
		.model = model,
		.target = target,
		.created_ms = 1000000,
		.started_ms = 1000001,
		.first_chunk_ms = 1000002,
		.finished_ms = 1000003,
		.next_index = chunks,
		.attempts = 3,
		.request = request,
		.request_len = strlen(request),
		.metadata = metadata,
		.metadata_len = strlen(metadata),
		.error_code = code,
		.idempotency_key = (char *)(uintptr_t)key,
		.request_hash = { 1, 2, 3 } };
}

/* Chunk ${at} as a segment of its own, in the open transaction. */
static void put(struct fixture *f, int64_t row, uint64_t at)
{
	struct chunk c = { .attempt = 1, .content = "x", .content_len = 1 };
	struct engine_segment s = { .first = at, .n = 1 };
	struct buf raw;

	buf_init(&raw, 100);
	chunk_pack(&raw, &c, 0);
	s.payload = raw.data;
	s.payload_len = s.raw_len = raw.len;
	assert_ok(OF(f->w)->import_segment(f->w, row, &s));
	buf_fini(&raw);
}

static uint64_t chunks_of(struct fixture *f, const struct id *id)
{
	struct page_query q = { 0, 1000, 1 << 20 };
	struct page page;
	uint64_t n = 0;

	page_init(&page);
	if (OF(f->r)->chunk_page(f->r, id, "ada", &q, &page) == OK) {
		assert_true(page_final(&page));
		n = page.n;
	}
	page_fini(&page);
	return n;
}

static void a_small_import_is_one_transaction(void **state)
{
	struct fixture *f = *state;
	struct execution e = ended("k", 2), back = { 0 };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_finish(f->w, &e));
	assert_true(e.row > 0);
	put(f, e.row, 0);
	put(f, e.row, 1);
	assert_int_equal(chunks_of(f, &e.id), 0);
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(chunks_of(f, &e.id), 2);
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, "ada", &back));
	assert_int_equal(back.status, EXECUTION_FAILED);
	assert_int_equal(back.created_ms, 1000000);
	assert_int_equal(back.started_ms, 1000001);
	assert_int_equal(back.first_chunk_ms, 1000002);
	assert_int_equal(back.finished_ms, 1000003);
	assert_int_equal(back.next_index, 2);
	assert_int_equal(back.attempts, 3);
	assert_string_equal(back.target, "sim/m");
	assert_null(back.prompt);
	assert_string_equal(back.error_code, "idle");
	assert_string_equal(back.idempotency_key, "k");
	assert_string_equal(back.request, "{\"a\":1}");
	assert_string_equal(back.metadata, "{\"b\":2}");
	assert_memory_equal(back.request_hash, e.request_hash, DIGEST_BYTES);
	execution_fini(&back);
}

static void an_id_or_a_key_that_is_there_conflicts(void **state)
{
	struct fixture *f = *state;
	struct execution a = ended("k", 1), b = ended("k", 1),
			 c = ended(NULL, 1);

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_finish(f->w, &a));
	put(f, a.row, 0);
	assert_int_equal(OF(f->w)->import_finish(f->w, &b), ERR_CONFLICT);
	c.id = a.id;
	assert_int_equal(OF(f->w)->import_finish(f->w, &c), ERR_CONFLICT);
	/* The transaction is good all the same. */
	c.id = id_new();
	assert_ok(OF(f->w)->import_finish(f->w, &c));
	put(f, c.row, 0);
	assert_true(c.row > a.row);
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(chunks_of(f, &a.id), 1);
	assert_int_equal(chunks_of(f, &b.id), 0);
	assert_int_equal(chunks_of(f, &c.id), 1);
}

static void a_large_import_is_seen_with_its_last_commit(void **state)
{
	struct fixture *f = *state;
	struct execution e = ended(NULL, 3);
	bool left = true;

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_begin(f->w, &e.row));
	put(f, e.row, 0);
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->w)->begin(f->w));
	put(f, e.row, 1);
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(chunks_of(f, &e.id), 0);
	assert_ok(OF(f->w)->begin(f->w));
	put(f, e.row, 2);
	assert_ok(OF(f->w)->import_finish(f->w, &e));
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(chunks_of(f, &e.id), 3);
	/* Finished: there is nothing to drop. */
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_drop(f->w, 10, &left));
	assert_ok(OF(f->w)->commit(f->w));
	assert_false(left);
	assert_int_equal(chunks_of(f, &e.id), 3);
}

static enum err on_segment(void *arg, const struct engine_seen_segment *s)
{
	uint64_t *n = arg;

	(void)s;
	++*n;
	return OK;
}

static uint64_t segments(struct fixture *f)
{
	uint64_t n = 0;
	const struct engine_seen to = { .on_segment = on_segment, .arg = &n };

	assert_ok(OF(f->r)->seen_segments(f->r, 0, 0, INT64_MAX, 1 << 20, &to));
	return n;
}

static void an_unfinished_import_is_dropped_in_steps(void **state)
{
	struct fixture *f = *state;
	struct execution other = ended(NULL, 1), next = ended(NULL, 1);
	bool left = true;
	int64_t row;
	int steps = 0;

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_finish(f->w, &other));
	put(f, other.row, 0);
	assert_ok(OF(f->w)->import_begin(f->w, &row));
	for (uint64_t i = 0; i < 25; i++)
		put(f, row, i);
	assert_ok(OF(f->w)->commit(f->w));
	close_both(f);
	open_both(f);
	assert_int_equal(segments(f), 26);
	while (left) {
		assert_ok(OF(f->w)->begin(f->w));
		assert_ok(OF(f->w)->import_drop(f->w, 10, &left));
		assert_ok(OF(f->w)->commit(f->w));
		steps += left;
	}
	assert_int_equal(steps, 3);
	assert_int_equal(segments(f), 1);
	assert_int_equal(chunks_of(f, &other.id), 1);
	/* The number has been given away. */
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->import_finish(f->w, &next));
	put(f, next.row, 0);
	assert_ok(OF(f->w)->commit(f->w));
	assert_true(next.row > row);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define FACT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		FACT(a_small_import_is_one_transaction),
		FACT(an_id_or_a_key_that_is_there_conflicts),
		FACT(a_large_import_is_seen_with_its_last_commit),
		FACT(an_unfinished_import_is_dropped_in_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
