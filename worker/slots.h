/*
 * slots: how many executions there may be, and how many of them at once.
 *
 * A place is reserved before an execution is stored, so that what was accepted
 * can run; recovery brings what an earlier process accepted, which may be
 * more than there are slots: those wait.
 *
 * Used by: worker, pump.          Thread: any.
 */
#ifndef WORKER_SLOTS_H
#define WORKER_SLOTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

struct slots {
	/*
	 * Whenever the lock is free: live <= max and live <= runs; wanted
	 * says that somebody was refused a slot since wake was last called.
	 */
	pthread_mutex_t lock;
	unsigned max;
	unsigned reserved, runs, live;
	bool wanted;
	void (*wake)(void *arg); /* a slot that was wanted is free */
	void *arg;
};

void slots_init(
    struct slots *s, unsigned max, void (*wake)(void *arg), void *arg);
void slots_fini(struct slots *s);

/* Fails: ERR_LIMIT when reserved and submitted ones reach the maximum. */
MUST_CHECK enum err slots_reserve(struct slots *s);
/* Give a reserved place back. */
void slots_release(struct slots *s);

/* One came: a reserved place, if there is one, becomes a run. */
void slots_enter(struct slots *s);

/* Go live? When not, wake is called once it is worth asking again. */
bool slots_take(struct slots *s);

/* One went; ${live}: its slot is free. */
void slots_leave(struct slots *s, bool live);

#endif
