/*
 * pump_internal: a thread's private half: pump.c is its turn, pump_jobs.c its
 * runs.
 *
 * Used by: pump, pump_jobs.          Thread: the pump's.
 */
#ifndef WORKER_PUMP_INTERNAL_H
#define WORKER_PUMP_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "store/base/thread.h"
#include "worker/pump.h"
#include "worker/roster.h"
#include "worker/timer.h"

struct fetch;
struct fetch_pool;
struct inbox;
struct inbox_order;

/* A run and what it holds outside. */
struct job {
	struct roster_entry entry; /* first */
	struct pump *pump;
	struct run *run;     /* NULL: only the fetch lingers */
	struct fetch *fetch; /* NULL: not begun, or dropped */
	struct timer timer;
	bool waiting, touched, paused, fetch_over;
	size_t lingered; /* bytes */
	TAILQ_ENTRY(job) all, list, pausing;
};
TAILQ_HEAD(job_list, job);

/* Written by the pump's thread alone. */
struct pump_counters {
	_Atomic uint64_t submitted, completed, failed, cancelled;
	_Atomic uint64_t live, streaming, paused, bytes, events;
};

struct pump {
	struct pump_options options;
	struct thread thread;
	struct inbox *inbox;
	struct fetch_pool *pool;
	struct timer_heap timers;
	struct roster roster;
	struct run_env env;
	struct batch batch;
	/* waiting and touched share one link: a waiting job has no fetch */
	struct job_list all, waiting, touched, paused;
	size_t n_jobs, n_lingering, n_paused, n_live;
	uint64_t submitted, bytes;
	size_t under_way; /* bytes posted, not yet acknowledged */
	unsigned n_under_way;
	bool choked;	 /* the writer is behind: bytes are refused */
	bool gone;	 /* the store has stopped: so have we */
	int64_t stop_ms; /* when what still runs is interrupted */
	bool closing;	 /* nothing begins any more, nothing waits */
	struct pump_counters counters;
};

/* A turn's batch is posted early, and reading stops, above this. */
#define PUMP_TURN_BYTES ((size_t)1 << 20)
/* A turn takes from upstreams no longer than this: a cancel waits for it. */
#define PUMP_TURN_MS 20

/* A submitted execution becomes a job that waits. */
void pump_jobs_accept(struct pump *p, struct inbox_order *o);
/* Start as many of those that wait as there are slots, and room for. */
void pump_jobs_begin(struct pump *p);
void pump_jobs_cancel(struct pump *p, const struct id *id);
/* Tell the jobs whose deadlines have passed. */
void pump_jobs_fire(struct pump *p);
/* Is the store behind, so that no more may be taken from upstreams? */
bool pump_jobs_behind(const struct pump *p);
/* The same, or this turn has lasted long enough. */
bool pump_jobs_full(const struct pump *p);
/* Take bytes again, as far as there is room. */
void pump_jobs_resume(struct pump *p);
/* Act upon what happened to the touched ones, outside of curl's callbacks. */
void pump_jobs_settle(struct pump *p);
/* Begin nothing from now on; what has not begun is forgotten. */
void pump_jobs_close(struct pump *p);
/*
 * End what has begun by ${end}: run_interrupt() after pump_jobs_close(), which
 * may rather be left to recovery, or run_no_room().
 */
void pump_jobs_end(struct pump *p, void (*end)(struct run *r));
/* Forget them all, in silence. */
void pump_jobs_drop(struct pump *p);

#endif
