#include "worker/worker.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/query.h"
#include "store/vault.h"
#include "store/writer.h"
#include "worker/attempts.h"
#include "worker/circuit.h"
#include "worker/catalog.h"
#include "worker/dialect.h"
#include "worker/estimate.h"
#include "worker/lister.h"
#include "worker/metadata.h"
#include "worker/note.h"
#include "worker/past.h"
#include "worker/prices.h"
#include "worker/pump.h"
#include "worker/slots.h"
#include "worker/upstreams.h"
#include "worker/worker_internal.h"
#include "worker/worker_key.h"

#define MAX_THREADS 64

struct worker {
	struct store *store;
	struct upstreams *upstreams;
	struct prices *prices;
	const struct seal *seal;
	struct catalog *catalog;
	struct lister *lister; /* NULL: lists are never asked for */
	struct slots slots;
	struct query *settling; /* worker_settle()'s, until worker_settled() */
	enum run_recover recover;
	atomic_bool stopping;
	unsigned n_pumps;
	struct pump *pump[]; /* MAX_THREADS at most; fixed while it runs */
};

static void begin_curl(void)
{
	ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

/* A slot that somebody waited for is free. */
static void on_slot(void *arg)
{
	struct worker *w = arg;

	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_wake(w->pump[i]);
}

static int64_t or_default(int64_t v, int64_t standard)
{
	return v > 0 ? v : standard;
}

static bool read_recover(const char *word, enum run_recover *ret)
{
	if (word == NULL || strcmp(word, "fail") == 0)
		*ret = RUN_RECOVER_FAIL;
	else if (strcmp(word, "restart") == 0)
		*ret = RUN_RECOVER_RESTART;
	else if (strcmp(word, "continue") == 0)
		*ret = RUN_RECOVER_CONTINUE;
	else
		return false;
	return true;
}

static enum err read_options(const struct worker_options *o, struct worker *w,
    struct pump_options *ret, struct why *why)
{
	const char *word = o->on_interrupt == NULL ? "fail" : o->on_interrupt;
	enum interrupt on_interrupt;

	if (!interrupt_parse(word, strlen(word), &on_interrupt)) {
		err_why(why,
		    "on_interrupt \"%s\": write fail, restart, continue or "
		    "auto",
		    word);
		return ERR_INPUT;
	}
	if (!read_recover(o->recover, &w->recover)) {
		err_why(why, "recover \"%s\": write fail, restart or continue",
		    o->recover);
		return ERR_INPUT;
	}
	*ret = (struct pump_options){
		.store = o->store,
		.slots = &w->slots,
		.upstreams = w->upstreams,
		.prices = w->prices,
		.seal = o->seal,
		.limits = {
			.connect_ms = or_default(o->connect_ms, 10000),
			.first_token_ms = or_default(o->first_token_ms, 120000),
			.idle_ms = or_default(o->idle_ms, 120000),
			.total_ms = or_default(o->total_ms, 1800000),
			.max_chunks = WRITER_MAX_CHUNKS / 2,
			.retry = {
				.attempts = o->retry_attempts,
				.base_ms = or_default(o->retry_base_ms, 500),
				.max_ms = or_default(o->retry_max_ms, 8000),
			},
			.on_interrupt = on_interrupt,
			.recover = w->recover,
		},
		.max_answer_bytes = o->max_answer_bytes > 0 ?
		    o->max_answer_bytes : (uint64_t)256 << 20,
		.max_backlog_bytes = o->max_backlog_bytes > 0 ?
		    o->max_backlog_bytes : (size_t)16 << 20,
		.seed = (uint64_t)clock_mono_ns(),
	};
	return OK;
}

/* Start ${n} threads. */
static enum err start_pumps(
    struct worker *w, struct pump_options *options, unsigned n)
{
	enum err rc = OK;

	while (rc == OK && w->n_pumps < n) {
		/* not the same waits in each */
		options->seed++;
		rc = pump_start(options, &w->pump[w->n_pumps]);
		if (rc == OK)
			w->n_pumps++;
	}
	return rc;
}

enum err worker_start(
    const struct worker_options *options, struct worker **ret, struct why *why)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned n = options->threads == 0 ? 1 : options->threads;
	struct pump_options pump_options;
	struct worker *w = NULL;
	enum err rc = ERR_INPUT;

	if (n > MAX_THREADS) {
		err_why(why, "more than %d worker threads", MAX_THREADS);
		goto out;
	}
	pthread_once(&once, begin_curl);
	rc = ERR_NOMEM;
	w = calloc(1, sizeof(*w) + n * sizeof(struct pump *));
	if (w == NULL)
		goto out;
	w->store = options->store;
	w->seal = options->seal;
	slots_init(&w->slots,
	    options->max_live == 0 ? 10000 : options->max_live, on_slot, w);
	rc = upstreams_new(options, &w->upstreams, why);
	if (rc != OK)
		goto out;
	rc = prices_new(w->upstreams, options->price_file, &w->prices, why);
	if (rc != OK)
		goto out;
	rc = read_options(options, w, &pump_options, why);
	if (rc != OK)
		goto out;
	rc = catalog_new(w->upstreams, w->prices, &w->catalog);
	if (rc == OK && options->models_ttl_ms > 0)
		rc = lister_start(
		    &(struct lister_options){ .upstreams = w->upstreams,
			.catalog = w->catalog,
			.prices = w->prices,
			.ttl_ms = options->models_ttl_ms },
		    &w->lister);
	if (rc == OK)
		rc = start_pumps(w, &pump_options, n);
	if (rc != OK) {
		err_why(why, "worker threads: %s", err_name(rc));
		goto out;
	}
	*ret = w;
	w = NULL;
out:
	worker_stop(w, 0);
	return rc;
}

const char *const *worker_dialects(void)
{
	return dialect_names();
}

void worker_turn(struct worker *w)
{
	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_turn(w->pump[i]);
}

bool worker_has_upstream(const struct worker *w, const char *name)
{
	return upstreams_find(w->upstreams, name, strlen(name)) != NULL;
}

enum err worker_resolve(const struct worker *w, const char *model,
    char **ret_target, struct why *why)
{
	struct upstreams_route route;
	char *name;
	enum err rc = upstreams_resolve(w->upstreams, model, &route, why);

	if (rc != OK)
		return rc;
	name = upstreams_target_name(&route.at[0]);
	if (name == NULL)
		return ERR_NOMEM;
	*ret_target = name;
	return OK;
}

enum err worker_reserve(struct worker *w)
{
	if (atomic_load(&w->stopping))
		return ERR_STOPPED;
	return slots_reserve(&w->slots);
}

void worker_release(struct worker *w)
{
	slots_release(&w->slots);
}

/* An execution's messages all go to the same thread. */
static struct pump *pump_of(struct worker *w, const struct id *id)
{
	return w->pump[(id_hash(id) >> 32) % w->n_pumps];
}

enum err worker_key_read(const struct worker *w, const char *model,
    const char *text, struct worker_key **ret, struct why *why)
{
	return worker_key_parse(w->upstreams, model, text, ret, why);
}

enum err worker_key_check(const struct worker *w, const char *model,
    const char *owner, const struct worker_key *key, struct why *why)
{
	const struct upstream_entry *e;
	struct upstreams_route route;
	struct provider_key own;
	char hint[256];
	enum err rc = upstreams_resolve(w->upstreams, model, &route, why);

	if (rc != OK)
		return rc;
	for (size_t i = 0; i < route.n; i++) {
		e = route.at[i].upstream;
		if (e->key_variable == NULL || e->key != NULL ||
		    worker_key_for(key, e->name) != NULL ||
		    (w->seal != NULL &&
			vault_find(w->store, owner, e->name, &own) == OK))
			return OK;
	}
	e = route.at[0].upstream;
	upstreams_key_hint(e, hint, sizeof(hint));
	err_why(why, "%s wants a key and there is none: %s", e->name, hint);
	return ERR_INPUT;
}

enum err worker_submit(struct worker *w, struct execution **e)
{
	struct worker_key *none = NULL;

	return worker_submit_with(w, e, &none);
}

enum err worker_submit_with(
    struct worker *w, struct execution **e, struct worker_key **key)
{
	enum err rc;

	if (atomic_load(&w->stopping))
		return ERR_STOPPED;
	slots_enter(&w->slots);
	rc = pump_submit(pump_of(w, &(*e)->id), e, key);
	if (rc != OK)
		slots_leave(&w->slots, false);
	return rc;
}

enum err worker_cancel(struct worker *w, const struct id *id)
{
	if (atomic_load(&w->stopping))
		return ERR_STOPPED;
	return pump_cancel(pump_of(w, id), id);
}

bool worker_recovers(const struct worker *w, const struct execution *e)
{
	if (worker_key_was_with(e))
		return false;
	return e->status == EXECUTION_QUEUED ||
	       ((w->recover != RUN_RECOVER_FAIL || note_holds(e)) &&
		   e->request != NULL && e->attempts < ATTEMPTS_MAX);
}

/* --- settling --- */

#define SETTLE_BYTES ((size_t)64 << 10)

static void on_settled(struct write *w)
{
	if (w->result != OK)
		log_warn("worker", "interrupted execution not settled",
		    "reason=%s", err_name(w->result));
	batch_fini(&w->u.batch);
	free(w);
}

/* The attempt that was under way, unless ${e} was between two. */
static enum err settle_cut(struct worker *w, const struct execution *e,
    struct attempts *attempts, const struct metadata *m, int64_t began_ms)
{
	const struct dialect_usage none = { -1, -1, -1, -1, -1, -1, -1, -1, -1,
		-1 };
	struct attempts_bill bill = { 0 };
	struct price price;

	if (e->attempts == 0 || attempts_last(attempts) >= e->attempts)
		return OK;
	bill.estimated_input = estimate_request(e->request, e->request_len);
	bill.estimated_output = past_estimate(w->store, e, &w->settling);
	attempts_take(
	    attempts, &none, bill.estimated_input, bill.estimated_output);
	if (e->target == NULL)
		return OK;
	if (prices_find(w->prices, e->target, &price))
		bill.price = &price;
	attempts_pay(attempts, &none, &bill);
	return attempts_add(
	    attempts, &(struct attempts_item){ .number = e->attempts,
			  .target = e->target,
			  .status = EXECUTION_FAILED,
			  .code = m->error.code,
			  .started_ms = began_ms > 0 ? began_ms : e->started_ms,
			  .duration_ms = -1 });
}

static enum err describe_interrupted(struct worker *w,
    const struct execution *e, struct attempts *attempts, struct metadata *m)
{
	struct note note = { .attempts = attempts };
	enum err rc;

	metadata_init(m);
	m->target = e->target;
	m->model = e->target != NULL ? e->target : e->model;
	m->error.code = "interrupted";
	m->error.message = "spool stopped before the answer was complete";
	if (worker_key_was_with(e)) {
		m->error.code = "provider_key_lost";
		m->error.message =
		    "spool stopped before the answer was complete, and the "
		    "provider's key that came with the request is not kept: "
		    "send both again";
	}
	m->error.retryable = true;
	m->attempts = attempts;
	if (e->started_ms >= e->created_ms)
		m->queued_ms = e->started_ms - e->created_ms;
	rc = note_read(e->note, e->note_len, &note);
	if (rc == OK)
		rc = settle_cut(w, e, attempts, m, note.began_ms);
	note_fini(&note);
	m->usage = attempts->sum;
	m->usage_source = attempts_source(attempts);
	return rc;
}

enum err worker_settle(struct worker *w, const struct execution *e)
{
	struct write *write = calloc(1, sizeof(*write));
	struct buf metadata, end;
	struct attempts attempts;
	struct metadata m;
	enum err rc = ERR_NOMEM;

	attempts_init(&attempts);
	buf_init(&metadata, SETTLE_BYTES);
	buf_init(&end, SETTLE_BYTES);
	if (write == NULL)
		goto out;
	write->kind = WRITE_BATCH;
	write->on_done = on_settled;
	batch_init(&write->u.batch, 4 * SETTLE_BYTES);
	rc = describe_interrupted(w, e, &attempts, &m);
	if (rc != OK)
		goto out;
	metadata_write(&metadata, &m);
	metadata_write_end(&end, &m);
	batch_end(&write->u.batch, &e->id,
	    &(struct batch_end){ .status = EXECUTION_FAILED,
		.chunk = { .attempt = e->attempts > 0 ? e->attempts : 1,
		    .kind = CHUNK_END,
		    .ts_ms = clock_wall_ms(),
		    .content = "",
		    .meta = end.data,
		    .meta_len = end.len },
		.metadata = metadata.data,
		.metadata_len = metadata.len,
		.error_code = m.error.code,
		.error_code_len = strlen(m.error.code) });
	rc = buf_state(&metadata) != OK ? buf_state(&metadata)
	     : buf_state(&end) != OK	? buf_state(&end)
					: batch_state(&write->u.batch);
	if (rc != OK)
		goto out;
	write->mail.bytes = write->u.batch.bytes.len;
	rc = writer_post(w->store, write);
	if (rc == OK)
		write = NULL;
out:
	if (write != NULL)
		batch_fini(&write->u.batch);
	free(write);
	attempts_fini(&attempts);
	buf_fini(&metadata);
	buf_fini(&end);
	return rc;
}

void worker_settled(struct worker *w)
{
	query_close(w->settling);
	w->settling = NULL;
}

struct worker_models *worker_models(struct worker *w)
{
	return catalog_hold(w->catalog);
}

uint64_t worker_models_want(struct worker *w, bool now)
{
	return w->lister == NULL ? 0 : lister_want(w->lister, now);
}

bool worker_models_listed(const struct worker *w, uint64_t what)
{
	return w->lister == NULL || lister_done(w->lister, what);
}

void worker_stats(const struct worker *w, struct worker_stats *ret)
{
	*ret = (struct worker_stats){ 0 };
	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_stats(w->pump[i], ret);
}

bool worker_upstream_state(
    const struct worker *w, size_t i, struct worker_upstream_state *ret)
{
	const struct upstream_entry *u = upstreams_at(w->upstreams, i);
	struct circuit_look look;

	if (u == NULL)
		return false;
	circuit_look(u->circuit, clock_mono_ms(), &look);
	*ret = (struct worker_upstream_state){ .name = u->name,
		.state = look.rests	? "rests"
			 : look.probing ? "probing"
					: "well",
		.failures = look.failures,
		.rests_ms = look.rests_ms };
	return true;
}

void worker_stop(struct worker *w, int64_t drain_ms)
{
	if (w == NULL)
		return;
	/* Once worker_reserve() says so, nothing begins any more. */
	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_stop(w->pump[i], drain_ms);
	atomic_store(&w->stopping, true);
	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_join(w->pump[i]);
	for (unsigned i = 0; i < w->n_pumps; i++)
		pump_free(w->pump[i]);
	worker_settled(w);
	lister_stop(w->lister);
	catalog_free(w->catalog);
	prices_free(w->prices);
	upstreams_free(w->upstreams);
	slots_fini(&w->slots);
	free(w);
}
