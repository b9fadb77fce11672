#include "worker/prices.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "worker/upstreams.h"
#include "worker/worker.h"

#define NOTHING                                        \
	{                                              \
		-1, -1, -1, -1, -1, -1, -1, -1, -1, -1 \
	}

static const struct worker_upstream list[] = {
	{ .name = "openai",
	    .dialect = "openai",
	    .base_url = "http://h/v1",
	    .prices = "router/openai" },
	{ .name = "router", .dialect = "openai", .base_url = "http://h/v1" },
	{ .name = "local", .dialect = "openai", .base_url = "http://h/v1" },
	{ .name = "own",
	    .dialect = "openai",
	    .base_url = "http://h/v1",
	    .prices = "none" },
};

static struct upstreams *table(void)
{
	struct upstreams *u;

	assert_int_equal(
	    upstreams_new(
		&(struct worker_options){ .upstreams = list, .n_upstreams = 4 },
		&u, NULL),
	    OK);
	return u;
}

/* Make prices of a file that says ${text}; NULL: of none. */
static enum err make(
    struct upstreams *u, const char *text, struct prices **ret, struct why *why)
{
	char path[] = "/tmp/spool-prices-XXXXXX";
	int fd = mkstemp(path);
	enum err rc;

	assert_true(fd >= 0);
	if (text != NULL)
		assert_int_equal(
		    write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	rc = prices_new(u, text == NULL ? NULL : path, ret, why);
	unlink(path);
	return rc;
}

static void lists(struct prices *p, size_t i, const char *data)
{
	struct results_models r;

	assert_int_equal(
	    results_models(dialect_find("openai"), data, strlen(data), &r), OK);
	assert_true(prices_put(p, i, &r));
	results_models_fini(&r);
}

static int64_t prompt_of(struct prices *p, const char *target)
{
	struct price price;

	return prices_find(p, target, &price) ? price.pusd[PRICE_PROMPT] : -1;
}

static void nobodys_price_is_taken_for_anothers(void **state)
{
	struct upstreams *u = table();
	struct prices *p;

	(void)state;
	assert_int_equal(make(u, NULL, &p, NULL), OK);
	lists(p, 1,
	    "{\"data\":[{\"id\":\"openai/a\",\"pricing\":{\"prompt\":"
	    "\"0.000001\",\"completion\":\"0.000002\"}},{\"id\":\"b\","
	    "\"pricing\":{\"prompt\":\"0.000003\",\"completion\":\"0\"}},"
	    "{\"id\":\"varies\",\"pricing\":{\"prompt\":\"-1\",\"completion\":"
	    "\"-1\"}},{\"id\":\"half\",\"pricing\":{\"prompt\":\"0\"}}]}");
	lists(p, 3,
	    "{\"data\":[{\"id\":\"b\",\"pricing\":{\"prompt\":\"0.1\","
	    "\"completion\":\"0.1\"}}]}");
	/* its own list */
	assert_true(prompt_of(p, "router/b") == 3000000);
	assert_true(prompt_of(p, "router/openai/a") == 1000000);
	assert_true(prompt_of(p, "router/varies") == -1);
	assert_true(prompt_of(p, "router/half") == -1);
	/* the other's that the configuration names */
	assert_true(prompt_of(p, "openai/a") == 1000000);
	assert_true(prompt_of(p, "openai/b") == -1);
	/* nobody's */
	assert_true(prompt_of(p, "local/b") == -1);
	assert_true(prompt_of(p, "own/b") == -1);
	assert_true(prompt_of(p, "nobody/b") == -1);
	assert_true(prompt_of(p, "b") == -1);
	prices_free(p);
	upstreams_free(u);
}

static void the_file_comes_first(void **state)
{
	struct upstreams *u = table();
	struct prices *p;
	struct price price;

	(void)state;
	assert_int_equal(
	    make(u,
		"{\"usd_per_million_tokens\":{\"router/b\":{\"prompt\":1.25,"
		"\"completion\":\"10\",\"input_cache_read\":0.125,\"request\":"
		"0.01},\"local/b\":{\"prompt\":0,\"completion\":0},"
		"\"router/openai/c\":{\"prompt\":2,\"completion\":2},\"own/x\":"
		"{\"prompt\":4,\"completion\":4}}}",
		&p, NULL),
	    OK);
	lists(p, 1,
	    "{\"data\":[{\"id\":\"b\",\"pricing\":{\"prompt\":\"7\","
	    "\"completion\":\"7\"}}]}");
	assert_true(prices_find(p, "router/b", &price));
	assert_true(price.pusd[PRICE_PROMPT] == 1250000);
	assert_true(price.pusd[PRICE_COMPLETION] == 10000000);
	assert_true(price.pusd[PRICE_INPUT_CACHE_READ] == 125000);
	assert_true(
	    price.pusd[PRICE_INPUT_CACHE_WRITE] == RESULTS_PRICE_ABSENT);
	/* of one request, not of a million */
	assert_true(price.pusd[PRICE_REQUEST] == 10000000000);
	assert_true(prompt_of(p, "local/b") == 0);
	assert_true(prompt_of(p, "openai/c") == 2000000);
	assert_true(prompt_of(p, "own/x") == 4000000);
	prices_free(p);
	upstreams_free(u);
}

static void a_list_as_openrouters_is_a_price_file_too(void **state)
{
	struct upstreams *u = table();
	struct prices *p;

	(void)state;
	assert_int_equal(
	    make(u,
		"{\"data\":[{\"id\":\"local/b\",\"pricing\":{\"prompt\":"
		"\"0.00000125\",\"completion\":\"1e-5\"}}]}",
		&p, NULL),
	    OK);
	assert_true(prompt_of(p, "local/b") == 1250000);
	prices_free(p);
	upstreams_free(u);
}

static void a_file_that_is_none_is_refused_in_words(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "", "not JSON" },
		{ "{", "not JSON" },
		{ "{}", "no file of prices" },
		{ "{\"usd_per_million_tokens\":[]}", "no file of prices" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":1}}",
		    "\"a/b\" is no object of prices" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":{\"prompt\":1}}}",
		    "\"a/b\" needs prompt and completion" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":{\"input\":1}}}",
		    "\"a/b\" has \"input\"; known are prompt" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":{\"prompt\":-1}}}",
		    "prompt is no price" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":{\"prompt\":\"x\"}}}",
		    "prompt is no price" },
		{ "{\"usd_per_million_tokens\":{\"a/b\":{\"prompt\":true}}}",
		    "prompt is no price" },
	};
	struct upstreams *u = table();
	struct prices *p = NULL;
	struct why why = { "" };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(make(u, cases[i].text, &p, &why), ERR_INPUT);
		if (strstr(why.text, cases[i].why) == NULL)
			fail_msg("%s: %s", cases[i].text, why.text);
		assert_non_null(strstr(why.text, "/tmp/spool-prices-"));
	}
	assert_int_equal(
	    prices_new(u, "/nowhere/at/all.json", &p, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "/nowhere/at/all.json"));
	upstreams_free(u);
}

static void each_kind_of_token_has_its_price(void **state)
{
	struct price price = { { 10, 100, 1000000, 7, 1, 20, 0, 3 } };
	struct dialect_usage u = NOTHING;

	(void)state;
	/* nothing is known but that it was asked */
	assert_true(prices_cost(&price, &u) == 1000000);
	u.input_tokens = 1000;
	u.output_tokens = 50;
	assert_true(prices_cost(&price, &u) == 1000000 + 10000 + 5000);
	u.cached_input_tokens = 600;
	u.cache_write_tokens = 100;
	assert_true(prices_cost(&price, &u) ==
		    1000000 + 300 * 10 + 600 + 100 * 20 + 5000);
	/* reasoning is output, unless it has a price of its own */
	u.reasoning_tokens = 30;
	assert_true(prices_cost(&price, &u) ==
		    1000000 + 300 * 10 + 600 + 100 * 20 + 5000);
	price.pusd[PRICE_INTERNAL_REASONING] = 200;
	assert_true(prices_cost(&price, &u) ==
		    1000000 + 300 * 10 + 600 + 100 * 20 + 20 * 100 + 30 * 200);
	/* without a price of its own, cached input is input */
	price.pusd[PRICE_INPUT_CACHE_READ] = RESULTS_PRICE_ABSENT;
	price.pusd[PRICE_INPUT_CACHE_WRITE] = RESULTS_PRICE_UNKNOWN;
	price.pusd[PRICE_REQUEST] = RESULTS_PRICE_UNKNOWN;
	assert_true(prices_cost(&price, &u) == 10000 + 20 * 100 + 30 * 200);
}

static void what_is_too_much_is_not_known(void **state)
{
	struct price price = { { INT64_MAX / 2, 1, -2, -2, -2, -2, -2, -2 } };
	struct dialect_usage u = NOTHING;

	(void)state;
	u.input_tokens = 2;
	assert_true(prices_cost(&price, &u) == INT64_MAX - 1);
	u.output_tokens = 1;
	assert_true(prices_cost(&price, &u) == INT64_MAX);
	u.output_tokens = 2;
	assert_true(prices_cost(&price, &u) == -1);
	u.input_tokens = 3;
	assert_true(prices_cost(&price, &u) == -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobodys_price_is_taken_for_anothers),
		cmocka_unit_test(the_file_comes_first),
		cmocka_unit_test(a_list_as_openrouters_is_a_price_file_too),
		cmocka_unit_test(a_file_that_is_none_is_refused_in_words),
		cmocka_unit_test(each_kind_of_token_has_its_price),
		cmocka_unit_test(what_is_too_much_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
