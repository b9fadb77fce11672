/* Where requests go, and what depends on a model's name or a prompt's length. */
#include "worker/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HI "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static struct dialect_request build(const char *dialect, const char *base_url,
    const char *model, const char *request)
{
	struct dialect_target target = { .base_url = base_url, .model = model };
	struct dialect_request r;
	struct why why = { "" };

	dialect_request_init(&r);
	if (dialect_build(dialect_find(dialect), request, strlen(request),
		&target, &r, &why) != OK)
		fail_msg("%s", why.text);
	buf_putc(&r.url, '\0');
	buf_putc(&r.body, '\0');
	buf_putc(&r.warnings, '\0');
	return r;
}

static void goes_to(const char *dialect, const char *base_url,
    const char *model, const char *url)
{
	struct dialect_request r = build(dialect, base_url, model, "{" HI "}");

	assert_string_equal(r.url.data, url);
	dialect_request_fini(&r);
}

static void base_urls_may_have_the_version_or_not(void **state)
{
	(void)state;
	goes_to("ollama", "http://h:1", "m", "http://h:1/api/chat");
	goes_to("ollama", "http://h:1/api", "m", "http://h:1/api/chat");
	goes_to("anthropic", "https://h", "m", "https://h/v1/messages");
	goes_to("anthropic", "https://h/v1", "m", "https://h/v1/messages");
	goes_to("gemini", "https://h", "m",
	    "https://h/v1beta/models/m:streamGenerateContent?alt=sse");
	goes_to("gemini", "https://h/v1", "m",
	    "https://h/v1/models/m:streamGenerateContent?alt=sse");
	goes_to("gemini", "https://h/proxy/v1alpha", "m",
	    "https://h/proxy/v1alpha/models/m:streamGenerateContent?alt=sse");
	/* a host is no version */
	goes_to("gemini", "https://v1.example.org", "m",
	    "https://v1.example.org/v1beta/models/m:"
	    "streamGenerateContent?alt=sse");
}

static void lists(const char *dialect, const char *base_url, const char *after,
    const char *url, const char *header)
{
	struct dialect_target target = { .base_url = base_url, .key = "sk-1" };
	struct dialect_request r;
	struct why why = { "" };

	dialect_request_init(&r);
	assert_int_equal(dialect_build_models(
			     dialect_find(dialect), &target, after, &r, &why),
	    OK);
	buf_putc(&r.url, '\0');
	buf_putc(&r.headers, '\0');
	assert_string_equal(r.url.data, url);
	assert_true(r.is_get);
	assert_int_equal(r.body.len, 0);
	assert_non_null(strstr(r.headers.data, header));
	dialect_request_fini(&r);
}

static void lists_of_models_are_asked_for_as_each_wants_it(void **state)
{
	struct dialect_target target = { .base_url = "http://h",
		.key = "a\nb" };
	struct dialect_request r;
	struct why why = { "" };

	(void)state;
	lists("openai", "https://h/v1", NULL, "https://h/v1/models",
	    "Authorization: Bearer sk-1\n");
	lists("ollama", "http://h", NULL, "http://h/api/tags",
	    "Authorization: Bearer sk-1\n");
	lists("ollama", "http://h/api", NULL, "http://h/api/tags", "Bearer");
	lists("gemini", "https://h", NULL,
	    "https://h/v1beta/models?pageSize=1000", "x-goog-api-key: sk-1\n");
	lists("gemini", "https://h", "a&b/c",
	    "https://h/v1beta/models?pageSize=1000&pageToken=a%26b%2Fc",
	    "x-goog-api-key");
	lists("anthropic", "https://h", NULL, "https://h/v1/models?limit=1000",
	    "x-api-key: sk-1\n");
	lists("anthropic", "https://h/v1", "m-1",
	    "https://h/v1/models?limit=1000&after_id=m-1",
	    "anthropic-version: ");
	/* a key that would be a line of its own is not sent */
	dialect_request_init(&r);
	assert_int_equal(dialect_build_models(
			     dialect_find("openai"), &target, NULL, &r, &why),
	    ERR_INPUT);
	dialect_request_fini(&r);
}

static void geminis_models_are_named_in_the_path(void **state)
{
#define TAIL ":streamGenerateContent?alt=sse"
	(void)state;
	goes_to("gemini", "http://h/v1beta", "models/x",
	    "http://h/v1beta/models/x" TAIL);
	goes_to("gemini", "http://h/v1beta", "tunedModels/x",
	    "http://h/v1beta/tunedModels/x" TAIL);
	goes_to("gemini", "http://h/v1beta", "a/b?c#d:e \xe2\x82\xac",
	    "http://h/v1beta/models/a%2Fb%3Fc%23d%3Ae%20%E2%82%AC" TAIL);
}

/* What claude's ${model} is sent for a low effort. */
static void thinks(const char *model, const char *how)
{
	struct dialect_request r = build("anthropic", "http://h", model,
	    "{" HI ",\"reasoning_effort\":\"low\"}");

	if (strstr(r.body.data, how) == NULL)
		fail_msg("%s: want %s in %s", model, how, r.body.data);
	dialect_request_fini(&r);
}

static void a_models_version_says_how_it_is_told_to_think(void **state)
{
	static const char budget[] = "\"thinking\":{\"type\":\"enabled\"";
	static const char adaptive[] = "\"thinking\":{\"type\":\"adaptive\"}";

	(void)state;
	thinks("claude-3-7-sonnet-20250219", budget);
	thinks("claude-3-7-sonnet-latest", budget);
	thinks("claude-sonnet-4-20250514", budget);
	thinks("claude-opus-4-1", budget);
	thinks("claude-haiku-4-5-20251001", budget);
	thinks("anthropic/claude-sonnet-4.5", budget);
	thinks("claude-opus-4-6", adaptive);
	thinks("claude-opus-4-10", adaptive);
	thinks("claude-sonnet-5", adaptive);
	thinks("claude-opus-5-20270101", adaptive);
	/* of what is not known the newest is assumed */
	thinks("our-own-alias", adaptive);
	thinks("claude-", adaptive);
	thinks("claude-next", adaptive);
}

/* A prompt of ${n} words is sent to Ollama with ${want} in its options. */
static void context(int n, const char *more, const char *want)
{
	struct dialect_request r;
	struct buf b;

	buf_init(&b, 1 << 24);
	buf_puts(&b, "{\"messages\":[{\"role\":\"user\",\"content\":\"");
	for (int i = 0; i < n; i++)
		buf_puts(&b, "abc ");
	buf_printf(&b, "\"}]%s}", more);
	buf_putc(&b, '\0');
	r = build("ollama", "http://h", "m", b.data);
	if (want == NULL)
		assert_null(strstr(r.body.data, "num_ctx"));
	else
		assert_non_null(strstr(r.body.data, want));
	dialect_request_fini(&r);
	buf_fini(&b);
}

static void a_long_prompt_asks_ollama_for_room(void **state)
{
	(void)state;
	context(10, "", NULL);
	context(1600, "", NULL);
	context(1700, "", "\"num_ctx\":8192");
	context(10000, "", "\"num_ctx\":16384");
	context(100000, "", "\"num_ctx\":131072");
	context(3000000, "", "\"num_ctx\":1048576");
	context(10, ",\"max_output_tokens\":100000", "\"num_ctx\":16384");
	context(10000, ",\"extra\":{\"options\":{\"num_ctx\":2}}",
	    "\"num_ctx\":2}");
	context(10, ",\"extra\":{\"options\":{\"num_predict\":-1}}", NULL);
}

static void extra_goes_into_objects_and_overrides_nothing(void **state)
{
	struct dialect_request r = build("gemini", "http://h", "m",
	    "{" HI ",\"temperature\":0.5,\"extra\":{\"generationConfig\":{"
	    "\"temperature\":0.5,\"topK\":3},\"contents\":[]}}");

	(void)state;
	assert_non_null(strstr(r.body.data,
	    "\"generationConfig\":{\"temperature\":0.5,\"topK\":3}"));
	/* the same said twice is nothing to warn of */
	assert_string_equal(r.warnings.data,
	    "[{\"field\":\"extra.contents\",\"message\":\"not taken: the "
	    "request says it already\"}]");
	dialect_request_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lists_of_models_are_asked_for_as_each_wants_it),
		cmocka_unit_test(base_urls_may_have_the_version_or_not),
		cmocka_unit_test(geminis_models_are_named_in_the_path),
		cmocka_unit_test(a_models_version_says_how_it_is_told_to_think),
		cmocka_unit_test(a_long_prompt_asks_ollama_for_room),
		cmocka_unit_test(extra_goes_into_objects_and_overrides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
