#include "server/retain.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/mailbox.h"
#include "store/query.h"
#include "store/store.h"
#include "store/writer_wait.h"

/* Between two looks at the room, and between two passes for its sake. */
#define DISK_LOOK_MS 1000
#define DISK_PASS_MS 60000
/* A pass that could not be finished is tried again. */
#define AGAIN_MS 60000
/* Before anything new is refused: this many quarters of the reserve are left. */
#define DISK_QUARTERS 5
/* A rest is as long as the batch before it took, within these. */
#define REST_MIN_MS 1
#define REST_MAX_MS 1000

struct retain {
	struct retain_options o;
	struct retention_rule rules[RETENTION_MAX_RULES];
	pthread_t thread;
	bool running;	    /* the thread is there to be joined */
	struct mailbox box; /* closed: the end; nothing is ever posted */
	pthread_mutex_t lock;
	struct retain_stats stats; /* guarded by lock */
};

/* One pass, and what it did. */
struct pass {
	const char *reason;
	uint64_t executions, payloads, chunks, bytes, tombstones;
	struct audit whole, payload; /* what the audit says of each */
	struct retention_batch batch;
	struct writer_waiting w;
};

/* Wait so long, or until the end: then false. */
static bool rest(struct retain *r, int64_t ms)
{
	if (!mailbox_closed(&r->box))
		(void)mailbox_wait(&r->box, (int)ms);
	return !mailbox_closed(&r->box);
}

/* As long as it took: half of the writer is for others. */
static bool rest_after(struct retain *r, int64_t begun_ms)
{
	int64_t ms = clock_mono_ms() - begun_ms;

	if (ms < REST_MIN_MS)
		ms = REST_MIN_MS;
	return rest(r, ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

static enum err prune(struct retain *r, struct pass *p, const struct id *ids,
    uint32_t n, bool payload_only)
{
	enum err rc;

	if (n == 0)
		return OK;
	p->w.write = (struct write){ .kind = WRITE_PRUNE,
		.audit = payload_only ? &p->payload : &p->whole };
	p->w.write.u.prune.ids = ids;
	p->w.write.u.prune.n = n;
	p->w.write.u.prune.payload_only = payload_only;
	rc = writer_wait(r->o.store, &p->w);
	if (payload_only)
		p->payloads += p->w.write.u.prune.gone.executions;
	else
		p->executions += p->w.write.u.prune.gone.executions;
	p->chunks += p->w.write.u.prune.gone.chunks;
	p->bytes += p->w.write.u.prune.gone.bytes;
	return rc;
}

/* ERR_CANCELLED: the end came. */
static enum err by_rules(struct retain *r, struct pass *p, struct query *q)
{
	struct retention *look = NULL;
	enum err rc;

	if (r->o.n_rules == 0)
		return OK;
	rc =
	    retention_new(r->rules, r->o.n_rules, clock_wall_ms(), NULL, &look);
	while (rc == OK) {
		int64_t begun_ms = clock_mono_ms();

		rc = retention_step(
		    look, retention_walk, q, RETENTION_BATCH, &p->batch);
		if (rc == OK)
			rc = prune(
			    r, p, p->batch.whole, p->batch.n_whole, false);
		if (rc == OK)
			rc = prune(
			    r, p, p->batch.payload, p->batch.n_payload, true);
		if (rc != OK || p->batch.done)
			break;
		if (!rest_after(r, begun_ms))
			rc = ERR_CANCELLED;
	}
	retention_free(look);
	return rc;
}

static enum err forget(struct retain *r, struct pass *p)
{
	int64_t before_ms = clock_wall_ms() - r->o.tombstones_ms;
	enum err rc = OK;

	while (rc == OK) {
		int64_t begun_ms = clock_mono_ms();

		p->w.write = (struct write){ .kind = WRITE_TOMBSTONES_DROP };
		p->w.write.u.tombstones_drop.before_ms = before_ms;
		p->w.write.u.tombstones_drop.limit = WRITE_TOMBSTONES_MAX;
		rc = writer_wait(r->o.store, &p->w);
		if (rc != OK)
			break;
		p->tombstones += p->w.write.u.tombstones_drop.dropped;
		if (p->w.write.u.tombstones_drop.dropped < WRITE_TOMBSTONES_MAX)
			break;
		if (!rest_after(r, begun_ms))
			rc = ERR_CANCELLED;
	}
	return rc;
}

static void count(struct retain *r, const struct pass *p)
{
	pthread_mutex_lock(&r->lock);
	r->stats.passes++;
	r->stats.executions += p->executions;
	r->stats.payloads += p->payloads;
	r->stats.bytes += p->bytes;
	r->stats.tombstones += p->tombstones;
	r->stats.last_ms = clock_wall_ms();
	pthread_mutex_unlock(&r->lock);
}

static void describe(const struct retain *r, struct audit *a,
    const char *action, const char *reason)
{
	a->operation = id_new();
	snprintf(a->actor, sizeof(a->actor), "retention");
	snprintf(a->action, sizeof(a->action), "%s", action);
	snprintf(a->detail, sizeof(a->detail),
	    "{\"rules\":%zu,\"reason\":\"%s\"}", r->o.n_rules, reason);
}

/* False: it is to be tried again soon. */
static bool pass(struct retain *r, struct query *q, const char *reason)
{
	struct pass *p = calloc(1, sizeof(*p));
	int64_t begun_ms = clock_mono_ms();
	enum err rc = ERR_NOMEM;

	if (!p)
		goto out;
	p->reason = reason;
	describe(r, &p->whole, "prune", reason);
	describe(r, &p->payload, "prune.payload", reason);
	rc = by_rules(r, p, q);
	if (rc == OK)
		rc = forget(r, p);
	count(r, p);
	log_info("retain", "pass",
	    "reason=%s result=%s executions=%llu payloads=%llu chunks=%llu "
	    "bytes=%llu tombstones=%llu ms=%lld",
	    reason, rc == OK ? "ok" : err_name(rc),
	    (unsigned long long)p->executions, (unsigned long long)p->payloads,
	    (unsigned long long)p->chunks, (unsigned long long)p->bytes,
	    (unsigned long long)p->tombstones,
	    (long long)(clock_mono_ms() - begun_ms));
out:
	if (rc != OK && rc != ERR_CANCELLED && rc != ERR_STOPPED)
		log_warn("retain", "pass not finished", "reason=%s detail=%s",
		    err_name(rc), p ? p->w.write.why.text : "");
	free(p);
	return rc == OK;
}

static bool disk_is_low(const struct retain *r)
{
	struct store_room room;

	if (r->o.n_rules == 0)
		return false;
	store_room(r->o.store, &room);
	return room.low ||
	       (room.disk_bytes != 0 &&
		   room.free_bytes < room.reserve_bytes / 4 * DISK_QUARTERS);
}

/* Sleep until the next pass. Gives its reason; NULL: the end. */
static const char *sleep_until_next(struct retain *r, bool finished)
{
	int64_t ended_ms = clock_mono_ms();
	int64_t wait_ms =
	    !finished && r->o.every_ms > AGAIN_MS ? AGAIN_MS : r->o.every_ms;
	int64_t until_ms = ended_ms + wait_ms;
	int64_t disk_ms = r->o.disk_ms > 0 ? r->o.disk_ms : DISK_PASS_MS;
	int64_t look_ms = disk_ms < DISK_LOOK_MS ? disk_ms : DISK_LOOK_MS;

	for (;;) {
		int64_t now_ms = clock_mono_ms(), left = until_ms - now_ms;

		if (left <= 0)
			return "time";
		if (now_ms - ended_ms >= disk_ms && disk_is_low(r))
			return "disk";
		if (!rest(r, left < look_ms ? left : look_ms))
			return NULL;
	}
}

static void *run(void *arg)
{
	const char *reason = "start";
	struct retain *r = arg;
	struct query *q = NULL;

	while (reason) {
		enum err rc = q ? OK : query_open(r->o.store, &q);
		bool finished = false;

		if (rc == OK)
			finished = pass(r, q, reason);
		else
			log_warn(
			    "retain", "no pass", "reason=%s", err_name(rc));
		reason = sleep_until_next(r, finished);
	}
	query_close(q);
	return NULL;
}

enum err retain_start(
    const struct retain_options *options, struct retain **ret, struct why *why)
{
	sigset_t all, old;
	struct retain *r;
	int rc;

	if (options->n_rules > RETENTION_MAX_RULES) {
		err_why(why, "more than %d rules of retention",
		    RETENTION_MAX_RULES);
		return ERR_INPUT;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return ERR_NOMEM;
	r->o = *options;
	if (r->o.n_rules > 0)
		memcpy(r->rules, options->rules,
		    r->o.n_rules * sizeof(r->rules[0]));
	r->stats.rules = r->o.n_rules;
	pthread_mutex_init(&r->lock, NULL);
	mailbox_init(&r->box, 1, 1, NULL, NULL);
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&r->thread, NULL, run, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	r->running = rc == 0;
	if (rc != 0) {
		err_why(why, "cannot start a thread for retention");
		retain_free(r);
		return ERR_NOMEM;
	}
	*ret = r;
	return OK;
}

void retain_end(struct retain *r)
{
	if (!r || !r->running)
		return;
	mailbox_close(&r->box);
	pthread_join(r->thread, NULL);
	r->running = false;
}

void retain_free(struct retain *r)
{
	if (!r)
		return;
	retain_end(r);
	mailbox_fini(&r->box);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

void retain_stats(struct retain *r, struct retain_stats *ret)
{
	pthread_mutex_lock(&r->lock);
	*ret = r->stats;
	pthread_mutex_unlock(&r->lock);
}
