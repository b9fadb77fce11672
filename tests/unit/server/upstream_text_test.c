#include "server/upstream_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/upstream_plan.h"
#include "store/base/utf8.h"

static struct upstream_plan plan_of(const char *query)
{
	struct upstream_options o;
	struct upstream_plan plan;
	struct why why;

	upstream_defaults(&o);
	assert_int_equal(upstream_plan_init(&plan, &o, &why), OK);
	assert_int_equal(upstream_plan_query(&plan, query, &why), OK);
	return plan;
}

/* The whole answer, for free(). */
static char *answer(const char *prompt, const char *query, int64_t *ret_tokens)
{
	struct upstream_plan plan = plan_of(query);
	struct upstream_text text;
	struct buf b;

	buf_init(&b, (size_t)1 << 20);
	upstream_text_init(&text, prompt, strlen(prompt), &plan);
	for (int64_t i = 0; i < text.n; i++)
		upstream_text_token(&text, i, &b);
	if (ret_tokens != NULL)
		*ret_tokens = text.n;
	return buf_detach(&b, NULL);
}

static void the_same_prompt_gives_the_same_answer(void **state)
{
	char *a = answer("why is the sky blue", "", NULL);
	char *b = answer("why is the sky blue", "", NULL);

	(void)state;
	assert_string_equal(a, b);
	free(a);
	free(b);
}

static void prompt_and_seed_change_the_answer(void **state)
{
	char *a = answer("why is the sky blue", "", NULL);
	char *b = answer("why is the sea blue", "", NULL);
	char *c = answer("why is the sky blue", "seed=2", NULL);

	(void)state;
	assert_string_not_equal(a, b);
	assert_string_not_equal(a, c);
	free(a);
	free(b);
	free(c);
}

static void it_says_what_it_is_and_what_was_asked(void **state)
{
	char *a = answer("why  is\nthe sky blue", "", NULL);

	(void)state;
	assert_non_null(strstr(a, "simulated answer"));
	assert_non_null(strstr(a, "“why is the sky blue”."));
	free(a);
}

static void every_token_is_whole_utf8_and_some_are_not_ascii(void **state)
{
	struct upstream_plan plan = plan_of("tokens=2000");
	struct upstream_text text;
	bool accents = false, wide = false;
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	upstream_text_init(&text, "x", 1, &plan);
	for (int64_t i = 0; i < text.n; i++) {
		buf_reset(&b);
		upstream_text_token(&text, i, &b);
		assert_int_equal(buf_state(&b), OK);
		assert_true(b.len > 0 && utf8_valid(b.data, b.len));
		for (size_t k = 0; k < b.len; k++) {
			accents |= (unsigned char)b.data[k] == 0xc3;
			wide |= (unsigned char)b.data[k] == 0xf0;
		}
	}
	assert_true(accents && wide);
	buf_fini(&b);
}

static void a_word_longer_than_an_echo_is_cut_between_code_points(void **state)
{
	struct buf prompt;
	char *s, *a;

	(void)state;
	for (int shift = 0; shift < 4; shift++) {
		buf_init(&prompt, 4096);
		for (int i = 0; i < shift; i++)
			buf_putc(&prompt, 'x');
		for (int i = 0; i < 100; i++)
			buf_puts(&prompt, "🙂");
		s = buf_detach(&prompt, NULL);
		a = answer(s, "", NULL);
		assert_true(utf8_valid(a, strlen(a)));
		free(s);
		free(a);
	}
}

static void an_empty_prompt_has_an_answer(void **state)
{
	char *a = answer(" \n", "", NULL);

	(void)state;
	assert_non_null(strstr(a, "“nothing”."));
	free(a);
}

static void tokens_and_size_are_exact(void **state)
{
	int64_t n;
	char *a = answer("x", "tokens=17&size=100", &n);

	(void)state;
	assert_int_equal(n, 17);
	assert_int_equal(strlen(a), 1700);
	free(a);
}

static void a_stamp_is_nineteen_digits(void **state)
{
	char *a = answer("x", "tokens=2&stamp=1", NULL);

	(void)state;
	assert_int_equal(strlen(a), 40);
	assert_int_equal(strspn(a, "0123456789"), 19);
	assert_int_equal(a[19], ' ');
	free(a);
}

static void an_answer_goes_on_from_every_byte_that_was_sent(void **state)
{
	struct upstream_plan plan = plan_of("tokens=60");
	struct upstream_text text;
	char *whole = answer("go on", "tokens=60", NULL);
	size_t len = strlen(whole), offset;
	struct buf scratch, rest;
	int64_t token;

	(void)state;
	buf_init(&scratch, 4096);
	buf_init(&rest, (size_t)1 << 16);
	upstream_text_init(&text, "go on", 5, &plan);
	for (size_t cut = 0; cut <= len; cut++) {
		buf_reset(&rest);
		assert_true(upstream_text_resume(
		    &text, whole, cut, &scratch, &token, &offset));
		for (int64_t i = token; i < text.n; i++)
			upstream_text_token(&text, i, &rest);
		assert_int_equal(rest.len - offset, len - cut);
		if (cut < len)
			assert_memory_equal(
			    rest.data + offset, whole + cut, len - cut);
	}
	assert_false(upstream_text_resume(
	    &text, "Another text", 12, &scratch, &token, &offset));
	assert_int_equal(token, 0);
	assert_int_equal(offset, 0);
	buf_fini(&scratch);
	buf_fini(&rest);
	free(whole);
}

static void a_model_name_carries_settings(void **state)
{
	struct upstream_plan plan = plan_of("");
	struct why why;

	(void)state;
	assert_int_equal(
	    upstream_plan_model(&plan, "sim-cut?after=5&rate=100", &why), OK);
	assert_string_equal(plan.model, "sim-cut");
	assert_int_equal(plan.fault, UPSTREAM_CUT);
	assert_int_equal(plan.after, 5);
	assert_true(plan.rate == 100);
}

static void a_wrong_setting_changes_nothing_and_is_named(void **state)
{
	static const char *const wrong[] = { "tokens=x", "tokens=-2",
		"rate=nan", "rate=-1", "size=0", "size=99999999",
		"first_ms=1e9", "status=200", "fault_share=2", "fault=nonsense",
		"colour=red", "tokens=1&colour=red", "tokens", "=",
		"tokens=99999999999999999999",
		"averyveryverylongnameofasettingthatisnone=1" };
	struct upstream_plan plan = plan_of("tokens=5"), before = plan;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why.text[0] = '\0';
		assert_int_equal(
		    upstream_plan_query(&plan, wrong[i], &why), ERR_INPUT);
		assert_true(why.text[0] != '\0');
		assert_memory_equal(&plan, &before, sizeof(plan));
	}
	assert_int_equal(
	    upstream_plan_model(&plan, "gpt-4o", &why), ERR_NOT_FOUND);
	assert_int_equal(
	    upstream_plan_model(&plan, "sim-nonsense", &why), ERR_NOT_FOUND);
	assert_int_equal(
	    upstream_plan_model(&plan, "sim?colour=red", &why), ERR_INPUT);
	assert_memory_equal(&plan, &before, sizeof(plan));
}

static void every_listed_model_is_played(void **state)
{
	char name[UPSTREAM_MODEL_BYTES];
	struct why why;
	unsigned n = 0;

	(void)state;
	for (; upstream_plan_model_name(n, name); n++) {
		struct upstream_plan plan = plan_of("");

		assert_int_equal(upstream_plan_model(&plan, name, &why), OK);
		assert_string_equal(plan.model, name);
	}
	assert_int_equal(n, 12);
}

static void a_share_of_the_requests_is_faulty(void **state)
{
	unsigned faulty = 0;

	(void)state;
	for (uint64_t i = 0; i < 10000; i++) {
		struct upstream_plan plan =
		    plan_of("fault=cut&fault_share=0.25");

		upstream_plan_draw(&plan, i);
		faulty += plan.fault == UPSTREAM_CUT;
	}
	assert_in_range(faulty, 2300, 2700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_prompt_gives_the_same_answer),
		cmocka_unit_test(prompt_and_seed_change_the_answer),
		cmocka_unit_test(it_says_what_it_is_and_what_was_asked),
		cmocka_unit_test(
		    every_token_is_whole_utf8_and_some_are_not_ascii),
		cmocka_unit_test(
		    a_word_longer_than_an_echo_is_cut_between_code_points),
		cmocka_unit_test(an_empty_prompt_has_an_answer),
		cmocka_unit_test(tokens_and_size_are_exact),
		cmocka_unit_test(a_stamp_is_nineteen_digits),
		cmocka_unit_test(
		    an_answer_goes_on_from_every_byte_that_was_sent),
		cmocka_unit_test(a_model_name_carries_settings),
		cmocka_unit_test(a_wrong_setting_changes_nothing_and_is_named),
		cmocka_unit_test(every_listed_model_is_played),
		cmocka_unit_test(a_share_of_the_requests_is_faulty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
