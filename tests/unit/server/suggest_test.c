#include "server/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const words[] = { "listen", "db", "durability", "drain",
	NULL, "log-level", "log-format" };
#define N (sizeof(words) / sizeof(words[0]))

static void distance_counts_edits_and_a_swap_is_one(void **state)
{
	(void)state;
	assert_int_equal(suggest_distance("listen", "listen"), 0);
	assert_int_equal(suggest_distance("lisen", "listen"), 1);
	assert_int_equal(suggest_distance("lisetn", "listen"), 1);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("abc", ""), 3);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
}

static void case_and_underscores_do_not_count(void **state)
{
	(void)state;
	assert_int_equal(suggest_distance("LOG_level", "log-level"), 0);
}

static void the_nearest_word_is_found(void **state)
{
	(void)state;
	assert_string_equal(suggest_nearest("lisen", words, N), "listen");
	assert_string_equal(
	    suggest_nearest("durabilty", words, N), "durability");
	assert_string_equal(
	    suggest_nearest("log_fromat", words, N), "log-format");
	assert_string_equal(suggest_nearest("drian", words, N), "drain");
}

static void a_beginning_of_one_word_is_near_and_of_two_is_not(void **state)
{
	(void)state;
	assert_string_equal(suggest_nearest("dura", words, N), "durability");
	assert_null(suggest_nearest("log", words, N));
}

static void far_words_are_not_suggested(void **state)
{
	(void)state;
	assert_null(suggest_nearest("banana", words, N));
	assert_null(suggest_nearest("", words, N));
	assert_null(suggest_nearest("x", words, N));
	assert_null(suggest_nearest("listen", words, 0));
}

static void a_word_past_the_ceiling_is_near_to_nothing(void **state)
{
	char word[SUGGEST_MAX_WORD + 2];

	(void)state;
	memset(word, 'a', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	assert_true(suggest_distance(word, "a") == (size_t)-1);
	assert_true(suggest_distance("a", word) == (size_t)-1);
	assert_null(suggest_nearest(word, words, N));
	word[SUGGEST_MAX_WORD] = '\0';
	assert_int_equal(suggest_distance(word, word), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distance_counts_edits_and_a_swap_is_one),
		cmocka_unit_test(case_and_underscores_do_not_count),
		cmocka_unit_test(the_nearest_word_is_found),
		cmocka_unit_test(
		    a_beginning_of_one_word_is_near_and_of_two_is_not),
		cmocka_unit_test(far_words_are_not_suggested),
		cmocka_unit_test(a_word_past_the_ceiling_is_near_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
