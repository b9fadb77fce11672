#include "worker/note.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "store/execution.h"
#include "worker/attempts.h"

static void add(struct attempts *a, uint32_t number, const char *message)
{
	assert_int_equal(
	    attempts_add(a, &(struct attempts_item){ .number = number,
				.target = "up/m \"1\"",
				.status = EXECUTION_FAILED,
				.code = "overloaded",
				.message = message,
				.http_status = 503,
				.started_ms = 1700000000123,
				.duration_ms = 7 }),
	    OK);
}

static void what_was_written_is_read(void **state)
{
	struct attempts a, got;
	struct note n = { .attempts = &got };
	struct buf b;

	(void)state;
	attempts_init(&a);
	attempts_init(&got);
	buf_init(&b, 1 << 16);
	add(&a, 1, "it said \"no\"\n\xc3\xa4\x1f");
	add(&a, 0, NULL);
	attempts_take(&a,
	    &(struct dialect_usage){ 10, 4, 1, -1, -1, 7, -1, -1, -1, -1 }, 0,
	    0);
	attempts_pay(&a,
	    &(struct dialect_usage){ 10, 4, 1, -1, -1, 7, -1, -1, -1, -1 },
	    &(struct attempts_bill){ 0 });
	attempts_pay(&a,
	    &(struct dialect_usage){ 1, 1, -1, -1, -1, -1, -1, -1, -1, -1 },
	    &(struct attempts_bill){ 0 });
	attempts_take(&a,
	    &(struct dialect_usage){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
	    3, 2);
	note_write(
	    &b, &(struct note){
		    .attempts = &a, .began_ms = 99, .token = "resp_1 7" });
	assert_int_equal(buf_state(&b), OK);
	assert_int_equal(note_read(b.data, b.len, &n), OK);
	assert_int_equal(n.began_ms, 99);
	assert_string_equal(n.token, "resp_1 7");
	note_fini(&n);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.item[0].number, 1);
	assert_string_equal(got.item[0].target, "up/m \"1\"");
	assert_string_equal(got.item[0].code, "overloaded");
	assert_string_equal(
	    got.item[0].message, "it said \"no\"\n\xc3\xa4\x1f");
	assert_int_equal(got.item[0].http_status, 503);
	assert_int_equal(got.item[0].started_ms, 1700000000123);
	assert_int_equal(got.item[0].duration_ms, 7);
	assert_null(got.item[1].message);
	assert_memory_equal(&got.sum, &a.sum, sizeof(a.sum));
	assert_string_equal(attempts_source(&got), "mixed");
	assert_true(got.sum.cost_pusd == 7);
	assert_true(got.paid_told && !got.paid_priced && got.unpaid);
	assert_string_equal(attempts_cost_source(&got), "mixed");
	attempts_fini(&a);
	attempts_fini(&got);
	buf_fini(&b);
}

static void what_cannot_be_read_is_as_if_it_were_not_there(void **state)
{
	static const char *const odd[] = { "", "[]", "{", "{}", "null",
		"{\"attempts\":[[1]]}", "{\"attempts\":[[1,\"t\",\"c\",\"m\",",
		"{\"attempts\":[[1,\"t\",\"c\",\"m\",5,6,7]],\"sums\":[1]}",
		"{\"began_ms\":5,\"attempts\":{}}", "{\"cost_pusd\":1e}" };

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct attempts a;
		struct note n = { .attempts = &a };

		attempts_init(&a);
		assert_int_equal(note_read(odd[i], strlen(odd[i]), &n), OK);
		assert_int_equal(a.n, 0);
		assert_int_equal(n.began_ms, 0);
		assert_null(n.token);
		assert_int_equal(a.sum.input_tokens, -1);
		attempts_fini(&a);
	}
}

static void the_first_attempt_has_nothing_but_its_place(void **state)
{
	struct attempts a;
	struct execution e = { 0 };
	struct buf b;

	(void)state;
	attempts_init(&a);
	buf_init(&b, 1 << 16);
	note_write(&b, &(struct note){ .attempts = &a, .token = "resp_1 7" });
	e.note = b.data;
	e.note_len = b.len;
	assert_true(note_holds(&e));
	assert_int_equal(note_settled(&e), 0);
	buf_fini(&b);
}

static void a_note_says_which_attempts_are_over(void **state)
{
	char text[] = "{\"attempts\":[[3,\"t\",\"c\",\"m\",5,6,7]]}";
	struct execution e = { .note = NULL };

	(void)state;
	assert_int_equal(note_settled(&e), 0);
	e.note = text;
	e.note_len = sizeof(text) - 1;
	assert_int_equal(note_settled(&e), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(
		    what_cannot_be_read_is_as_if_it_were_not_there),
		cmocka_unit_test(the_first_attempt_has_nothing_but_its_place),
		cmocka_unit_test(a_note_says_which_attempts_are_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
