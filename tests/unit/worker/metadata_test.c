#include "worker/metadata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static char text[8192];

static const char *final_of(const struct metadata *m)
{
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	metadata_write(&b, m);
	assert_int_equal(buf_state(&b), OK);
	memcpy(text, b.data, b.len);
	text[b.len] = '\0';
	buf_fini(&b);
	return text;
}

static const char *end_of(const struct metadata *m)
{
	struct buf b;

	buf_init(&b, sizeof(text) - 1);
	metadata_write_end(&b, m);
	assert_int_equal(buf_state(&b), OK);
	memcpy(text, b.data, b.len);
	text[b.len] = '\0';
	buf_fini(&b);
	return text;
}

static struct metadata completed(void)
{
	struct metadata m;

	metadata_init(&m);
	m.status = EXECUTION_COMPLETED;
	m.model = "gpt-4o-2024";
	m.target = "openai/gpt-4o";
	m.finish_reason = "stop";
	m.queued_ms = 2;
	m.connect_ms = 3;
	m.first_token_ms = 40;
	m.total_ms = 500;
	return m;
}

static void what_the_provider_counted_is_told_as_it_is(void **state)
{
	struct metadata m = completed();

	(void)state;
	m.usage.input_tokens = 10;
	m.usage.output_tokens = 20;
	m.usage.reasoning_tokens = 5;
	m.usage.cached_input_tokens = 0;
	m.usage.cost_pusd = 1250000000;
	m.native_finish_reason = "end_turn";
	m.upstream_id = "chatcmpl-1";
	m.provider = "Azure";
	assert_string_equal(final_of(&m),
	    "{\"model\":\"gpt-4o-2024\",\"target\":\"openai/gpt-4o\","
	    "\"provider\":\"Azure\",\"upstream_id\":\"chatcmpl-1\","
	    "\"finish_reason\":\"stop\",\"native_finish_reason\":\"end_turn\","
	    "\"usage\":{\"input_tokens\":10,\"output_tokens\":20,"
	    "\"total_tokens\":30,\"reasoning_tokens\":5,"
	    "\"cached_input_tokens\":0},\"usage_source\":\"provider\","
	    "\"cost_source\":\"provider\",\"cost_usd\":0.00125,\"tokens_used\":30,"
	    "\"timings\":{\"queued_ms\":2,\"connect_ms\":3,"
	    "\"first_token_ms\":40,\"total_ms\":500}}");
	assert_string_equal(end_of(&m),
	    "{\"status\":\"completed\",\"finish_reason\":\"stop\"}");
}

static void what_was_not_counted_is_estimated_and_says_so(void **state)
{
	struct metadata m = completed();

	(void)state;
	m.estimated_input = 7;
	m.estimated_output = 8;
	assert_non_null(strstr(final_of(&m), "\"total_tokens\":15"));
	assert_non_null(strstr(text, "\"usage_source\":\"estimated\""));
	m.usage.input_tokens = 100;
	assert_non_null(strstr(final_of(&m), "\"total_tokens\":108"));
	assert_non_null(strstr(text, "\"usage_source\":\"mixed\""));
}

static void a_failure_has_a_code_for_programs_and_words_for_people(void **state)
{
	struct metadata m = completed();

	(void)state;
	m.status = EXECUTION_FAILED;
	m.finish_reason = "error";
	m.error = (struct metadata_error){ .code = "rate_limit",
		.message = "say \"please\"",
		.status = 429,
		.retryable = true,
		.retry_after_ms = 1500,
		.provider_code = "slow_down" };
	assert_non_null(strstr(final_of(&m),
	    "\"error\":{\"code\":\"rate_limit\",\"message\":\"say "
	    "\\\"please\\\"\",\"status\":429,\"retryable\":true,"
	    "\"retry_after_ms\":1500,\"provider_code\":\"slow_down\"}"));
	assert_string_equal(end_of(&m),
	    "{\"status\":\"failed\",\"finish_reason\":\"error\",\"error\":{"
	    "\"code\":\"rate_limit\",\"message\":\"say \\\"please\\\"\"}}");
}

static void times_that_were_not_reached_are_left_out(void **state)
{
	struct metadata m = completed();

	(void)state;
	m.connect_ms = m.first_token_ms = -1;
	assert_non_null(strstr(
	    final_of(&m), "\"timings\":{\"queued_ms\":2,\"total_ms\":500}"));
}

static void the_simulator_says_that_it_is_one(void **state)
{
	static const char *const sims[] = { "sim", "sim-cut?after=5",
		"sim?rate=9", "simulated-model" };
	static const char *const others[] = { "gpt-4o", "simba-7b", "si" };
	struct metadata m = completed();

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		m.model = sims[i];
		assert_non_null(strstr(final_of(&m), "\"simulated\":true"));
	}
	for (size_t i = 0; i < 3; i++) {
		m.model = others[i];
		assert_null(strstr(final_of(&m), "simulated"));
	}
}

static void money_is_written_without_idle_digits(void **state)
{
	struct metadata m = completed();

	(void)state;
	m.usage.cost_pusd = 0;
	assert_non_null(strstr(final_of(&m), "\"cost_usd\":0.0,"));
	m.usage.cost_pusd = 1500000;
	assert_non_null(strstr(final_of(&m), "\"cost_usd\":0.0000015,"));
	m.usage.cost_pusd = -1;
	assert_null(strstr(final_of(&m), "cost_usd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_provider_counted_is_told_as_it_is),
		cmocka_unit_test(what_was_not_counted_is_estimated_and_says_so),
		cmocka_unit_test(
		    a_failure_has_a_code_for_programs_and_words_for_people),
		cmocka_unit_test(times_that_were_not_reached_are_left_out),
		cmocka_unit_test(the_simulator_says_that_it_is_one),
		cmocka_unit_test(money_is_written_without_idle_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
