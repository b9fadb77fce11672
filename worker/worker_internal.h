/*
 * worker_internal: the worker's turns, for whoever holds its threads.
 *
 * Used by: worker, tests/sim.          Thread: the only one.
 */
#ifndef WORKER_WORKER_INTERNAL_H
#define WORKER_WORKER_INTERNAL_H

struct worker;

/* One turn of each thread, by hand (base/thread.h). */
void worker_turn(struct worker *w);

#endif
