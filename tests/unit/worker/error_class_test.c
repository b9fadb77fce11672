#include "worker/error_class.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/json_in.h"

/* Classify ${body} with ${in}'s other members; the kind's name. */
static const char *kind_with(struct error_class_input in, const char *body)
{
	struct error_class class;
	json_t *v = NULL;

	if (body != NULL)
		assert_int_equal(json_in_parse(body, strlen(body), &v), OK);
	in.root = v;
	in.in_request = true;
	error_class(&in, &class);
	assert_true(class.error.message.len > 0);
	json_decref(v);
	return dialect_error_name(class.error.kind);
}

static const char *kind(int status, const char *body)
{
	return kind_with((struct error_class_input){ .status = status }, body);
}

static int64_t retry_after(struct error_class_input in, const char *body)
{
	struct error_class class;
	json_t *v = NULL;

	if (body != NULL)
		assert_int_equal(json_in_parse(body, strlen(body), &v), OK);
	in.root = v;
	error_class(&in, &class);
	json_decref(v);
	return class.error.retry_after_ms;
}

static void every_status_has_a_kind(void **state)
{
	static const struct {
		int status;
		const char *kind;
	} table[] = { { 302, "server" }, { 400, "bad_request" },
		{ 401, "auth" }, { 402, "quota" }, { 403, "permission" },
		{ 404, "not_found" }, { 405, "bad_request" },
		{ 408, "timeout" }, { 409, "conflict" }, { 413, "too_large" },
		{ 418, "bad_request" }, { 422, "bad_request" },
		{ 429, "rate_limit" }, { 499, "canceled" }, { 500, "server" },
		{ 501, "bad_request" }, { 502, "server" },
		{ 503, "overloaded" }, { 504, "timeout" }, { 520, "server" },
		{ 524, "timeout" }, { 529, "overloaded" }, { 530, "server" } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_string_equal(kind(table[i].status, NULL), table[i].kind);
}

static void specific_codes_beat_the_status(void **state)
{
	(void)state;
	assert_string_equal(
	    kind(429, "{\"error\":{\"code\":\"Insufficient_Quota\"}}"),
	    "quota");
	assert_string_equal(
	    kind(500, "{\"error\":{\"type\":\"overloaded_error\"}}"),
	    "overloaded");
	assert_string_equal(kind(400, "{\"error\":{\"details\":[{\"reason\":"
				      "\"API_KEY_INVALID\"}]}}"),
	    "auth");
	assert_string_equal(
	    kind(402, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}"),
	    "quota");
	assert_string_equal(
	    kind(429, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}"),
	    "rate_limit");
	assert_string_equal(
	    kind(429, "{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\","
		      "\"details\":[{\"violations\":[{\"quotaId\":"
		      "\"RequestsPerDay\"}]}]}}"),
	    "quota");
}

static void general_codes_yield_to_the_status(void **state)
{
	(void)state;
	assert_string_equal(
	    kind(404, "{\"error\":{\"type\":\"invalid_request_error\"}}"),
	    "not_found");
	assert_string_equal(
	    kind(0, "{\"error\":{\"type\":\"invalid_request_error\"}}"),
	    "bad_request");
	assert_string_equal(
	    kind(200, "{\"error\":{\"type\":\"cancelled\"}}"), "canceled");
	assert_string_equal(kind(0, "{}"), "server");
}

static void wording_tells_a_prompt_that_is_too_long(void **state)
{
	(void)state;
	assert_string_equal(
	    kind(400, "{\"error\":\"This Model's Maximum Context is 4\"}"),
	    "context_length");
	assert_string_equal(
	    kind(200, "{\"error\":{\"message\":\"prompt is too long\"}}"),
	    "context_length");
	assert_string_equal(
	    kind(404, "{\"error\":\"maximum context\"}"), "not_found");
}

static void special_cases_come_first(void **state)
{
	struct error_class_input wait = { .status = 402, .retry_after = "9" };

	(void)state;
	assert_string_equal(kind_with(wait, NULL), "rate_limit");
	assert_string_equal(
	    kind(403, "{\"error\":{\"metadata\":{\"reasons\":[]}}}"),
	    "content_filter");
	assert_string_equal(
	    kind(403, "{\"error\":{\"message\":\"KEY LIMIT EXCEEDED\"}}"),
	    "quota");
	assert_string_equal(
	    kind(429, "{\"error\":{\"message\":\"free-models-per-day\"}}"),
	    "quota");
}

static void a_status_in_the_body_counts_when_http_has_none(void **state)
{
	(void)state;
	assert_string_equal(
	    kind(200, "{\"error\":{\"code\":429}}"), "rate_limit");
	assert_string_equal(
	    kind(200, "{\"error\":{\"code\":\"503\"}}"), "overloaded");
	assert_string_equal(
	    kind(200, "{\"error\":{\"code\":7,\"status\":404}}"), "not_found");
	assert_string_equal(kind(500, "{\"error\":{\"code\":404}}"), "server");
}

static void messages_are_found_where_servers_put_them(void **state)
{
	static const struct {
		const char *body, *message;
	} table[] = { { "{\"error\":{\"message\":\"a\"}}", "a" },
		{ "{\"error\":{\"message\":\"\"},\"message\":\"b\"}", "b" },
		{ "{\"error\":\"c\"}", "c" },
		{ "{\"error\":\"c\",\"message\":\"d\"}", "d" },
		{ "{\"message\":\"e\"}", "e" }, { "{\"detail\":\"f\"}", "f" },
		{ "{\"detail\":[{\"msg\":\"g\"}]}", "g" }, { "\"h\"", "h" },
		{ "[1,{\"error\":{\"message\":\"i\"}}]", "i" } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct error_class_input in = { .status = 400 };
		struct error_class class;
		json_t *v = NULL;

		assert_int_equal(
		    json_in_parse(table[i].body, strlen(table[i].body), &v),
		    OK);
		in.root = v;
		error_class(&in, &class);
		assert_int_equal(class.error.message.len, 1);
		assert_memory_equal(class.error.message.s, table[i].message, 1);
		json_decref(v);
	}
}

static void delays_are_rounded_up_and_never_negative(void **state)
{
	struct error_class_input in = { .status = 429, .in_request = true };

	(void)state;
	assert_int_equal(retry_after(in, NULL), -1);
	in.retry_after = "1.0001";
	assert_int_equal(retry_after(in, NULL), 1001);
	in.retry_after = "-3";
	assert_int_equal(retry_after(in, NULL), 0);
	in.retry_after_ms = "12.5";
	assert_int_equal(retry_after(in, NULL), 13);
	in.retry_after_ms = "soon";
	in.retry_after = " 2 ";
	assert_int_equal(retry_after(in, NULL), 2000);
	in.retry_after = "99999999999999999999";
	assert_int_equal(retry_after(in, NULL), INT64_MAX / 1000 * 1000);
	in.retry_after = "-";
	assert_int_equal(retry_after(in, NULL), -1);
	in.in_request = false;
	assert_int_equal(retry_after(in, NULL), -1);
	assert_int_equal(
	    retry_after(in, "{\"error\":{\"details\":[{\"retryDelay\":"
			    "\"20.04466179s\"}]}}"),
	    20045);
	assert_int_equal(retry_after(in, "{\"error\":{\"availability\":{"
					 "\"retry_after\":1.1}}}"),
	    1100);
}

static void a_date_to_retry_at_is_a_delay(void **state)
{
	struct error_class_input in = { .status = 503,
		.in_request = true,
		.now_ms = 784111777000,
		.retry_after = "Sun, 06 Nov 1994 08:50:07 GMT" };

	(void)state;
	assert_int_equal(retry_after(in, NULL), 30000);
	in.retry_after = "Sunday, 06-Nov-94 08:50:07 GMT";
	assert_int_equal(retry_after(in, NULL), 30000);
	in.retry_after = "Sun Nov  6 08:50:07 1994";
	assert_int_equal(retry_after(in, NULL), 30000);
	in.date = "Sun, 06 Nov 1994 08:50:00 GMT";
	assert_int_equal(retry_after(in, NULL), 7000);
	in.date = "Sun, 06 Nov 1994 09:50:00 GMT";
	assert_int_equal(retry_after(in, NULL), 0);
	in.date = "no date";
	assert_int_equal(retry_after(in, NULL), 30000);
}

static bool retryable(struct error_class_input in, const char *body)
{
	struct error_class class;
	json_t *v = NULL;

	assert_int_equal(json_in_parse(body, strlen(body), &v), OK);
	in.root = v;
	error_class(&in, &class);
	json_decref(v);
	return class.error.retryable;
}

static void the_upstream_may_say_whether_to_retry(void **state)
{
	static const char no[] =
	    "{\"error\":{\"availability\":{\"retryable\":false}}}";
	struct error_class_input in = { .status = 503, .in_request = true };

	(void)state;
	assert_true(retryable(in, "{}"));
	assert_false(retryable(in, no));
	in.should_retry = "true";
	assert_true(retryable(in, no));
	in.should_retry = "FALSE";
	assert_false(retryable(in, "{}"));
	in.in_request = false;
	assert_true(retryable(in, "{}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_status_has_a_kind),
		cmocka_unit_test(specific_codes_beat_the_status),
		cmocka_unit_test(general_codes_yield_to_the_status),
		cmocka_unit_test(wording_tells_a_prompt_that_is_too_long),
		cmocka_unit_test(special_cases_come_first),
		cmocka_unit_test(
		    a_status_in_the_body_counts_when_http_has_none),
		cmocka_unit_test(messages_are_found_where_servers_put_them),
		cmocka_unit_test(delays_are_rounded_up_and_never_negative),
		cmocka_unit_test(a_date_to_retry_at_is_a_delay),
		cmocka_unit_test(the_upstream_may_say_whether_to_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
