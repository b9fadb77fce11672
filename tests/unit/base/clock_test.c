#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/clock.h"

static void held_clocks_stand_still_and_run_again(void **state)
{
	int64_t mono = clock_mono_ms();

	(void)state;
	clock_hold(1234567, 89);
	assert_int_equal(clock_wall_ms(), 1234567);
	assert_int_equal(clock_mono_ms(), 89);
	assert_int_equal(clock_mono_ns(), 89000000);
	clock_hold(0, -1);
	assert_true(clock_wall_ms() > 1700000000000);
	assert_true(clock_mono_ms() >= mono);
	assert_true(clock_mono_ns() / 1000000 >= mono);
}

static void a_stamp_reads_as_rfc_3339(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ 951782400007, "2000-02-29T00:00:00.007Z" },
		{ 1767323045678, "2026-01-02T03:04:05.678Z" },
		{ -1, "1969-12-31T23:59:59.999Z" },
		{ -1000, "1969-12-31T23:59:59.000Z" },
		{ 253402300799999, "9999-12-31T23:59:59.999Z" },
		{ INT64_MAX, "9999-12-31T23:59:59.999Z" },
		{ INT64_MIN, "0000-01-01T00:00:00.000Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[CLOCK_TEXT];

		clock_text(cases[i].ms, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_clocks_stand_still_and_run_again),
		cmocka_unit_test(a_stamp_reads_as_rfc_3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
