#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/pack.h"

static void append(struct chunklog *l, const char *content, size_t len)
{
	struct chunk c = {
		.kind = CHUNK_TEXT, .content = content, .content_len = len
	};
	struct buf b;

	buf_init(&b, 1 << 24);
	chunk_pack(&b, &c, 0);
	assert_int_equal(chunklog_reserve(l, 1, b.len), OK);
	chunklog_append(l, b.data, (uint32_t)b.len);
	buf_fini(&b);
}

/* Pack all of ${l}; the segments must give back its very bytes. */
static size_t pack_all(struct pack *p, const struct chunklog *l)
{
	char *raw = malloc(l->len + 1);
	struct engine_segment s;
	uint64_t from = l->first;
	size_t n = 0, sum = 0;

	while (from < chunklog_next(l)) {
		assert_int_equal(pack_next(p, l, from, &s), OK);
		assert_int_equal(s.first, from);
		assert_true(s.n > 0);
		assert_true(s.n == 1 || s.raw_len <= PACK_SEGMENT_BYTES);
		assert_true(s.payload_len <= s.raw_len);
		if (s.codec == 0)
			memcpy(raw + sum, s.payload, s.payload_len);
		else
			assert_int_equal(ZSTD_decompress(raw + sum, s.raw_len,
					     s.payload, s.payload_len),
			    s.raw_len);
		sum += s.raw_len;
		from += s.n;
		n++;
	}
	assert_int_equal(sum, l->len);
	assert_memory_equal(raw, l->bytes, sum);
	free(raw);
	return n;
}

static void segments_hold_the_very_bytes(void **state)
{
	struct chunklog l;
	struct pack p;

	(void)state;
	assert_int_equal(pack_init(&p), OK);
	chunklog_init(&l, 7);
	for (int i = 0; i < 10000; i++)
		append(&l, "the quick brown fox jumps over", 30);
	assert_int_equal(pack_all(&p, &l), l.len / PACK_SEGMENT_BYTES + 1);
	chunklog_fini(&l);
	pack_fini(&p);
}

static void small_ones_stay_plain(void **state)
{
	struct engine_segment s;
	struct chunklog l;
	struct pack p;

	(void)state;
	assert_int_equal(pack_init(&p), OK);
	chunklog_init(&l, 0);
	append(&l, "hello", 5);
	assert_int_equal(pack_next(&p, &l, 0, &s), OK);
	assert_int_equal(s.codec, 0);
	pack_all(&p, &l);
	chunklog_fini(&l);
	pack_fini(&p);
}

static void what_does_not_compress_stays_plain(void **state)
{
	struct engine_segment s;
	struct chunklog l;
	char noise[5000];
	struct pack p;

	(void)state;
	id_random(noise, sizeof(noise));
	assert_int_equal(pack_init(&p), OK);
	chunklog_init(&l, 0);
	append(&l, noise, sizeof(noise));
	assert_int_equal(pack_next(&p, &l, 0, &s), OK);
	assert_int_equal(s.codec, 0);
	assert_int_equal(s.payload_len, s.raw_len);
	chunklog_fini(&l);
	pack_fini(&p);
}

static void a_chunk_larger_than_a_segment_is_one(void **state)
{
	size_t len = 3 * PACK_SEGMENT_BYTES;
	char *big = malloc(len);
	struct chunklog l;
	struct pack p;

	(void)state;
	memset(big, 'x', len);
	assert_int_equal(pack_init(&p), OK);
	chunklog_init(&l, 0);
	append(&l, "before", 6);
	append(&l, big, len);
	append(&l, "after", 5);
	assert_int_equal(pack_all(&p, &l), 3);
	chunklog_fini(&l);
	pack_fini(&p);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_hold_the_very_bytes),
		cmocka_unit_test(small_ones_stay_plain),
		cmocka_unit_test(what_does_not_compress_stays_plain),
		cmocka_unit_test(a_chunk_larger_than_a_segment_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
