#include "worker/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BASE "http://127.0.0.1:1/v1"
#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define HEAD                                                    \
	"{\"model\":\"m\",\"stream\":true,\"stream_options\":{" \
	"\"include_usage\":true}," HI

static const struct dialect_target local = { .base_url = BASE, .model = "m" };
static const struct dialect_target vendor = { .base_url =
						  "https://api.openai.com/v1",
	.model = "gpt",
	.key = "sk-1",
	.is_openai = true };

static struct dialect_request build(
    const struct dialect_target *target, const char *request)
{
	struct dialect_request r;
	struct why why = { "" };

	dialect_request_init(&r);
	assert_int_equal(dialect_build(dialect_find("openai"), request,
			     strlen(request), target, &r, &why),
	    OK);
	buf_putc(&r.url, '\0');
	buf_putc(&r.body, '\0');
	buf_putc(&r.headers, '\0');
	return r;
}

static void sends_to(
    const struct dialect_target *target, const char *request, const char *body)
{
	struct dialect_request r = build(target, request);

	assert_string_equal(r.body.data, body);
	dialect_request_fini(&r);
}

static void sends(const char *request, const char *body)
{
	sends_to(&local, request, body);
}

static void refuses(
    const struct dialect_target *target, const char *request, const char *word)
{
	struct dialect_request r;
	struct why why = { "" };

	dialect_request_init(&r);
	assert_int_equal(dialect_build(dialect_find("openai"), request,
			     strlen(request), target, &r, &why),
	    ERR_INPUT);
	assert_non_null(strstr(why.text, word));
	assert_int_equal(r.body.len, 0);
	dialect_request_fini(&r);
}

static void url_and_headers_are_whole(void **state)
{
	struct dialect_request r = build(&vendor, "{" HI "}");

	(void)state;
	assert_string_equal(
	    r.url.data, "https://api.openai.com/v1/chat/completions");
	assert_string_equal(r.headers.data, "Content-Type: application/json\n"
					    "Accept: text/event-stream\n"
					    "Accept-Encoding: identity\n"
					    "Authorization: Bearer sk-1\n");
	dialect_request_fini(&r);
	r = build(&local, "{" HI ",\"stream\":false}");
	assert_string_equal(r.headers.data, "Content-Type: application/json\n"
					    "Accept: application/json\n"
					    "Accept-Encoding: identity\n");
	dialect_request_fini(&r);
}

static void the_target_names_the_model(void **state)
{
	(void)state;
	sends("{\"model\":\"up/other\"," HI "}", HEAD "}");
}

static void streaming_asks_for_usage(void **state)
{
	(void)state;
	sends("{" HI ",\"stream\":true}", HEAD "}");
	sends("{" HI ",\"stream\":false}",
	    "{\"model\":\"m\",\"stream\":false," HI "}");
	sends_to(&vendor, "{" HI "}",
	    "{\"model\":\"gpt\",\"stream\":true,\"stream_options\":{"
	    "\"include_usage\":true,\"include_obfuscation\":false}," HI "}");
}

static void messages_are_sent_as_they_are(void **state)
{
	static const char messages[] =
	    "\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
	    "{\"role\":\"user\",\"name\":\"n\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"t\"},{\"type\":\"image_url\",\"image_url\":{\"url\":"
	    "\"data:image/png;base64,AA==\",\"detail\":\"low\"}}]},"
	    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":"
	    "\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
	    "\"arguments\":\"{\\\"a\\\":1}\"}}]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"c\",\"content\":"
	    "\"a\\u0000b \xe2\x82\xac\"}]";
	struct buf in, out;

	(void)state;
	buf_init(&in, 4096);
	buf_init(&out, 4096);
	buf_printf(&in, "{%s}", messages);
	buf_printf(&out,
	    "{\"model\":\"m\",\"stream\":true,\"stream_options\":{"
	    "\"include_usage\":true},%s}",
	    messages);
	buf_putc(&in, '\0');
	buf_putc(&out, '\0');
	sends(in.data, out.data);
	buf_fini(&in);
	buf_fini(&out);
}

/* A member that keeps its name and its value. */
static void same(const char *member)
{
	char in[512], out[512];

	snprintf(in, sizeof(in), "{" HI ",%s}", member);
	snprintf(out, sizeof(out), HEAD ",%s}", member);
	sends(in, out);
}

static void members_of_the_same_name_are_copied(void **state)
{
	(void)state;
	same("\"temperature\":0.7");
	same("\"top_p\":0.95");
	same("\"presence_penalty\":-1.5");
	same("\"frequency_penalty\":2");
	same("\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]");
	same("\"seed\":9223372036854775807");
	same("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\","
	     "\"description\":\"d\",\"parameters\":{\"type\":\"object\","
	     "\"properties\":{}},\"strict\":true}}]");
	same("\"parallel_tool_calls\":false");
	same("\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{"
	     "\"name\":\"r\",\"schema\":{}}}");
	same("\"reasoning_effort\":\"xhigh\"");
	same("\"tool_choice\":\"required\"");
}

static void a_named_tool_is_an_object(void **state)
{
	(void)state;
	sends("{" HI ",\"tool_choice\":{\"name\":\"f\"}}",
	    HEAD ",\"tool_choice\":{\"type\":\"function\",\"function\":{"
		 "\"name\":\"f\"}}}");
	refuses(&local, "{" HI ",\"tool_choice\":{}}", "tool_choice");
}

static void the_token_limit_has_two_names(void **state)
{
	(void)state;
	sends("{" HI ",\"max_output_tokens\":9}", HEAD ",\"max_tokens\":9}");
	sends_to(&vendor, "{" HI ",\"stream\":false,\"max_output_tokens\":9}",
	    "{\"model\":\"gpt\",\"stream\":false," HI
	    ",\"max_completion_tokens\":9}");
}

static void metadata_stays_here(void **state)
{
	(void)state;
	sends("{" HI ",\"metadata\":{\"a\":\"b\"}}", HEAD "}");
}

static void extra_adds_but_never_overrides(void **state)
{
	(void)state;
	sends("{" HI ",\"seed\":1,\"extra\":{\"top_k\":4,\"model\":\"x\","
	      "\"seed\":2,\"stream\":false,\"messages\":[],"
	      "\"provider\":{\"sort\":\"price\"}}}",
	    HEAD ",\"seed\":1,\"top_k\":4,\"provider\":{\"sort\":\"price\"}}");
}

static void what_cannot_be_said_is_refused(void **state)
{
	(void)state;
	refuses(&local, "{}", "messages");
	refuses(&local, "{\"messages\":[]}", "messages");
	refuses(&local, "[]", "object");
	refuses(&local, "{", "object");
	refuses(&vendor, "{" HI ",\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]}",
	    "stop");
}

static void nothing_can_be_smuggled_into_the_head(void **state)
{
	struct dialect_target t = vendor;

	(void)state;
	t.key = "sk\r\nX: 1";
	refuses(&t, "{" HI "}", "key");
	t.key = "sk\x7f";
	refuses(&t, "{" HI "}", "key");
	t = vendor;
	t.model = "m\n";
	refuses(&t, "{" HI "}", "model");
	t.model = "\xff";
	refuses(&t, "{" HI "}", "model");
	t.model = "";
	refuses(&t, "{" HI "}", "model");
	t = vendor;
	t.base_url = "http://h/\r\n";
	refuses(&t, "{" HI "}", "base_url");
}

static void only_known_drivers_are_found(void **state)
{
	const char *const *names = dialect_names();

	(void)state;
	assert_null(dialect_find("nobody"));
	for (; *names != NULL; names++)
		assert_non_null(dialect_find(*names));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(url_and_headers_are_whole),
		cmocka_unit_test(the_target_names_the_model),
		cmocka_unit_test(streaming_asks_for_usage),
		cmocka_unit_test(messages_are_sent_as_they_are),
		cmocka_unit_test(members_of_the_same_name_are_copied),
		cmocka_unit_test(a_named_tool_is_an_object),
		cmocka_unit_test(the_token_limit_has_two_names),
		cmocka_unit_test(metadata_stays_here),
		cmocka_unit_test(extra_adds_but_never_overrides),
		cmocka_unit_test(what_cannot_be_said_is_refused),
		cmocka_unit_test(nothing_can_be_smuggled_into_the_head),
		cmocka_unit_test(only_known_drivers_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
