/* body_prune: what is to be removed, as it was sent, and where to go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/body.h"

static struct body_prune got;

static void taken(const char *text)
{
	struct problem p = { 0 };

	if (body_prune(text, strlen(text), &got, &p) != OK)
		fail_msg("%s: %s", text, p.detail);
}

static void refused(const char *text, const char *field)
{
	struct problem p = { 0 };

	if (body_prune(text, strlen(text), &got, &p) != ERR_INPUT)
		fail_msg("%s was taken", text);
	assert_string_equal(p.field, field);
	assert_true(p.detail[0] != '\0');
}

static void what_was_sent_becomes_a_rule(void **state)
{
	(void)state;
	taken("{\"status\":[\"failed\",\"cancelled\"],\"owner\":\"ada\","
	      "\"since\":\"1970-01-01T00:00:01Z\",\"until\":5000,"
	      "\"older_than_ms\":0,\"keep_last\":7,\"keep_bytes\":8,"
	      "\"payload_only\":true,\"dry_run\":true,\"limit\":9}");
	assert_int_equal(got.rule.statuses,
	    1u << EXECUTION_FAILED | 1u << EXECUTION_CANCELLED);
	assert_string_equal(got.rule.owner, "ada");
	assert_true(got.rule.since_ms == 1000 && got.rule.until_ms == 5000);
	assert_true(got.rule.age_ms == 0 && got.rule.count == 7);
	assert_true(got.rule.bytes == 8);
	assert_true(got.rule.per_owner && got.rule.all_limits);
	assert_true(got.rule.payload_only && got.dry_run);
	assert_int_equal(got.limit, 9);
	assert_int_equal(got.n, 0);
	taken("{\"all\":true}");
	assert_true(got.rule.age_ms == RETENTION_NO_LIMIT);
	assert_true(got.rule.count == RETENTION_NO_LIMIT);
	assert_true(got.rule.bytes == RETENTION_NO_LIMIT);
	assert_int_equal(got.rule.statuses, 0);
	assert_int_equal(got.limit, 1000);
}

static void a_note_goes_along_and_is_one_short_line(void **state)
{
	char text[BODY_NOTE_BYTES + 40];

	(void)state;
	taken("{\"all\":true,\"note\":\"ticket 4711, \\u00e9\"}");
	assert_string_equal(got.note, "ticket 4711, \xc3\xa9");
	taken("{\"ids\":[\"01890a5d-ac96-774b-bcce-b302099a8057\"],"
	      "\"note\":\"x\"}");
	assert_string_equal(got.note, "x");
	taken("{\"all\":true}");
	assert_string_equal(got.note, "");
	refused("{\"all\":true,\"note\":\"a\\nb\"}", "note");
	refused("{\"all\":true,\"note\":1}", "note");
	snprintf(text, sizeof(text), "{\"all\":true,\"note\":\"%0*d\"}",
	    BODY_NOTE_BYTES, 0);
	refused(text, "note");
}

static void nothing_chosen_is_not_everything(void **state)
{
	(void)state;
	refused("{}", "all");
	refused("{\"all\":false}", "all");
	refused("{\"dry_run\":true,\"payload_only\":true}", "all");
	refused("{\"status\":null,\"owner\":null}", "all");
	refused("{\"ids\":null}", "ids");
}

static void what_has_not_ended_cannot_be_chosen(void **state)
{
	(void)state;
	refused("{\"status\":\"queued\"}", "status");
	refused("{\"status\":[\"completed\",\"streaming\"]}", "status");
	refused("{\"status\":[\"completed\",3]}", "status");
}

static void ids_go_alone(void **state)
{
	(void)state;
	taken("{\"ids\":[\"01900000-0000-7000-8000-000000000000\"]}");
	assert_int_equal(got.n, 1);
	refused("{\"ids\":[\"01900000-0000-7000-8000-000000000000\"],"
		"\"all\":true}",
	    "all");
	refused("{\"ids\":[7]}", "ids");
}

/* The text of next after a mark, of a look by ${text}. */
static void next_of(
    const char *text, const struct retention_mark *mark, char *dst, size_t room)
{
	struct buf b;

	taken(text);
	got.operation.byte[3] = 9;
	buf_init(&b, 1024);
	body_prune_next(&b, &got, mark);
	assert_int_equal(buf_state(&b), OK);
	snprintf(dst, room, "%.*s", (int)b.len, b.data);
	buf_fini(&b);
}

static void next_goes_on_where_it_was_and_only_for_the_same_choice(void **state)
{
	struct retention_mark mark = { .now_ms = 1234567890123,
		.position = { { 1, 2, 3 } },
		.count_edge = { { 4 } },
		.bytes_edge = { { 5 } } };
	char next[256], text[512];

	(void)state;
	next_of(
	    "{\"owner\":\"ada\",\"keep_last\":3}", &mark, next, sizeof(next));
	snprintf(text, sizeof(text),
	    "{\"owner\":\"ada\",\"keep_last\":3,\"limit\":5,\"next\":\"%s\"}",
	    next);
	taken(text);
	assert_true(got.goes_on);
	assert_memory_equal(&got.mark, &mark, sizeof(mark));
	assert_int_equal(got.operation.byte[3], 9);
	snprintf(text, sizeof(text),
	    "{\"owner\":\"ada\",\"keep_last\":2,\"next\":\"%s\"}", next);
	refused(text, "next");
	snprintf(text, sizeof(text),
	    "{\"owner\":\"ada\",\"keep_last\":3,\"payload_only\":true,"
	    "\"next\":\"%s\"}",
	    next);
	refused(text, "next");
	next[5] = 'g';
	snprintf(text, sizeof(text),
	    "{\"owner\":\"ada\",\"keep_last\":3,\"next\":\"%s\"}", next);
	refused(text, "next");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sent_becomes_a_rule),
		cmocka_unit_test(a_note_goes_along_and_is_one_short_line),
		cmocka_unit_test(nothing_chosen_is_not_everything),
		cmocka_unit_test(what_has_not_ended_cannot_be_chosen),
		cmocka_unit_test(ids_go_alone),
		cmocka_unit_test(
		    next_goes_on_where_it_was_and_only_for_the_same_choice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
