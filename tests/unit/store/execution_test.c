#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/execution.h"

static void stored_states_only_grow(void **state)
{
	static const bool may[EXECUTION_STATUSES][EXECUTION_STATUSES] = {
		[EXECUTION_QUEUED] = { false, true, true, true, true },
		[EXECUTION_STREAMING] = { false, false, true, true, true },
	};

	(void)state;
	for (int from = 0; from < EXECUTION_STATUSES; from++)
		for (int to = 0; to < EXECUTION_STATUSES; to++)
			assert_int_equal(
			    execution_may_move((enum execution_status)from,
				(enum execution_status)to),
			    may[from][to]);
}

static void names_read_back(void **state)
{
	enum execution_status s = EXECUTION_QUEUED;

	(void)state;
	for (int i = 0; i < EXECUTION_STATUSES; i++) {
		assert_int_equal(
		    execution_status_parse(
			execution_status_name((enum execution_status)i), &s),
		    OK);
		assert_int_equal(s, i);
	}
	assert_int_equal(execution_status_parse("running", &s), ERR_INPUT);
	assert_int_equal(s, EXECUTION_CANCELLED);
}

static void a_copy_shares_nothing(void **state)
{
	struct execution *e = execution_new(), *c;

	(void)state;
	e->id = id_new();
	e->owner = strdup("ada");
	e->model = strdup("");
	e->request = strdup("{\"a\":1}");
	e->request_len = 7;
	c = execution_copy(e);
	e->owner[0] = 'b';
	e->request[2] = 'z';
	assert_string_equal(c->owner, "ada");
	assert_string_equal(c->request, "{\"a\":1}");
	assert_null(c->metadata);
	assert_true(id_equal(&c->id, &e->id));
	execution_free(e);
	execution_free(c);
	execution_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_states_only_grow),
		cmocka_unit_test(names_read_back),
		cmocka_unit_test(a_copy_shares_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
