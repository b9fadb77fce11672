#include "worker/circuit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct circuit_limits limits = { 3, 1000 };

static void it_opens_after_failures_in_a_row(void **state)
{
	struct circuit c;

	(void)state;
	circuit_init(&c, &limits);
	assert_false(circuit_bad(&c, 0));
	assert_false(circuit_bad(&c, 0));
	assert_false(circuit_good(&c));
	assert_false(circuit_bad(&c, 0));
	assert_false(circuit_bad(&c, 0));
	assert_true(circuit_pass(&c, 0));
	assert_true(circuit_bad(&c, 0));
	assert_false(circuit_pass(&c, 999));
	assert_false(circuit_closed(&c, 999));
	circuit_fini(&c);
}

static void open(struct circuit *c)
{
	circuit_init(c, &limits);
	for (int i = 0; i < 3; i++)
		(void)circuit_bad(c, 0);
}

static void after_the_cooldown_one_may_look(void **state)
{
	struct circuit c;

	(void)state;
	open(&c);
	assert_true(circuit_closed(&c, 1000));
	assert_true(circuit_closed(&c, 1000));
	assert_true(circuit_pass(&c, 1000));
	assert_false(circuit_pass(&c, 1000));
	assert_false(circuit_closed(&c, 1999));
	assert_true(circuit_good(&c));
	assert_true(circuit_pass(&c, 1001));
	assert_true(circuit_pass(&c, 1001));
	circuit_fini(&c);
}

static void a_probe_that_fails_doubles_the_cooldown_up_to_eight(void **state)
{
	static const int64_t times[] = { 2, 4, 8, 8, 8 };
	struct circuit c;
	int64_t now = 1000;

	(void)state;
	open(&c);
	for (size_t i = 0; i < 5; i++) {
		assert_true(circuit_pass(&c, now));
		assert_true(circuit_bad(&c, now));
		assert_false(circuit_pass(&c, now + times[i] * 1000 - 1));
		now += times[i] * 1000;
	}
	assert_true(circuit_pass(&c, now));
	circuit_fini(&c);
}

static void those_under_way_do_not_lengthen_the_cooldown(void **state)
{
	struct circuit c;

	(void)state;
	open(&c);
	for (int i = 0; i < 20; i++)
		assert_false(circuit_bad(&c, 500));
	assert_true(circuit_pass(&c, 1000));
	circuit_fini(&c);
}

static void a_lost_probe_holds_others_up_for_one_cooldown(void **state)
{
	struct circuit c;

	(void)state;
	open(&c);
	assert_true(circuit_pass(&c, 1000));
	assert_false(circuit_pass(&c, 1999));
	assert_true(circuit_pass(&c, 2000));
	circuit_fini(&c);
}

static void it_says_how_it_is(void **state)
{
	struct circuit_look look;
	struct circuit c;

	(void)state;
	open(&c);
	circuit_look(&c, 0, &look);
	assert_true(look.rests && !look.probing);
	assert_true(look.rests_ms > 0);
	circuit_look(&c, look.rests_ms, &look);
	assert_true(!look.rests && look.probing);
	assert_true(circuit_good(&c));
	circuit_look(&c, 0, &look);
	assert_true(!look.rests && !look.probing);
	assert_int_equal(look.failures, 0);
	circuit_fini(&c);
}

static void without_a_number_it_never_opens(void **state)
{
	struct circuit c;

	(void)state;
	circuit_init(&c, &(struct circuit_limits){ 0, 1000 });
	for (int i = 0; i < 1000; i++)
		assert_false(circuit_bad(&c, 0));
	assert_true(circuit_pass(&c, 0));
	circuit_fini(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_after_failures_in_a_row),
		cmocka_unit_test(after_the_cooldown_one_may_look),
		cmocka_unit_test(
		    a_probe_that_fails_doubles_the_cooldown_up_to_eight),
		cmocka_unit_test(those_under_way_do_not_lengthen_the_cooldown),
		cmocka_unit_test(a_lost_probe_holds_others_up_for_one_cooldown),
		cmocka_unit_test(it_says_how_it_is),
		cmocka_unit_test(without_a_number_it_never_opens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
