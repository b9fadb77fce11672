#include "worker/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct retry_limits limits = { 3, 500, 8000 };

/* A failure that may pass, with all the time in the world. */
static struct retry_failure passing(uint32_t tries)
{
	return (struct retry_failure){ .tries = tries,
		.retryable = true,
		.retry_after_ms = -1,
		.left_ms = INT64_MAX };
}

static void what_will_not_pass_is_not_repeated(void **state)
{
	struct retry_failure f = passing(1);
	int64_t ms = -7;

	(void)state;
	f.retryable = false;
	assert_false(retry_wait(&limits, &f, 1, &ms));
	assert_int_equal(ms, -7);
}

static void attempts_are_counted_with_the_first(void **state)
{
	const struct retry_limits none = { 0, 500, 8000 };
	struct retry_failure f = passing(2);
	int64_t ms;

	(void)state;
	assert_true(retry_wait(&limits, &f, 1, &ms));
	f.tries = 3;
	assert_false(retry_wait(&limits, &f, 1, &ms));
	f.tries = 1;
	assert_false(retry_wait(&none, &f, 1, &ms));
}

static void a_hint_is_kept_and_a_little_more(void **state)
{
	struct retry_failure f = passing(2);
	int64_t ms;

	(void)state;
	f.retry_after_ms = 7000;
	for (uint64_t i = 0; i < 2000; i++) {
		assert_true(retry_wait(&limits, &f, i, &ms));
		assert_in_range(ms, 7000, 7500);
	}
	f.retry_after_ms = 0;
	assert_true(retry_wait(&limits, &f, 500, &ms));
	assert_int_equal(ms, 500);
}

static void a_long_hint_is_waited_for_only_without_an_alternative(void **state)
{
	struct retry_failure f = passing(1);
	int64_t ms;

	(void)state;
	f.retry_after_ms = 8001;
	assert_true(retry_wait(&limits, &f, 0, &ms));
	f.has_next = true;
	assert_false(retry_wait(&limits, &f, 0, &ms));
	f.retry_after_ms = 8000;
	assert_true(retry_wait(&limits, &f, 0, &ms));
	f.has_next = false;
	f.retry_after_ms = RETRY_MAX_ASKED_MS + 1;
	assert_false(retry_wait(&limits, &f, 0, &ms));
}

static void no_wait_lasts_until_the_deadline(void **state)
{
	struct retry_failure f = passing(1);
	int64_t ms;

	(void)state;
	f.left_ms = 500;
	assert_true(retry_wait(&limits, &f, 499, &ms));
	assert_int_equal(ms, 499);
	assert_false(retry_wait(&limits, &f, 500, &ms));
	f.left_ms = 0;
	assert_false(retry_wait(&limits, &f, 0, &ms));
}

/* A small generator of our own, so that a failure can be seen again. */
static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 11;
}

/*
 * For any limits: a wait lies between 0 and its ceiling, which doubles and
 * never passes max; both ends are reached, so the jitter is full.
 */
static void waits_stay_within_their_bounds_whatever_the_limits(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct retry_limits l = { 1 + (uint32_t)(next(&seed) % 10),
			(int64_t)(next(&seed) % 5000),
			(int64_t)(next(&seed) % 20000) };
		struct retry_failure f =
		    passing(1 + (uint32_t)(next(&seed) % 12));
		uint64_t most = (uint64_t)l.base_ms << (f.tries - 1);
		int64_t ms = -1;
		bool again;

		if (most > (uint64_t)l.max_ms)
			most = (uint64_t)l.max_ms;
		f.left_ms = (int64_t)(next(&seed) % 30000);
		again = retry_wait(&l, &f, next(&seed), &ms);
		if (f.tries >= l.attempts)
			assert_false(again);
		if (again) {
			assert_in_range(ms, 0, most);
			assert_true(ms < f.left_ms);
		}
		f.left_ms = INT64_MAX;
		if (f.tries < l.attempts) {
			assert_true(retry_wait(&l, &f, most, &ms));
			assert_int_equal(ms, most);
			assert_true(retry_wait(&l, &f, most + 1, &ms));
			assert_int_equal(ms, 0);
		}
	}
}

static void waits_are_spread_evenly(void **state)
{
	struct retry_failure f = passing(1);
	unsigned quarter[4] = { 0 };
	uint64_t seed = 7;
	int64_t ms;

	(void)state;
	for (int i = 0; i < 40000; i++) {
		assert_true(retry_wait(&limits, &f, next(&seed), &ms));
		quarter[ms * 4 / 501]++;
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(quarter[i], 9500, 10500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_will_not_pass_is_not_repeated),
		cmocka_unit_test(attempts_are_counted_with_the_first),
		cmocka_unit_test(a_hint_is_kept_and_a_little_more),
		cmocka_unit_test(
		    a_long_hint_is_waited_for_only_without_an_alternative),
		cmocka_unit_test(no_wait_lasts_until_the_deadline),
		cmocka_unit_test(
		    waits_stay_within_their_bounds_whatever_the_limits),
		cmocka_unit_test(waits_are_spread_evenly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
