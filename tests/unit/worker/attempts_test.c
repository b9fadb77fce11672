#include "worker/attempts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/prices.h"

#define NOTHING                                        \
	{                                              \
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1 \
	}

static void what_attempts_took_is_summed(void **state)
{
	struct dialect_usage first = NOTHING, second = NOTHING;
	struct attempts a;

	(void)state;
	attempts_init(&a);
	assert_string_equal(attempts_source(&a), "estimated");
	first.input_tokens = 10;
	first.output_tokens = 3;
	first.cost_pusd = 250000000000;
	second.input_tokens = 12;
	second.output_tokens = 20;
	second.reasoning_tokens = 5;
	second.cost_pusd = 500000000001;
	attempts_take(&a, &first, 999, 999);
	attempts_take(&a, &second, 999, 999);
	assert_int_equal(a.sum.input_tokens, 22);
	assert_int_equal(a.sum.output_tokens, 23);
	assert_int_equal(a.sum.reasoning_tokens, 5);
	assert_int_equal(a.sum.cached_input_tokens, -1);
	assert_string_equal(attempts_source(&a), "provider");
	attempts_fini(&a);
}

static void costs_are_summed_and_say_whose_they_are(void **state)
{
	const struct price price = { { 2, 3, -2, -2, -2, -2, -2, -2 } };
	const struct attempts_bill none = { 0 };
	const struct attempts_bill priced = { &price, 10, 100 };
	struct dialect_usage told = NOTHING, counted = NOTHING, mute = NOTHING;
	struct attempts a;

	(void)state;
	told.cost_pusd = 250000000000;
	counted.input_tokens = 7;
	counted.output_tokens = 1;
	attempts_init(&a);
	assert_string_equal(attempts_cost_source(&a), "none");
	/* an attempt that reached nobody costs nothing that is not known */
	attempts_pay(&a, &mute, &none);
	attempts_pay(&a, &told, &priced);
	assert_string_equal(attempts_cost_source(&a), "provider");
	assert_true(a.sum.cost_pusd == 250000000000);
	attempts_pay(&a, &counted, &priced);
	assert_string_equal(attempts_cost_source(&a), "mixed");
	assert_true(a.sum.cost_pusd == 250000000017);
	attempts_fini(&a);

	attempts_pay(&a, &counted, &priced);
	assert_string_equal(attempts_cost_source(&a), "prices");
	/* what is not counted is estimated */
	attempts_pay(&a, &mute, &priced);
	assert_true(a.sum.cost_pusd == 17 + 320);
	assert_string_equal(attempts_cost_source(&a), "prices");
	/* one whose cost nobody knows is not free */
	attempts_pay(&a, &counted, &none);
	assert_true(a.sum.cost_pusd == 337);
	assert_string_equal(attempts_cost_source(&a), "mixed");
	attempts_fini(&a);

	attempts_pay(&a, &counted, &none);
	assert_string_equal(attempts_cost_source(&a), "none");
	assert_true(a.sum.cost_pusd == -1);
	attempts_fini(&a);
}

static void one_estimate_makes_it_mixed_and_nothing_does_not(void **state)
{
	struct dialect_usage none = NOTHING, said = NOTHING;
	struct attempts a;

	(void)state;
	said.input_tokens = 10;
	said.output_tokens = 3;
	attempts_init(&a);
	/* an attempt that reached nobody */
	attempts_take(&a, &none, 0, 0);
	attempts_take(&a, &said, 9, 9);
	assert_string_equal(attempts_source(&a), "provider");
	attempts_take(&a, &none, 9, 4);
	assert_string_equal(attempts_source(&a), "mixed");
	assert_int_equal(a.sum.input_tokens, 19);
	assert_int_equal(a.sum.output_tokens, 7);
	attempts_fini(&a);
	attempts_take(&a, &none, 9, 4);
	assert_string_equal(attempts_source(&a), "estimated");
	attempts_fini(&a);
}

static void the_record_is_told_in_order(void **state)
{
	struct attempts a;
	struct buf b;

	(void)state;
	attempts_init(&a);
	buf_init(&b, 4096);
	assert_int_equal(attempts_add(&a, &(struct attempts_item){ .number = 1,
					      .target = "up/m",
					      .status = EXECUTION_FAILED,
					      .code = "rate_limit",
					      .message = "slow \"down\"",
					      .http_status = 429,
					      .started_ms = 1700000000123,
					      .duration_ms = 40 }),
	    OK);
	assert_int_equal(attempts_add(&a, &(struct attempts_item){ .number = 2,
					      .target = "local/n",
					      .status = EXECUTION_COMPLETED,
					      .duration_ms = -1 }),
	    OK);
	attempts_write(&b, &a);
	buf_putc(&b, '\0');
	assert_string_equal(b.data,
	    "[{\"attempt\":1,\"target\":\"up/m\",\"status\":\"failed\","
	    "\"error_code\":\"rate_limit\",\"message\":\"slow \\\"down\\\"\","
	    "\"http_status\":429,\"started_at\":\"2023-11-14T22:13:20.123Z\","
	    "\"duration_ms\":40},"
	    "{\"attempt\":2,\"target\":\"local/n\",\"status\":\"completed\"}]");
	buf_fini(&b);
	attempts_fini(&a);
}

static void the_longest_record_is_small(void **state)
{
	char long_text[5000];
	struct attempts a;
	struct buf b;

	(void)state;
	memset(long_text, 1, sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	attempts_init(&a);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < ATTEMPTS_MAX + 5; i++)
		assert_int_equal(
		    attempts_add(&a, &(struct attempts_item){ .number = 1,
					 .target = "up/m",
					 .status = EXECUTION_FAILED,
					 .code = "server",
					 .message = long_text }),
		    OK);
	assert_int_equal(a.n, ATTEMPTS_MAX);
	attempts_write(&b, &a);
	assert_int_equal(buf_state(&b), OK);
	assert_true(b.len < 64 << 10);
	buf_fini(&b);
	attempts_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_attempts_took_is_summed),
		cmocka_unit_test(costs_are_summed_and_say_whose_they_are),
		cmocka_unit_test(
		    one_estimate_makes_it_mixed_and_nothing_does_not),
		cmocka_unit_test(the_record_is_told_in_order),
		cmocka_unit_test(the_longest_record_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
