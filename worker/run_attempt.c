/* A run's attempts: whom to ask, what to send, and what follows a failure. */
#include <stdlib.h>
#include <string.h>

#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "worker/circuit.h"
#include "worker/past.h"
#include "worker/run_internal.h"
#include "worker/scan.h"

static const char interrupted[] =
    "spool stopped before the answer was complete";

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(struct run_env *env)
{
	uint64_t z = env->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* --- rows of our own --- */

static void say(struct run *r, enum chunk_kind kind)
{
	batch_chunk(r->env->batch, &r->execution->id,
	    &(struct chunk){ .attempt = r->attempt,
		.kind = kind,
		.ts_ms = r->env->wall_ms,
		.content = "",
		.meta = r->env->scratch.data,
		.meta_len = r->env->scratch.len });
	r->n_chunks++;
}

/* An attempt that had shown something failed, and more follows. */
static void say_error(struct run *r, const char *code, const char *message)
{
	struct buf *b = &r->env->scratch;

	buf_reset(b);
	jsonout_object(b);
	jsonout_member(b, "code", code);
	jsonout_member(b, "message", message == NULL ? code : message);
	jsonout_object_end(b);
	say(r, CHUNK_ERROR);
}

/* --- what a process before left --- */

void run_recall(struct run *r, const struct past *past)
{
	const struct dialect_usage none = { -1, -1, -1, -1, -1, -1, -1, -1, -1,
		-1 };
	const struct execution *e = r->execution;
	enum err rc = OK;

	ASSERT(r->state == RUN_QUEUED && !r->recalled);
	r->recalled = true;
	r->broke_off = "interrupted";
	r->shown = past->shown;
	r->only_text = past->only_text;
	r->n_chunks = past->n_chunks;
	if (past->only_text)
		buf_add(&r->text, past->text.data, past->text.len);
	/* What it took is lost but for what can be seen of it. */
	attempts_take(&r->attempts, &none,
	    estimate_request(e->request, e->request_len),
	    estimate_tokens(&past->kept));
	if (e->target != NULL)
		rc = attempts_add(&r->attempts,
		    &(struct attempts_item){ .number = e->attempts,
			.target = e->target,
			.status = EXECUTION_FAILED,
			.code = r->broke_off,
			.message = interrupted,
			.started_ms = e->started_ms,
			.duration_ms = -1 });
	if (rc != OK)
		r->env->batch->bytes.failed = rc;
}

/* --- the plan --- */

/* A member that is a number from 0; ${standard} when it is not there. */
static int64_t number(
    const struct scan_value *o, const char *key, int64_t max, int64_t standard)
{
	struct scan_value v;
	int64_t n = 0;

	if (!scan_member(o->s, o->len, key, &v))
		return standard;
	for (size_t i = 0; i < v.len && v.s[i] >= '0' && v.s[i] <= '9'; i++)
		n = n < max ? n * 10 + (v.s[i] - '0') : n;
	return n < max ? n : max;
}

/*
 * What may be done with what a process before left: as the operator says, but
 * nothing that the request (${said}) does not want.
 */
static enum interrupt recovery(const struct run *r, bool said)
{
	bool restart = r->env->limits.recover == RUN_RECOVER_RESTART;

	if (said && r->on_interrupt != INTERRUPT_AUTO)
		return r->on_interrupt;
	return restart ? INTERRUPT_RESTART : INTERRUPT_AUTO;
}

static void read_request(struct run *r)
{
	const struct execution *e = r->execution;
	const struct retry_limits *l = &r->env->limits.retry;
	struct scan_value v;
	bool said = false;

	r->retry = *l;
	r->on_interrupt = r->env->limits.on_interrupt;
	r->streaming_asked = true;
	if (e->request == NULL)
		return;
	if (scan_member(e->request, e->request_len, "retry", &v))
		r->retry = (struct retry_limits){
			.attempts = (uint32_t)number(
			    &v, "attempts", RETRY_MAX_ATTEMPTS, l->attempts),
			.base_ms = number(
			    &v, "base_ms", RETRY_MAX_ASKED_MS, l->base_ms),
			.max_ms =
			    number(&v, "max_ms", RETRY_MAX_ASKED_MS, l->max_ms),
		};
	if (scan_member(e->request, e->request_len, "on_interrupt", &v) &&
	    v.len > 2)
		said = interrupt_parse(v.s + 1, v.len - 2, &r->on_interrupt);
	if (r->recalled)
		r->on_interrupt = recovery(r, said);
	if (scan_member(e->request, e->request_len, "stream", &v))
		r->streaming_asked = v.s[0] != 'f';
}

/* Will anybody be able to go on from a part of the answer? */
static bool may_keep_text(const struct run *r)
{
	bool takes = false;

	for (size_t i = 0; i < r->route.n; i++)
		takes |= r->route.at[i].upstream->prefill != PREFILL_NO;
	return takes && interrupt_continues(r->on_interrupt) &&
	       prefill_possible(
		   r->execution->request, r->execution->request_len);
}

/* Could what was shown be gone on from at the ${i}-th target? */
static bool continues(const struct run *r, size_t i)
{
	return r->keeps_text && r->only_text && r->text.len > 0 &&
	       buf_state(&r->text) == OK &&
	       r->route.at[i].upstream->prefill != PREFILL_NO;
}

/* Would asking the ${i}-th target break a promise? */
static bool may_ask(const struct run *r, size_t i)
{
	return !r->shown || continues(r, i) ||
	       interrupt_restarts(r->on_interrupt);
}

/*
 * The first target from ${i} on that may be asked and does not rest; when all
 * rest, the first that may be asked. route.n: none.
 */
static size_t choose(const struct run *r, size_t i)
{
	size_t first = r->route.n;

	for (; i < r->route.n; i++) {
		if (!may_ask(r, i))
			continue;
		if (circuit_closed(
			r->route.at[i].upstream->circuit, r->env->mono_ms))
			return i;
		if (first == r->route.n)
			first = i;
	}
	return first;
}

bool run_attempt_plan(struct run *r)
{
	const char *model = r->execution->model;
	struct why why = { "" };

	if (upstreams_resolve(r->env->upstreams, model == NULL ? "" : model,
		&r->route, &why) != OK) {
		run_fail_for_good(r, "bad_request", false, "%s", why.text);
		return false;
	}
	read_request(r);
	r->keeps_text = may_keep_text(r);
	r->estimated_input =
	    estimate_request(r->execution->request, r->execution->request_len);
	r->at = choose(r, 0);
	if (r->at == r->route.n) {
		run_fail_for_good(r, "interrupted", true, "%s", interrupted);
		return false;
	}
	if (r->recalled && r->shown)
		say_error(r, r->broke_off, interrupted);
	return true;
}

/* --- the request --- */

/* What the present target is asked; on from what was shown if it can be. */
static enum err build(
    struct run *r, struct dialect_request *ret, struct why *why)
{
	const struct upstream_entry *u = r->target.upstream;
	const struct execution *e = r->execution;
	struct dialect_target t = { .base_url = u->base_url,
		.model = r->target.model,
		.key = u->key,
		.is_openai = u->is_openai };
	const char *request = e->request == NULL ? "" : e->request;
	struct estimate kept = { 0 };
	struct buf longer;
	enum err rc;

	if (!r->shown || !continues(r, r->at))
		return dialect_build(
		    u->dialect, request, e->request_len, &t, ret, why);
	estimate_add(&kept, r->text.data, r->text.len);
	buf_init(&longer, DIALECT_MAX_BODY_BYTES);
	prefill_write(&longer, u->prefill, request, e->request_len, &r->text,
	    estimate_tokens(&kept));
	rc = buf_state(&longer);
	if (rc == OK)
		rc = dialect_build(
		    u->dialect, longer.data, longer.len, &t, ret, why);
	buf_fini(&longer);
	return rc;
}

bool run_attempt_build(struct run *r, struct dialect_request *ret)
{
	struct why why = { "" };
	enum err rc;

	r->target = r->route.at[r->at];
	r->tries++;
	r->unsettled = true;
	r->begun_ms = r->env->mono_ms;
	r->begun_wall_ms = r->env->wall_ms;
	rc = build(r, ret, &why);
	if (rc != OK) {
		run_fail(r, rc == ERR_INPUT ? "bad_request" : err_name(rc),
		    rc != ERR_INPUT, "%s",
		    why.text[0] == '\0' ? err_name(rc) : why.text);
		return false;
	}
	free(r->warnings);
	r->warnings = buf_detach(&ret->warnings, NULL);
	/* In the half-open state this one is the probe. */
	(void)circuit_pass(r->target.upstream->circuit, r->env->mono_ms);
	r->must_reset = r->shown && !continues(r, r->at);
	r->attempt++;
	r->begun = true;
	if (r->first_ms == 0)
		r->first_ms = r->env->mono_ms;
	return true;
}

/* --- what is told --- */

static void say_reset(struct run *r)
{
	struct buf *b = &r->env->scratch;

	buf_reset(b);
	jsonout_object(b);
	jsonout_member(
	    b, "reason", r->broke_off == NULL ? "interrupted" : r->broke_off);
	jsonout_object_end(b);
	say(r, CHUNK_RESET);
	buf_reset(&r->text);
	r->only_text = true;
	r->must_reset = false;
}

void run_attempt_speaks(struct run *r)
{
	if (r->must_reset)
		say_reset(r);
	r->has_content = true;
	if (r->content_ms == 0)
		r->content_ms = r->env->mono_ms;
	if (circuit_good(r->target.upstream->circuit))
		log_info("run", "upstream is well again", "upstream=%s",
		    r->target.upstream->name);
}

void run_attempt_told(struct run *r, const struct event *e)
{
	r->shown = true;
	r->only_text &= e->kind == EVENT_TEXT;
	if (!r->keeps_text)
		return;
	if (r->only_text && r->text.len + e->text.len <= PREFILL_MAX_BYTES) {
		buf_add(&r->text, e->text.s, e->text.len);
		return;
	}
	/* Nobody will go on from it. */
	if (!interrupt_restarts(r->on_interrupt))
		r->keeps_text = false;
	buf_fini(&r->text);
	r->only_text = false;
}

/* --- after a failure --- */

void run_attempt_settle(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	int64_t output;
	char *target;
	enum err rc;
	bool refused;

	if (!r->unsettled)
		return;
	r->unsettled = false;
	/* What never left, or was refused, was read by nobody. */
	refused = !r->connected || (o->http_status >= 400 && !r->has_content);
	output = estimate_tokens(&r->output);
	/*
	 * Some upstreams count from their first piece on: where the end did not
	 * come, their last count is not that of what was received.
	 */
	if (o->status != EXECUTION_COMPLETED &&
	    r->usage.output_tokens < output / 2)
		r->usage.output_tokens = -1;
	attempts_take(
	    &r->attempts, &r->usage, refused ? 0 : r->estimated_input, output);
	if (r->connected)
		r->connect_took_ms = r->connected_ms - r->begun_ms;
	target = upstreams_target_name(&r->target);
	rc = target == NULL
		 ? ERR_NOMEM
		 : attempts_add(&r->attempts,
		       &(struct attempts_item){
			   .number = r->begun ? r->attempt : 0,
			   .target = target,
			   .status = o->status,
			   .code = o->code,
			   .message = o->message,
			   .http_status = o->http_status,
			   .started_ms = r->begun_wall_ms,
			   .duration_ms = r->env->mono_ms - r->begun_ms });
	/* As for a chunk that cannot be told. */
	if (rc != OK)
		r->env->batch->bytes.failed = rc;
	free(target);
}

/* Tell the circuit what this failure says about the upstream. */
static void blame(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	const struct upstream_entry *u = r->target.upstream;

	if (!r->begun || r->has_content)
		return;
	if (!o->retryable || o->final) {
		/* It said so itself: it is there. */
		if (o->http_status > 0)
			(void)circuit_good(u->circuit);
		return;
	}
	if (circuit_bad(u->circuit, r->env->mono_ms))
		log_warn("run", "upstream rests", "upstream=%s code=%s",
		    u->name, o->code);
}

/* Forget what was the failed attempt's. */
static void forget(struct run *r)
{
	decoder_free(r->decoder);
	r->decoder = NULL;
	run_outcome_fini(&r->outcome);
	free(r->model);
	free(r->provider);
	free(r->upstream_id);
	r->model = r->provider = r->upstream_id = NULL;
	r->usage =
	    (struct dialect_usage){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	r->output = (struct estimate){ 0 };
	r->begun = r->connected = r->has_content = r->must_reset = false;
	r->connected_ms = 0;
}

/* Choose the target of the next attempt, and when. False: there is none. */
static bool plan_next(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	size_t next = choose(r, r->at + 1);
	struct retry_failure f = { .tries = r->tries,
		.retryable = o->retryable,
		.retry_after_ms = o->retry_after_ms,
		.left_ms =
		    r->first_ms + r->env->limits.total_ms - r->env->mono_ms,
		.has_next = next < r->route.n };
	bool rests =
	    !circuit_closed(r->target.upstream->circuit, r->env->mono_ms);
	int64_t wait_ms = 0;

	if (may_ask(r, r->at) && !(rests && f.has_next) &&
	    retry_wait(&r->retry, &f, draw(r->env), &wait_ms)) {
		r->due_ms = r->env->mono_ms + wait_ms;
		return true;
	}
	if (!f.has_next)
		return false;
	r->at = next;
	r->tries = 0;
	r->due_ms = r->env->mono_ms;
	return true;
}

bool run_attempt_again(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	char id[ID_TEXT];

	if (o->status != EXECUTION_FAILED)
		return false;
	if (r->unsettled)
		blame(r);
	if (o->final || !r->unsettled || r->attempts.n + 1 >= ATTEMPTS_MAX ||
	    !plan_next(r))
		return false;
	id_text(&r->execution->id, id);
	log_info("run", "attempt failed",
	    "id=%s attempt=%u target=%s/%s code=%s next=%s/%s wait_ms=%lld", id,
	    r->attempt, r->target.upstream->name, r->target.model, o->code,
	    r->route.at[r->at].upstream->name, r->route.at[r->at].model,
	    (long long)(r->due_ms - r->env->mono_ms));
	if (r->has_content) {
		r->broke_off = o->code;
		say_error(r, o->code, o->message);
	}
	run_attempt_settle(r);
	forget(r);
	return true;
}
