#include "worker/decimal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void assert_text(int64_t v, int scale, const char *want)
{
	char got[DECIMAL_TEXT];

	decimal_text(v, scale, got);
	assert_string_equal(got, want);
}

static void an_integer_is_told_without_idle_digits(void **state)
{
	(void)state;
	assert_text(0, 12, "0");
	assert_text(1250000, 12, "0.00000125");
	assert_text(3000000000000, 12, "3");
	assert_text(1, 12, "0.000000000001");
	assert_text(INT64_MAX, 12, "9223372.036854775807");
	assert_text(INT64_MAX, 18, "9.223372036854775807");
	assert_text(120, 0, "120");
}

static void what_was_told_is_read_back(void **state)
{
	const int64_t values[] = { 0, 1, 999999999999, 1000000000000,
		123456789012345, INT64_MAX };
	char text[DECIMAL_TEXT];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		decimal_text(values[i], 12, text);
		assert_true(decimal_parse(
		    text, strlen(text), 12, DECIMAL_HALF_EVEN, &back));
		assert_true(back == values[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_integer_is_told_without_idle_digits),
		cmocka_unit_test(what_was_told_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
