#include "store/base/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct seen {
	pthread_t self;
	bool blocked, ran;
};

static void *look(void *arg)
{
	struct seen *s = arg;
	sigset_t now;

	pthread_sigmask(SIG_SETMASK, NULL, &now);
	s->blocked = sigismember(&now, SIGTERM) == 1;
	s->self = pthread_self();
	s->ran = true;
	return NULL;
}

static void a_thread_takes_no_signals_and_its_starter_does(void **state)
{
	struct thread t = { 0 };
	struct seen s = { 0 };
	sigset_t now;

	(void)state;
	assert_int_equal(thread_start(&t, look, &s), OK);
	thread_join(&t);
	assert_true(s.ran && s.blocked);
	assert_false(pthread_equal(s.self, pthread_self()));
	pthread_sigmask(SIG_SETMASK, NULL, &now);
	assert_int_equal(sigismember(&now, SIGTERM), 0);
}

static void one_that_never_started_is_joined_at_once(void **state)
{
	struct thread t = { 0 };

	(void)state;
	thread_join(&t);
}

static void a_held_thread_runs_when_it_is_joined(void **state)
{
	struct thread t = { 0 };
	struct seen s = { 0 };

	(void)state;
	thread_hold(true);
	assert_int_equal(thread_start(&t, look, &s), OK);
	thread_hold(false);
	assert_false(s.ran);
	thread_join(&t);
	assert_true(s.ran);
	assert_true(pthread_equal(s.self, pthread_self()));
	s.ran = false;
	thread_join(&t);
	assert_false(s.ran);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_thread_takes_no_signals_and_its_starter_does),
		cmocka_unit_test(one_that_never_started_is_joined_at_once),
		cmocka_unit_test(a_held_thread_runs_when_it_is_joined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
