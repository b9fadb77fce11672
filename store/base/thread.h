/*
 * thread: one that goes on by itself until it is joined. It takes no signals:
 * those are the main thread's. Tests may hold threads still.
 *
 * Used by: the writer, the worker's pumps.     Thread: the owner's.
 */
#ifndef STORE_BASE_THREAD_H
#define STORE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "store/base/err.h"

/* {0} is not started. */
struct thread {
	pthread_t id;
	void *(*run)(void *arg);
	void *arg;
	bool started, held;
};

/* Run ${run}(${arg}) beside the caller. Fails: ERR_NOMEM. */
MUST_CHECK enum err thread_start(
    struct thread *t, void *(*run)(void *arg), void *arg);

/* Wait until it has ended. Nothing happens when it was not started. */
void thread_join(struct thread *t);

/*
 * For tests: threads started from now on stand still until they are joined,
 * and then run to their end inside thread_join(). Meanwhile whoever holds them
 * takes their turns by hand. Call from the only thread.
 */
void thread_hold(bool hold);

#endif
