/* The front for operators: health, counts, and what can be asked. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/call.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/openapi.h"
#include "server/read_pool.h"
#include "server/retain.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_page.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/key.h"
#include "store/store.h"
#include "store/tail.h"
#include "store/writer.h"
#include "worker/worker.h"

#define ANSWER_MAX_BYTES ((size_t)1 << 20)

static int ops_problem_status(const struct problem *p)
{
	return problem_kind(p->code)->status;
}

const struct front front_ops = {
	.name = "ops",
	.page = write_page,
	.problem_type = "application/problem+json",
	.problem = problem_json,
	.problem_status = ops_problem_status,
};

static void answer(struct call *call, int status, struct buf *b)
{
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, status, b);
}

void front_ops_healthz(struct call *call)
{
	struct buf b;

	buf_init(&b, ANSWER_MAX_BYTES);
	jsonout_object(&b);
	jsonout_member(&b, "status", "ok");
	jsonout_member(&b, "version", SPOOL_VERSION);
	jsonout_member_int(
	    &b, "uptime_ms", clock_mono_ms() - call->service->started_ms);
	jsonout_object_end(&b);
	answer(call, 200, &b);
}

/* Of an engine that cannot tell, nothing. */
static void disk_counts(struct buf *b, const struct store_room *room)
{
	if (room->disk_bytes == 0)
		return;
	jsonout_key(b, "disk");
	jsonout_object(b);
	jsonout_member_int(b, "free_bytes", (int64_t)room->free_bytes);
	jsonout_member_int(b, "reserve_bytes", (int64_t)room->reserve_bytes);
	jsonout_member_int(b, "disk_bytes", (int64_t)room->disk_bytes);
	jsonout_key(b, "low");
	jsonout_bool(b, room->low);
	jsonout_object_end(b);
}

void front_ops_readyz(struct call *call)
{
	struct service *s = call->service;
	/* Why the store failed is the operator's: it names paths. */
	bool store = store_failed(s->o.store, NULL) == OK;
	bool accepting = !atomic_load(&s->draining), ready;
	struct store_room room;
	struct buf b;

	store_room(s->o.store, &room);
	ready = store && accepting && !room.low;
	buf_init(&b, ANSWER_MAX_BYTES);
	jsonout_object(&b);
	jsonout_member(&b, "status", ready ? "ready" : "not ready");
	jsonout_key(&b, "checks");
	jsonout_object(&b);
	jsonout_member(&b, "store", store ? "ok" : "failed");
	jsonout_member(&b, "accepting", accepting ? "ok" : "draining");
	jsonout_member(&b, "disk", room.low ? "low" : "ok");
	jsonout_object_end(&b);
	disk_counts(&b, &room);
	jsonout_object_end(&b);
	answer(call, ready ? 200 : 503, &b);
}

/* --- counts --- */

static void store_counts(struct buf *b, struct store *store)
{
	struct store_stats s;
	struct store_room room;
	struct tail_stats t;

	store_stats(store, &s);
	store_room(store, &room);
	tail_stats(store, &t);
	jsonout_key(b, "store");
	jsonout_object(b);
	jsonout_member_int(b, "executions", (int64_t)s.executions);
	jsonout_member_int(b, "deleted", (int64_t)s.deleted);
	jsonout_key(b, "cleaning");
	jsonout_bool(b, s.cleaning);
	jsonout_member_int(b, "chunks", (int64_t)s.chunks);
	jsonout_member_int(b, "open_streams", (int64_t)s.open_streams);
	jsonout_member_int(b, "commits", (int64_t)s.commits);
	jsonout_member_int(b, "commit_us_mean",
	    s.commits ? (int64_t)(s.commit_ns_sum / s.commits / 1000) : 0);
	jsonout_member_int(
	    b, "commit_us_max", (int64_t)(s.commit_ns_max / 1000));
	jsonout_member_int(b, "backlog_bytes", (int64_t)writer_backlog(store));
	jsonout_member_int(b, "db_bytes", (int64_t)s.db_bytes);
	jsonout_member_int(b, "wal_bytes", (int64_t)s.wal_bytes);
	jsonout_object_end(b);
	disk_counts(b, &room);
	jsonout_key(b, "memory");
	jsonout_object(b);
	jsonout_member_int(b, "logs", (int64_t)t.logs);
	jsonout_member_int(b, "live", (int64_t)t.live);
	jsonout_member_int(b, "bytes", (int64_t)t.bytes);
	jsonout_member_int(b, "waiters", (int64_t)t.waiters);
	jsonout_object_end(b);
}

static void upstream_states(struct buf *b, const struct worker *w)
{
	struct worker_upstream_state s;

	jsonout_key(b, "upstreams");
	jsonout_array(b);
	for (size_t i = 0; worker_upstream_state(w, i, &s); i++) {
		jsonout_object(b);
		jsonout_member(b, "name", s.name);
		jsonout_member(b, "state", s.state);
		jsonout_member_int(b, "failures", s.failures);
		jsonout_member_int(b, "rests_ms", s.rests_ms);
		jsonout_object_end(b);
	}
	jsonout_array_end(b);
}

static void worker_counts(struct buf *b, struct service *service)
{
	struct worker *w = service_worker(service);
	struct worker_stats s;

	if (!w)
		return;
	worker_stats(w, &s);
	upstream_states(b, w);
	service_worker_done(service);
	jsonout_key(b, "worker");
	jsonout_object(b);
	jsonout_member_int(b, "submitted", (int64_t)s.submitted);
	jsonout_member_int(b, "completed", (int64_t)s.completed);
	jsonout_member_int(b, "failed", (int64_t)s.failed);
	jsonout_member_int(b, "cancelled", (int64_t)s.cancelled);
	jsonout_member_int(b, "live", (int64_t)s.live);
	jsonout_member_int(b, "streaming", (int64_t)s.streaming);
	jsonout_member_int(b, "paused", (int64_t)s.paused);
	jsonout_member_int(b, "upstream_bytes", (int64_t)s.upstream_bytes);
	jsonout_member_int(b, "events", (int64_t)s.events);
	jsonout_object_end(b);
}

static void retain_counts(struct buf *b, struct service *service)
{
	struct retain_stats s;

	if (!service->o.retain)
		return;
	retain_stats(service->o.retain, &s);
	jsonout_key(b, "retention");
	jsonout_object(b);
	jsonout_member_int(b, "rules", (int64_t)s.rules);
	jsonout_member_int(b, "passes", (int64_t)s.passes);
	jsonout_member_int(b, "executions", (int64_t)s.executions);
	jsonout_member_int(b, "payloads", (int64_t)s.payloads);
	jsonout_member_int(b, "bytes", (int64_t)s.bytes);
	jsonout_member_int(b, "tombstones", (int64_t)s.tombstones);
	jsonout_key(b, "last_at");
	write_execution_time(b, s.last_ms);
	jsonout_object_end(b);
}

/* Sizes on disk are asked of the file system: not on a loop's thread. */
struct status_job {
	struct read_job job;
	struct buf body;
};

static void status_run(struct read_job *job, struct query *q)
{
	struct status_job *j = (struct status_job *)job;
	struct service *s = job->service;
	struct buf *b = &j->body;
	char holder[STORE_HOLDER_BYTES];

	(void)q;
	store_holder(s->o.store, holder);
	jsonout_object(b);
	jsonout_member(b, "version", SPOOL_VERSION);
	jsonout_member_int(b, "pid", (int64_t)getpid());
	jsonout_member(b, "lock", holder);
	jsonout_member_int(b, "uptime_ms", clock_mono_ms() - s->started_ms);
	jsonout_key(b, "draining");
	jsonout_bool(b, atomic_load(&s->draining));
	store_counts(b, s->o.store);
	worker_counts(b, s);
	retain_counts(b, s);
	jsonout_object_end(b);
	job->result = buf_state(b);
}

static void status_done(struct read_job *job, struct call *call)
{
	struct status_job *j = (struct status_job *)job;

	if (job->result == OK)
		answer(call, 200, &j->body);
	else
		call_fail_err(call, job->result, NULL);
}

static void status_drop(struct read_job *job)
{
	struct status_job *j = (struct status_job *)job;

	buf_fini(&j->body);
	free(j);
}

void front_ops_status(struct call *call)
{
	struct status_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = status_run;
	j->job.done = status_done;
	j->job.drop = status_drop;
	buf_init(&j->body, ANSWER_MAX_BYTES);
	(void)read_pool_ask(call, &j->job);
}

/* --- the table, as OpenAPI --- */

void front_ops_openapi(struct call *call)
{
	struct buf b;

	buf_init(&b, OPENAPI_MAX_BYTES);
	openapi_json(&b);
	call_reply_json(call, 200, &b);
}
