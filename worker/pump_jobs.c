#include <stddef.h>
#include <stdlib.h>

#include "store/base/clock.h"
#include "store/writer.h"
#include "worker/fetch.h"
#include "worker/inbox.h"
#include "worker/past.h"
#include "worker/pump_internal.h"
#include "worker/slots.h"

/*
 * An answer's end is known before its HTTP body ends. Waiting a moment for
 * the rest lets the connection, and its TLS handshake, be used again.
 */
#define LINGER_MS 250
#define LINGER_BYTES ((size_t)64 << 10)
#define MAX_LINGERING 256
/* How long an upstream may take to hear that it is not wanted any more. */
#define FAREWELL_MS 10000

static void touch(struct job *j)
{
	if (j->touched)
		return;
	j->touched = true;
	TAILQ_INSERT_TAIL(&j->pump->touched, j, list);
}

/* --- back-pressure --- */

bool pump_jobs_behind(const struct pump *p)
{
	return p->choked || p->batch.bytes.len >= PUMP_TURN_BYTES ||
	       p->under_way + p->batch.bytes.len > p->options.max_backlog_bytes;
}

bool pump_jobs_full(const struct pump *p)
{
	/*
	 * curl reads on for as long as any upstream has something to say; only
	 * a pause ends that, and lets orders, deadlines and acks have a turn.
	 */
	return pump_jobs_behind(p) ||
	       clock_mono_ms() - p->env.mono_ms >= PUMP_TURN_MS;
}

static void unpause(struct job *j)
{
	if (!j->paused)
		return;
	j->paused = false;
	j->pump->n_paused--;
	TAILQ_REMOVE(&j->pump->paused, j, pausing);
	if (j->run != NULL)
		run_resume(j->run);
}

void pump_jobs_resume(struct pump *p)
{
	struct job *last = TAILQ_LAST(&p->paused, job_list), *j;

	while (!pump_jobs_full(p) && (j = TAILQ_FIRST(&p->paused)) != NULL) {
		unpause(j);
		touch(j);
		fetch_resume(j->fetch);
		if (j == last)
			break;
	}
}

/* --- what fetches tell --- */

static void on_connected(void *arg)
{
	struct job *j = arg;

	if (j->run != NULL)
		run_connected(j->run);
	touch(j);
}

static void on_head(void *arg, const struct dialect_head *head)
{
	struct job *j = arg;

	if (j->run != NULL)
		run_head(j->run, head);
	touch(j);
}

static enum fetch_take on_body(void *arg, const char *bytes, size_t len)
{
	struct job *j = arg;
	struct pump *p = j->pump;

	touch(j);
	if (j->run == NULL || run_ended(j->run)) {
		j->lingered += len;
		return FETCH_TAKEN;
	}
	if (pump_jobs_full(p)) {
		if (!j->paused) {
			j->paused = true;
			p->n_paused++;
			TAILQ_INSERT_TAIL(&p->paused, j, pausing);
			run_pause(j->run);
		}
		return FETCH_PAUSE;
	}
	p->bytes += len;
	run_body(j->run, bytes, len);
	return FETCH_TAKEN;
}

static void on_over(void *arg, enum fetch_end end, const char *detail)
{
	struct job *j = arg;

	j->fetch_over = true;
	if (j->run != NULL)
		run_over(j->run, end, detail);
	touch(j);
}

static const struct fetch_events fetch_events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_body = on_body,
	.on_over = on_over,
};

/* --- jobs --- */

static void drop_fetch(struct job *j)
{
	unpause(j);
	fetch_free(j->fetch);
	j->fetch = NULL;
}

static void job_free(struct job *j)
{
	struct pump *p = j->pump;

	if (j->waiting)
		TAILQ_REMOVE(&p->waiting, j, list);
	if (j->touched)
		TAILQ_REMOVE(&p->touched, j, list);
	drop_fetch(j);
	timer_drop(&p->timers, &j->timer);
	TAILQ_REMOVE(&p->all, j, all);
	p->n_jobs--;
	free(j);
}

/* The run is over, or forgotten: it leaves the books. */
static void drop_run(struct job *j)
{
	struct pump *p = j->pump;
	bool live = !j->waiting;

	roster_drop(&p->roster, &j->entry);
	run_free(j->run);
	j->run = NULL;
	p->n_live--;
	slots_leave(p->options.slots, live);
}

/* A run for the order, which knows what a process before has made of it. */
static struct run *make_run(struct pump *p, struct inbox_order *o)
{
	bool begun = o->execution->attempts > 0;
	struct past past;
	struct run *r;

	past_init(&past);
	if (begun)
		past_read(p->options.store, o->execution, &past);
	r = run_new(&p->env, &o->execution);
	if (r != NULL)
		run_take_key(r, &o->key);
	if (begun && r != NULL)
		run_recall(r, &past);
	past_fini(&past);
	return r;
}

void pump_jobs_accept(struct pump *p, struct inbox_order *o)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL || timer_reserve(&p->timers, p->n_jobs + 1) != OK)
		goto refused;
	*j = (struct job){ .pump = p, .waiting = true };
	j->entry.id = o->execution->id;
	if (p->gone || p->closing || roster_add(&p->roster, &j->entry) != OK)
		goto refused; /* it is here already */
	j->run = make_run(p, o);
	if (j->run == NULL) {
		roster_drop(&p->roster, &j->entry);
		goto refused;
	}
	TAILQ_INSERT_TAIL(&p->all, j, all);
	TAILQ_INSERT_TAIL(&p->waiting, j, list);
	p->n_jobs++;
	p->n_live++;
	p->submitted++;
	return;
refused:
	/* it stays queued in the store, where the next start finds it */
	free(j);
	slots_leave(p->options.slots, false);
}

/* Begin an attempt of a job that has a slot. */
static void attempt(struct job *j)
{
	struct pump *p = j->pump;
	struct dialect_request request;
	enum err rc;

	dialect_request_init(&request);
	if (run_begin(j->run, &request)) {
		rc = fetch_start(p->pool, &request, p->options.max_answer_bytes,
		    &fetch_events, j, &j->fetch);
		if (rc != OK)
			run_over(j->run, FETCH_BROKEN,
			    "the request could not be sent");
	}
	dialect_request_fini(&request);
	touch(j);
}

/* A job whose turn has come: it has a slot. */
static void begin(struct job *j)
{
	TAILQ_REMOVE(&j->pump->waiting, j, list);
	j->waiting = false;
	attempt(j);
}

void pump_jobs_begin(struct pump *p)
{
	struct job *j;

	while (!p->closing && (j = TAILQ_FIRST(&p->waiting)) != NULL &&
	       writer_may_begin(p->options.store) &&
	       slots_take(p->options.slots))
		begin(j);
}

void pump_jobs_close(struct pump *p)
{
	struct job *j;

	p->closing = true;
	while ((j = TAILQ_FIRST(&p->waiting)) != NULL) {
		drop_run(j);
		job_free(j);
	}
}

void pump_jobs_cancel(struct pump *p, const struct id *id)
{
	struct job *j = (struct job *)roster_find(&p->roster, id);

	if (j == NULL)
		return; /* it has ended: normal */
	if (!j->waiting) {
		run_cancel(j->run);
		drop_fetch(j);
		touch(j);
		return;
	}
	run_cancel(j->run);
	drop_run(j);
	job_free(j);
}

/* Wait for the rest of a whole answer's body, or not. */
static bool may_linger(const struct job *j)
{
	return j->fetch != NULL && !j->fetch_over && !j->paused &&
	       !j->pump->gone && run_completed(j->run) &&
	       j->pump->n_lingering < MAX_LINGERING;
}

/*
 * An upstream that goes on without us is told to stop: its job stays for as long
 * as that takes.
 */
static bool says_farewell(struct job *j)
{
	struct dialect_request request;
	bool said = false;

	dialect_request_init(&request);
	if (!j->pump->gone && j->pump->n_lingering < MAX_LINGERING &&
	    run_farewell(j->run, &request)) {
		drop_fetch(j);
		j->fetch_over = false;
		said = fetch_start(j->pump->pool, &request,
			   j->pump->options.max_answer_bytes, &fetch_events, j,
			   &j->fetch) == OK;
	}
	dialect_request_fini(&request);
	return said;
}

/* Look at a job to which something happened. */
static void settle(struct job *j)
{
	struct pump *p = j->pump;
	int64_t deadline;
	bool linger, farewell;

	if (j->run == NULL) {
		if (!j->fetch_over && j->lingered <= LINGER_BYTES)
			return;
		p->n_lingering--;
		job_free(j);
		return;
	}
	if (run_ended(j->run)) {
		linger = may_linger(j);
		farewell = !linger && says_farewell(j);
		drop_run(j);
		if (!linger && !farewell) {
			job_free(j);
			return;
		}
		p->n_lingering++;
		timer_set(&p->timers, &j->timer,
		    p->env.mono_ms + (linger ? LINGER_MS : FAREWELL_MS));
		return;
	}
	if (run_resting(j->run)) {
		drop_fetch(j);
		j->fetch_over = false;
		if (run_due(j->run)) {
			attempt(j);
			return;
		}
	}
	if (run_streaming(j->run))
		fetch_forget_request(j->fetch);
	/* a deadline that moved away is noticed when the timer fires */
	deadline = run_deadline(j->run);
	if (j->timer.place == 0 || deadline < j->timer.at_ms)
		timer_set(&p->timers, &j->timer, deadline);
}

void pump_jobs_settle(struct pump *p)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&p->touched)) != NULL) {
		TAILQ_REMOVE(&p->touched, j, list);
		j->touched = false;
		settle(j);
	}
}

void pump_jobs_fire(struct pump *p)
{
	struct timer *t;
	struct job *j;

	while ((t = timer_first(&p->timers)) != NULL &&
	       t->at_ms <= p->env.mono_ms) {
		j = (struct job *)((char *)t - offsetof(struct job, timer));
		timer_drop(&p->timers, t);
		if (j->run == NULL) {
			p->n_lingering--;
			job_free(j);
			continue;
		}
		run_tick(j->run);
		touch(j);
	}
}

void pump_jobs_end(struct pump *p, void (*end)(struct run *r))
{
	struct job *j, *next;

	for (j = TAILQ_FIRST(&p->all); j != NULL; j = next) {
		next = TAILQ_NEXT(j, all);
		if (j->run == NULL || j->waiting)
			continue;
		if (end == run_interrupt &&
		    (p->options.limits.recover != RUN_RECOVER_FAIL ||
			run_attach_held(j->run))) {
			/* the next start goes on with what is stored */
			drop_run(j);
			job_free(j);
			continue;
		}
		end(j->run);
		drop_fetch(j);
		touch(j);
	}
}

void pump_jobs_drop(struct pump *p)
{
	struct job *j;

	while ((j = TAILQ_FIRST(&p->all)) != NULL) {
		if (j->run != NULL)
			drop_run(j);
		else
			p->n_lingering--;
		job_free(j);
	}
}
