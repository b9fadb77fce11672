#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/base64.h"

/* RFC 4648 section 10. */
static const struct {
	const char *bytes, *text;
} known[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" } };

static void what_the_rfc_says_is_so_both_ways(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		buf_reset(&b);
		base64_add(&b, known[i].bytes, strlen(known[i].bytes));
		assert_int_equal(b.len, strlen(known[i].text));
		if (b.len)
			assert_memory_equal(b.data, known[i].text, b.len);
		buf_reset(&b);
		assert_int_equal(
		    base64_read(&b, known[i].text, strlen(known[i].text)), OK);
		assert_int_equal(b.len, strlen(known[i].bytes));
		if (b.len)
			assert_memory_equal(b.data, known[i].bytes, b.len);
	}
	buf_fini(&b);
}

static void other_texts_are_refused(void **state)
{
	static const char *const bad[] = { "Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "Zg==Zg==", "====", "Zm 9", "Zm9v\n",
		"Z===", "-_-_" };
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    base64_read(&b, bad[i], strlen(bad[i])), ERR_INPUT);
	buf_fini(&b);
}

static void a_buffer_that_is_too_small_is_failed(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 7);
	base64_add(&b, "foobar", 6);
	assert_int_equal(buf_state(&b), ERR_LIMIT);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_rfc_says_is_so_both_ways),
		cmocka_unit_test(other_texts_are_refused),
		cmocka_unit_test(a_buffer_that_is_too_small_is_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
