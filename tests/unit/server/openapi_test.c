#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/body_internal.h"
#include "server/openapi.h"
#include "server/openapi_internal.h"
#include "server/route.h"

static void what_is_said_is_said_of_routes_that_are_there(void **state)
{
	const struct openapi_operation *o;
	const struct route *table;
	size_t n, n_routes;

	(void)state;
	o = openapi_operation_table(&n);
	table = route_table(&n_routes);
	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < n_routes; k++)
			found |= table[k].method == o[i].method &&
				 strcmp(table[k].pattern, o[i].pattern) == 0;
		if (!found)
			fail_msg("%s %s is no route",
			    http_method_name(o[i].method), o[i].pattern);
	}
}

static json_t *properties(const json_t *root, const char *schema)
{
	json_t *o = json_object_get(root, "components");

	o = json_object_get(json_object_get(o, "schemas"), schema);
	return json_object_get(o, "properties");
}

static void every_setting_of_a_creation_is_in_the_document(void **state)
{
	const char *const *names;
	struct buf b;
	json_t *root;
	size_t n;

	(void)state;
	buf_init(&b, OPENAPI_MAX_BYTES);
	openapi_json(&b);
	assert_int_equal(buf_state(&b), OK);
	root = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	names = body_settings(&n);
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(
			properties(root, "NewExecution"), names[i]) &&
		    !json_object_get(properties(root, "NewPrompt"), names[i]))
			fail_msg("%s is in neither NewExecution nor NewPrompt "
				 "(openapi_schema_client.c)",
			    names[i]);
	json_decref(root);
	buf_fini(&b);
}

static void becomes(const char *type, const char *want)
{
	struct buf b;

	buf_init(&b, 4096);
	openapi_type(&b, type, strlen(type));
	buf_putc(&b, '\0');
	assert_int_equal(buf_state(&b), OK);
	assert_string_equal(b.data, want);
	buf_fini(&b);
}

static void a_type_in_words_is_a_json_schema(void **state)
{
	(void)state;
	becomes("any", "{}");
	becomes("string", "{\"type\":\"string\"}");
	becomes("integer 1..10",
	    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":10}");
	becomes("number -2..2?",
	    "{\"type\":[\"number\",\"null\"],\"minimum\":-2,\"maximum\":2}");
	becomes("integer 0..", "{\"type\":\"integer\",\"minimum\":0}");
	becomes("time?",
	    "{\"type\":[\"string\",\"null\"],\"format\":\"date-time\"}");
	becomes("a|b", "{\"type\":\"string\",\"enum\":[\"a\",\"b\"]}");
	becomes("Page", "{\"$ref\":\"#/components/schemas/Page\"}");
	becomes("Page?", "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Page\"},"
			 "{\"type\":\"null\"}]}");
	becomes("[][]integer",
	    "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":{"
	    "\"type\":\"integer\"}}}");
	becomes("[](A or B)",
	    "{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":"
	    "\"#/components/schemas/A\"},{\"$ref\":"
	    "\"#/components/schemas/B\"}]}}");
	becomes("string or []string",
	    "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{"
	    "\"type\":\"string\"}}]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_said_is_said_of_routes_that_are_there),
		cmocka_unit_test(
		    every_setting_of_a_creation_is_in_the_document),
		cmocka_unit_test(a_type_in_words_is_a_json_schema),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
