/* A run's plan: what the request wants, whom to ask first, and whom next. */
#include <string.h>

#include "store/base/log.h"
#include "worker/circuit.h"
#include "worker/note.h"
#include "worker/past.h"
#include "worker/run_internal.h"
#include "worker/scan.h"

static const char interrupted_code[] = "interrupted";
static const char interrupted[] =
    "spool stopped before the answer was complete";

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t run_plan_draw(struct run_env *env)
{
	uint64_t z = env->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* The attempt that was under way: what it took is lost but for what shows. */
static enum err recall_cut(struct run *r)
{
	const struct dialect_usage none = { -1, -1, -1, -1, -1, -1, -1, -1, -1,
		-1 };
	const struct execution *e = r->execution;
	struct attempts_bill bill = { 0 };

	r->cut = r->has_content;
	r->has_content = false;
	bill.estimated_input = estimate_request(e->request, e->request_len);
	bill.estimated_output = estimate_tokens(&r->output);
	r->output = (struct estimate){ 0 };
	attempts_take(
	    &r->attempts, &none, bill.estimated_input, bill.estimated_output);
	if (e->target == NULL)
		return OK;
	run_attempt_pay(r, e->target, &none, &bill);
	return attempts_add(
	    &r->attempts, &(struct attempts_item){ .number = e->attempts,
			      .target = e->target,
			      .status = EXECUTION_FAILED,
			      .code = interrupted_code,
			      .message = interrupted,
			      .started_ms = r->begun_wall_ms,
			      .duration_ms = -1 });
}

/* Is ${e}'s target still configured as it was? Then it is the present one. */
static bool recall_target(struct run *r)
{
	const struct execution *e = r->execution;
	struct why why;

	if (e->target == NULL || upstreams_resolve(r->env->upstreams, e->target,
				     &r->route, &why) != OK)
		return false;
	r->target = r->route.at[0];
	return strncmp(e->target, r->target.upstream->name,
		   strlen(r->target.upstream->name)) == 0;
}

/* An attempt was under way, of which ${past} was kept. */
static enum err recall_attempt(
    struct run *r, const struct past *past, const struct note *note)
{
	const struct execution *e = r->execution;
	int64_t ago;

	r->broke_off = interrupted_code;
	r->output = past->kept;
	r->has_content = past->cut;
	r->begun_wall_ms = note->began_ms > 0 ? note->began_ms : e->started_ms;
	if (note->token == NULL || !recall_target(r)) {
		r->target = (struct upstreams_target){ NULL, NULL };
		return recall_cut(r);
	}
	ago = r->env->wall_ms - r->begun_wall_ms;
	r->begun_ms = r->env->mono_ms - (ago > 0 ? ago : 0);
	run_attach_recall(r, note->token);
	return OK;
}

void run_recall(struct run *r, const struct past *past)
{
	struct note note = { .attempts = &r->attempts };
	const struct execution *e = r->execution;
	enum err rc;

	ASSERT(r->state == RUN_QUEUED && !r->recalled);
	r->recalled = true;
	r->shown = past->shown;
	r->only_text = past->only_text;
	r->n_chunks = past->n_chunks;
	if (past->only_text)
		buf_add(&r->text, past->text.data, past->text.len);
	rc = note_read(e->note, e->note_len, &note);
	if (rc == OK && attempts_last(&r->attempts) < e->attempts)
		rc = recall_attempt(r, past, &note);
	else if (rc == OK)
		r->broke_off = r->attempts.item[r->attempts.n - 1].code;
	note_fini(&note);
	if (rc != OK)
		r->env->batch->bytes.failed = rc;
}

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

	/* Only the rest of the same answer is wanted. */
	if (r->env->limits.recover == RUN_RECOVER_FAIL)
		return r->on_interrupt;
	if (said && r->on_interrupt != INTERRUPT_AUTO)
		return r->on_interrupt;
	return restart ? INTERRUPT_RESTART : INTERRUPT_AUTO;
}

/* The elements of a list. */
static size_t count(const struct scan_value *list)
{
	struct scan_value key, v;
	size_t offset = 0, n = 0;

	while (scan_each(list->s, list->len, &offset, &key, &v))
		n++;
	return n;
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
	if (scan_member(e->request, e->request_len, "input", &v))
		r->embeds = count(&v);
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

bool run_plan_continues(const struct run *r, size_t i)
{
	enum prefill how = r->route.at[i].upstream->prefill;

	return how != PREFILL_NO && r->keeps_text && r->only_text &&
	       buf_state(&r->text) == OK && prefill_len(how, &r->text) > 0;
}

/* Would asking the ${i}-th target break a promise? */
static bool may_ask(const struct run *r, size_t i)
{
	return !r->shown || run_plan_continues(r, i) ||
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

/* Where in the route the present target is; the first place if it is not. */
static size_t place_of(const struct run *r)
{
	for (size_t i = 0; i < r->route.n; i++)
		if (r->route.at[i].upstream == r->target.upstream &&
		    strcmp(r->route.at[i].model, r->target.model) == 0)
			return i;
	return 0;
}

bool run_plan_make(struct run *r)
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
	if (r->attaching) {
		r->at = place_of(r);
		return true;
	}
	r->at = choose(r, 0);
	if (r->at == r->route.n) {
		run_fail_for_good(r, "interrupted", true, "%s", interrupted);
		return false;
	}
	if (r->cut)
		run_attempt_broke_off(r, r->broke_off, interrupted);
	return true;
}

bool run_plan_next(struct run *r)
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
	    retry_wait(&r->retry, &f, run_plan_draw(r->env), &wait_ms)) {
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
