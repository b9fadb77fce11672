/*
 * What a pump is made of: deadlines, the roster, the slots, the inbox.
 * worker_test.c has the whole of it against a real store.
 */
#include "worker/pump.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "worker/inbox.h"
#include "worker/roster.h"
#include "worker/slots.h"
#include "worker/timer.h"

#define N 1000

static void deadlines_come_in_order_however_they_were_set(void **state)
{
	static struct timer t[N];
	struct timer_heap h;
	int64_t last = -1;
	unsigned left = 0;

	(void)state;
	srandom(1);
	timer_heap_init(&h);
	assert_int_equal(timer_reserve(&h, N), OK);
	for (int i = 0; i < N; i++)
		timer_set(&h, &t[i], random() % 500);
	for (int i = 0; i < N; i += 3)
		timer_set(&h, &t[i], random() % 500); /* moved */
	for (int i = 0; i < N; i += 5)
		timer_drop(&h, &t[i]);
	timer_drop(&h, &t[0]); /* twice is harmless */
	for (struct timer *f; (f = timer_first(&h)) != NULL; left++) {
		assert_true(f->at_ms >= last);
		assert_int_not_equal((f - t) % 5, 0);
		last = f->at_ms;
		timer_drop(&h, f);
		assert_int_equal(f->place, 0);
	}
	assert_int_equal(left, N - N / 5);
	timer_heap_fini(&h);
}

static void the_roster_finds_whom_it_has_and_nobody_else(void **state)
{
	static struct roster_entry e[N];
	struct roster r;
	struct id stranger = id_new();

	(void)state;
	assert_int_equal(roster_init(&r), OK);
	for (int i = 0; i < N; i++) {
		e[i].id = id_new();
		assert_int_equal(roster_add(&r, &e[i]), OK);
	}
	assert_int_equal(
	    roster_add(&r, &(struct roster_entry){ .id = e[7].id }),
	    ERR_CONFLICT);
	for (int i = 0; i < N; i += 2)
		roster_drop(&r, &e[i]);
	for (int i = 0; i < N; i++)
		assert_ptr_equal(
		    roster_find(&r, &e[i].id), i % 2 == 0 ? NULL : &e[i]);
	assert_null(roster_find(&r, &stranger));
	assert_int_equal(r.n, N / 2);
	roster_fini(&r);
}

static void count(void *arg)
{
	++*(int *)arg;
}

static void places_are_reserved_and_slots_wake_who_waits(void **state)
{
	struct slots s;
	int woken = 0;

	(void)state;
	slots_init(&s, 2, count, &woken);
	assert_int_equal(slots_reserve(&s), OK);
	assert_int_equal(slots_reserve(&s), OK);
	assert_int_equal(slots_reserve(&s), ERR_LIMIT);
	slots_release(&s);
	slots_enter(&s); /* of the one that is reserved */
	assert_int_equal(slots_reserve(&s), OK);
	assert_int_equal(slots_reserve(&s), ERR_LIMIT);
	slots_enter(&s);
	slots_enter(&s); /* recovery need not reserve */
	assert_true(slots_take(&s));
	assert_true(slots_take(&s));
	slots_leave(&s, false);
	assert_int_equal(woken, 0);
	assert_false(slots_take(&s));
	slots_leave(&s, true);
	assert_int_equal(woken, 1);
	assert_true(slots_take(&s));
	slots_leave(&s, true);
	assert_int_equal(woken, 1); /* nobody asked meanwhile */
	slots_fini(&s);
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void orders_come_out_as_they_went_in(void **state)
{
	struct inbox *in;
	struct inbox_order *o;
	struct execution *e = execution_new();
	struct worker_key *key = NULL;
	struct id id = id_new();
	int64_t drain;

	(void)state;
	assert_int_equal(inbox_new(&in), OK);
	assert_false(readable(inbox_fd(in)));
	assert_int_equal(inbox_submit(in, &e, &key), OK);
	assert_null(e);
	assert_int_equal(inbox_cancel(in, &id), OK);
	assert_true(readable(inbox_fd(in)));
	inbox_hush(in);
	assert_false(readable(inbox_fd(in)));
	o = inbox_next_order(in);
	assert_int_equal(o->kind, INBOX_SUBMIT);
	inbox_order_free(o);
	o = inbox_next_order(in);
	assert_int_equal(o->kind, INBOX_CANCEL);
	assert_true(id_equal(&o->id, &id));
	inbox_order_free(o);
	assert_null(inbox_next_order(in));
	assert_false(inbox_stopping(in, &drain));
	inbox_stop(in, 7);
	assert_true(readable(inbox_fd(in)));
	assert_true(inbox_stopping(in, &drain));
	assert_int_equal(drain, 7);
	/* what is inside when it closes is freed, not leaked */
	assert_int_equal(inbox_cancel(in, &id), OK);
	inbox_close(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_come_in_order_however_they_were_set),
		cmocka_unit_test(the_roster_finds_whom_it_has_and_nobody_else),
		cmocka_unit_test(places_are_reserved_and_slots_wake_who_waits),
		cmocka_unit_test(orders_come_out_as_they_went_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
