#include "worker/parse_ndjson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What came out, readable: (line), (line)! when it was cut. */
struct seen {
	struct buf text;
	int stop_after; /* 0: never */
	int n;
};

static bool on_line(void *arg, struct text line, bool cut)
{
	struct seen *seen = arg;

	buf_putc(&seen->text, '(');
	buf_add(&seen->text, line.s, line.len);
	buf_puts(&seen->text, cut ? ")!" : ")");
	return ++seen->n != seen->stop_after;
}

static enum err run(const char *in, size_t len, size_t cut, size_t step,
    size_t max, struct seen *seen)
{
	struct parse_ndjson p;
	enum err err = OK;

	buf_reset(&seen->text);
	seen->n = 0;
	parse_ndjson_init(&p, max, on_line, seen);
	for (size_t i = 0; i < len && err == OK;) {
		size_t n = step > 0 ? step : i < cut ? cut - i : len - i;
		char *copy;

		if (n > len - i)
			n = len - i;
		/* An own block, so that a byte too far is seen by ASan. */
		copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, in + i, n);
		err = parse_ndjson_feed(&p, copy, n);
		free(copy);
		i += n;
	}
	if (err == OK)
		err = parse_ndjson_end(&p);
	parse_ndjson_fini(&p);
	return err;
}

/* ${in} gives ${want} in every split. */
static void check(const char *in, size_t len, int stop_after, const char *want)
{
	struct seen seen = { .stop_after = stop_after };

	buf_init(&seen.text, 1 << 20);
	for (size_t cut = 0; cut <= len + 1; cut++) {
		assert_int_equal(
		    run(in, len, cut, cut > len ? 1 : 0, 4096, &seen), OK);
		buf_putc(&seen.text, '\0');
		assert_int_equal(buf_state(&seen.text), OK);
		assert_string_equal(seen.text.data, want);
	}
	buf_fini(&seen.text);
}

#define CHECK(in, want) check(in, sizeof(in) - 1, 0, want)

static void each_line_is_told_without_its_end(void **state)
{
	(void)state;
	CHECK("{\"a\":1}\n[2]\n", "({\"a\":1})([2])");
}

static void only_lf_ends_a_line(void **state)
{
	(void)state;
	CHECK("a\rb\xc2\x85\xe2\x80\xa8"
	      "c\n",
	    "(a\rb\xc2\x85\xe2\x80\xa8"
	    "c)");
	CHECK("a\r\nb\r\n", "(a\r)(b\r)");
}

static void blank_lines_are_no_lines(void **state)
{
	(void)state;
	CHECK("\n\n \t\r\na\n\n\r\n", "(a)");
	CHECK("", "");
	CHECK("\n", "");
	CHECK("a\n  ", "(a)");
}

static void the_last_line_needs_no_end_but_is_called_cut(void **state)
{
	(void)state;
	CHECK("a\nb", "(a)(b)!");
}

static void a_byte_order_mark_counts_only_at_the_start(void **state)
{
	(void)state;
	CHECK("\xef\xbb\xbf"
	      "a\n\xef\xbb\xbf"
	      "b\n",
	    "(a)(\xef\xbb\xbf"
	    "b)");
	CHECK("\xef\xbb\xbf\na\n", "(a)");
}

static void nothing_is_told_after_enough(void **state)
{
	(void)state;
	check("a\nb\nc", 5, 1, "(a)");
	check("a\nb\nc", 5, 2, "(a)(b)");
}

static void a_line_has_a_ceiling_in_every_split(void **state)
{
	static const char in[] = "12345678\n123456789\n";
	struct seen seen = { 0 };

	(void)state;
	buf_init(&seen.text, 4096);
	for (size_t cut = 0; cut < sizeof(in); cut++) {
		assert_int_equal(
		    run(in, sizeof(in) - 1, cut, 0, 8, &seen), ERR_LIMIT);
		assert_int_equal(seen.text.len, 10);
		assert_int_equal(
		    run(in, 9, cut > 9 ? 9 : cut, 0, 8, &seen), OK);
	}
	assert_int_equal(run(in, sizeof(in) - 1, 0, 1, 8, &seen), ERR_LIMIT);
	assert_int_equal(seen.text.len, 10);
	buf_fini(&seen.text);
}

static void a_failure_stays(void **state)
{
	struct parse_ndjson p;
	struct seen seen = { 0 };

	(void)state;
	buf_init(&seen.text, 4096);
	parse_ndjson_init(&p, 2, on_line, &seen);
	assert_int_equal(parse_ndjson_feed(&p, "abc", 3), ERR_LIMIT);
	assert_int_equal(parse_ndjson_feed(&p, "\na\n", 3), ERR_LIMIT);
	assert_int_equal(parse_ndjson_end(&p), ERR_LIMIT);
	assert_int_equal(seen.n, 0);
	parse_ndjson_fini(&p);
	buf_fini(&seen.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_told_without_its_end),
		cmocka_unit_test(only_lf_ends_a_line),
		cmocka_unit_test(blank_lines_are_no_lines),
		cmocka_unit_test(the_last_line_needs_no_end_but_is_called_cut),
		cmocka_unit_test(a_byte_order_mark_counts_only_at_the_start),
		cmocka_unit_test(nothing_is_told_after_enough),
		cmocka_unit_test(a_line_has_a_ceiling_in_every_split),
		cmocka_unit_test(a_failure_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
