#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/utf8.h"

#define FFFD "\xef\xbf\xbd"

/* Decode by the book, slowly: the code point, or -1 when ill-formed. */
static long decode(const unsigned char *p, size_t len)
{
	static const unsigned long least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t need = p[0] < 0x80	  ? 1
		      : p[0] >> 5 == 6	  ? 2
		      : p[0] >> 4 == 14	  ? 3
		      : p[0] >> 3 == 0x1e ? 4
					  : 0;
	unsigned long cp;

	if (need == 0 || need != len)
		return -1;
	cp = need == 1 ? p[0] : p[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		cp = cp << 6 | (p[i] & 0x3f);
	}
	if (cp < least[need] || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		return -1;
	return (long)cp;
}

static void every_code_point_is_put_and_found_valid(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	for (unsigned cp = 0; cp < 0x110010; cp++) {
		bool real = cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);

		buf_reset(&b);
		utf8_put(&b, cp);
		assert_true(utf8_valid(b.data, b.len));
		assert_int_equal(
		    decode((unsigned char *)b.data, b.len), real ? cp : 0xfffd);
	}
	buf_fini(&b);
}

static void every_pair_and_triple_is_judged_by_the_book(void **state)
{
	unsigned char t[3];

	(void)state;
	for (unsigned i = 0x8000; i < 0x10000; i++) {
		t[0] = (unsigned char)(i >> 8);
		t[1] = (unsigned char)i;
		assert_int_equal(utf8_valid((char *)t, 2), decode(t, 2) >= 0);
	}
	for (unsigned i = 0xe00000; i < 0xf00000; i++) {
		t[0] = (unsigned char)(i >> 16);
		t[1] = (unsigned char)(i >> 8);
		t[2] = (unsigned char)i;
		assert_int_equal(utf8_valid((char *)t, 3), decode(t, 3) >= 0);
	}
}

static void ill_formed_text_is_found_at_every_offset(void **state)
{
	(void)state;
	for (size_t len = 1; len < 40; len++)
		for (size_t at = 0; at < len; at++) {
			char text[40];

			memset(text, 'x', sizeof(text));
			assert_true(utf8_valid(text, len));
			text[at] = (char)0xff;
			assert_false(utf8_valid(text, len));
		}
	assert_true(utf8_valid("", 0));
	assert_true(utf8_valid("a\0b", 3));
}

static void assert_repaired(const char *in, const char *want)
{
	struct buf b;

	buf_init(&b, 1000);
	utf8_repair(&b, in, strlen(in));
	assert_int_equal(buf_state(&b), OK);
	assert_true(utf8_valid(b.data, b.len));
	buf_putc(&b, '\0');
	assert_string_equal(b.data, want);
	buf_fini(&b);
}

static void repair_puts_one_mark_for_each_maximal_subpart(void **state)
{
	(void)state;
	assert_repaired("plain gr\xc3\xbc\xc3\x9f", "plain gr\xc3\xbc\xc3\x9f");
	assert_repaired("\x80", FFFD);
	assert_repaired("\xff\xfe", FFFD FFFD);
	/* The Unicode standard's examples, tables 3-8 to 3-11. */
	assert_repaired("\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41",
	    FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
	assert_repaired("\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41",
	    FFFD FFFD FFFD FFFD FFFD FFFD FFFD FFFD "A");
	assert_repaired("\xf4\x91\x92\x93\xff\x41\x80\xbf\x42",
	    FFFD FFFD FFFD FFFD FFFD "A" FFFD FFFD "B");
	assert_repaired(
	    "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", FFFD FFFD FFFD FFFD "A");
	/* Cut at the end. */
	assert_repaired("a\xe2\x82", "a" FFFD);
	assert_repaired("a\xf0\x9f\x98", "a" FFFD);
	assert_repaired("a\xc3", "a" FFFD);
}

static void well_formed_text_passes_repair_byte_for_byte(void **state)
{
	struct buf in, out;

	(void)state;
	buf_init(&in, 8 << 20);
	buf_init(&out, 8 << 20);
	for (unsigned cp = 0; cp < 0x110000; cp += 7)
		utf8_put(&in, cp);
	utf8_repair(&out, in.data, in.len);
	assert_int_equal(out.len, in.len);
	assert_memory_equal(out.data, in.data, in.len);
	buf_fini(&in);
	buf_fini(&out);
}

static void random_bytes_are_always_mended(void **state)
{
	struct buf b;
	unsigned seed = 1;

	(void)state;
	buf_init(&b, 1000);
	for (int round = 0; round < 50000; round++) {
		char in[16];

		for (size_t i = 0; i < sizeof(in); i++) {
			seed = seed * 1103515245 + 12345;
			in[i] = (char)(seed >> 20 | (round & 1 ? 0x80 : 0));
		}
		buf_reset(&b);
		utf8_repair(&b, in, sizeof(in));
		assert_true(utf8_valid(b.data, b.len));
		if (utf8_valid(in, sizeof(in)))
			assert_int_equal(b.len, sizeof(in));
	}
	buf_fini(&b);
}

static void a_cut_never_splits_a_code_point(void **state)
{
	static const char text[] =
	    "a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z\xf0\x9f\x98\x80";
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11,
		11, 11, 15 };

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		size_t n = utf8_cut(text, len);

		assert_int_equal(n, want[len]);
		assert_true(utf8_valid(text, n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point_is_put_and_found_valid),
		cmocka_unit_test(every_pair_and_triple_is_judged_by_the_book),
		cmocka_unit_test(ill_formed_text_is_found_at_every_offset),
		cmocka_unit_test(repair_puts_one_mark_for_each_maximal_subpart),
		cmocka_unit_test(well_formed_text_passes_repair_byte_for_byte),
		cmocka_unit_test(random_bytes_are_always_mended),
		cmocka_unit_test(a_cut_never_splits_a_code_point),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
