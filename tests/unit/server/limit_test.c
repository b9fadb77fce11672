#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/limit.h"

#define N 300

/* Executions are numbered by their first two bytes. */
static bool ended[N];

static struct id numbered(unsigned n)
{
	struct id id = { { 0 } };

	id.byte[0] = (uint8_t)(n >> 8);
	id.byte[1] = (uint8_t)n;
	return id;
}

static bool is_open(void *arg, const struct id *execution)
{
	(void)arg;
	return !ended[execution->byte[0] << 8 | execution->byte[1]];
}

static struct limit *make(unsigned rate, unsigned max_open)
{
	struct limit_options o = { rate, max_open, is_open, NULL };
	struct limit *l = NULL;

	memset(ended, 0, sizeof(ended));
	assert_int_equal(limit_new(&o, &l), OK);
	return l;
}

static void a_burst_passes_then_the_rate_holds(void **state)
{
	struct limit *l = make(10, 1);
	struct id a = numbered(1), b = numbered(2);
	int64_t wait = 0;
	unsigned passed = 0;

	(void)state;
	while (limit_request(l, &a, 1000, &wait) == OK)
		assert_in_range(++passed, 1, 20);
	assert_int_equal(passed, 20);
	assert_in_range(wait, 1, 101);
	assert_int_equal(limit_request(l, &a, 1000 + wait, &wait), OK);
	assert_int_equal(limit_request(l, &b, 1000, &wait), OK);
	/* A clock that stands still or goes back fills nothing. */
	assert_int_equal(limit_request(l, &a, 500, &wait), ERR_LIMIT);
	limit_free(l);
}

static void open_executions_are_counted_until_they_end(void **state)
{
	struct limit *l = make(10, 200);
	struct id key = numbered(7);

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		struct id e = numbered(i);

		assert_int_equal(limit_open(l, &key, &e), OK);
		limit_opened(l, &key, &e, true);
	}
	struct id more = numbered(250);
	assert_int_equal(limit_open(l, &key, &more), ERR_LIMIT);
	/* Whichever it is that ended, its place is found. */
	ended[137] = true;
	assert_int_equal(limit_open(l, &key, &more), OK);
	struct id another = numbered(251);
	assert_int_equal(limit_open(l, &key, &another), ERR_LIMIT);
	limit_free(l);
}

static void what_was_not_stored_frees_its_place(void **state)
{
	struct limit *l = make(10, 1);
	struct id key = numbered(7), a = numbered(1), b = numbered(2);

	(void)state;
	assert_int_equal(limit_open(l, &key, &a), OK);
	/* On its way: not asked about, though it looks ended. */
	ended[1] = true;
	assert_int_equal(limit_open(l, &key, &b), ERR_LIMIT);
	limit_opened(l, &key, &a, false);
	assert_int_equal(limit_open(l, &key, &b), OK);
	limit_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_passes_then_the_rate_holds),
		cmocka_unit_test(open_executions_are_counted_until_they_end),
		cmocka_unit_test(what_was_not_stored_frees_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
