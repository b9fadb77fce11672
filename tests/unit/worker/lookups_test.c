#include "worker/lookups.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void a_host_is_known_by_its_name_alone(void **state)
{
	uint64_t name = lookups_name("https://api.example/v1");

	(void)state;
	assert_int_not_equal(name, 0);
	assert_int_equal(lookups_name("http://API.example:8080?x"), name);
	assert_int_equal(lookups_name("api.example"), name);
	assert_int_not_equal(lookups_name("https://api2.example/v1"), name);
}

static void an_address_is_no_name(void **state)
{
	(void)state;
	assert_int_equal(lookups_name("http://127.0.0.1:80/v1"), 0);
	assert_int_equal(lookups_name("http://2130706433/v1"), 0);
	assert_int_equal(lookups_name("http://[::1]:80/v1"), 0);
}

static void a_name_that_nobody_answers_for_rests(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	for (int i = 0; i < LOOKUPS_OF_A_NAME; i++) {
		assert_true(lookups_may(&l, 7, 1000 + i));
		lookups_give_up(&l, 7, 1000 + i);
	}
	assert_false(lookups_may(&l, 7, 2000));
	assert_true(lookups_may(&l, 8, 2000));
	/* one at a time as their threads end */
	assert_true(lookups_may(&l, 7, 1000 + LOOKUPS_MS));
	lookups_give_up(&l, 7, 1000 + LOOKUPS_MS);
	assert_false(lookups_may(&l, 7, 1000 + LOOKUPS_MS));
}

static void addresses_are_never_held_up(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	for (int i = 0; i < 10 * LOOKUPS_KEPT; i++)
		lookups_give_up(&l, 0, 1000);
	assert_true(lookups_may(&l, 0, 1000));
}

static void many_names_are_more_than_are_kept(void **state)
{
	struct lookups l = { 0 };

	(void)state;
	for (uint64_t i = 1; i < 10 * LOOKUPS_KEPT; i++)
		lookups_give_up(&l, i, 1000);
	assert_true(lookups_may(&l, 1, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_host_is_known_by_its_name_alone),
		cmocka_unit_test(an_address_is_no_name),
		cmocka_unit_test(a_name_that_nobody_answers_for_rests),
		cmocka_unit_test(addresses_are_never_held_up),
		cmocka_unit_test(many_names_are_more_than_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
