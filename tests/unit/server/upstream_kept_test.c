#include "server/upstream_kept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct upstream_plan plan = { .model = "sim", .first_ms = 5 };

/* Its id; nobody but the list holds it. */
static struct id keep(
    struct upstream_kept_list *l, const char *body, size_t len)
{
	struct upstream_kept *k = NULL;
	struct id id;

	assert_int_equal(upstream_kept_add(l, &plan, body, len, &k), OK);
	id = k->id;
	upstream_kept_drop(k);
	return id;
}

static bool has(struct upstream_kept_list *l, const struct id *id)
{
	struct upstream_kept *k = upstream_kept_find(l, id);
	bool there = k != NULL;

	upstream_kept_drop(k);
	return there;
}

static void what_is_kept_is_found_with_its_question(void **state)
{
	struct upstream_kept_list *l = upstream_kept_list_new();
	struct id id = keep(l, "one", 3), other = keep(l, "two", 3);
	struct id none = id_new();
	struct upstream_kept *k = upstream_kept_find(l, &id);

	(void)state;
	assert_non_null(k);
	assert_int_equal(k->len, 3);
	assert_memory_equal(k->body, "one", 3);
	assert_string_equal(k->plan.model, "sim");
	assert_true(has(l, &other));
	assert_false(has(l, &none));
	upstream_kept_drop(k);
	upstream_kept_list_free(l);
}

static void the_first_cancel_counts(void **state)
{
	struct upstream_kept_list *l = upstream_kept_list_new();
	struct upstream_kept *k = NULL;

	(void)state;
	assert_int_equal(upstream_kept_add(l, &plan, "x", 1, &k), OK);
	assert_int_equal(atomic_load(&k->cancelled_ms), 0);
	upstream_kept_cancel(k);
	assert_true(atomic_load(&k->cancelled_ms) > 0);
	atomic_store(&k->cancelled_ms, 7);
	upstream_kept_cancel(k);
	assert_int_equal(atomic_load(&k->cancelled_ms), 7);
	/* Its last holder may be later than the list. */
	upstream_kept_list_free(l);
	assert_memory_equal(k->body, "x", 1);
	upstream_kept_drop(k);
}

static void the_oldest_goes_when_there_are_too_many(void **state)
{
	struct upstream_kept_list *l = upstream_kept_list_new();
	struct id first = keep(l, "x", 1), second = keep(l, "x", 1);

	(void)state;
	for (int i = 2; i < UPSTREAM_KEPT_MAX; i++)
		(void)keep(l, "x", 1);
	assert_true(has(l, &first));
	(void)keep(l, "x", 1);
	assert_false(has(l, &first));
	assert_true(has(l, &second));
	upstream_kept_list_free(l);
}

static void the_oldest_go_when_they_are_too_large(void **state)
{
	struct upstream_kept_list *l = upstream_kept_list_new();
	size_t half = UPSTREAM_KEPT_BYTES / 2;
	char *large = calloc(1, half + 1);
	struct id a, b, c, d;

	(void)state;
	assert_non_null(large);
	a = keep(l, large, half);
	b = keep(l, large, half);
	assert_true(has(l, &a));
	c = keep(l, large, 1);
	assert_false(has(l, &a));
	assert_true(has(l, &b));
	d = keep(l, large, half + 1);
	assert_false(has(l, &b));
	assert_true(has(l, &c));
	assert_true(has(l, &d));
	free(large);
	upstream_kept_list_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_kept_is_found_with_its_question),
		cmocka_unit_test(the_first_cancel_counts),
		cmocka_unit_test(the_oldest_goes_when_there_are_too_many),
		cmocka_unit_test(the_oldest_go_when_they_are_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
