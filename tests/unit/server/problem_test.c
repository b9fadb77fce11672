#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/problem.h"

static void every_code_has_a_row_and_a_name_of_its_own(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROBLEM_CODES; i++) {
		const struct problem_kind *k = problem_kind(i);

		assert_non_null(k->code);
		assert_in_range(k->status, 400, 599);
		assert_in_range(k->callable_status, 400, 599);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(k->code, problem_kind(j)->code);
	}
}

/* The pairs that the callable's clients know (wire form of httpsCallable). */
static void callable_names_go_with_their_http_status(void **state)
{
	static const struct {
		const char *name;
		int status;
	} known[] = {
		{ "INTERNAL", 500 },
		{ "INVALID_ARGUMENT", 400 },
		{ "FAILED_PRECONDITION", 400 },
		{ "UNAUTHENTICATED", 401 },
		{ "PERMISSION_DENIED", 403 },
		{ "NOT_FOUND", 404 },
		{ "ALREADY_EXISTS", 409 },
		{ "ABORTED", 409 },
		{ "RESOURCE_EXHAUSTED", 429 },
		{ "CANCELLED", 499 },
		{ "UNAVAILABLE", 503 },
		{ "DEADLINE_EXCEEDED", 504 },
	};

	(void)state;
	for (unsigned i = 0; i < PROBLEM_CODES; i++) {
		const struct problem_kind *k = problem_kind(i);
		size_t j = 0;

		while (j < 12 && strcmp(known[j].name, k->callable) != 0)
			j++;
		assert_in_range(j, 0, 11);
		assert_int_equal(k->callable_status, known[j].status);
	}
}

static void both_forms_are_json_with_the_same_words(void **state)
{
	struct problem p;
	struct buf rest, callable;
	json_t *a, *b, *envelope;

	(void)state;
	problem_set(&p, PROBLEM_RATE_LIMITED, "a\"b", "slow \"down\" %d", 7);
	p.retry_after_ms = 1500;
	buf_init(&rest, 4096);
	buf_init(&callable, 4096);
	problem_json(&rest, &p, "/v1/x");
	problem_callable(&callable, &p);
	a = json_loadb(rest.data, rest.len, 0, NULL);
	b = json_loadb(callable.data, callable.len, 0, NULL);
	assert_non_null(a);
	assert_non_null(b);
	envelope = b;
	b = json_object_get(b, "error");
	assert_string_equal(
	    json_string_value(json_object_get(a, "detail")), "slow \"down\" 7");
	assert_string_equal(json_string_value(json_object_get(b, "message")),
	    "slow \"down\" 7");
	assert_int_equal(
	    json_integer_value(json_object_get(a, "retry_after_ms")), 1500);
	assert_int_equal(json_integer_value(json_object_get(a, "status")), 429);
	assert_true(json_is_true(json_object_get(a, "retryable")));
	assert_string_equal(json_string_value(json_object_get(b, "status")),
	    "RESOURCE_EXHAUSTED");
	assert_null(memchr(callable.data, '\n', callable.len));
	json_decref(a);
	json_decref(envelope);
	buf_fini(&rest);
	buf_fini(&callable);
}

static void what_is_gone_says_since_when_and_how_far(void **state)
{
	struct problem p;
	json_t *v;
	struct buf b;

	(void)state;
	problem_set_gone(&p, 1700000000123, true);
	buf_init(&b, 4096);
	problem_json(&b, &p, NULL);
	v = json_loadb(b.data, b.len, 0, NULL);
	assert_string_equal(
	    json_string_value(json_object_get(v, "code")), "gone");
	assert_int_equal(json_integer_value(json_object_get(v, "status")), 410);
	assert_string_equal(json_string_value(json_object_get(v, "deleted_at")),
	    "2023-11-14T22:13:20.123Z");
	assert_true(json_is_true(json_object_get(v, "payload_only")));
	json_decref(v);
	buf_reset(&b);
	problem_from_err(&p, ERR_GONE, NULL);
	problem_json(&b, &p, NULL);
	v = json_loadb(b.data, b.len, 0, NULL);
	assert_true(json_is_null(json_object_get(v, "deleted_at")));
	assert_true(json_is_false(json_object_get(v, "payload_only")));
	json_decref(v);
	buf_fini(&b);
}

static void our_own_failures_tell_nothing(void **state)
{
	struct why why = { "/secret/path: disk exploded" };
	struct problem p;

	(void)state;
	problem_from_err(&p, ERR_IO, &why);
	assert_null(strstr(p.detail, "secret"));
	problem_from_err(&p, ERR_UPSTREAM, &why);
	assert_string_equal(p.detail, "INTERNAL");
}

static void a_cut_text_stays_utf8(void **state)
{
	char text[2000];
	json_t *v;
	struct problem p;
	struct buf b;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 1; i + 2 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x82\xac", 3);
	text[sizeof(text) - 1] = '\0';
	problem_set(&p, PROBLEM_INVALID_ARGUMENT, NULL, "%s", text);
	buf_init(&b, 8192);
	problem_json(&b, &p, NULL);
	v = json_loadb(b.data, b.len, 0, NULL);
	assert_non_null(v);
	json_decref(v);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_row_and_a_name_of_its_own),
		cmocka_unit_test(callable_names_go_with_their_http_status),
		cmocka_unit_test(both_forms_are_json_with_the_same_words),
		cmocka_unit_test(what_is_gone_says_since_when_and_how_far),
		cmocka_unit_test(our_own_failures_tell_nothing),
		cmocka_unit_test(a_cut_text_stays_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
