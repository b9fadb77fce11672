#include "worker/json_in.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ${in} is read and means the same as the compact text ${want}. */
static void reads_n(const char *in, size_t len, const char *want)
{
	json_t *v = NULL;
	char *text;

	assert_int_equal(json_in_parse(in, len, &v), OK);
	text =
	    json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
	json_decref(v);
}

static void reads(const char *in, const char *want)
{
	reads_n(in, strlen(in), want);
}

static void refuses_n(const char *in, size_t len, enum err want)
{
	json_t *v = (json_t *)(uintptr_t)1;

	assert_int_equal(json_in_parse(in, len, &v), want);
	assert_ptr_equal(v, (void *)(uintptr_t)1);
}

static void refuses(const char *in)
{
	refuses_n(in, strlen(in), ERR_INPUT);
}

static void json_is_read(void **state)
{
	(void)state;
	reads(" {\"a\":[1,-0.5,true,null,\"x\"]}\r\n",
	    "{\"a\":[1,-0.5,true,null,\"x\"]}");
	reads("\"\"", "\"\"");
	reads("9223372036854775807", "9223372036854775807");
	reads("{\"a\":1,\"a\":2}", "{\"a\":2}");
}

static void what_is_not_json_is_refused(void **state)
{
	(void)state;
	refuses("");
	refuses(" ");
	refuses("{");
	refuses("{\"a\":1}x");
	refuses("{} {}");
	refuses("[NaN]");
	refuses("[01]");
	refuses("[-]");
	refuses("[1.]");
	refuses("[.5]");
	refuses("[1e]");
	refuses("[0012345678901234567890123]");
	refuses("[\"a\nb\"]");
	refuses("[\"\\x\"]");
	refuses("[\"\\u12\"]");
	refuses("[\"\\ud800]");
	refuses("[1,]");
	refuses("\xef\xbb\xbf{}");
	refuses("\xff");
	refuses_n("123\0", 4, ERR_INPUT);
	refuses_n("[\"a\0b\"]", 7, ERR_INPUT);
}

static void ill_formed_utf8_becomes_replacement_characters(void **state)
{
	(void)state;
	reads("[\"a\xffz\"]", "[\"a\\uFFFDz\"]");
	reads("[\"\xe2\x82\"]", "[\"\\uFFFD\"]");
	reads("[\"\xf0\x9f\x98\"]", "[\"\\uFFFD\"]");
	reads("[\"\xed\xa0\x80\"]", "[\"\\uFFFD\\uFFFD\\uFFFD\"]");
	reads("[\"\xc0\xaf\"]", "[\"\\uFFFD\\uFFFD\"]");
	reads("{\"\xff\":1}", "{\"\\uFFFD\":1}");
}

static void unpaired_surrogates_become_replacement_characters(void **state)
{
	(void)state;
	reads("\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"");
	reads("\"\\ud83d\"", "\"\\uFFFD\"");
	reads("\"\\uDE00x\"", "\"\\uFFFDx\"");
	reads("\"\\ud83d\\ud83d\\ude00\"", "\"\\uFFFD\\uD83D\\uDE00\"");
	reads("\"\\ud83d\\n\"", "\"\\uFFFD\\n\"");
	reads("\"\\ude00\\ud83d\"", "\"\\uFFFD\\uFFFD\"");
	reads("\"\\\\ud83d\"", "\"\\\\ud83d\"");
	reads("{\"\\ud83d\":\"\\\"\"}", "{\"\\uFFFD\":\"\\\"\"}");
}

static void nul_is_kept_in_values(void **state)
{
	json_t *v = NULL;

	(void)state;
	reads("[\"a\\u0000b\"]", "[\"a\\u0000b\"]");
	assert_int_equal(json_in_parse("\"a\\u0000b\"", 10, &v), OK);
	assert_int_equal(json_in_text(v).len, 3);
	assert_memory_equal(json_in_text(v).s, "a\0b", 3);
	json_decref(v);
}

static void nul_in_a_name_does_not_lose_the_object(void **state)
{
	(void)state;
	reads("{\"a\\u0000b\" : \"c\\u0000\"}", "{\"a\\uFFFDb\":\"c\\u0000\"}");
	reads("{\"\\\\u0000\\u0000\":1}", "{\"\\\\u0000\\uFFFD\":1}");
}

static void large_numbers_do_not_lose_the_answer(void **state)
{
	(void)state;
	reads("[9223372036854775808]", "[9.2233720368547758e18]");
	reads("[-99999999999999999999999]", "[-9.9999999999999992e22]");
	reads("[1,1e400,-1e400]",
	    "[1,1.7976931348623157e308,-1.7976931348623157e308]");
	reads("[1e-400]", "[0.0]");
	reads("[9223372036854775807,9223372036854775808,\"9223372036854775"
	      "809\"]",
	    "[9223372036854775807,9.2233720368547758e18,"
	    "\"9223372036854775809\"]");
}

static void an_integer_of_400_digits_is_read(void **state)
{
	char in[403];

	(void)state;
	memset(in, '7', sizeof(in));
	in[0] = '[';
	in[401] = ']';
	reads_n(in, 402, "[1.7976931348623157e308]");
}

static void depth_has_a_ceiling(void **state)
{
	size_t n = 100000;
	char *in = malloc(2 * n);
	json_t *v = NULL;

	(void)state;
	assert_non_null(in);
	memset(in, '[', n);
	memset(in + n, ']', n);
	assert_int_not_equal(json_in_parse(in, 2 * n, &v), OK);
	assert_int_equal(json_in_parse(in + n - 200, 400, &v), OK);
	json_decref(v);
	free(in);
}

static void containers_have_a_ceiling(void **state)
{
	size_t n = JSON_IN_MAX_CONTAINERS + 1, len = 0;
	char *in = malloc(3 * n + 2);

	(void)state;
	assert_non_null(in);
	in[len++] = '[';
	for (size_t i = 0; i < n; i++) {
		memcpy(in + len, "[],", 3);
		len += 3;
	}
	in[len - 1] = ']';
	refuses_n(in, len, ERR_LIMIT);
	free(in);
}

static void integers_may_be_written_as_reals(void **state)
{
	json_t *v = NULL;
	int64_t n = 7;

	(void)state;
	assert_int_equal(
	    json_in_parse("[12,12.0,12.5,1e30,\"12\"]", 24, &v), OK);
	assert_true(json_in_int(json_array_get(v, 0), &n));
	assert_int_equal(n, 12);
	assert_true(json_in_int(json_array_get(v, 1), &n));
	assert_int_equal(n, 12);
	for (size_t i = 2; i < 5; i++)
		assert_false(json_in_int(json_array_get(v, i), &n));
	assert_false(json_in_int(NULL, &n));
	json_decref(v);
}

static void balance_knows_strings_and_stops_at_the_end(void **state)
{
	static const char in[] = "{\"a}\\\"]\":[1,{}]} tail";
	struct json_in_balance b = { 0 };
	size_t used = 0;

	(void)state;
	assert_int_equal(json_in_balance(&b, in, sizeof(in) - 1), 16);
	assert_true(b.closed);
	b = (struct json_in_balance){ 0 };
	for (size_t i = 0; i < sizeof(in) - 1; i++)
		used += json_in_balance(&b, in + i, 1);
	assert_int_equal(used, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_read),
		cmocka_unit_test(what_is_not_json_is_refused),
		cmocka_unit_test(
		    ill_formed_utf8_becomes_replacement_characters),
		cmocka_unit_test(
		    unpaired_surrogates_become_replacement_characters),
		cmocka_unit_test(nul_is_kept_in_values),
		cmocka_unit_test(nul_in_a_name_does_not_lose_the_object),
		cmocka_unit_test(large_numbers_do_not_lose_the_answer),
		cmocka_unit_test(an_integer_of_400_digits_is_read),
		cmocka_unit_test(depth_has_a_ceiling),
		cmocka_unit_test(containers_have_a_ceiling),
		cmocka_unit_test(integers_may_be_written_as_reals),
		cmocka_unit_test(balance_knows_strings_and_stops_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
