#include "worker/estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/scan.h"

static int64_t of(const char *s)
{
	struct estimate e = { 0 };

	estimate_add(&e, s, strlen(s));
	return estimate_tokens(&e);
}

static int64_t of_request(const char *s)
{
	return estimate_request(s, strlen(s));
}

static void nothing_is_no_tokens(void **state)
{
	(void)state;
	assert_int_equal(of(""), 0);
	assert_int_equal(estimate_request(NULL, 0), 0);
}

static void four_ascii_bytes_are_a_token_rounded_up(void **state)
{
	(void)state;
	assert_int_equal(of("abcd"), 1);
	assert_int_equal(of("abcde"), 2);
}

static void other_code_points_are_more_than_a_token(void **state)
{
	(void)state;
	assert_int_equal(of("\xe2\x82\xac"), 2);	     /* 1.1 */
	assert_int_equal(of("\xf0\x9f\x98\x80\xc3\xa9"), 3); /* 2.2 */
}

static void pieces_count_as_their_whole(void **state)
{
	const char *text = "gr\xc3\xbc\xc3\x9f dich, \xf0\x9f\x8c\x8d!";
	struct estimate e = { 0 };

	(void)state;
	for (size_t i = 0; i < strlen(text); i++)
		estimate_add(&e, text + i, 1);
	assert_int_equal(estimate_tokens(&e), of(text));
}

static void a_request_counts_texts_and_not_roles_or_pictures(void **state)
{
	(void)state;
	assert_int_equal(of_request("{\"messages\":[]}"), 3);
	assert_int_equal(of_request("{\"messages\":[{\"role\":\"user\","
				    "\"content\":\"abcdefgh\"}]}"),
	    3 + 4 + 2);
	assert_int_equal(
	    of_request("{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
		       "\"content\":[{\"type\":\"text\",\"text\":\"abcd\"},"
		       "{\"type\":\"image_url\",\"image_url\":{\"url\":"
		       "\"data:image/png;base64,AAAAAAAAAAAAAAAA\"}}]}]}"),
	    3 + 4 + 1);
}

static void an_escape_is_one_character(void **state)
{
	(void)state;
	assert_int_equal(
	    of_request("{\"messages\":[{\"content\":\"\\\"\\n\\\\a\"}]}"),
	    3 + 4 + 1);
	assert_int_equal(
	    of_request("{\"messages\":[{\"content\":\"\\u20ac\"}]}"),
	    3 + 4 + 2);
}

static void a_member_is_found_behind_nested_ones(void **state)
{
	const char *json = "{\"a\":{\"stream\":1,\"x\":[\"}\",{}]},\"b\":\"\\\""
			   "stream\",\"stream\":false}";
	struct scan_value v;

	(void)state;
	assert_true(scan_member(json, strlen(json), "stream", &v));
	assert_int_equal(v.len, 5);
	assert_memory_equal(v.s, "false", 5);
	assert_false(scan_member(json, strlen(json), "x", &v));
}

static void broken_json_is_read_without_harm(void **state)
{
	const char *json = "{\"messages\":[{\"content\":\"a\\\"b\"},{\"x\":1";

	(void)state;
	for (size_t len = 0; len <= strlen(json); len++) {
		char *copy = len == 0 ? NULL : malloc(len);

		if (copy != NULL)
			memcpy(copy, json, len);
		assert_true(estimate_request(copy, len) >= 0);
		if (copy != NULL)
			free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_no_tokens),
		cmocka_unit_test(four_ascii_bytes_are_a_token_rounded_up),
		cmocka_unit_test(other_code_points_are_more_than_a_token),
		cmocka_unit_test(pieces_count_as_their_whole),
		cmocka_unit_test(
		    a_request_counts_texts_and_not_roles_or_pictures),
		cmocka_unit_test(an_escape_is_one_character),
		cmocka_unit_test(a_member_is_found_behind_nested_ones),
		cmocka_unit_test(broken_json_is_read_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
