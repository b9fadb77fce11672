#include "worker/pump.h"

#include <stdlib.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/writer.h"
#include "worker/fetch_pool.h"
#include "worker/inbox.h"
#include "worker/pump_internal.h"
#include "worker/worker.h"

/* What one body's last bytes can still add to a turn's batch, and then some. */
#define MAX_BATCH_BYTES ((size_t)1 << 30)
#define MAX_SCRATCH_BYTES ((size_t)256 << 20)
/* The writer drops a larger chunk; each byte may be told as \u00XX. */
_Static_assert(6 * DIALECT_MAX_TOOL_BYTES < WRITER_MAX_CHUNK_BYTES,
    "a tool call's arguments fit a chunk");
/* How often a paused pump asks whether others' bytes are written. */
#define PAUSED_POLL_MS 20
/* How often what waits for room on the disk asks for it. */
#define ROOM_POLL_MS 250
/*
 * At a stop: how long the writer may take for what it was given, so that its
 * fate can be told. What it has not done by then it does when the store closes.
 */
#define ACK_WAIT_MS 2000
#define ACK_WAIT_FULL_MS 250
/* A batch's memory that is kept for the next turn. */
#define SPARE_BYTES ((size_t)256 << 10)

static void look_at_backlog(struct pump *p)
{
	size_t max = p->options.max_backlog_bytes, most = p->under_way;
	size_t writers;

	writers = writer_backlog(p->options.store);
	if (writers > most)
		most = writers;
	if (most > max)
		p->choked = true;
	else if (most <= max / 2)
		p->choked = false;
}

/* What waits for room waits no longer than this: it ends, and says why. */
static void look_at_room(struct pump *p)
{
	if (p->n_under_way > 0 && !p->gone &&
	    writer_full_ms(p->options.store) >= WRITER_PATIENCE_MS)
		pump_jobs_end(p, run_no_room);
}

/* Does something wait for the writer, which does not wake us when it is late? */
static bool waits_for_room(const struct pump *p)
{
	return p->n_under_way > 0 || (!TAILQ_EMPTY(&p->waiting) &&
					 !writer_may_begin(p->options.store));
}

/* --- batches --- */

/* The store is down and says so itself; what runs here has no purpose. */
static void give_up(struct pump *p)
{
	p->gone = true;
	batch_fini(&p->batch);
	p->batch.n = 0;
	pump_jobs_drop(p);
}

/* Post what this turn has said so far. */
static void flush(struct pump *p)
{
	size_t bytes = p->batch.bytes.len;
	enum err rc;

	if (p->batch.n == 0)
		return;
	if (p->gone) {
		batch_fini(&p->batch);
		p->batch.n = 0;
		return;
	}
	/*
	 * A batch that is not whole must not be posted, and without it the
	 * logs would have holes: the next start settles them better.
	 */
	ASSERT(batch_state(&p->batch) == OK);
	rc = inbox_post(p->inbox, p->options.store, &p->batch);
	ASSERT(rc != ERR_NOMEM);
	if (rc != OK) {
		give_up(p);
		return;
	}
	p->under_way += bytes;
	p->n_under_way++;
}

static void take_acks(struct pump *p)
{
	struct inbox_ack *a;

	while ((a = inbox_next_ack(p->inbox)) != NULL) {
		struct batch *b = &a->write.u.batch;

		ASSERT(p->n_under_way > 0);
		p->n_under_way--;
		p->under_way -= b->bytes.len;
		/* ERR_LIMIT: a log was too long, the rest is stored */
		if (a->write.result != OK && a->write.result != ERR_LIMIT &&
		    !p->gone)
			give_up(p);
		if (p->batch.bytes.data == NULL &&
		    b->bytes.cap <= SPARE_BYTES) {
			buf_reset(&b->bytes);
			p->batch.bytes = b->bytes;
			batch_init(b, MAX_BATCH_BYTES);
		}
		inbox_ack_free(a);
	}
}

/* --- the turn --- */

static void take_orders(struct pump *p)
{
	struct inbox_order *o;

	while ((o = inbox_next_order(p->inbox)) != NULL) {
		switch (o->kind) {
		case INBOX_SUBMIT: pump_jobs_accept(p, o); break;
		case INBOX_CANCEL: pump_jobs_cancel(p, &o->id); break;
		}
		inbox_order_free(o);
	}
}

/* How long to sleep: until a deadline of ours; -1: until something happens. */
static int nap(const struct pump *p, int64_t stop_ms)
{
	struct timer *t = timer_first(&p->timers);
	int64_t until = t == NULL ? INT64_MAX : t->at_ms;
	int64_t now = clock_mono_ms();

	if (stop_ms < until)
		until = stop_ms;
	if (p->n_paused > 0 && !pump_jobs_behind(p))
		return 0;
	if (p->n_paused > 0 && now + PAUSED_POLL_MS < until)
		until = now + PAUSED_POLL_MS;
	if (waits_for_room(p) && now + ROOM_POLL_MS < until)
		until = now + ROOM_POLL_MS;
	if (until == INT64_MAX)
		return -1;
	if (until <= now)
		return 0;
	return until - now > INT32_MAX ? INT32_MAX : (int)(until - now);
}

static void publish(struct pump *p)
{
	struct pump_counters *c = &p->counters;
	const struct run_counts *r = &p->env.counts;

#define PUT(field, value) \
	atomic_store_explicit(&c->field, value, memory_order_relaxed)
	PUT(submitted, p->submitted);
	PUT(completed, r->completed);
	PUT(failed, r->failed);
	PUT(cancelled, r->cancelled);
	PUT(live, p->n_live);
	PUT(streaming, r->streaming);
	PUT(paused, p->n_paused);
	PUT(bytes, p->bytes);
	PUT(events, r->events);
#undef PUT
}

/* From the moment of a stop nothing new begins. */
static void look_at_stop(struct pump *p)
{
	int64_t drain_ms;

	if (p->closing || !inbox_stopping(p->inbox, &drain_ms))
		return;
	p->stop_ms = p->env.mono_ms + drain_ms;
	pump_jobs_close(p);
}

/* Everything that wants something, once; its batch goes out at the end. */
static void turn(struct pump *p, int64_t stop_ms)
{
	if (fetch_pool_wait(p->pool, nap(p, stop_ms)))
		inbox_hush(p->inbox);
	p->env.mono_ms = clock_mono_ms();
	p->env.wall_ms = clock_wall_ms();
	take_acks(p);
	take_orders(p);
	look_at_backlog(p);
	look_at_room(p);
	if (p->n_paused > 0)
		pump_jobs_resume(p);
	while (fetch_pool_step(p->pool))
		if (p->batch.bytes.len >= PUMP_TURN_BYTES)
			flush(p);
	pump_jobs_fire(p);
	pump_jobs_settle(p);
	look_at_stop(p);
	pump_jobs_begin(p);
	pump_jobs_settle(p);
	publish(p);
	flush(p);
}

void pump_turn(struct pump *p)
{
	turn(p, p->stop_ms);
}

static void *run_thread(void *arg)
{
	struct pump *p = arg;
	int64_t ack_ms = INT64_MAX;

	while (ack_ms == INT64_MAX ||
	       (p->n_under_way > 0 && clock_mono_ms() < ack_ms)) {
		turn(p, ack_ms == INT64_MAX ? p->stop_ms : ack_ms);
		if (!p->closing || ack_ms != INT64_MAX ||
		    (p->n_live > 0 && p->env.mono_ms < p->stop_ms))
			continue;
		pump_jobs_end(p, run_interrupt);
		pump_jobs_settle(p);
		publish(p);
		flush(p);
		ack_ms = p->env.mono_ms + (writer_full_ms(p->options.store) > 0
						  ? ACK_WAIT_FULL_MS
						  : ACK_WAIT_MS);
	}
	if (p->n_under_way > 0)
		log_warn("pump", "the writer did not finish in time",
		    "batches=%u", p->n_under_way);
	pump_jobs_drop(p);
	return NULL;
}

/* --- from outside --- */

enum err pump_start(const struct pump_options *options, struct pump **ret)
{
	struct pump *p = calloc(1, sizeof(*p));
	enum err rc = ERR_NOMEM;

	if (p == NULL)
		goto out;
	p->options = *options;
	p->stop_ms = INT64_MAX;
	p->env.upstreams = options->upstreams;
	p->env.prices = options->prices;
	p->env.store = options->store;
	p->env.seal = options->seal;
	p->env.limits = options->limits;
	p->env.batch = &p->batch;
	p->env.random = options->seed;
	p->env.mono_ms = clock_mono_ms();
	p->env.wall_ms = clock_wall_ms();
	buf_init(&p->env.scratch, MAX_SCRATCH_BYTES);
	batch_init(&p->batch, MAX_BATCH_BYTES);
	timer_heap_init(&p->timers);
	TAILQ_INIT(&p->all);
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->touched);
	TAILQ_INIT(&p->paused);
	rc = roster_init(&p->roster);
	if (rc != OK)
		goto out;
	rc = inbox_new(&p->inbox);
	if (rc != OK)
		goto out;
	rc = fetch_pool_new(inbox_fd(p->inbox), &p->pool);
	if (rc != OK)
		goto out;
	rc = thread_start(&p->thread, run_thread, p);
	if (rc != OK)
		goto out;
	*ret = p;
	p = NULL;
out:
	pump_free(p);
	return rc;
}

enum err pump_submit(
    struct pump *p, struct execution **e, struct worker_key **key)
{
	return inbox_submit(p->inbox, e, key);
}

enum err pump_cancel(struct pump *p, const struct id *id)
{
	return inbox_cancel(p->inbox, id);
}

void pump_wake(struct pump *p)
{
	inbox_wake(p->inbox);
}

void pump_stats(const struct pump *p, struct worker_stats *ret)
{
	const struct pump_counters *c = &p->counters;

#define GET(field) atomic_load_explicit(&c->field, memory_order_relaxed)
	ret->submitted += GET(submitted);
	ret->completed += GET(completed);
	ret->failed += GET(failed);
	ret->cancelled += GET(cancelled);
	ret->live += GET(live);
	ret->streaming += GET(streaming);
	ret->paused += GET(paused);
	ret->upstream_bytes += GET(bytes);
	ret->events += GET(events);
#undef GET
}

void pump_stop(struct pump *p, int64_t drain_ms)
{
	inbox_stop(p->inbox, drain_ms);
}

void pump_join(struct pump *p)
{
	thread_join(&p->thread);
}

void pump_free(struct pump *p)
{
	if (p == NULL)
		return;
	fetch_pool_free(p->pool);
	inbox_close(p->inbox);
	timer_heap_fini(&p->timers);
	roster_fini(&p->roster);
	batch_fini(&p->batch);
	buf_fini(&p->env.scratch);
	free(p);
}
