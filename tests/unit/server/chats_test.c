#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "server/chats.h"

static void the_newest_of_a_chat_counts_for_its_owner_alone(void **state)
{
	struct id one = id_new(), two = id_new(), got;
	struct chats *c = NULL;

	(void)state;
	assert_int_equal(chats_new(&c), OK);
	assert_int_equal(chats_find(c, "ada", "x", &got), ERR_NOT_FOUND);
	chats_put(c, "ada", "x", &one);
	assert_int_equal(chats_find(c, "ada", "x", &got), OK);
	assert_true(id_equal(&got, &one));
	chats_put(c, "ada", "x", &two);
	assert_int_equal(chats_find(c, "ada", "x", &got), OK);
	assert_true(id_equal(&got, &two));
	assert_int_equal(chats_find(c, "eve", "x", &got), ERR_NOT_FOUND);
	assert_int_equal(chats_find(c, "adax", "", &got), ERR_NOT_FOUND);
	assert_int_equal(chats_find(c, "", "adax", &got), ERR_NOT_FOUND);
	chats_free(c);
	chats_free(NULL);
}

static void old_ones_give_way_and_the_newest_never_does(void **state)
{
	struct chats *c = NULL;
	struct id got;
	char name[32];
	int found = 0;

	(void)state;
	assert_int_equal(chats_new(&c), OK);
	for (int i = 0; i < 50000; i++) {
		struct id id = id_new();

		(void)snprintf(name, sizeof(name), "chat-%d", i);
		chats_put(c, "ada", name, &id);
		assert_int_equal(chats_find(c, "ada", name, &got), OK);
		assert_true(id_equal(&got, &id));
	}
	for (int i = 0; i < 50000; i++) {
		(void)snprintf(name, sizeof(name), "chat-%d", i);
		found += chats_find(c, "ada", name, &got) == OK;
	}
	assert_in_range(found, 10000, 16384);
	chats_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_newest_of_a_chat_counts_for_its_owner_alone),
		cmocka_unit_test(old_ones_give_way_and_the_newest_never_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
