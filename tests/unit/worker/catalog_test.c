#include "worker/catalog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "worker/dialect.h"
#include "worker/prices.h"
#include "worker/results.h"
#include "worker/upstreams.h"
#include "worker/worker.h"

struct shop {
	struct upstreams *u;
	struct prices *p;
	struct catalog *c;
};

static int set_up(void **state)
{
	static const struct worker_upstream list[] = {
		{ .name = "first",
		    .dialect = "openai",
		    .base_url = "http://h/v1",
		    .model = "own" },
		{ .name = "second",
		    .dialect = "openai",
		    .base_url = "http://h/v1" },
	};
	static const char *const targets[] = { "second/deep", "first" };
	static const struct worker_model models[] = {
		{ .name = "chat", .targets = targets, .n_targets = 2 }
	};
	struct shop *s = calloc(1, sizeof(*s));

	assert_int_equal(
	    upstreams_new(&(struct worker_options){ .upstreams = list,
			      .n_upstreams = 2,
			      .models = models,
			      .n_models = 1 },
		&s->u, NULL),
	    OK);
	assert_int_equal(prices_new(s->u, NULL, &s->p, NULL), OK);
	assert_int_equal(catalog_new(s->u, s->p, &s->c), OK);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct shop *s = *state;

	catalog_free(s->c);
	prices_free(s->p);
	upstreams_free(s->u);
	free(s);
	return 0;
}

/* The ${i}-th upstream lists the entries ${data}. */
static void lists(struct shop *s, size_t i, const char *data)
{
	struct results_models r;
	char *body;

	assert_true(asprintf(&body, "{\"data\":[%s]}", data) > 0);
	assert_int_equal(
	    results_models(dialect_find("openai"), body, strlen(body), &r), OK);
	free(body);
	(void)prices_put(s->p, i, &r);
	catalog_put(s->c, i, &r);
	assert_int_equal(catalog_publish(s->c), OK);
}

static void assert_names(struct shop *s, const char *want)
{
	struct worker_models *m = catalog_hold(s->c);
	char got[2048] = "";
	const char *name;

	for (size_t i = 0; (name = worker_models_name(m, i)) != NULL; i++) {
		strcat(got, i > 0 ? " " : "");
		strcat(got, name);
	}
	worker_models_drop(m);
	assert_string_equal(got, want);
}

static void what_is_configured_is_there_from_the_start(void **state)
{
	assert_names(*state, "chat own first/own second/deep");
}

static void lists_are_merged_the_defaults_twice(void **state)
{
	lists(*state, 1, "{\"id\":\"z\"},{\"id\":\"deep\"}");
	assert_names(*state, "chat own first/own second/deep second/z");
	lists(*state, 0, "{\"id\":\"b\"},{\"id\":\"own\"},{\"id\":\"b\"}");
	assert_names(
	    *state, "chat b own first/b first/own second/deep second/z");
}

static void a_bare_name_is_listed_only_if_it_means_that_model(void **state)
{
	/* what is called as a configured name, or as another upstream's */
	lists(*state, 0,
	    "{\"id\":\"chat\"},{\"id\":\"second/x\"},{\"id\":\"c\"}");
	assert_names(*state,
	    "chat own c first/own first/c first/chat first/second/x "
	    "second/deep");
}

static void what_cannot_be_shown_is_dropped(void **state)
{
	char data[1024], id[400];

	memset(id, 'x', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	snprintf(data, sizeof(data),
	    "{\"id\":\"a\\u001bb\",\"name\":\"n\"},{\"id\":\"%s\"},"
	    "{\"id\":\"fine\",\"name\":\"a\\nb\"}",
	    id);
	lists(*state, 1, data);
	assert_names(*state, "chat own first/own second/deep second/fine");
}

static void a_list_that_cannot_be_had_stays_as_it_was(void **state)
{
	static const char want[] =
	    "{\"name\":\"second\",\"default\":false,\"models\":2,"
	    "\"listed\":false,\"error\":\"network\"}";
	struct shop *s = *state;
	struct worker_models *m;
	const char *text;
	size_t len;

	lists(s, 1, "{\"id\":\"z\"}");
	catalog_miss(s->c, 1, "network");
	assert_int_equal(catalog_publish(s->c), OK);
	assert_names(s, "chat own first/own second/deep second/z");
	m = catalog_hold(s->c);
	text = worker_models_text(m, &len);
	assert_non_null(memmem(text, len, want, sizeof(want) - 1));
	worker_models_drop(m);
}

static void the_ceiling_holds(void **state)
{
	struct shop *s = *state;
	struct buf b;
	size_t n = 0;
	struct worker_models *m;

	buf_init(&b, 1 << 20);
	for (int i = 0; i < CATALOG_MAX_MODELS + 100; i++)
		buf_printf(&b, "%s{\"id\":\"m%05d\"}", i > 0 ? "," : "", i);
	buf_putc(&b, '\0');
	lists(s, 1, b.data);
	buf_fini(&b);
	m = catalog_hold(s->c);
	while (worker_models_name(m, n) != NULL)
		n++;
	worker_models_drop(m);
	assert_int_equal(n, CATALOG_MAX_MODELS + 4);
}

static void an_entry_tells_what_is_known(void **state)
{
	struct shop *s = *state;
	struct worker_models *m, *again;
	char tag[64];
	const char *entry;
	size_t len;

	lists(s, 1,
	    "{\"id\":\"deep\",\"created\":7,\"owned_by\":\"me\","
	    "\"name\":\"Deep\",\"context_length\":100,\"pricing\":{\"prompt\":"
	    "\"0.00000125\",\"completion\":\"1e-5\",\"image\":\"-1\"}}");
	m = catalog_hold(s->c);
	assert_string_equal(worker_models_name(m, 3), "second/deep");
	entry = worker_models_entry(m, 3, &len);
	assert_memory_equal(entry,
	    "{\"id\":\"second/deep\",\"object\":\"model\",\"created\":7,"
	    "\"owned_by\":\"me\",\"name\":\"Deep\",\"context_length\":100,"
	    "\"pricing\":{\"prompt\":\"0.00000125\",\"completion\":\"0.00001\"}"
	    ",\"targets\":[\"second/deep\"]}",
	    len);
	snprintf(tag, sizeof(tag), "%s", worker_models_tag(m));
	assert_int_equal(catalog_publish(s->c), OK);
	again = catalog_hold(s->c);
	assert_string_equal(worker_models_tag(again), tag);
	worker_models_drop(again);
	/* what is held does not go with what comes */
	lists(s, 1, "");
	assert_string_equal(worker_models_name(m, 3), "second/deep");
	assert_string_not_equal(tag, "");
	again = catalog_hold(s->c);
	assert_string_not_equal(worker_models_tag(again), tag);
	worker_models_drop(again);
	worker_models_drop(m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_configured_is_there_from_the_start),
		TEST(lists_are_merged_the_defaults_twice),
		TEST(a_bare_name_is_listed_only_if_it_means_that_model),
		TEST(what_cannot_be_shown_is_dropped),
		TEST(a_list_that_cannot_be_had_stays_as_it_was),
		TEST(the_ceiling_holds),
		TEST(an_entry_tells_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
