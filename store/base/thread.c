#include "store/base/thread.h"

#include <signal.h>

static bool holding;

enum err thread_start(struct thread *t, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int rc = 0;

	*t = (struct thread){ .run = run, .arg = arg, .held = holding };
	if (!t->held) {
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		rc = pthread_create(&t->id, NULL, run, arg);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	t->started = rc == 0;
	return rc == 0 ? OK : ERR_NOMEM;
}

void thread_join(struct thread *t)
{
	if (!t->started)
		return;
	t->started = false;
	if (t->held)
		t->run(t->arg);
	else
		pthread_join(t->id, NULL);
}

void thread_hold(bool hold)
{
	holding = hold;
}
