#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/body.h"

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

/* The stored request of ${text}, or NULL and the problem. */
static char *request(const char *text, struct body_chat *ret, struct problem *p)
{
	struct body_chat chat = { 0 };
	char *out = NULL, *model = NULL;
	json_t *root = NULL;
	size_t n;

	if (body_parse(text, strlen(text), &root, p) == OK &&
	    body_chat(root, false, &chat, p) == OK)
		assert_int_equal(
		    body_request(&chat.create, NULL, 0, &out, &n, &model, p),
		    OK);
	json_decref(root);
	body_create_fini(&chat.create);
	free(model);
	*ret = chat;
	return out;
}

static void becomes(const char *text, const char *want)
{
	struct problem p = { 0 };
	struct body_chat chat;
	char *got = request(text, &chat, &p);
	json_t *a, *b;

	if (!got)
		fail_msg("%s: %s", text, p.detail);
	a = json_loads(got, 0, NULL);
	b = json_loads(want, 0, NULL);
	assert_non_null(b);
	if (!json_equal(a, b))
		fail_msg("%s\nbecame %s\nnot %s", text, got, want);
	json_decref(a);
	json_decref(b);
	free(got);
}

static void refused(const char *text, const char *field, const char *word)
{
	struct problem p = { 0 };
	struct body_chat chat;
	char *got = request(text, &chat, &p);

	if (got)
		fail_msg("%s was taken as %s", text, got);
	assert_string_equal(p.field, field);
	if (!strstr(p.detail, word))
		fail_msg("%s: \"%s\" lacks \"%s\"", text, p.detail, word);
}

static void what_we_know_is_ours_and_the_rest_is_for_such_upstreams(
    void **state)
{
	(void)state;
	becomes("{\"model\":\"m\"," HI ",\"max_tokens\":5,\"stop\":\"x\","
		"\"user\":\"u\",\"logit_bias\":{\"5\":1},\"stream\":true,"
		"\"store\":true,\"temperature\":null,\"top_k\":3}",
	    "{\"model\":\"m\"," HI ",\"max_output_tokens\":5,\"stop\":[\"x\"],"
	    "\"on_interrupt\":\"continue\","
	    "\"openai\":{\"user\":\"u\",\"logit_bias\":{\"5\":1},"
	    "\"top_k\":3}}");
	becomes("{" HI ",\"on_interrupt\":\"fail\",\"extra\":{\"a\":1}}",
	    "{" HI ",\"on_interrupt\":\"fail\",\"extra\":{\"a\":1}}");
	becomes("{" HI ",\"max_tokens\":5,\"max_completion_tokens\":7,"
		"\"stop\":[],\"tools\":[],\"n\":1,\"logprobs\":false,"
		"\"top_logprobs\":0,\"modalities\":[\"text\"]}",
	    "{" HI ",\"max_output_tokens\":7,\"on_interrupt\":\"continue\"}");
}

static void messages_that_an_answer_was_are_taken_back(void **state)
{
	(void)state;
	becomes("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		"\"text\",\"text\":\"a\",\"cache_control\":{\"type\":"
		"\"ephemeral\"}}]},"
		"{\"role\":\"assistant\",\"content\":\"b\",\"refusal\":null,"
		"\"annotations\":[],\"reasoning_content\":\"c\","
		"\"tool_calls\":[]},"
		"{\"role\":\"assistant\",\"content\":null,"
		"\"refusal\":\"no\"},"
		"{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{"
		"\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":"
		"\"f\",\"arguments\":\"{}\"}}]},"
		"{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":"
		"\"d\"}]}",
	    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
	    "\"text\",\"text\":\"a\"}]},"
	    "{\"role\":\"assistant\",\"content\":\"b\"},"
	    "{\"role\":\"assistant\",\"content\":\"no\"},"
	    "{\"role\":\"assistant\",\"tool_calls\":[{"
	    "\"id\":\"1\",\"type\":\"function\",\"function\":{\"name\":"
	    "\"f\",\"arguments\":\"{}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":\"d\"}],"
	    "\"on_interrupt\":\"continue\"}");
}

static void what_cannot_be_given_is_refused_by_its_name(void **state)
{
	(void)state;
	refused("{" HI ",\"n\":2}", "n", "one answer");
	refused("{" HI ",\"logprobs\":true}", "logprobs", "not kept");
	refused("{" HI ",\"top_logprobs\":2}", "logprobs", "not kept");
	refused("{" HI ",\"modalities\":[\"text\",\"audio\"]}", "modalities",
	    "text");
	refused("{" HI ",\"functions\":[{}]}", "functions", "send tools");
	refused("{" HI ",\"on_interrupt\":\"restart\"}", "on_interrupt",
	    "withdraw");
	refused("{" HI ",\"on_disconnect\":\"stop\"}", "on_disconnect",
	    "continue or cancel");
	refused("{" HI ",\"stream\":1}", "stream", "true or false");
	refused("{" HI ",\"stream_options\":1}", "stream_options", "object");
	refused("{" HI ",\"stream_options\":{\"include_usage\":1}}",
	    "include_usage", "true or false");
	refused("{}", "messages", "at least one");
	refused("{\"messages\":[1]}", "messages[0]", "object");
	refused("{\"messages\":[{\"role\":\"function\",\"content\":\"\"}]}",
	    "messages[0]", "old kind");
	refused("{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":"
		"\"input_audio\",\"input_audio\":{}}]}]}",
	    "messages[0].content[0]", "type");
	refused("{" HI ",\"temperature\":3}", "temperature", "0 to 2");
}

static void check_how(const char *text, bool stream, enum body_usage usage)
{
	struct problem p = { 0 };
	struct body_chat chat;
	char *got = request(text, &chat, &p);

	assert_non_null(got);
	assert_int_equal(chat.stream, stream);
	assert_int_equal(chat.usage, usage);
	assert_int_equal(body_chat_usage(got, strlen(got)), usage);
	free(got);
}

static void how_it_is_told_is_stored_with_it(void **state)
{
	(void)state;
	check_how("{" HI "}", false, BODY_USAGE_FINISH);
	check_how("{" HI ",\"stream\":true}", true, BODY_USAGE_FINISH);
	check_how("{" HI
		  ",\"stream\":true,\"stream_options\":{\"include_usage\":"
		  "true}}",
	    true, BODY_USAGE_EXTRA);
	check_how("{" HI
		  ",\"stream\":true,\"stream_options\":{\"include_usage\":"
		  "false}}",
	    true, BODY_USAGE_NONE);
	check_how("{" HI ",\"stream\":true,\"stream_options\":{}}", true,
	    BODY_USAGE_FINISH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_we_know_is_ours_and_the_rest_is_for_such_upstreams),
		cmocka_unit_test(messages_that_an_answer_was_are_taken_back),
		cmocka_unit_test(what_cannot_be_given_is_refused_by_its_name),
		cmocka_unit_test(how_it_is_told_is_stored_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
