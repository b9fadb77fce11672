#include "worker/parse_sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What came out, readable: E(name|data) B(cut) P(ping) X(error field). */
struct seen {
	struct buf text;
	int stop_after; /* 0: never */
	int n;
};

static bool on_event(void *arg, const struct parse_sse_event *e)
{
	struct seen *seen = arg;
	const char *letter = e->kind == PARSE_SSE_PING	  ? "P"
			     : e->kind == PARSE_SSE_ERROR ? "X"
							  : "E";

	buf_puts(&seen->text, letter);
	if (e->kind != PARSE_SSE_PING) {
		buf_putc(&seen->text, '(');
		buf_add(&seen->text, e->name.s, e->name.len);
		buf_putc(&seen->text, '|');
		buf_add(&seen->text, e->data.s, e->data.len);
		buf_putc(&seen->text, ')');
	}
	if (e->cut)
		buf_putc(&seen->text, '!');
	return ++seen->n != seen->stop_after;
}

static enum err run(const char *in, size_t len, size_t cut, size_t step,
    size_t max, struct seen *seen)
{
	struct parse_sse p;
	enum err err = OK;

	buf_reset(&seen->text);
	seen->n = 0;
	parse_sse_init(&p, max, on_event, seen);
	for (size_t i = 0; i < len && err == OK;) {
		size_t n = step > 0 ? step : i < cut ? cut - i : len - i;
		char *copy;

		if (n > len - i)
			n = len - i;
		/* An own block, so that a byte too far is seen by ASan. */
		copy = malloc(n);
		assert_non_null(copy);
		memcpy(copy, in + i, n);
		err = parse_sse_feed(&p, copy, n);
		free(copy);
		i += n;
	}
	if (err == OK)
		err = parse_sse_end(&p);
	parse_sse_fini(&p);
	return err;
}

/* ${in} gives ${want} in every split. */
static void check(const char *in, size_t len, const char *want)
{
	struct seen seen = { 0 };

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

#define CHECK(in, want) check(in, sizeof(in) - 1, want)

static void fields_are_read_as_the_standard_says(void **state)
{
	(void)state;
	CHECK("data:a\n\ndata: b\n\ndata:  c\n\n", "E(|a)E(|b)E(| c)");
	CHECK("data:a\ndata:b\n\n", "E(|a\nb)");
	CHECK("data:x\nData:y\nDATA:z\ndata :w\n\n", "E(|x)");
	CHECK("event:foo\ndata:1\n\ndata:2\n\n", "E(foo|1)E(|2)");
	CHECK("event:foo\n\ndata:2\n\n", "E(|2)");
	CHECK("event: \ndata:2\n\n", "E(|2)");
	CHECK("event:a\nevent:b\ndata:2\n\n", "E(b|2)");
	CHECK("id:1\x00\nretry:bogus\nretry:03000\ndata:x\nfoo:bar\njunk\n\n",
	    "E(|x)");
	CHECK("data:\"a:b: c\"\n\n", "E(|\"a:b: c\")");
	CHECK("data:\tx\n\n", "E(|\tx)");
}

static void empty_data_is_a_ping(void **state)
{
	(void)state;
	CHECK("data\n\n", "P");
	CHECK("data:\n\n", "P");
	CHECK("data:\ndata\n\n", "E(|\n)");
	CHECK("data\ndata:x\n\n", "E(|\nx)");
	CHECK("data:\n\ndata\ndata\n\ndata:test\n\n", "PE(|\n)E(|test)");
	CHECK("\n\n\n", "");
}

static void comments_are_pings_anywhere(void **state)
{
	(void)state;
	CHECK(":\n", "P");
	CHECK("data:1\n:x\ndata:2\n\n", "PE(|1\n2)");
	CHECK(": a\r: b\r\n: c\n", "PPP");
	CHECK(": not ended", "");
	CHECK(":data:x\n\n", "P");
}

static void every_kind_of_line_end_counts(void **state)
{
	(void)state;
	CHECK("data:1\r\n\r\ndata:2\r\rdata:3\n\n", "E(|1)E(|2)E(|3)");
	CHECK("data:1\r\ndata:2\rdata:3\ndata:4\n\r", "E(|1\n2\n3\n4)");
	CHECK("data:test\r\rdata:x\r\n\n", "E(|test)E(|x)");
	CHECK("data:a\r\n\n\r\ndata:b\n\r\n", "E(|a)E(|b)");
	/* NEL, LS and PS are text. */
	CHECK("data:a\xc2\x85\xe2\x80\xa8\xe2\x80\xa9z\n\n",
	    "E(|a\xc2\x85\xe2\x80\xa8\xe2\x80\xa9z)");
	CHECK("data:a\vb\fc\n\n", "E(|a\vb\fc)");
}

static void one_byte_order_mark_is_dropped(void **state)
{
	(void)state;
	CHECK("\xef\xbb\xbf"
	      "data:1\n\n",
	    "E(|1)");
	CHECK("\xef\xbb\xbf\xef\xbb\xbf"
	      "data:1\n\ndata:2\n\n",
	    "E(|2)");
	CHECK("data:1\n\n\xef\xbb\xbf"
	      "data:2\n\n",
	    "E(|1)");
	CHECK("\xef\xbb\xbf{}\n", "E(|{})");
	CHECK("\xef\xbb"
	      "data:1\n\n",
	    "");
}

static void what_is_pending_at_the_end_is_cut(void **state)
{
	(void)state;
	CHECK("data:1", "E(|1)!");
	CHECK("data:1\n", "E(|1)!");
	CHECK("event:error\ndata:1\r\n", "E(error|1)!");
	CHECK("event:x", "");
	CHECK("{\"a\":", "E(|{\"a\":)!");
	CHECK("", "");
}

static void bare_json_is_an_event_without_a_name(void **state)
{
	(void)state;
	CHECK("{\"a\":1}\n", "E(|{\"a\":1})");
	CHECK("{\"a\":1}", "E(|{\"a\":1})");
	CHECK("[{\"a\":\"}]\\\"\"}] rest\ndata:x\n\n",
	    "E(|[{\"a\":\"}]\\\"\"}])E(|x)");
	CHECK("data:1\nevent:e\n{\n\"a\":2\n}\n\n", "E(e|1)E(|{\n\"a\":2\n})");
	CHECK("{\"a\":\n\ndata:x\n\n", "E(|{\"a\":)E(|x)");
	CHECK("{\n:x\ndata:y\n}\n", "E(|{\n:x\ndata:y\n})");
	CHECK("{}\n{}\n[]\n", "E(|{})E(|{})E(|[])");
	CHECK(" {}\n", "");
}

static void an_error_field_is_told_at_once(void **state)
{
	(void)state;
	CHECK("error: {\"a\":1}\n", "X(|{\"a\":1})");
	CHECK("data:1\nerror:{}\n\n", "X(|{})E(|1)");
	CHECK("error: no object\n\n", "");
	CHECK("Error: {}\n\n", "");
}

static void it_stops_when_told(void **state)
{
	static const char in[] = "data:1\n\ndata:2\n\ndata:3\n\n";
	struct seen seen = { .stop_after = 2 };

	(void)state;
	buf_init(&seen.text, 4096);
	for (size_t step = 1; step < sizeof(in); step++) {
		assert_int_equal(
		    run(in, sizeof(in) - 1, 0, step, 64, &seen), OK);
		assert_int_equal(seen.n, 2);
	}
	buf_fini(&seen.text);
}

static void a_line_beyond_the_ceiling_fails_in_every_split(void **state)
{
	static const char line[] = "data:1\n\ndata: 890123456789\n\n";
	static const char joined[] = "data:45678\ndata:01234\n\ndata:x\n\n";
	static const char comment[] = ":2345678901234567890";
	struct seen seen = { 0 };

	(void)state;
	buf_init(&seen.text, 4096);
	for (size_t cut = 0; cut < sizeof(line); cut++) {
		assert_int_equal(
		    run(line, sizeof(line) - 1, cut, 0, 17, &seen), ERR_LIMIT);
		assert_int_equal(seen.n, 1);
		assert_int_equal(
		    run(line, sizeof(line) - 1, cut, 0, 18, &seen), OK);
		assert_int_equal(seen.n, 2);
	}
	for (size_t cut = 0; cut < sizeof(joined); cut++) {
		assert_int_equal(
		    run(joined, sizeof(joined) - 1, cut, 0, 10, &seen),
		    ERR_LIMIT);
		assert_int_equal(
		    run(joined, sizeof(joined) - 1, cut, 0, 11, &seen), OK);
	}
	assert_int_equal(
	    run(comment, sizeof(comment) - 1, 0, 1, 16, &seen), ERR_LIMIT);
	buf_fini(&seen.text);
}

static void names_are_cut(void **state)
{
	char in[200] = "event:", want[200] = "E(";

	(void)state;
	memset(in + 6, 'n', PARSE_SSE_MAX_NAME + 9);
	strcat(in, "\ndata:1\n\n");
	memset(want + 2, 'n', PARSE_SSE_MAX_NAME);
	strcat(want, "|1)");
	check(in, strlen(in), want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_read_as_the_standard_says),
		cmocka_unit_test(empty_data_is_a_ping),
		cmocka_unit_test(comments_are_pings_anywhere),
		cmocka_unit_test(every_kind_of_line_end_counts),
		cmocka_unit_test(one_byte_order_mark_is_dropped),
		cmocka_unit_test(what_is_pending_at_the_end_is_cut),
		cmocka_unit_test(bare_json_is_an_event_without_a_name),
		cmocka_unit_test(an_error_field_is_told_at_once),
		cmocka_unit_test(it_stops_when_told),
		cmocka_unit_test(
		    a_line_beyond_the_ceiling_fails_in_every_split),
		cmocka_unit_test(names_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
