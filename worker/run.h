/*
 * run: one execution's life in the worker: the state machine. It has no
 * sockets: the pump fetches for it and tells it what came.
 *
 * Used by: pump.          Thread: the pump's.
 * Promises: from run_new() on there is exactly one BATCH_END, given at the
 * moment at which run_ended() becomes true, and nothing after it. Text of two
 * attempts is never joined unless the second went on from the first.
 */
#ifndef WORKER_RUN_H
#define WORKER_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/execution.h"
#include "worker/dialect.h"
#include "worker/fetch.h"
#include "worker/interrupt.h"
#include "worker/retry.h"

struct past;
struct prices;
struct run;
struct seal;
struct store;
struct upstreams;
struct worker_key;

/* With what a process before left half-way (worker.h). */
enum run_recover {
	RUN_RECOVER_FAIL,
	RUN_RECOVER_RESTART,
	RUN_RECOVER_CONTINUE,
};

/* Times in ms; all set. */
struct run_limits {
	int64_t connect_ms;	/* from the attempt's begin */
	int64_t first_token_ms; /* from the connection */
	int64_t idle_ms;	/* from the last event that is no ping */
	int64_t total_ms;	/* from the first attempt's begin */
	uint64_t max_chunks;	/* of one answer, about */
	/* For requests that do not say; zeroes: one attempt, then fail. */
	struct retry_limits retry;
	enum interrupt on_interrupt;
	enum run_recover recover;
};

/* Of the runs of one thread. */
struct run_counts {
	uint64_t events, completed, failed, cancelled; /* since the start */
	uint64_t streaming;			       /* now */
};

/* What a thread lends its runs; outlives them. */
struct run_env {
	const struct upstreams *upstreams;
	struct prices *prices; /* NULL: none is known */
	/* Whose vault has owners' keys, and what opens them; NULL: none. */
	struct store *store;
	const struct seal *seal;
	struct run_limits limits;
	struct batch *batch; /* the present turn's */
	struct buf scratch;
	int64_t wall_ms, mono_ms; /* the present turn's */
	struct run_counts counts;
	uint64_t random; /* any seed; moves with every draw */
};

/*
 * A queued run of ${*e}, which it takes. Fails: NULL without memory; *e is
 * still the caller's.
 */
struct run *run_new(struct run_env *env, struct execution **e);

/*
 * Before it begins: a process before this one began it, and ${past} is what it
 * left in the log. Copies.
 */
void run_recall(struct run *r, const struct past *past);

/* Before it begins: takes the key that came with it; *${key} may be NULL. */
void run_take_key(struct run *r, struct worker_key **key);

/* NULL is nothing. Says nothing: a run that has not ended is forgotten. */
void run_free(struct run *r);

const struct id *run_id(const struct run *r);

bool run_streaming(const struct run *r);
bool run_ended(const struct run *r);

/* True when it ended with the answer's end, not with a failure or a cancel. */
bool run_completed(const struct run *r);

/*
 * Between two attempts: what was fetched for it is not heard any more and may
 * go. Due: the wait is over, run_begin() wants to be called.
 */
bool run_resting(const struct run *r);
bool run_due(const struct run *r);

/*
 * Begin an attempt, of a queued run or one that is due. True: fetch what is in
 * ${ret}, an initialised request, and tell what happens. False: it has ended
 * instead.
 */
bool run_begin(struct run *r, struct dialect_request *ret);

/* What the fetch tells (fetch.h). Harmless once it has ended. */
void run_connected(struct run *r);
void run_head(struct run *r, const struct dialect_head *head);
void run_body(struct run *r, const char *bytes, size_t len);
void run_over(struct run *r, enum fetch_end end, const char *detail);

/* We, not the upstream, are slow: no deadline but the total one counts. */
void run_pause(struct run *r);
void run_resume(struct run *r);

/* Somebody asked to stop it; the program stops; the disk is full. */
void run_cancel(struct run *r);
void run_interrupt(struct run *r);
void run_no_room(struct run *r);

/*
 * Does its upstream go on without us, so that the next process may hear the rest
 * of the answer?
 */
bool run_attach_held(const struct run *r);
/* It has ended, but its upstream goes on: ask ${ret} of it to stop. */
bool run_farewell(struct run *r, struct dialect_request *ret);

/* The earliest deadline, on the growing clock; INT64_MAX: none. */
int64_t run_deadline(const struct run *r);

/* End it when a deadline has passed. */
void run_tick(struct run *r);

#endif
