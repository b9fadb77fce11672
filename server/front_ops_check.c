/*
 * Operators: does the store hold what it promises? Lines (NDJSON) of findings
 * and progress, the last one with the counts. The read pool looks for a moment
 * at a time, so that other reads come in between.
 */
#include <stdlib.h>
#include <string.h>

#include "server/call.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_check.h"
#include "store/base/clock.h"
#include "store/check.h"

#define TURN_MS 20
#define PROGRESS_MS 250
#define OUT_MAX_BYTES ((size_t)4 << 20)
#define OUT_BYTES ((size_t)64 << 10)

/* A look under way: with the call, or with the job in the pool. */
struct look {
	struct check *check; /* NULL before its first turn */
	bool quick, done;
	int64_t said_ms;
	struct buf out;
};

struct look_job {
	struct read_job job;
	struct look *look;
};

static void look_free(struct look *l)
{
	if (!l)
		return;
	check_close(l->check);
	buf_fini(&l->out);
	free(l);
}

static void on_finding(void *arg, const struct check_finding *f)
{
	struct look *l = arg;

	write_check_finding(&l->out, f);
}

static void look_run(struct read_job *job, struct query *q)
{
	struct look *l = ((struct look_job *)job)->look;
	const struct check_options o = {
		.quick = l->quick, .on_finding = on_finding, .arg = l
	};
	int64_t until = clock_mono_ms() + TURN_MS;
	enum err e = OK;

	(void)q;
	if (!l->check)
		e = check_open(job->service->o.store, &o, &l->check, &job->why);
	while (e == OK && !l->done && l->out.len < OUT_BYTES &&
	       clock_mono_ms() < until) {
		e = check_step(l->check, &l->done);
		if (e != OK)
			job->why = *check_why(l->check);
	}
	if (e == OK && l->done) {
		write_check_counts(&l->out, "done", l->check);
	} else if (e == OK && clock_mono_ms() >= l->said_ms + PROGRESS_MS) {
		l->said_ms = clock_mono_ms();
		write_check_counts(&l->out, "progress", l->check);
	}
	job->result = e == OK ? buf_state(&l->out) : e;
}

static void look_drop(struct read_job *job)
{
	look_free(((struct look_job *)job)->look);
	free(job);
}

/* The call's state: the look while it is here. */
struct looking {
	struct look *look;
};

static void looking_drop(void *state)
{
	look_free(((struct looking *)state)->look);
}

static void look_done(struct read_job *job, struct call *call);

/* Send the look for its next turn. May end the call. */
static void look_on(struct call *call)
{
	struct looking *state = call->state;
	struct look_job *j;

	if (!state->look)
		return;
	if (state->look->done) {
		call_end(call);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = look_run;
	j->job.done = look_done;
	j->job.drop = look_drop;
	j->look = state->look;
	state->look = NULL;
	buf_reset(&j->look->out);
	(void)read_pool_ask(call, &j->job);
}

static void look_done(struct read_job *job, struct call *call)
{
	struct look_job *j = (struct look_job *)job;
	struct looking *state = call->state;
	struct look *l = j->look;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	state->look = l;
	j->look = NULL;
	if (!call->started) {
		call->on_ready = look_on;
		call_stream(call, 200, "application/x-ndjson");
	}
	if (l->out.len > 0)
		(void)http_stream_write(call->x, l->out.data, l->out.len);
	else
		look_on(call);
}

void front_ops_check(struct call *call)
{
	struct looking *state = call_state(call, sizeof(*state), looking_drop);
	bool quick = false;

	if (call_bool(call, "quick", &quick) != OK)
		return;
	if (state)
		state->look = calloc(1, sizeof(*state->look));
	if (!state || !state->look) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&state->look->out, OUT_MAX_BYTES);
	state->look->quick = quick;
	http_reply_header(call->x, "Cache-Control", "no-store");
	look_on(call);
}
