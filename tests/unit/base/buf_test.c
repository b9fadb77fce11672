#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/buf.h"

static void an_empty_buffer_owns_nothing(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_int_equal(buf_state(&b), OK);
	buf_fini(&b);
	buf_fini(&b); /* twice is harmless */
}

static void text_comes_out_as_it_went_in(void **state)
{
	struct buf b;
	size_t len = 0;
	char *text;

	(void)state;
	buf_init(&b, 1000);
	buf_puts(&b, "one ");
	buf_add(&b, "t\0wo", 4);
	buf_putc(&b, '!');
	buf_add(&b, NULL, 0);
	buf_printf(&b, "%s-%d", "x", 42);
	text = buf_detach(&b, &len);
	assert_non_null(text);
	assert_int_equal(len, 13);
	assert_memory_equal(text, "one t\0wo!x-42", 14); /* and its NUL */
	free(text);
	assert_int_equal(b.len, 0);
	assert_int_equal(b.max, 1000);
	buf_puts(&b, "again");
	assert_int_equal(b.len, 5);
	buf_fini(&b);
}

static void every_length_up_to_the_ceiling_fits(void **state)
{
	(void)state;
	for (size_t max = 1; max < 300; max++) {
		char *text = malloc(max + 2);
		struct buf b;

		memset(text, 'x', max + 1);
		text[max] = '\0';
		buf_init(&b, max);
		buf_puts(&b, text);
		assert_int_equal(buf_state(&b), OK);
		assert_int_equal(b.len, max);
		buf_reset(&b);
		buf_printf(&b, "%s", text);
		assert_int_equal(buf_state(&b), OK);
		assert_int_equal(b.len, max);
		buf_putc(&b, '!');
		assert_int_equal(buf_state(&b), ERR_LIMIT);
		assert_int_equal(b.len, max);
		buf_fini(&b);
		free(text);
	}
}

static void a_full_buffer_drops_appends_until_reset(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_puts(&b, "abc");
	buf_puts(&b, "de");
	assert_int_equal(buf_state(&b), ERR_LIMIT);
	buf_putc(&b, 'd'); /* would fit, but the text is not whole */
	assert_int_equal(b.len, 3);
	assert_null(buf_room(&b, 1));
	assert_null(buf_detach(&b, NULL));
	buf_reset(&b);
	assert_int_equal(buf_state(&b), OK);
	buf_puts(&b, "abcd");
	assert_int_equal(buf_state(&b), OK);
	buf_fini(&b);
}

static void a_huge_wish_is_a_limit_not_an_overflow(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "abc");
	assert_null(buf_room(&b, SIZE_MAX));
	assert_int_equal(buf_state(&b), ERR_LIMIT);
	assert_int_equal(b.len, 3);
	buf_fini(&b);
}

static void drain_takes_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_puts(&b, "abcdef");
	buf_drain(&b, 2);
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "cdef", 4);
	buf_drain(&b, 0);
	assert_int_equal(b.len, 4);
	buf_drain(&b, 99);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
}

static void what_is_written_into_the_room_counts_when_said(void **state)
{
	struct buf b;
	char *p;

	(void)state;
	buf_init(&b, 100);
	p = buf_room(&b, 3);
	assert_non_null(p);
	memcpy(p, "abc", 3);
	assert_int_equal(b.len, 0);
	b.len += 2;
	assert_ptr_equal(buf_room(&b, 1), b.data + 2);
	buf_fini(&b);
}

static void an_empty_buffer_detaches_as_an_empty_string(void **state)
{
	struct buf b;
	size_t len = 9;
	char *text;

	(void)state;
	buf_init(&b, 0);
	text = buf_detach(&b, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_owns_nothing),
		cmocka_unit_test(text_comes_out_as_it_went_in),
		cmocka_unit_test(every_length_up_to_the_ceiling_fits),
		cmocka_unit_test(a_full_buffer_drops_appends_until_reset),
		cmocka_unit_test(a_huge_wish_is_a_limit_not_an_overflow),
		cmocka_unit_test(drain_takes_from_the_front),
		cmocka_unit_test(
		    what_is_written_into_the_room_counts_when_said),
		cmocka_unit_test(an_empty_buffer_detaches_as_an_empty_string),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
