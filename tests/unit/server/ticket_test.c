/* Tickets: once, soon, for one execution, bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/ticket.h"

static struct principal someone(void)
{
	struct principal who = { .owner = "ada", .scopes = KEY_READ };

	who.key = id_new();
	return who;
}

static void a_ticket_is_good_once(void **state)
{
	struct principal who = someone(), got;
	struct id execution = id_new();
	char text[TICKET_TEXT];
	struct tickets *t;

	(void)state;
	assert_int_equal(ticket_table_new(&t), OK);
	assert_int_equal(ticket_make(t, &who, &execution, 1000, text), OK);
	assert_int_equal(strlen(text), TICKET_TEXT - 1);
	assert_int_equal(ticket_take(t, text, 1000, &got), OK);
	assert_string_equal(got.owner, "ada");
	assert_int_equal(got.scopes, KEY_READ);
	assert_true(got.bound);
	assert_true(id_equal(&got.execution, &execution));
	assert_int_equal(ticket_take(t, text, 1000, &got), ERR_NOT_FOUND);
	ticket_table_free(t);
}

static void a_ticket_lasts_its_time_and_no_longer(void **state)
{
	struct principal who = someone(), got;
	struct id execution = id_new();
	char text[TICKET_TEXT];
	struct tickets *t;

	(void)state;
	assert_int_equal(ticket_table_new(&t), OK);
	assert_int_equal(ticket_make(t, &who, &execution, 1000, text), OK);
	assert_int_equal(
	    ticket_take(t, text, 1000 + TICKET_MS, &got), ERR_NOT_FOUND);
	assert_int_equal(ticket_take(t, text, 999 + TICKET_MS, &got), OK);
	ticket_table_free(t);
}

static void what_is_no_ticket_opens_nothing(void **state)
{
	struct principal who = someone(), got = { 0 };
	struct id execution = id_new();
	char text[TICKET_TEXT], wrong[TICKET_TEXT];
	struct tickets *t;

	(void)state;
	assert_int_equal(ticket_table_new(&t), OK);
	assert_int_equal(ticket_make(t, &who, &execution, 1000, text), OK);
	for (size_t i = 0; i < TICKET_TEXT - 1; i++) {
		memcpy(wrong, text, sizeof(wrong));
		wrong[i] = wrong[i] == '0' ? '1' : '0';
		assert_int_equal(
		    ticket_take(t, wrong, 1000, &got), ERR_NOT_FOUND);
		memcpy(wrong, text, sizeof(wrong));
		wrong[i] = '\0';
		assert_int_equal(
		    ticket_take(t, wrong, 1000, &got), ERR_NOT_FOUND);
	}
	assert_int_equal(
	    ticket_take(t,
		"st_zzzz0000000000000000000000000000000000000000000000000",
		1000, &got),
	    ERR_NOT_FOUND);
	assert_int_equal(ticket_take(t, text, 1000, &got), OK);
	ticket_table_free(t);
}

static void one_keys_tickets_do_not_push_out_anothers(void **state)
{
	struct principal mine = someone(), theirs = someone(), got;
	struct id execution = id_new();
	char kept[TICKET_TEXT], text[TICKET_TEXT], first[TICKET_TEXT];
	struct tickets *t;

	(void)state;
	assert_int_equal(ticket_table_new(&t), OK);
	assert_int_equal(ticket_make(t, &mine, &execution, 1000, kept), OK);
	for (int i = 0; i <= TICKET_MAX_PER_KEY; i++)
		assert_int_equal(ticket_make(t, &theirs, &execution, 1000 + i,
				     i == 0 ? first : text),
		    OK);
	assert_int_equal(ticket_take(t, first, 2000, &got), ERR_NOT_FOUND);
	assert_int_equal(ticket_take(t, text, 2000, &got), OK);
	assert_int_equal(ticket_take(t, kept, 2000, &got), OK);
	ticket_table_free(t);
}

static void a_full_table_refuses_until_tickets_are_old(void **state)
{
	struct principal who = someone();
	struct id execution = id_new();
	char text[TICKET_TEXT];
	struct tickets *t;

	(void)state;
	assert_int_equal(ticket_table_new(&t), OK);
	for (int i = 0; i < TICKET_MAX; i++) {
		if (i % TICKET_MAX_PER_KEY == 0)
			who = someone();
		assert_int_equal(
		    ticket_make(t, &who, &execution, 1000, text), OK);
	}
	who = someone();
	assert_int_equal(
	    ticket_make(t, &who, &execution, 1000, text), ERR_LIMIT);
	assert_int_equal(
	    ticket_make(t, &who, &execution, 1000 + TICKET_MS, text), OK);
	ticket_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ticket_is_good_once),
		cmocka_unit_test(a_ticket_lasts_its_time_and_no_longer),
		cmocka_unit_test(what_is_no_ticket_opens_nothing),
		cmocka_unit_test(one_keys_tickets_do_not_push_out_anothers),
		cmocka_unit_test(a_full_table_refuses_until_tickets_are_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
