#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/chunk.h"

static void assert_same(const struct chunk *a, const struct chunk *b)
{
	assert_int_equal(a->index, b->index);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->ts_ms, b->ts_ms);
	assert_int_equal(a->content_len, b->content_len);
	assert_int_equal(a->meta_len, b->meta_len);
	if (a->content_len > 0)
		assert_memory_equal(a->content, b->content, a->content_len);
	if (a->meta_len > 0)
		assert_memory_equal(a->meta, b->meta, a->meta_len);
}

static const struct chunk samples[] = {
	{ .attempt = 1, .kind = CHUNK_TEXT, .ts_ms = 1000 },
	{ .attempt = 1,
	    .kind = CHUNK_TEXT,
	    .ts_ms = 1001,
	    .content = "a\0b",
	    .content_len = 3 },
	{ .attempt = 2,
	    .kind = CHUNK_RESET,
	    .ts_ms = 2000000,
	    .meta = "{}",
	    .meta_len = 2 },
	{ .attempt = UINT32_MAX,
	    .kind = CHUNK_END,
	    .ts_ms = INT64_MAX,
	    .content = "c",
	    .content_len = 1,
	    .meta = "{\"a\":1}",
	    .meta_len = 7 },
	{ .attempt = 0, .kind = CHUNK_ERROR, .ts_ms = INT64_MIN },
	{ .attempt = 128, .kind = CHUNK_SOURCE, .ts_ms = 999 },
};
#define N_SAMPLES (sizeof(samples) / sizeof(samples[0]))

static void what_was_packed_is_unpacked(void **state)
{
	static const int64_t bases[] = { 1000, 0, -1, INT64_MIN, INT64_MAX };

	(void)state;
	for (size_t k = 0; k < sizeof(bases) / sizeof(bases[0]); k++) {
		struct buf b;
		const char *p;

		buf_init(&b, 10000);
		for (size_t i = 0; i < N_SAMPLES; i++)
			chunk_pack(&b, &samples[i], bases[k]);
		assert_int_equal(buf_state(&b), OK);
		p = b.data;
		for (size_t i = 0; i < N_SAMPLES; i++) {
			struct chunk want = samples[i], got;

			want.index = 7 + i;
			assert_int_equal(chunk_unpack(&p, b.data + b.len,
					     bases[k], 7 + i, &got),
			    OK);
			assert_same(&got, &want);
		}
		assert_ptr_equal(p, b.data + b.len);
		buf_fini(&b);
	}
}

static void a_small_text_costs_five_bytes_more(void **state)
{
	struct chunk c = samples[1];
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	c.ts_ms = 1050;
	chunk_pack(&b, &c, 1000);
	assert_int_equal(b.len, 5 + 3);
	buf_fini(&b);
}

static void a_cut_chunk_is_corrupt_and_nothing_moves(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < N_SAMPLES; i++) {
		buf_reset(&b);
		chunk_pack(&b, &samples[i], 1000);
		for (size_t len = 0; len < b.len; len++) {
			/* Alone in memory, so that asan sees a step too far. */
			char *copy = malloc(len + 1);
			const char *p = copy;
			struct chunk got = { .index = 99 };

			memcpy(copy, b.data, len);
			assert_int_equal(
			    chunk_unpack(&p, copy + len, 1000, 0, &got),
			    ERR_CORRUPT);
			assert_ptr_equal(p, copy);
			assert_int_equal(got.index, 99);
			free(copy);
		}
	}
	buf_fini(&b);
}

static void assert_corrupt(const char *bytes, size_t len)
{
	const char *p = bytes;
	struct chunk got;

	assert_int_equal(
	    chunk_unpack(&p, bytes + len, 0, 0, &got), ERR_CORRUPT);
}

static void numbers_that_lie_are_corrupt(void **state)
{
	(void)state;
	assert_corrupt("\x0a\x01\x00\x00\x00", 5); /* no such kind */
	assert_corrupt("\xff\x01\x00\x00\x00", 5);
	/* An attempt beyond 32 bits. */
	assert_corrupt("\x00\x80\x80\x80\x80\x10\x00\x00\x00", 9);
	/* Texts longer than what there is, also together, also by overflow. */
	assert_corrupt("\x00\x01\x00\x02\x00x", 6);
	assert_corrupt("\x00\x01\x00\x01\x01x", 6);
	assert_corrupt("\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		       "\x01x",
	    15);
	assert_corrupt("\x00\x01\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		       "\x01x",
	    15);
	/* Longer than 64 bits, by length and by value. */
	assert_corrupt("\x00\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"
		       "\x00\x00",
	    15);
	assert_corrupt("\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00"
		       "\x00",
	    14);
}

static void random_bytes_never_lead_outside(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		char bytes[24];
		const char *p = bytes, *end = bytes + sizeof(bytes);
		struct chunk got;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed = seed * 1103515245 + 12345;
			bytes[i] = (char)(seed >> 24 & (i == 0 ? 15 : 255));
		}
		if (chunk_unpack(&p, end, INT64_MAX, 0, &got) != OK)
			continue;
		assert_true(p > bytes && p <= end);
		assert_true(got.content >= bytes &&
			    got.content + got.content_len <= end);
		assert_true(got.meta + got.meta_len == p);
	}
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(chunk_kind_name(CHUNK_TEXT), "text");
	assert_string_equal(chunk_kind_name(CHUNK_TOOL_CALL), "tool_call");
	assert_string_equal(chunk_kind_name(CHUNK_END), "end");
	for (int k = 0; k < CHUNK_KINDS; k++)
		assert_non_null(chunk_kind_name((enum chunk_kind)k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_packed_is_unpacked),
		cmocka_unit_test(a_small_text_costs_five_bytes_more),
		cmocka_unit_test(a_cut_chunk_is_corrupt_and_nothing_moves),
		cmocka_unit_test(numbers_that_lie_are_corrupt),
		cmocka_unit_test(random_bytes_never_lead_outside),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
