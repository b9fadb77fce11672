#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/jsonscan.h"

static enum err scan(const char *text, struct jsonscan *s)
{
	struct jsonscan_slice v;
	enum err rc;

	jsonscan_init(s, text, strlen(text));
	rc = jsonscan_value(s, &v);
	return rc == OK ? jsonscan_end(s) : rc;
}

static void what_is_json_passes(void **state)
{
	static const char *const texts[] = { "0", "-0", "1.5e-7", "[]", "{}",
		" [ 1 , 2 ] ", "{\"a\":[{},[[]]],\"b\":null}", "\"\\u00e9\\n\"",
		"true", "[false,\"\xc3\xa9\",-12E+3]", "\"\\ud800\"" };
	struct jsonscan s;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (scan(texts[i], &s) != OK)
			fail_msg("%s: %s", texts[i], s.wrong);
}

static void what_is_not_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text;
		size_t at;
	} bad[] = { { "", 0 }, { "01", 1 }, { "1.", 2 }, { "-", 1 },
		{ "[1,]", 3 }, { "[,1]", 1 }, { "{\"a\"}", 4 },
		{ "{\"a\":1,}", 7 }, { "{a:1}", 1 }, { "\"\n\"", 1 },
		{ "\"\\x\"", 2 }, { "\"\\u12g4\"", 5 }, { "[1}", 2 },
		{ "nul", 3 }, { "nulx", 0 }, { "[1] 2", 4 }, { "\"abc", 4 },
		{ "{\"a\":1", 6 }, { "+1", 0 }, { "1e", 2 }, { "[1 2]", 3 } };
	struct jsonscan s;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (scan(bad[i].text, &s) != ERR_INPUT)
			fail_msg("%s passed", bad[i].text);
		if (jsonscan_offset(&s) != bad[i].at)
			fail_msg("%s: at %zu, not %zu", bad[i].text,
			    jsonscan_offset(&s), bad[i].at);
		assert_non_null(s.wrong);
	}
}

static void nesting_has_a_floor(void **state)
{
	char text[2 * JSONSCAN_MAX_DEPTH + 3];
	struct jsonscan s;

	(void)state;
	memset(text, '[', JSONSCAN_MAX_DEPTH);
	memset(text + JSONSCAN_MAX_DEPTH, ']', JSONSCAN_MAX_DEPTH);
	text[2 * JSONSCAN_MAX_DEPTH] = '\0';
	assert_int_equal(scan(text, &s), OK);
	memset(text, '[', JSONSCAN_MAX_DEPTH + 1);
	memset(text + JSONSCAN_MAX_DEPTH + 1, ']', JSONSCAN_MAX_DEPTH + 1);
	text[2 * JSONSCAN_MAX_DEPTH + 2] = '\0';
	assert_int_equal(scan(text, &s), ERR_INPUT);
}

static void members_and_items_are_slices_of_the_text(void **state)
{
	static const char text[] =
	    " { \"a\" : [ 1, {\"x\" : 2} ], \"b\":\"c\" } ";
	struct jsonscan s, in;
	struct jsonscan_slice name, v, item;

	(void)state;
	jsonscan_init(&s, text, strlen(text));
	assert_int_equal(jsonscan_open(&s, '['), ERR_INPUT);
	assert_int_equal(jsonscan_open(&s, '{'), OK);
	assert_int_equal(jsonscan_member(&s, &name), OK);
	assert_true(jsonscan_is(name, "a"));
	assert_int_equal(jsonscan_value(&s, &v), OK);
	assert_true(jsonscan_is(v, "[ 1, {\"x\" : 2} ]"));
	in = s;
	jsonscan_into(&in, v);
	assert_int_equal(jsonscan_open(&in, '['), OK);
	assert_int_equal(jsonscan_item(&in), OK);
	assert_int_equal(jsonscan_value(&in, &item), OK);
	assert_int_equal(jsonscan_item(&in), OK);
	assert_int_equal(jsonscan_value(&in, &item), OK);
	assert_true(jsonscan_is(item, "{\"x\" : 2}"));
	assert_int_equal(jsonscan_item(&in), ERR_NOT_FOUND);
	assert_int_equal(jsonscan_end(&in), OK);
	assert_int_equal(jsonscan_member(&s, &name), OK);
	assert_int_equal(jsonscan_value(&s, &v), OK);
	assert_int_equal(jsonscan_member(&s, &name), ERR_NOT_FOUND);
	assert_int_equal(jsonscan_end(&s), OK);
}

static struct jsonscan_slice slice(const char *text)
{
	return (struct jsonscan_slice){ text, strlen(text) };
}

static void texts_say_what_their_escapes_mean(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(jsonscan_text(slice("\"a\\u0000\\n\\/\\\"\\u00e9"
					     "\\ud83c\\udf0a\\b\\f\\r\\t\""),
			     &b),
	    OK);
	assert_int_equal(b.len, 15);
	assert_memory_equal(
	    b.data, "a\0\n/\"\xc3\xa9\xf0\x9f\x8c\x8a\b\f\r\t", 15);
	buf_reset(&b);
	assert_int_equal(jsonscan_text(slice("\"\\ud83c\""), &b), ERR_INPUT);
	assert_int_equal(jsonscan_text(slice("\"\\udf0a\""), &b), ERR_INPUT);
	assert_int_equal(
	    jsonscan_text(slice("\"\\ud83c\\u0041\""), &b), ERR_INPUT);
	assert_int_equal(jsonscan_text(slice("12"), &b), ERR_INPUT);
	buf_fini(&b);
}

static void numbers_are_whole_and_fit(void **state)
{
	int64_t n = 7;

	(void)state;
	assert_int_equal(jsonscan_int(slice("9223372036854775807"), &n), OK);
	assert_true(n == INT64_MAX);
	assert_int_equal(jsonscan_int(slice("-12"), &n), OK);
	assert_int_equal(n, -12);
	assert_int_equal(
	    jsonscan_int(slice("9223372036854775808"), &n), ERR_INPUT);
	assert_int_equal(jsonscan_int(slice("1.0"), &n), ERR_INPUT);
	assert_int_equal(jsonscan_int(slice("1e2"), &n), ERR_INPUT);
	assert_int_equal(jsonscan_int(slice("\"1\""), &n), ERR_INPUT);
	assert_int_equal(n, -12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_passes),
		cmocka_unit_test(what_is_not_is_refused_with_its_place),
		cmocka_unit_test(nesting_has_a_floor),
		cmocka_unit_test(members_and_items_are_slices_of_the_text),
		cmocka_unit_test(texts_say_what_their_escapes_mean),
		cmocka_unit_test(numbers_are_whole_and_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
