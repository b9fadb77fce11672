#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/front_handlers.h"
#include "server/route.h"

static const struct route *find(
    enum http_method m, const char *path, const char *base)
{
	const struct route *r = NULL;
	struct route_args args;
	char allow[64];

	return route_find(m, path, base, &r, &args, allow, sizeof(allow)) == OK
		   ? r
		   : NULL;
}

static void every_route_finds_itself(void **state)
{
	const struct route *table;
	size_t n;

	(void)state;
	table = route_table(&n);
	for (size_t i = 0; i < n; i++) {
		char path[128];
		size_t j = 0;

		for (const char *p = table[i].pattern; *p; p++) {
			if (*p == '{' || *p == '}')
				continue;
			path[j++] = *p;
		}
		path[j] = '\0';
		assert_ptr_equal(find(table[i].method, path, ""), &table[i]);
		assert_true(table[i].what[0] != '\0');
	}
}

static void callables_are_found_under_base_and_project(void **state)
{
	(void)state;
	assert_ptr_equal(find(HTTP_POST, "/p/us-central1/execute", "")->handle,
	    front_callable_execute);
	assert_ptr_equal(find(HTTP_POST, "/api/get_chunks", "/api")->handle,
	    front_callable_get_chunks);
	assert_ptr_equal(find(HTTP_POST, "/api/p/r/cancel", "/api")->handle,
	    front_callable_cancel);
	assert_null(find(HTTP_POST, "/v1/executions/execute", ""));
	assert_null(find(HTTP_POST, "//execute", ""));
	assert_null(find(HTTP_POST, "/a//execute", ""));
	assert_null(find(HTTP_POST, "/a/b/c/execute", ""));
	assert_null(find(HTTP_POST, "/execute/", ""));
}

static void arguments_are_the_paths_own(void **state)
{
	const struct route *r;
	struct route_args args;
	char allow[64];

	(void)state;
	assert_int_equal(route_find(HTTP_HEAD, "/v1/executions/abc/text", "",
			     &r, &args, allow, sizeof(allow)),
	    OK);
	assert_ptr_equal(r->handle, front_rest_text);
	assert_int_equal(args.n, 1);
	assert_memory_equal(args.arg[0].text, "abc", 3);
	assert_int_equal(args.arg[0].len, 3);
}

static void another_method_is_told_which_there_are(void **state)
{
	const struct route *r;
	struct route_args args;
	char allow[64];

	(void)state;
	assert_int_equal(route_find(HTTP_PATCH, "/v1/executions", "", &r, &args,
			     allow, sizeof(allow)),
	    ERR_DENIED);
	assert_string_equal(allow, "POST, GET, HEAD");
	assert_int_equal(route_find(HTTP_PATCH, "/v1/prompts/greet", "", &r,
			     &args, allow, sizeof(allow)),
	    ERR_DENIED);
	assert_string_equal(allow, "PUT, GET, HEAD, DELETE");
	assert_int_equal(route_find(HTTP_DELETE, "/v1/executions/export", "",
			     &r, &args, allow, sizeof(allow)),
	    OK);
	assert_int_equal(route_find(HTTP_GET, "/execute", "", &r, &args, allow,
			     sizeof(allow)),
	    ERR_DENIED);
	assert_string_equal(allow, "POST");
	assert_int_equal(route_find(HTTP_GET, "/nowhere", "", &r, &args, allow,
			     sizeof(allow)),
	    ERR_NOT_FOUND);
}

static void an_unknown_name_is_answered_with_known_ones(void **state)
{
	char names[400];

	(void)state;
	route_names("/exceute", names, sizeof(names));
	assert_string_equal(names, "did you mean /execute?");
	route_names("/v1/zzzzzzzzzzzzzzz", names, sizeof(names));
	assert_non_null(strstr(names, "/v1/executions"));
	assert_null(strstr(names, "/get_chunks"));
	assert_non_null(strstr(names, "; GET /openapi.json has all"));
	/* Several methods, one name. */
	assert_non_null(strstr(names, " /v1/executions,"));
	assert_null(
	    strstr(strstr(names, " /v1/executions,") + 1, " /v1/executions,"));
}

static void a_query_names_only_what_its_route_knows(void **state)
{
	const struct route *r = NULL;
	struct route_args args;
	char allow[64], name[64] = "", hint[128] = "";
	static const struct {
		const char *path, *query, *name, *hint;
	} cases[] = {
		{ "/v1/executions", "", NULL, NULL },
		{ "/v1/executions", "limit=3&status=failed", NULL, NULL },
		{ "/v1/executions", "&&=&limit", NULL, NULL },
		{ "/v1/executions", "limt=3", "limt", "did you mean limit?" },
		{ "/v1/executions/x/chunks", "from_index=3", NULL, NULL },
		{ "/v1/executions/x/chunks", "fromindex=3", "fromindex",
		    "did you mean fromIndex?" },
		{ "/v1/executions/x/chunks", "limit=1&from=3", "from",
		    "known are fromIndex from_index limit wait_ms waitMs" },
		{ "/v1/executions/export", "limit=3", "limit",
		    "known are status owner since until after" },
		{ "/v1/executions/x", "zz", "zz", "there are none" },
		{ "/healthz", "zz", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum err want = cases[i].name ? ERR_INPUT : OK;

		assert_int_equal(route_find(HTTP_GET, cases[i].path, "", &r,
				     &args, allow, sizeof(allow)),
		    OK);
		assert_int_equal(route_check_query(r, cases[i].query, name,
				     sizeof(name), hint, sizeof(hint)),
		    want);
		if (want != ERR_INPUT)
			continue;
		assert_string_equal(name, cases[i].name);
		assert_string_equal(hint, cases[i].hint);
	}
}

static void the_last_argument_may_be_all_that_is_left(void **state)
{
	const struct route *r;
	struct route_args args;
	char allow[64];

	(void)state;
	assert_int_equal(route_find(HTTP_GET, "/v1/models/a/b%2Fc/d", "", &r,
			     &args, allow, sizeof(allow)),
	    OK);
	assert_string_equal(r->pattern, "/v1/models/{model}");
	assert_int_equal(args.n, 1);
	assert_int_equal(args.arg[0].len, 9);
	assert_memory_equal(args.arg[0].text, "a/b%2Fc/d", 9);
	/* not of nothing, and no other argument takes slashes */
	assert_int_equal(route_find(HTTP_GET, "/v1/models/", "", &r, &args,
			     allow, sizeof(allow)),
	    ERR_NOT_FOUND);
	assert_int_equal(route_find(HTTP_GET, "/v1/prompts/a/b", "", &r, &args,
			     allow, sizeof(allow)),
	    ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_route_finds_itself),
		cmocka_unit_test(callables_are_found_under_base_and_project),
		cmocka_unit_test(arguments_are_the_paths_own),
		cmocka_unit_test(another_method_is_told_which_there_are),
		cmocka_unit_test(an_unknown_name_is_answered_with_known_ones),
		cmocka_unit_test(a_query_names_only_what_its_route_knows),
		cmocka_unit_test(the_last_argument_may_be_all_that_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
