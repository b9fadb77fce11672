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
	struct upstreams_route route;
	char got[512] = "";

	assert_int_equal(upstreams_resolve(u, asked, &route, NULL), OK);
	for (size_t i = 0; i < route.n; i++) {
		char *name = upstreams_target_name(&route.at[i]);

		if (i > 0)
			strcat(got, ", ");
		strcat(got, name);
		free(name);
	}
	assert_string_equal(got, want);
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
	upstreams_free(u);
}

static void assert_unknown(const struct upstreams *u, const char *asked)
{
	struct upstreams_route route;
	struct why why = { "" };

	assert_int_equal(upstreams_resolve(u, asked, &route, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, asked));
	assert_non_null(strstr(why.text, "local/llama3"));
}

static void a_slash_needs_an_upstream_before_it(void **state)
{
	struct worker_upstream list[] = { OPENAI, LOCAL };
	struct upstreams *u;

	(void)state;
	assert_int_equal(make(list, 2, NULL, &u, NULL), OK);
	assert_unknown(u, "meta/llama-3");
	assert_unknown(u, "lokal/llama3");
	upstreams_free(u);
	/* but for the default upstream's own, */
	list[0].model = "meta/llama-3";
	assert_int_equal(make(list, 2, NULL, &u, NULL), OK);
	assert_target(u, "meta/llama-3", "openai/meta/llama-3");
	assert_unknown(u, "meta/llama-4");
	upstreams_free(u);
	/* or when its models are called so */
	list[0].any_model = true;
	assert_int_equal(make(list, 2, NULL, &u, NULL), OK);
	assert_target(u, "meta/llama-4", "openai/meta/llama-4");
	assert_target(u, "local/meta/llama-4", "local/meta/llama-4");
	upstreams_free(u);
}

static enum err make_models(const struct worker_model *models, size_t n,
    const char *standard, struct upstreams **ret, struct why *why)
{
	const struct worker_upstream list[] = { OPENAI, LOCAL };

	return upstreams_new(&(struct worker_options){ .upstreams = list,
				 .n_upstreams = 2,
				 .models = models,
				 .n_models = n,
				 .default_model = standard },
	    ret, why);
}

static void a_name_means_its_targets_in_order(void **state)
{
	const char *const chat[] = { "openai/gpt-5", "local", "local/big" };
	const struct worker_model models[] = { { "chat", chat, 3 } };
	struct upstreams *u;

	(void)state;
	assert_int_equal(make_models(models, 1, "chat", &u, NULL), OK);
	assert_target(u, "chat", "openai/gpt-5, local/llama3, local/big");
	assert_target(u, "", "openai/gpt-5, local/llama3, local/big");
	assert_target(u, "openai/chat", "openai/chat");
	assert_target(u, "gpt-4o", "openai/gpt-4o");
	upstreams_free(u);
	assert_int_equal(make_models(models, 1, "local/x", &u, NULL), OK);
	assert_target(u, "", "local/x");
	upstreams_free(u);
}

static void assert_model_refused(
    const struct worker_model *m, size_t n, const char *word)
{
	struct upstreams *u = NULL;
	struct why why = { "" };

	assert_int_equal(make_models(m, n, NULL, &u, &why), ERR_INPUT);
	assert_null(u);
	if (strstr(why.text, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, word);
}

static void wrong_models_are_refused_with_a_reason(void **state)
{
	const char *const unknown[] = { "local", "cloud/gpt" };
	const char *const nameless[] = { "openai" };
	const char *const many[] = { "local", "local", "local", "local",
		"local", "local", "local", "local", "local" };
	const struct worker_model twice[] = { { "a", many, 1 },
		{ "a", many, 1 } };
	struct upstreams *u = NULL;
	struct why why = { "" };

	(void)state;
	assert_model_refused(
	    &(struct worker_model){ "a", unknown, 2 }, 1, "cloud/gpt");
	assert_model_refused(
	    &(struct worker_model){ "a", nameless, 1 }, 1, "no model");
	assert_model_refused(
	    &(struct worker_model){ "a", many, 9 }, 1, "more than 8");
	assert_model_refused(
	    &(struct worker_model){ "a", many, 0 }, 1, "no targets");
	assert_model_refused(
	    &(struct worker_model){ "a/b", many, 1 }, 1, "name");
	assert_model_refused(twice, 2, "two");
	assert_int_equal(make_models(NULL, 0, "nobody/x", &u, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "nobody/x"));
}

static void no_model_means_the_default_upstreams_own(void **state)
{
	const struct worker_upstream list[] = { OPENAI, LOCAL };
	struct upstreams_route t;
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
	struct upstreams_route t;
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
	struct upstreams_route t;
	struct upstreams *u;

	(void)state;
	assert_int_equal(make(list, 1, NULL, &u, NULL), OK);
	assert_int_equal(upstreams_resolve(u, "m", &t, NULL), OK);
	assert_string_equal(
	    t.at[0].upstream->base_url, "https://api.openai.com/v1");
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
		cmocka_unit_test(a_slash_needs_an_upstream_before_it),
		cmocka_unit_test(a_name_means_its_targets_in_order),
		cmocka_unit_test(wrong_models_are_refused_with_a_reason),
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
