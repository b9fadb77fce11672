#include "worker/tool_calls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void on_event(void *arg, const struct event *e)
{
	struct buf *out = arg;

	switch ((int)e->kind) {
	case EVENT_TOOL_START:
		buf_printf(out, "start %u %.*s %.*s\n", e->index,
		    (int)e->id.len, e->id.s, (int)e->name.len, e->name.s);
		break;
	case EVENT_TOOL_DELTA:
		assert_true(e->text.len > 0);
		buf_printf(out, "delta %u %.*s\n", e->index, (int)e->text.len,
		    e->text.s);
		break;
	case EVENT_TOOL_END:
		buf_printf(out, "end %u %.*s %s\n", e->index, (int)e->text.len,
		    e->text.s, e->valid_json ? "valid" : "invalid");
		break;
	default: fail();
	}
}

static struct text text(const char *s)
{
	return (struct text){ s, s == NULL ? 0 : strlen(s) };
}

/* A fragment as in a delta; index -1: missing. */
struct piece {
	int index;
	const char *id, *name, *arguments;
};

/* Feed ${n} pieces and the end; what comes out is ${want}. */
static void check(const struct piece *pieces, size_t n, const char *want)
{
	struct tool_calls c;
	struct buf out;

	buf_init(&out, 65536);
	tool_calls_init(&c, on_event, &out);
	for (size_t i = 0; i < n; i++) {
		struct tool_calls_fragment f = {
			.has_index = pieces[i].index >= 0,
			.index = pieces[i].index,
			.id = text(pieces[i].id),
			.name = text(pieces[i].name),
			.arguments = text(pieces[i].arguments),
		};

		assert_int_equal(tool_calls_add(&c, &f), OK);
	}
	assert_int_equal(tool_calls_end(&c), OK);
	buf_putc(&out, '\0');
	assert_string_equal(out.data, want);
	tool_calls_fini(&c);
	buf_fini(&out);
}

#define CHECK(want, ...)                                                  \
	do {                                                              \
		const struct piece pieces_[] = { __VA_ARGS__ };           \
		check(pieces_, sizeof(pieces_) / sizeof(*pieces_), want); \
	} while (0)

static void fragments_are_joined_by_index(void **state)
{
	(void)state;
	CHECK("start 0 a f\nstart 1 b g\ndelta 0 {\"x\":\ndelta 1 {}\n"
	      "delta 0 1}\nend 0 {\"x\":1} valid\nend 1 {} valid\n",
	    { 5, "a", "f", "" }, { 2, "b", "g", NULL },
	    { 5, NULL, NULL, "{\"x\":" }, { 2, "", NULL, "{}" },
	    { 5, NULL, NULL, "1}" });
}

static void no_arguments_end_as_an_empty_object(void **state)
{
	(void)state;
	CHECK("start 0 a f\nend 0 {} valid\n", { 0, "a", "f", NULL });
	CHECK("start 0 a f\ndelta 0  \n\nend 0 {} valid\n",
	    { 0, "a", "f", " \n" });
	CHECK("start 0 a f\ndelta 0 {\"x\nend 0 {\"x invalid\n",
	    { 0, "a", "f", "{\"x" });
}

static void missing_ids_are_made_up(void **state)
{
	(void)state;
	CHECK("start 0 call_0 f\ndelta 0 {}\nstart 1 call_1 g\ndelta 1 {}\n"
	      "end 0 {} valid\nend 1 {} valid\n",
	    { 0, NULL, "f", "{}" }, { 0, NULL, "g", "{}" });
	/* A wire id that is taken is not used twice. */
	CHECK("start 0 a f\nstart 1 call_1 g\nend 0 {} valid\n"
	      "end 1 {} valid\n",
	    { 0, "a", "f", NULL }, { 1, "a", "g", NULL });
}

static void repeated_ids_and_names_go_on(void **state)
{
	(void)state;
	CHECK("start 0 a f\ndelta 0 {\"x\"\ndelta 0 :1}\n"
	      "end 0 {\"x\":1} valid\n",
	    { 0, "a", "f", "{\"x\"" }, { 0, "a", "f", ":1}" });
	CHECK("start 0 a f\ndelta 0 {\"x\"\ndelta 0 :1}\n"
	      "end 0 {\"x\":1} valid\n",
	    { -1, "a", "f", "{\"x\"" }, { -1, "a", "f", ":1}" });
	CHECK("start 0 call_0 f\ndelta 0 {\"x\"\ndelta 0 :1}\n"
	      "end 0 {\"x\":1} valid\n",
	    { 0, NULL, "f", "{\"x\"" }, { 0, NULL, "f", ":1}" });
}

static void another_id_at_the_same_index_opens_a_call(void **state)
{
	(void)state;
	CHECK("start 0 a f\ndelta 0 {\nstart 1 b f\ndelta 1 {}\n"
	      "end 0 { invalid\nend 1 {} valid\n",
	    { 0, "a", "f", "{" }, { 0, "b", "f", "{}" });
}

static void a_missing_index_means_the_newest_call(void **state)
{
	(void)state;
	CHECK("start 0 a f\ndelta 0 {}\nstart 1 b g\ndelta 1 {\ndelta 1 }\n"
	      "end 0 {} valid\nend 1 {} valid\n",
	    { -1, "a", "f", "{}" }, { -1, "b", "g", "{" },
	    { -1, NULL, NULL, "}" });
}

static void text_before_the_name_is_held_back(void **state)
{
	(void)state;
	CHECK("start 0 a f\ndelta 0 {\"x\":\ndelta 0 1}\n"
	      "end 0 {\"x\":1} valid\n",
	    { 0, "a", NULL, "{\"x\"" }, { 0, NULL, NULL, ":" },
	    { 0, NULL, "f", "1}" });
	CHECK(
	    "start 0 a \ndelta 0 {}\nend 0 {} valid\n", { 0, "a", NULL, "{}" });
}

static void a_started_call_keeps_its_made_up_id(void **state)
{
	(void)state;
	CHECK("start 0 call_0 f\ndelta 0 {\ndelta 0 }\nend 0 {} valid\n",
	    { 0, NULL, "f", "{" }, { 0, "late", NULL, "}" });
}

static void fragments_of_no_call_are_dropped(void **state)
{
	(void)state;
	CHECK("", { 0, NULL, NULL, "{}" }, { -1, "", "", "x" });
	CHECK("start 0 a f\nend 0 {} valid\n", { 0, "a", "f", NULL },
	    { 1, NULL, NULL, "{}" });
}

static void trailing_text_means_not_full(void **state)
{
	(void)state;
	CHECK("start 0 call_0 f\ndelta 0 {}\ndelta 0 x\ndelta 0 y\n"
	      "end 0 {}xy invalid\n",
	    { 0, NULL, "f", "{}" }, { 0, NULL, NULL, "x" },
	    { 0, NULL, "f", "y" });
	CHECK("start 0 call_0 f\ndelta 0 []\ndelta 0  \nend 0 []  valid\n",
	    { 0, NULL, "f", "[]" }, { 0, NULL, "f", " " });
}

static void calls_have_a_ceiling(void **state)
{
	struct tool_calls_fragment f = { .has_index = true,
		.name = { "f", 1 } };
	struct tool_calls c;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 20);
	tool_calls_init(&c, on_event, &out);
	for (f.index = 0; f.index < TOOL_CALLS_MAX; f.index++)
		assert_int_equal(tool_calls_add(&c, &f), OK);
	assert_int_equal(tool_calls_add(&c, &f), ERR_LIMIT);
	tool_calls_fini(&c);
	buf_fini(&out);
}

/* A call with ${index} (-1: none) that begins, or (${whole}) is all there. */
static void begin(struct tool_calls *c, bool whole, int index, const char *id,
    const char *name, const char *arguments)
{
	struct tool_calls_fragment f = { .has_index = index >= 0,
		.index = index,
		.id = text(id),
		.name = text(name),
		.arguments = text(arguments) };

	assert_int_equal(
	    whole ? tool_calls_whole(c, &f) : tool_calls_open(c, &f), OK);
}

static void add(struct tool_calls *c, int index, const char *arguments)
{
	struct tool_calls_fragment f = {
		.has_index = true, .index = index, .arguments = text(arguments)
	};

	assert_int_equal(tool_calls_add(c, &f), OK);
}

static void finish(struct tool_calls *c, struct buf *out, const char *want)
{
	assert_int_equal(tool_calls_end(c), OK);
	buf_putc(out, '\0');
	assert_string_equal(out->data, want);
	tool_calls_fini(c);
	buf_fini(out);
}

static void whole_calls_are_never_merged(void **state)
{
	struct tool_calls c;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	tool_calls_init(&c, on_event, &out);
	begin(&c, true, -1, NULL, "f", "{\"a\":1}");
	begin(&c, true, -1, NULL, "f", NULL);
	begin(&c, true, -1, "x", "f", "no");
	begin(&c, true, -1, "x", "", NULL);
	finish(&c, &out,
	    "start 0 call_0 f\ndelta 0 {\"a\":1}\nend 0 {\"a\":1} valid\n"
	    "start 1 call_1 f\nend 1 {} valid\n"
	    "start 2 x f\ndelta 2 no\nend 2 no invalid\n"
	    "start 3 call_3 \nend 3 {} valid\n");
}

static void a_call_that_was_opened_goes_on_until_it_is_closed(void **state)
{
	struct tool_calls c;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	tool_calls_init(&c, on_event, &out);
	begin(&c, false, 1, "a", "f", NULL);
	begin(&c, false, 2, "b", "g", NULL);
	add(&c, 1, "{\"x\":");
	add(&c, 2, "{}");
	add(&c, 1, "1}");
	assert_int_equal(tool_calls_close(&c, 1), OK);
	add(&c, 1, "late"); /* for nobody */
	assert_int_equal(tool_calls_close(&c, 1), OK);
	assert_int_equal(tool_calls_close(&c, 7), OK);
	finish(&c, &out,
	    "start 0 a f\nstart 1 b g\ndelta 0 {\"x\":\ndelta 1 {}\n"
	    "delta 0 1}\nend 0 {\"x\":1} valid\nend 1 {} valid\n");
}

static void fragments_win_over_what_came_at_the_beginning(void **state)
{
	struct tool_calls c;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	tool_calls_init(&c, on_event, &out);
	begin(&c, false, 0, "a", "f", "{\"old\":1}");
	begin(&c, false, 1, "b", "f", "{\"old\":1}");
	add(&c, 0, "{}");
	assert_int_equal(tool_calls_close(&c, 1), OK);
	finish(&c, &out,
	    "start 0 a f\nstart 1 b f\ndelta 0 {}\n"
	    "delta 1 {\"old\":1}\nend 1 {\"old\":1} valid\n"
	    "end 0 {} valid\n");
}

static void an_index_that_is_used_again_is_another_call(void **state)
{
	struct tool_calls c;
	struct buf out;

	(void)state;
	buf_init(&out, 4096);
	tool_calls_init(&c, on_event, &out);
	begin(&c, false, 0, "a", "f", NULL);
	assert_int_equal(tool_calls_close(&c, 0), OK);
	begin(&c, false, 0, "a", "f", NULL);
	add(&c, 0, "{}");
	finish(&c, &out,
	    "start 0 a f\nend 0 {} valid\nstart 1 call_1 f\ndelta 1 {}\n"
	    "end 1 {} valid\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_are_joined_by_index),
		cmocka_unit_test(no_arguments_end_as_an_empty_object),
		cmocka_unit_test(missing_ids_are_made_up),
		cmocka_unit_test(repeated_ids_and_names_go_on),
		cmocka_unit_test(another_id_at_the_same_index_opens_a_call),
		cmocka_unit_test(a_missing_index_means_the_newest_call),
		cmocka_unit_test(text_before_the_name_is_held_back),
		cmocka_unit_test(a_started_call_keeps_its_made_up_id),
		cmocka_unit_test(fragments_of_no_call_are_dropped),
		cmocka_unit_test(trailing_text_means_not_full),
		cmocka_unit_test(calls_have_a_ceiling),
		cmocka_unit_test(whole_calls_are_never_merged),
		cmocka_unit_test(
		    a_call_that_was_opened_goes_on_until_it_is_closed),
		cmocka_unit_test(fragments_win_over_what_came_at_the_beginning),
		cmocka_unit_test(an_index_that_is_used_again_is_another_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
