#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/jsonout.h"

static struct buf out;

static int set_up(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

static void assert_out(const char *want)
{
	assert_int_equal(buf_state(&out), OK);
	buf_putc(&out, '\0');
	assert_string_equal(out.data, want);
	buf_reset(&out);
}

static void commas_stand_between_values_and_nowhere_else(void **state)
{
	(void)state;
	jsonout_object(&out);
	jsonout_member(&out, "a", "x");
	jsonout_member_int(&out, "b", -1);
	jsonout_key(&out, "c");
	jsonout_array(&out);
	jsonout_array(&out);
	jsonout_array_end(&out);
	jsonout_object(&out);
	jsonout_object_end(&out);
	jsonout_null(&out);
	jsonout_bool(&out, true);
	jsonout_bool(&out, false);
	jsonout_int(&out, 0);
	jsonout_string(&out, "", 0);
	jsonout_raw(&out, "{\"r\":[]}", 8);
	jsonout_array_end(&out);
	jsonout_member(&out, "d", NULL);
	jsonout_key(&out, "e");
	jsonout_object(&out);
	jsonout_object_end(&out);
	jsonout_object_end(&out);
	assert_out("{\"a\":\"x\",\"b\":-1,\"c\":[[],{},null,true,false,0,\"\","
		   "{\"r\":[]}],\"d\":null,\"e\":{}}");
}

/* What a string holds must not be taken for structure. */
static void a_string_that_ends_like_structure_still_gets_its_comma(void **state)
{
	static const char ends[] = "{[:,\n ";

	(void)state;
	for (size_t i = 0; i < sizeof(ends) - 1; i++) {
		jsonout_array(&out);
		jsonout_string(&out, ends + i, 1);
		jsonout_int(&out, 1);
		jsonout_array_end(&out);
		buf_putc(&out, '\0');
		assert_non_null(strstr(out.data, "\",1]"));
		buf_reset(&out);
	}
}

static void a_new_line_or_a_blank_begins_a_new_text(void **state)
{
	(void)state;
	jsonout_object(&out);
	jsonout_object_end(&out);
	buf_putc(&out, '\n');
	jsonout_object(&out);
	jsonout_object_end(&out);
	buf_puts(&out, "\n\ndata: ");
	jsonout_array(&out);
	jsonout_array_end(&out);
	assert_out("{}\n{}\n\ndata: []");
}

static void raw_json_is_trimmed_and_never_nothing(void **state)
{
	(void)state;
	jsonout_array(&out);
	jsonout_raw(&out, "{\n}\n", 4);
	jsonout_raw(&out, "", 0);
	jsonout_raw(&out, " \t\r\n", 4);
	jsonout_int(&out, 1);
	jsonout_array_end(&out);
	assert_out("[{\n},null,null,1]");
}

static void the_ends_of_the_integers_are_exact(void **state)
{
	(void)state;
	jsonout_array(&out);
	jsonout_int(&out, INT64_MIN);
	jsonout_int(&out, INT64_MAX);
	jsonout_int(&out, -10);
	jsonout_int(&out, 100);
	jsonout_array_end(&out);
	assert_out("[-9223372036854775808,9223372036854775807,-10,100]");
}

static void assert_escaped(const char *in, size_t len, const char *want)
{
	jsonout_string(&out, in, len);
	assert_out(want);
}

static void every_ascii_byte_is_written_as_json_allows(void **state)
{
	(void)state;
	for (int c = 0; c < 0x80; c++) {
		char in = (char)c, want[16];

		if (c == '"' || c == '\\')
			snprintf(want, sizeof(want), "\"\\%c\"", c);
		else if (c == '\n' || c == '\r' || c == '\t')
			snprintf(want, sizeof(want), "\"\\%c\"",
			    c == '\n'	? 'n'
			    : c == '\r' ? 'r'
					: 't');
		else if (c < 0x20 || c == 0x7f)
			snprintf(want, sizeof(want), "\"\\u%04x\"", c);
		else
			snprintf(want, sizeof(want), "\"%c\"", c);
		assert_escaped(&in, 1, want);
	}
}

static void text_beyond_ascii_stays_as_it_is(void **state)
{
	(void)state;
	assert_escaped("gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\"");
	assert_escaped("\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"");
	/* Others that begin like a line separator: the euro, an ellipsis. */
	assert_escaped(
	    "\xe2\x82\xac\xe2\x80\xa6", 6, "\"\xe2\x82\xac\xe2\x80\xa6\"");
	assert_escaped(
	    "\xe2\x80\xa7\xe2\x80\xaa", 6, "\"\xe2\x80\xa7\xe2\x80\xaa\"");
}

static void javascripts_line_ends_are_escaped(void **state)
{
	(void)state;
	assert_escaped("a\xe2\x80\xa8\xe2\x80\xa9z", 8, "\"a\\u2028\\u2029z\"");
	assert_escaped("\xe2\x80\xa8", 3, "\"\\u2028\"");
}

static void escapes_meet_at_every_offset(void **state)
{
	(void)state;
	for (size_t at = 0; at < 40; at++) {
		char in[41], want[64];

		memset(in, 'x', sizeof(in));
		in[at] = '"';
		snprintf(want, sizeof(want), "\"%.*s\\\"%.*s\"", (int)at, in,
		    (int)(40 - at - 1), in + at + 1);
		assert_escaped(in, 40, want);
	}
}

static void a_full_buffer_shows_and_nothing_breaks(void **state)
{
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 30; max++) {
		buf_init(&b, max);
		jsonout_object(&b);
		jsonout_member(&b, "key", "a\nb\"c");
		jsonout_member_int(&b, "n", 123456);
		jsonout_object_end(&b);
		assert_int_equal(buf_state(&b), max < 28 ? ERR_LIMIT : OK);
		assert_true(b.len <= max);
		buf_fini(&b);
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(commas_stand_between_values_and_nowhere_else),
		T(a_string_that_ends_like_structure_still_gets_its_comma),
		T(a_new_line_or_a_blank_begins_a_new_text),
		T(raw_json_is_trimmed_and_never_nothing),
		T(the_ends_of_the_integers_are_exact),
		T(every_ascii_byte_is_written_as_json_allows),
		T(text_beyond_ascii_stays_as_it_is),
		T(javascripts_line_ends_are_escaped),
		T(escapes_meet_at_every_offset),
		T(a_full_buffer_shows_and_nothing_breaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
