#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "store/base/mailbox.h"

struct letter {
	struct mail mail;
	int from, number;
};

static atomic_int wakes;

static void on_wake(void *arg)
{
	assert_int_equal(*(int *)arg, 7);
	atomic_fetch_add(&wakes, 1);
}

static void mails_come_out_in_the_order_they_went_in(void **state)
{
	struct letter l[5];
	struct mailbox box;
	struct mail *m;

	(void)state;
	mailbox_init(&box, 10, 1000, NULL, NULL);
	assert_null(mailbox_take(&box));
	for (int i = 0; i < 5; i++) {
		l[i] = (struct letter){ .mail.bytes = 10, .number = i };
		assert_int_equal(mailbox_post(&box, &l[i].mail), OK);
	}
	assert_int_equal(mailbox_bytes(&box), 50);
	m = mailbox_take(&box);
	for (int i = 0; i < 5; i++, m = m->next)
		assert_int_equal(((struct letter *)m)->number, i);
	assert_null(m);
	assert_null(mailbox_take(&box));
	assert_int_equal(mailbox_bytes(&box), 0);
	/* And again after it was emptied. */
	assert_int_equal(mailbox_post(&box, &l[3].mail), OK);
	m = mailbox_take(&box);
	assert_ptr_equal(m, &l[3].mail);
	assert_null(m->next);
	mailbox_fini(&box);
}

static void a_full_box_refuses_by_count_and_by_weight(void **state)
{
	struct letter l[4] = { 0 }, heavy = { .mail.bytes = 1000 };
	struct mailbox box;

	(void)state;
	mailbox_init(&box, 3, 100, NULL, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mailbox_post(&box, &l[i].mail), OK);
	assert_int_equal(mailbox_post(&box, &l[3].mail), ERR_LIMIT);
	assert_int_equal(mailbox_post_always(&box, &l[3].mail), OK);
	mailbox_take(&box);

	/* One that is heavier than the box fits when it is alone. */
	assert_int_equal(mailbox_post(&box, &heavy.mail), OK);
	assert_int_equal(mailbox_post(&box, &l[0].mail), ERR_LIMIT);
	mailbox_take(&box);
	l[0].mail.bytes = 60;
	l[1].mail.bytes = 40;
	l[2].mail.bytes = 1;
	assert_int_equal(mailbox_post(&box, &l[0].mail), OK);
	assert_int_equal(mailbox_post(&box, &l[1].mail), OK);
	assert_int_equal(mailbox_post(&box, &l[2].mail), ERR_LIMIT);
	mailbox_take(&box);
	mailbox_fini(&box);
}

static void the_owner_is_woken_only_when_the_box_stops_being_empty(void **state)
{
	struct letter l[3] = { 0 };
	struct mailbox box;
	int arg = 7;

	(void)state;
	wakes = 0;
	mailbox_init(&box, 10, 100, on_wake, &arg);
	assert_int_equal(mailbox_post(&box, &l[0].mail), OK);
	assert_int_equal(mailbox_post(&box, &l[1].mail), OK);
	assert_int_equal(wakes, 1);
	mailbox_take(&box);
	assert_int_equal(mailbox_post_always(&box, &l[2].mail), OK);
	assert_int_equal(wakes, 2);
	mailbox_close(&box);
	assert_int_equal(wakes, 3);
	mailbox_take(&box);
	mailbox_fini(&box);
}

static void a_closed_box_takes_no_mail_but_gives_what_it_has(void **state)
{
	struct letter l[2] = { 0 };
	struct mailbox box;

	(void)state;
	mailbox_init(&box, 10, 100, NULL, NULL);
	assert_int_equal(mailbox_post(&box, &l[0].mail), OK);
	assert_false(mailbox_closed(&box));
	mailbox_close(&box);
	assert_true(mailbox_closed(&box));
	assert_int_equal(mailbox_post(&box, &l[1].mail), ERR_STOPPED);
	assert_int_equal(mailbox_post_always(&box, &l[1].mail), ERR_STOPPED);
	assert_ptr_equal(mailbox_wait(&box, -1), &l[0].mail);
	assert_null(mailbox_wait(&box, -1)); /* returns, being closed */
	mailbox_fini(&box);
}

static void a_wait_ends_when_its_time_has_passed(void **state)
{
	struct mailbox box;

	(void)state;
	mailbox_init(&box, 10, 100, NULL, NULL);
	assert_null(mailbox_wait(&box, 0));
	assert_null(mailbox_wait(&box, 5));
	mailbox_fini(&box);
}

static void *close_box(void *arg)
{
	mailbox_close(arg);
	return NULL;
}

static void closing_wakes_one_who_waits_for_ever(void **state)
{
	struct mailbox box;
	pthread_t thread;

	(void)state;
	mailbox_init(&box, 10, 100, NULL, NULL);
	assert_int_equal(pthread_create(&thread, NULL, close_box, &box), 0);
	assert_null(mailbox_wait(&box, -1));
	pthread_join(thread, NULL);
	mailbox_fini(&box);
}

enum { POSTERS = 4, EACH = 20000 };

struct poster {
	struct mailbox *box;
	int number;
};

static void *post_many(void *arg)
{
	struct poster *p = arg;

	for (int i = 0; i < EACH; i++) {
		struct letter *l = malloc(sizeof(*l));

		*l = (struct letter){
			.mail.bytes = 1, .from = p->number, .number = i
		};
		while (mailbox_post(p->box, &l->mail) == ERR_LIMIT)
			sched_yield();
	}
	return NULL;
}

static void many_posters_lose_nothing_and_keep_their_order(void **state)
{
	struct poster posters[POSTERS];
	pthread_t thread[POSTERS];
	int next[POSTERS] = { 0 }, total = 0;
	struct mailbox box;

	(void)state;
	mailbox_init(&box, 100, 1000, NULL, NULL);
	for (int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){ &box, i };
		assert_int_equal(
		    pthread_create(&thread[i], NULL, post_many, &posters[i]),
		    0);
	}
	while (total < POSTERS * EACH) {
		struct mail *m = mailbox_wait(&box, 10000);
		int n = 0;

		assert_non_null(m);
		while (m != NULL) {
			struct letter *l = (struct letter *)m;

			m = m->next;
			assert_int_equal(l->number, next[l->from]);
			next[l->from]++;
			free(l);
			n++;
		}
		assert_true(n <= 100);
		total += n;
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	assert_null(mailbox_take(&box));
	mailbox_fini(&box);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mails_come_out_in_the_order_they_went_in),
		cmocka_unit_test(a_full_box_refuses_by_count_and_by_weight),
		cmocka_unit_test(
		    the_owner_is_woken_only_when_the_box_stops_being_empty),
		cmocka_unit_test(
		    a_closed_box_takes_no_mail_but_gives_what_it_has),
		cmocka_unit_test(a_wait_ends_when_its_time_has_passed),
		cmocka_unit_test(closing_wakes_one_who_waits_for_ever),
		cmocka_unit_test(
		    many_posters_lose_nothing_and_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
