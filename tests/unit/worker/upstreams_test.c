#include "worker/upstreams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/address.h"
#include "worker/worker.h"

#define OPENAI                                                            \
	{                                                                 \
		.name = "openai", .dialect = "openai",                    \
		.base_url = "https://api.openai.com/v1/", .key = "sk-abc" \
	}
#define LOCAL                                                      \
	{                                                          \
		.name = "local", .dialect = "openai",              \
		.base_url = "http://[::1]:8080", .model = "llama3" \
	}

static enum err make(const struct worker_upstream *list, size_t n,
    const char *standard, struct upstreams **ret, struct why *why)
{
	return upstreams_new(&(struct worker_options){ .upstreams = list,
				 .n_upstreams = n,
				 .default_upstream = standard },
	    ret, why);
}

static void assert_target(
    const struct upstreams *u, const char *asked, const char *want)
{
	struct upstreams_target t;
	char *name;

	assert_int_equal(upstreams_resolve(u, asked, &t, NULL), OK);
	name = upstreams_target_name(&t);
	assert_string_equal(name, want);
	free(name);
}

static void a_model_is_found_at_its_upstream(void **state)
{
	const struct worker_upstream list[] = { OPENAI, LOCAL };
	struct upstreams *u;

	(void)state;
	assert_int_equal(make(list, 2, NULL, &u, NULL), OK);
	assert_target(u, "gpt-4o", "openai/gpt-4o");
	assert_target(u, "openai/gpt-4o", "openai/gpt-4o");
	assert_target(u, "local/", "local/llama3");
	assert_target(u, "local/meta/llama-3:8b", "local/meta/llama-3:8b");
	assert_target(u, "meta/llama-3", "openai/meta/llama-3");
	upstreams_free(u);
}

static void no_model_means_the_default_upstreams_own(void **state)
{
	const struct worker_upstream list[] = { OPENAI, LOCAL };
	struct upstreams_target t;
	struct upstreams *u;
	struct why why;

	(void)state;
	assert_int_equal(make(list, 2, "local", &u, NULL), OK);
	assert_target(u, "", "local/llama3");
	upstreams_free(u);
	assert_int_equal(make(list, 2, "openai", &u, NULL), OK);
	assert_int_equal(upstreams_resolve(u, "", &t, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "openai"));
	assert_non_null(strstr(why.text, "local/llama3"));
	assert_null(strstr(why.text, "sk-abc"));
	upstreams_free(u);
}

static void without_upstreams_nothing_resolves(void **state)
{
	struct upstreams_target t;
	struct upstreams *u;
	struct why why;

	(void)state;
	assert_int_equal(make(NULL, 0, NULL, &u, NULL), OK);
	assert_int_equal(upstreams_resolve(u, "gpt-4o", &t, &why), ERR_INPUT);
	assert_string_equal(why.text, "no upstream is configured");
	upstreams_free(u);
}

static void a_slash_at_a_urls_end_is_dropped(void **state)
{
	const struct worker_upstream list[] = { OPENAI };
	struct upstreams_target t;
	struct upstreams *u;

	(void)state;
	assert_int_equal(make(list, 1, NULL, &u, NULL), OK);
	assert_int_equal(upstreams_resolve(u, "m", &t, NULL), OK);
	assert_string_equal(t.upstream->base_url, "https://api.openai.com/v1");
	upstreams_free(u);
}

/* ${wrong} is refused with a word of why. */
static void assert_refused(struct worker_upstream wrong, const char *word)
{
	struct upstreams *u = NULL;
	struct why why = { "" };

	assert_int_equal(make(&wrong, 1, NULL, &u, &why), ERR_INPUT);
	assert_null(u);
	if (strstr(why.text, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, word);
}

static void wrong_configuration_is_refused_with_a_reason(void **state)
{
	static const struct {
		const char *url, *word;
	} urls[] = {
		{ NULL, "empty" },
		{ "", "empty" },
		{ "file:///etc/hostname", "http://" },
		{ "ftp://x/", "http://" },
		{ "http://", "no host" },
		{ "http://:80/", "no host" },
		{ "http://user:pw@host/", "password" },
		{ "http://host/a b", "blanks" },
		{ "http://host/\r\nX: y", "blanks" },
		{ "http://host\\evil/", "backslash" },
		{ "http://host/v1?key=1", "query" },
		{ "http://host/v1#x", "query" },
	};
	struct worker_upstream u = LOCAL;

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		u.base_url = urls[i].url;
		assert_refused(u, urls[i].word);
	}
	u = (struct worker_upstream)LOCAL;
	u.name = "Up/stream";
	assert_refused(u, "name");
	u.name = "";
	assert_refused(u, "name");
	u = (struct worker_upstream)LOCAL;
	u.dialect = "klingon";
	assert_refused(u, "dialect");
	u = (struct worker_upstream)LOCAL;
	u.key = "two\r\nlines";
	assert_refused(u, "key");
}

static void two_of_a_name_or_an_absent_default_are_refused(void **state)
{
	const struct worker_upstream list[] = { LOCAL, LOCAL };
	struct upstreams *u = NULL;
	struct why why;

	(void)state;
	assert_int_equal(make(list, 2, NULL, &u, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "two"));
	assert_int_equal(make(list, 1, "remote", &u, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "remote"));
}

static void metadata_and_group_addresses_are_refused(void **state)
{
	static const char *const bad[] = { "169.254.169.254", "169.254.0.1",
		"224.0.0.1", "239.255.255.255", "255.255.255.255", "fe80::1",
		"febf::1", "ff02::1", "::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe", "fd00:ec2::254", "not an address", "" };
	static const char *const good[] = { "127.0.0.1", "10.0.0.1",
		"192.168.1.9", "169.253.255.255", "8.8.8.8", "::1", "fd00::1",
		"2001:db8::1", "::ffff:10.0.0.1", "fec0::1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_text_allowed(bad[i]))
			fail_msg("%s is allowed", bad[i]);
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!address_text_allowed(good[i]))
			fail_msg("%s is refused", good[i]);
	assert_false(address_text_allowed(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_model_is_found_at_its_upstream),
		cmocka_unit_test(no_model_means_the_default_upstreams_own),
		cmocka_unit_test(without_upstreams_nothing_resolves),
		cmocka_unit_test(a_slash_at_a_urls_end_is_dropped),
		cmocka_unit_test(wrong_configuration_is_refused_with_a_reason),
		cmocka_unit_test(
		    two_of_a_name_or_an_absent_default_are_refused),
		cmocka_unit_test(metadata_and_group_addresses_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
