#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/tally.h"

static struct tally read_text(const char *metadata)
{
	struct tally t;

	tally_read(metadata, strlen(metadata), &t);
	return t;
}

static void what_metadata_says_is_taken(void **state)
{
	struct tally t = read_text("{\"model\":\"m\",\"usage\":{"
				   "\"input_tokens\":12,\"output_tokens\":34,"
				   "\"total_tokens\":46,\"reasoning_tokens\":5,"
				   "\"cached_input_tokens\":6},"
				   "\"cost_usd\":0.000123456789,\"a\":{"
				   "\"cost_usd\":7}}");

	(void)state;
	assert_int_equal(t.input_tokens, 12);
	assert_int_equal(t.output_tokens, 34);
	assert_int_equal(t.reasoning_tokens, 5);
	assert_int_equal(t.cached_tokens, 6);
	assert_int_equal(t.cost_pusd, 123456789);
}

static void what_it_does_not_say_is_not_known(void **state)
{
	static const char *const none[] = { "{}", "", "[]", "{\"usage\":[]}",
		"{\"usage\":{\"input_tokens\":-1,\"output_tokens\":1.5,"
		"\"reasoning_tokens\":\"7\",\"cached_input_tokens\":null}}",
		"{\"usage\":{\"input_tokens\":1000000001}}",
		"{\"cost_usd\":-1}", "{\"cost_usd\":\"1\"}",
		"{\"cost_usd\":1001}", "{\"cost_usd\":1e2}" };

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct tally t = read_text(none[i]);

		assert_int_equal(t.input_tokens, -1);
		assert_int_equal(t.output_tokens, -1);
		assert_int_equal(t.reasoning_tokens, -1);
		assert_int_equal(t.cached_tokens, -1);
		assert_int_equal(t.cost_pusd, -1);
	}
}

static void dollars_are_exact_to_the_last_digit(void **state)
{
	static const struct {
		const char *text;
		int64_t pusd;
	} costs[] = { { "{\"cost_usd\":0}", 0 }, { "{\"cost_usd\":0.0}", 0 },
		{ "{\"cost_usd\":1}", TALLY_USD },
		{ "{\"cost_usd\":0.1}", TALLY_USD / 10 },
		{ "{\"cost_usd\":0.000000000001}", 1 },
		{ "{\"cost_usd\":999.999999999999}", 999999999999999 },
		{ "{\"cost_usd\":0.0000000000019}", 1 },
		{ "{\"cost_usd\":1000}", TALLY_MAX_PUSD } };

	(void)state;
	for (size_t i = 0; i < sizeof(costs) / sizeof(costs[0]); i++)
		assert_int_equal(
		    read_text(costs[i].text).cost_pusd, costs[i].pusd);
}

static void a_day_begins_at_midnight_utc(void **state)
{
	(void)state;
	assert_int_equal(tally_day(0), 0);
	assert_int_equal(tally_day(TALLY_DAY_MS - 1), 0);
	assert_int_equal(tally_day(TALLY_DAY_MS), 1);
	assert_int_equal(tally_day(-1), -1);
	assert_int_equal(tally_day(1767389040300), 20455);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_metadata_says_is_taken),
		cmocka_unit_test(what_it_does_not_say_is_not_known),
		cmocka_unit_test(dollars_are_exact_to_the_last_digit),
		cmocka_unit_test(a_day_begins_at_midnight_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
