/* A run's deadlines: one for each state that waits, and one for all of them. */
#include "worker/run_internal.h"

void run_pause(struct run *r)
{
	r->paused = true;
	r->paused_ms = r->env->mono_ms;
}

void run_resume(struct run *r)
{
	/* Not a moment more than the pause: pauses may be many. */
	if (r->paused)
		r->since_ms += r->env->mono_ms - r->paused_ms;
	r->paused = false;
}

/* The state's own deadline: how long, and what it is called. */
static int64_t own_limit(const struct run *r, const char **ret_code)
{
	const struct run_limits *l = &r->env->limits;

	switch (r->state) {
	case RUN_QUEUED: break;
	case RUN_CONNECTING:
		*ret_code = "connect_timeout";
		return l->connect_ms;
	case RUN_WAITING:
		*ret_code = "first_token_timeout";
		return l->first_token_ms;
	case RUN_STREAMING: *ret_code = "idle_timeout"; return l->idle_ms;
	case RUN_BACKOFF:
	case RUN_ENDED: break;
	}
	return -1;
}

int64_t run_deadline(const struct run *r)
{
	const char *code = NULL;
	int64_t own = own_limit(r, &code);
	int64_t total = r->first_ms + r->env->limits.total_ms;

	if (r->state == RUN_BACKOFF)
		return r->due_ms < total ? r->due_ms : total;
	if (own < 0)
		return INT64_MAX;
	own += r->since_ms;
	return r->paused || total < own ? total : own;
}

void run_tick(struct run *r)
{
	int64_t now = r->env->mono_ms, own;
	const char *code = NULL;

	if (now < run_deadline(r))
		return;
	own = own_limit(r, &code);
	if (r->decoder != NULL && now < r->first_ms + r->env->limits.total_ms)
		decoder_expire(r->decoder);
	if (now >= r->first_ms + r->env->limits.total_ms)
		run_fail_for_good(r, "total_timeout", false,
		    "%s: the answer took longer than %lld ms",
		    r->target.upstream->name,
		    (long long)r->env->limits.total_ms);
	else if (own >= 0)
		run_fail(r, code, true, "%s: %s within %lld ms",
		    r->target.upstream->name,
		    r->state == RUN_CONNECTING ? "no connection"
		    : r->state == RUN_WAITING  ? "no answer began"
					       : "the answer did not go on",
		    (long long)own);
	run_turn(r);
}
