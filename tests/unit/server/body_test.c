#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/body.h"

/* The stored request of ${text}, or NULL and the problem. */
static char *request(
    const char *text, size_t len, const char *prompt, struct problem *p)
{
	char *out = NULL, *model = NULL;
	struct body_create c = { 0 };
	json_t *root = NULL;
	size_t n;

	if (body_parse(text, len, &root, p) == OK &&
	    body_create(root, &c, p) == OK &&
	    body_request(&c, prompt, prompt ? strlen(prompt) : 0, &out, &n,
		&model, p) == OK)
		assert_int_equal(n, strlen(out));
	json_decref(root);
	body_create_fini(&c);
	free(model);
	return out;
}

static void becomes(const char *text, const char *prompt, const char *want)
{
	struct problem p = { 0 };
	char *got = request(text, strlen(text), prompt, &p);

	if (!got)
		fail_msg("%s: %s", text, p.detail);
	assert_string_equal(got, want);
	free(got);
}

static void refused(const char *text, const char *field, const char *word)
{
	struct problem p = { 0 };
	char *got = request(text, strlen(text), NULL, &p);

	if (got)
		fail_msg("%s was taken as %s", text, got);
	assert_string_equal(p.field, field);
	if (!strstr(p.detail, word))
		fail_msg("%s: \"%s\" lacks \"%s\"", text, p.detail, word);
}

static void every_way_to_ask_has_one_stored_form(void **state)
{
	(void)state;
	becomes("{\"prompt\":\"hi\"}", NULL,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}");
	becomes("{\"system\":\"s\",\"prompt\":\"hi\",\"max_tokens\":3.0,"
		"\"stop\":\"x\",\"temperature\":0.7,\"seed\":null}",
	    NULL,
	    "{\"max_output_tokens\":3,\"stop\":[\"x\"],\"temperature\":0.7,"
	    "\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	    "{\"role\":\"user\",\"content\":\"hi\"}]}");
	becomes("{\"messages\":[{\"role\":\"developer\",\"content\":\"a\"}],"
		"\"system\":\"s\",\"useRag\":false,"
		"\"tool_choice\":{\"type\":\"function\",\"function\":"
		"{\"name\":\"f\"}}}",
	    NULL,
	    "{\"tool_choice\":{\"name\":\"f\"},\"messages\":["
	    "{\"role\":\"system\",\"content\":\"s\"},"
	    "{\"role\":\"system\",\"content\":\"a\"}]}");
	becomes("{\"prompt\":\"a\\u0000b\"}", NULL,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"a\\u0000b\"}]}");
}

static void a_stored_prompt_is_rendered_and_lends_its_settings(void **state)
{
	static const char body[] =
	    "{\"template\":\"Hi {{who}}, {{n}}\",\"model\":\"m\","
	    "\"parameters\":{\"temperature\":1}}";
	struct problem p;
	char *stored = NULL;
	size_t len;

	(void)state;
	assert_int_equal(
	    body_prompt(body, sizeof(body) - 1, &stored, &len, &p), OK);
	becomes("{\"promptId\":\"greet@2\",\"inputs\":{\"who\":\"{{n}}\","
		"\"n\":5},\"temperature\":0}",
	    stored,
	    "{\"temperature\":0,\"model\":\"m\",\"messages\":"
	    "[{\"role\":\"user\",\"content\":\"Hi {{n}}, 5\"}]}");
	assert_null(request("{\"promptId\":\"greet\"}", 20, stored, &p));
	assert_string_equal(p.field, "inputs");
	assert_non_null(strstr(p.detail, "who, n"));
	free(stored);
}

static void what_is_wrong_is_named(void **state)
{
	(void)state;
	refused("", "", "empty");
	refused("[]", "", "object");
	refused("{\"prompt\":\"a\"} x", "", "end of file");
	refused("{\"prompt\":\"a\",\"prompt\":\"b\"}", "", "duplicate");
	refused("{}", "prompt", "exactly one");
	refused("{\"prompt\":\"\"}", "prompt", "not empty");
	refused("{\"prompt\":1}", "prompt", "string");
	refused("{\"prompt\":\"a\",\"messages\":[]}", "messages", "one of");
	refused("{\"prompt\":\"a\",\"temprature\":1}", "temprature",
	    "did you mean temperature?");
	refused(
	    "{\"prompt\":\"a\",\"temperature\":2.1}", "temperature", "to 2");
	refused("{\"prompt\":\"a\",\"max_output_tokens\":0}",
	    "max_output_tokens", "from 1");
	refused("{\"prompt\":\"a\",\"max_tokens\":1,\"max_output_tokens\":1}",
	    "max_output_tokens", "twice");
	refused("{\"prompt\":\"a\",\"stop\":[]}", "stop", "1 to 8");
	refused("{\"prompt\":\"a\",\"stream\":\"yes\"}", "stream", "true or");
	refused("{\"prompt\":\"a\",\"useRag\":true}", "useRag", "documents");
	refused("{\"prompt\":\"a\",\"inputs\":{}}", "inputs", "promptId");
	refused("{\"promptId\":\"a b\"}", "promptId", "letters");
	refused("{\"promptId\":\"a@0\"}", "promptId", "version");
	refused("{\"messages\":[{\"role\":\"me\",\"content\":\"\"}]}",
	    "messages[0]", "role");
	refused("{\"messages\":[{\"role\":\"user\"}]}", "messages[0].content",
	    "string");
	refused(
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"\",\"nme\":1}]}",
	    "messages[0].nme", "did you mean name?");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	char deep[200];
	struct problem p;

	(void)state;
	assert_null(request("{\"prompt\":\"a\"}\0", 15, NULL, &p));
	assert_int_equal(p.code, PROBLEM_BAD_JSON);
	assert_null(request("{\"prompt\":\"\xff\"}", 14, NULL, &p));
	memset(deep, '[', sizeof(deep));
	assert_null(request(deep, sizeof(deep), NULL, &p));
	assert_non_null(strstr(p.detail, "deeper"));
}

static void many_polls_are_read_and_counted(void **state)
{
	static const char good[] =
	    "{\"executions\":[{\"execution_id\":\"nope\"},{\"executionId\":"
	    "\"018f0000-0000-7000-8000-000000000000\",\"fromIndex\":4}],"
	    "\"wait_ms\":9}";
	struct body_poll poll;
	struct problem p;

	(void)state;
	assert_int_equal(body_poll(good, sizeof(good) - 1, &poll, &p), OK);
	assert_int_equal(poll.n, 2);
	assert_false(poll.valid[0]);
	assert_true(poll.valid[1]);
	assert_int_equal(poll.from[1], 4);
	assert_int_equal(poll.wait_ms, 9);
	assert_int_equal(
	    body_poll("{\"executions\":[]}", 17, &poll, &p), ERR_INPUT);
	assert_string_equal(p.field, "executions");
}

static void a_key_needs_scopes_that_exist(void **state)
{
	static const char good[] =
	    "{\"label\":\"l\",\"owner\":\"o\",\"scopes\":[\"run\",\"read\"],"
	    "\"expires_in_s\":60}";
	struct problem p;
	struct key k;

	(void)state;
	assert_int_equal(body_key(good, sizeof(good) - 1, 1000, &k, &p), OK);
	assert_int_equal(k.scopes, KEY_RUN | KEY_READ);
	assert_int_equal(k.expires_ms, 61000);
	assert_int_equal(
	    body_key("{\"scopes\":\"root\"}", 17, 0, &k, &p), ERR_INPUT);
	assert_string_equal(p.field, "scopes");
	assert_int_equal(body_key("{}", 2, 0, &k, &p), ERR_INPUT);
}

static void a_prompt_whose_variable_is_broken_is_not_stored(void **state)
{
	static const struct {
		const char *text, *field;
	} bad[] = {
		{ "{\"template\":\"a {{b\"}", "template" },
		{ "{\"template\":\"a\",\"system\":\"{{}}\"}", "system" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},"
		  "{\"role\":\"user\",\"content\":\"{{b c}}\"}]}",
		    "messages[1]" },
		{ "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		  "\"text\",\"text\":\"{{\"}]}]}",
		    "messages[0]" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct problem p = { 0 };
		char *stored = NULL;
		size_t len = 0;

		assert_int_equal(body_prompt(bad[i].text, strlen(bad[i].text),
				     &stored, &len, &p),
		    ERR_INPUT);
		assert_string_equal(p.field, bad[i].field);
		assert_non_null(strstr(p.detail, "begins no variable"));
		assert_null(stored);
	}
}

static void a_backup_has_a_plain_name_and_nothing_else(void **state)
{
	static const char *const wrong[] = { "{\"name\":\"\"}",
		"{\"name\":\".x\"}", "{\"name\":\"a/b\"}", "{\"name\":1}",
		"{\"name\":null}", "{\"nmae\":\"x\"}",
		"{\"name\":\"a\\u0000b\"}", "[]" };
	char name[BODY_BACKUP_BYTES] = "x";
	struct problem p;

	(void)state;
	assert_int_equal(body_backup(NULL, 0, name, &p), OK);
	assert_string_equal(name, "");
	assert_int_equal(body_backup("{}", 2, name, &p), OK);
	assert_string_equal(name, "");
	assert_int_equal(
	    body_backup("{\"name\":\"a-1.db\"}", 17, name, &p), OK);
	assert_string_equal(name, "a-1.db");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(
		    body_backup(wrong[i], strlen(wrong[i]), name, &p),
		    ERR_INPUT);
	assert_string_equal(name, "a-1.db");
}

static void what_to_do_when_it_fails_is_kept_and_checked(void **state)
{
	(void)state;
	becomes("{\"prompt\":\"hi\",\"on_interrupt\":\"auto\",\"retry\":{"
		"\"attempts\":2,\"max_ms\":0}}",
	    NULL,
	    "{\"on_interrupt\":\"auto\",\"retry\":{\"attempts\":2,"
	    "\"max_ms\":0},\"messages\":[{\"role\":\"user\",\"content\":"
	    "\"hi\"}]}");
	refused("{\"prompt\":\"hi\",\"on_interrupt\":\"retry\"}",
	    "on_interrupt", "restart");
	refused("{\"prompt\":\"hi\",\"on_interrupt\":\"fail\\u0000\"}",
	    "on_interrupt", "restart");
	refused("{\"prompt\":\"hi\",\"reasoning_effort\":\"low\\u0000\"}",
	    "reasoning_effort", "medium");
	refused(
	    "{\"prompt\":\"hi\",\"response_format\":{\"type\":\"text\\u0000\"}}",
	    "response_format", "json_object");
	refused("{\"prompt\":\"hi\",\"retry\":3}", "retry", "object");
	refused("{\"prompt\":\"hi\",\"retry\":{\"attempts\":11}}", "attempts",
	    "10");
	refused("{\"prompt\":\"hi\",\"retry\":{\"atempts\":1}}",
	    "retry.atempts", "attempts");
}

static void a_blind_caller_is_never_reset_unless_it_says_so(void **state)
{
	static const char *const texts[] = { "{\"prompt\":\"hi\"}",
		"{\"prompt\":\"hi\",\"on_interrupt\":\"restart\"}" };
	static const char *const want[] = { "continue", "restart" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct body_create c = { 0 };
		json_t *root = NULL;
		struct problem p;

		assert_int_equal(
		    body_parse(texts[i], strlen(texts[i]), &root, &p), OK);
		assert_int_equal(body_create(root, &c, &p), OK);
		assert_int_equal(body_create_blind(&c, false), OK);
		assert_string_equal(json_string_value(json_object_get(
					c.members, "on_interrupt")),
		    want[i]);
		body_create_fini(&c);
		json_decref(root);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_ask_has_one_stored_form),
		cmocka_unit_test(
		    a_stored_prompt_is_rendered_and_lends_its_settings),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(many_polls_are_read_and_counted),
		cmocka_unit_test(a_key_needs_scopes_that_exist),
		cmocka_unit_test(
		    a_prompt_whose_variable_is_broken_is_not_stored),
		cmocka_unit_test(a_backup_has_a_plain_name_and_nothing_else),
		cmocka_unit_test(what_to_do_when_it_fails_is_kept_and_checked),
		cmocka_unit_test(
		    a_blind_caller_is_never_reset_unless_it_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
