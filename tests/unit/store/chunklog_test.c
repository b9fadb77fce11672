#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "store/chunklog.h"

/* Chunk ${i} is the packed text of its own number. */
static void append(struct chunklog *l, uint64_t i)
{
	char text[24];
	struct chunk c = { .kind = CHUNK_TEXT, .content = text };
	struct buf b;

	buf_init(&b, 100);
	c.content_len =
	    (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
	chunk_pack(&b, &c, 0);
	assert_int_equal(chunklog_reserve(l, 1, b.len), OK);
	chunklog_append(l, b.data, (uint32_t)b.len);
	buf_fini(&b);
}

/* The page must hold exactly ${n} chunks from ${first} on. */
static void expect(const struct page *p, uint64_t first, uint32_t n)
{
	struct page_cursor at = { 0 };
	struct chunk c;
	char text[24];

	assert_int_equal(p->first, first);
	assert_int_equal(p->n, n);
	for (uint64_t i = first; i < first + n; i++) {
		assert_true(page_each(p, &at, &c));
		snprintf(text, sizeof(text), "%llu", (unsigned long long)i);
		assert_int_equal(c.index, i);
		assert_int_equal(c.content_len, strlen(text));
		assert_memory_equal(c.content, text, strlen(text));
	}
	assert_false(page_each(p, &at, &c));
	assert_int_equal(at.offset, p->records.len);
}

static void every_stretch_can_be_copied(void **state)
{
	struct chunklog l;
	struct page p;

	(void)state;
	chunklog_init(&l, 0);
	for (uint64_t i = 0; i < 40; i++)
		append(&l, i);
	page_init(&p);
	for (uint64_t from = 0; from < 45; from++)
		for (uint32_t limit = 1; limit < 50; limit++) {
			struct page_query q = { from, limit, 1 << 20 };
			uint64_t left = from < 40 ? 40 - from : 0;

			assert_int_equal(chunklog_copy(&l, &q, &p), OK);
			expect(
			    &p, from, (uint32_t)(left < limit ? left : limit));
		}
	page_fini(&p);
	chunklog_fini(&l);
}

static void bytes_bound_a_copy_but_one_chunk_always_fits(void **state)
{
	struct chunklog l;
	struct page p;

	(void)state;
	chunklog_init(&l, 0);
	for (uint64_t i = 0; i < 10; i++)
		append(&l, i); /* 5 bytes of head and 1 of text each */
	page_init(&p);
	assert_int_equal(
	    chunklog_copy(&l, &(struct page_query){ 0, 10, 0 }, &p), OK);
	expect(&p, 0, 1);
	assert_int_equal(
	    chunklog_copy(&l, &(struct page_query){ 2, 10, 17 }, &p), OK);
	expect(&p, 2, 2);
	assert_int_equal(
	    chunklog_copy(&l, &(struct page_query){ 2, 10, 18 }, &p), OK);
	expect(&p, 2, 3);
	page_fini(&p);
	chunklog_fini(&l);
}

static void dropping_keeps_indices_and_the_newest(void **state)
{
	struct page_query q = { 0, 100, 1 << 20 };
	struct chunklog l;
	struct page p;

	(void)state;
	chunklog_init(&l, 1000);
	for (uint64_t i = 1000; i < 1100; i++)
		append(&l, i);
	page_init(&p);
	chunklog_drop(&l, 1050, 0);
	assert_int_equal(l.first, 1050);
	assert_int_equal(chunklog_next(&l), 1100);
	assert_int_equal(chunklog_copy(&l, &q, &p), ERR_NOT_FOUND);
	q.from = 1050;
	assert_int_equal(chunklog_copy(&l, &q, &p), OK);
	expect(&p, 1050, 50);

	/* 9 bytes each: no more than 100 stay, and none above the mark goes. */
	chunklog_drop(&l, 1100, 100);
	assert_int_equal(l.first, 1089);
	append(&l, 1100);
	q.from = 1089;
	assert_int_equal(chunklog_copy(&l, &q, &p), OK);
	expect(&p, 1089, 12);
	chunklog_drop(&l, 1101, 0);
	assert_int_equal(l.n, 0);
	append(&l, 1101);
	q.from = 1101;
	assert_int_equal(chunklog_copy(&l, &q, &p), OK);
	expect(&p, 1101, 1);
	page_fini(&p);
	chunklog_fini(&l);
}

static void what_was_dropped_whole_costs_nothing(void **state)
{
	static char large[1 << 20];
	struct chunklog l;

	(void)state;
	chunklog_init(&l, 0);
	assert_int_equal(chunklog_reserve(&l, 1, sizeof(large)), OK);
	chunklog_append(&l, large, sizeof(large));
	assert_true(chunklog_memory(&l) >= sizeof(large));
	chunklog_drop(&l, 1, 4096);
	assert_int_equal(chunklog_next(&l), 1);
	assert_int_equal(chunklog_memory(&l), 0);
	append(&l, 1);
	assert_int_equal(chunklog_next(&l), 2);
	chunklog_fini(&l);
}

static void a_sealed_log_refuses_to_grow(void **state)
{
	struct chunklog l;

	(void)state;
	chunklog_init(&l, 0);
	append(&l, 0);
	chunklog_seal(&l);
	assert_int_equal(chunklog_reserve(&l, 1, 1), ERR_SEALED);
	assert_int_equal(chunklog_next(&l), 1);
	chunklog_fini(&l);
}

static void a_log_has_a_ceiling(void **state)
{
	struct chunklog l;

	(void)state;
	chunklog_init(&l, 0);
	assert_int_equal(
	    chunklog_reserve(&l, 1, CHUNKLOG_MAX_BYTES + 1), ERR_LIMIT);
	assert_int_equal(chunklog_memory(&l), 0);
	chunklog_fini(&l);
}

static void a_first_chunk_costs_little(void **state)
{
	struct chunklog l;

	(void)state;
	chunklog_init(&l, 0);
	assert_int_equal(chunklog_memory(&l), 0);
	append(&l, 0);
	assert_true(chunklog_memory(&l) <= 256);
	chunklog_fini(&l);
}

static void slices_tile_the_log(void **state)
{
	struct chunklog l;
	uint64_t from = 0;
	size_t sum = 0, len;
	const char *p;

	(void)state;
	chunklog_init(&l, 0);
	for (uint64_t i = 0; i < 500; i++)
		append(&l, i);
	while (from < 500) {
		uint32_t n = chunklog_slice(&l, from, 64, &p, &len);

		assert_ptr_equal(p, l.bytes + sum);
		assert_true(n > 0 && len <= 64);
		from += n;
		sum += len;
		assert_int_equal(chunklog_bytes_from(&l, from), l.len - sum);
	}
	assert_int_equal(from, 500);
	assert_int_equal(sum, l.len);
	chunklog_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_stretch_can_be_copied),
		cmocka_unit_test(bytes_bound_a_copy_but_one_chunk_always_fits),
		cmocka_unit_test(dropping_keeps_indices_and_the_newest),
		cmocka_unit_test(what_was_dropped_whole_costs_nothing),
		cmocka_unit_test(a_sealed_log_refuses_to_grow),
		cmocka_unit_test(a_log_has_a_ceiling),
		cmocka_unit_test(a_first_chunk_costs_little),
		cmocka_unit_test(slices_tile_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
