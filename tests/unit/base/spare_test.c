#include "store/base/spare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Sanitizers end a program that asks for so much, unless they are told. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

/* More than there ever is; a power of two, as jansson's buffers are. */
#define TOO_MUCH ((size_t)1 << 62)

static void what_got_its_memory_is_whole(void **state)
{
	void *p;

	(void)state;
	assert_int_equal(spare_begin(100), OK);
	p = spare_malloc(64);
	assert_non_null(p);
	assert_true(spare_whole());
	spare_end();
	spare_free(p);
	spare_free(NULL);
}

static void what_did_not_is_not(void **state)
{
	(void)state;
	assert_int_equal(spare_begin(100000), OK);
	assert_null(spare_malloc(TOO_MUCH));
	assert_false(spare_whole());
	spare_end();
	/* The next one is not to blame. */
	assert_int_equal(spare_begin(0), OK);
	assert_true(spare_whole());
	spare_end();
}

static void outside_of_a_watch_nothing_is_lent(void **state)
{
	(void)state;
	assert_null(spare_malloc(TOO_MUCH));
	assert_int_equal(spare_begin(0), OK);
	assert_true(spare_whole());
	spare_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_got_its_memory_is_whole),
		cmocka_unit_test(what_did_not_is_not),
		cmocka_unit_test(outside_of_a_watch_nothing_is_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
