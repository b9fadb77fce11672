#include "worker/prefill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"

static const char *written(
    enum prefill how, const char *request, const char *text, int64_t tokens)
{
	static char all[4096];
	struct buf b, t;

	buf_init(&b, sizeof(all) - 1);
	buf_init(&t, 1024);
	buf_puts(&t, text);
	prefill_write(&b, how, request, strlen(request), &t, tokens);
	assert_int_equal(buf_state(&b), OK);
	memcpy(all, b.data, b.len);
	all[b.len] = '\0';
	buf_fini(&b);
	buf_fini(&t);
	return all;
}

static bool possible(const char *request)
{
	return prefill_possible(request, strlen(request));
}

static void the_partial_answer_is_the_last_message(void **state)
{
	(void)state;
	assert_string_equal(
	    written(PREFILL_YES, "{\"model\":\"m\",\"messages\":[" USER "]}",
		"one \"two\"\n", 3),
	    "{\"model\":\"m\",\"messages\":[" USER
	    ",{\"role\":\"assistant\",\"content\":\"one \\\"two\\\"\\n\"}]}");
}

static void what_may_still_come_is_what_is_left(void **state)
{
	(void)state;
	assert_string_equal(
	    written(PREFILL_YES,
		"{\"max_output_tokens\":100,\"messages\":[" USER "]}", "x", 30),
	    "{\"max_output_tokens\":70,\"messages\":[" USER
	    ",{\"role\":\"assistant\",\"content\":\"x\"}]}");
	assert_non_null(strstr(
	    written(PREFILL_YES,
		"{\"max_output_tokens\":10,\"messages\":[" USER "]}", "x", 30),
	    "\"max_output_tokens\":1,"));
}

static void vllm_is_told_so_beside_what_else_it_is_told(void **state)
{
	static const char two[] = "\"continue_final_message\":true,"
				  "\"add_generation_prompt\":false";
	char want[400];

	(void)state;
	snprintf(want, sizeof(want),
	    "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"x\""
	    "}],\"extra\":{%s}}",
	    two);
	assert_string_equal(
	    written(PREFILL_VLLM, "{\"messages\":[" USER "]}", "x", 1), want);
	assert_non_null(strstr(
	    written(PREFILL_VLLM,
		"{\"messages\":[" USER "],\"extra\":{\"top_k\":5}}", "x", 1),
	    "\"add_generation_prompt\":false,\"top_k\":5}}"));
	snprintf(want, sizeof(want), "\"extra\":{%s}}", two);
	assert_non_null(
	    strstr(written(PREFILL_VLLM,
		       "{\"messages\":[" USER "],\"extra\":{}}", "x", 1),
		want));
}

static void only_plain_questions_can_be_gone_on_from(void **state)
{
	(void)state;
	assert_true(possible("{\"messages\":[" USER "]}"));
	assert_false(possible("{\"messages\":[" USER
			      ",{\"role\":\"assistant\",\"content\":\"a\"}]}"));
	assert_false(possible("{\"messages\":[" USER "],\"tools\":[{}]}"));
	assert_false(possible(
	    "{\"messages\":[" USER "],\"response_format\":{\"type\":\"x\"}}"));
	assert_false(possible("{\"messages\":[]}"));
	assert_false(possible("not json"));
	assert_false(prefill_possible(NULL, 0));
}

static void who_wants_no_blanks_at_the_end_gets_none(void **state)
{
	struct buf t;

	(void)state;
	assert_non_null(strstr(
	    written(PREFILL_TRIMMED, "{\"messages\":[" USER "]}", "a b \n", 1),
	    "\"content\":\"a b\"}"));
	assert_non_null(strstr(
	    written(PREFILL_YES, "{\"messages\":[" USER "]}", "a b \n", 1),
	    "\"content\":\"a b \\n\"}"));
	buf_init(&t, 100);
	assert_int_equal(prefill_len(PREFILL_TRIMMED, &t), 0);
	buf_puts(&t, " \t\r\n");
	assert_int_equal(prefill_len(PREFILL_TRIMMED, &t), 0);
	assert_int_equal(prefill_len(PREFILL_YES, &t), 4);
	buf_fini(&t);
}

static void its_words_are_four(void **state)
{
	enum prefill p = PREFILL_NO;

	(void)state;
	assert_true(prefill_parse("vllm", &p));
	assert_int_equal(p, PREFILL_VLLM);
	assert_true(prefill_parse("trimmed", &p));
	assert_true(prefill_parse("yes", &p));
	assert_true(prefill_parse("no", &p));
	assert_int_equal(p, PREFILL_NO);
	assert_false(prefill_parse("maybe", &p));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_partial_answer_is_the_last_message),
		cmocka_unit_test(what_may_still_come_is_what_is_left),
		cmocka_unit_test(vllm_is_told_so_beside_what_else_it_is_told),
		cmocka_unit_test(only_plain_questions_can_be_gone_on_from),
		cmocka_unit_test(who_wants_no_blanks_at_the_end_gets_none),
		cmocka_unit_test(its_words_are_four),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
