/*
 * A run whose upstream goes on without us: after a cut, or a crash, it hears the
 * rest of the same answer. That is no new attempt, and nothing is said of it.
 */
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "worker/note.h"
#include "worker/run_internal.h"

/* In a row without a word more; then the answer is lost. */
#define MAX_IN_A_ROW 4

static void forget_token(struct run *r)
{
	buf_fini(&r->token);
	buf_init(&r->token, RUN_MAX_TOKEN_BYTES);
}

bool run_attach_held(const struct run *r)
{
	return r->token.len > 0;
}

void run_attach_forget(struct run *r)
{
	forget_token(r);
	run_outcome_fini(&r->lost);
	r->attached = r->attaching = false;
	r->attaches = 0;
}

void run_attach_keep(struct run *r)
{
	struct buf *b = &r->env->scratch;

	if (r->outcome.known || r->decoder == NULL)
		return;
	buf_reset(b);
	if (!decoder_token(r->decoder, b)) {
		if (r->token.len == 0)
			return;
		forget_token(r);
	} else if (b->len == 0) {
		return;
	} else {
		buf_putc(b, '\0');
		if (b->len == r->token.len &&
		    memcmp(b->data, r->token.data, b->len) == 0)
			return;
		buf_reset(&r->token);
		buf_add(&r->token, b->data, b->len);
		if (buf_state(&r->token) != OK)
			forget_token(r);
	}
	/* There is news: what was lost is found. */
	run_outcome_fini(&r->lost);
	r->attaches = 0;
	run_attempt_note(r);
}

void run_attach_recall(struct run *r, const char *token)
{
	static const char message[] =
	    "spool stopped before the answer was complete";

	buf_puts(&r->token, token);
	buf_putc(&r->token, '\0');
	r->attaching = r->unsettled = true;
	r->tries = 1;
	r->lost = (struct run_outcome){ .known = true,
		.final = r->env->limits.recover == RUN_RECOVER_FAIL,
		.status = EXECUTION_FAILED,
		.code = "interrupted",
		.message = strdup(message),
		.retryable = true,
		.retry_after_ms = -1 };
}

/* What happened to the connection, not to the answer? */
static bool is_cut(const struct run_outcome *o)
{
	static const char *const codes[] = { "truncated", "network",
		"connect_timeout", "first_token_timeout", "idle_timeout" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(o->code, codes[i]) == 0)
			return true;
	return false;
}

/* It cannot be had any more: what counts is why that was to be done. */
static bool give_up(struct run *r)
{
	if (r->lost.known) {
		run_outcome_fini(&r->outcome);
		r->outcome = r->lost;
		r->lost = (struct run_outcome){ 0 };
	}
	forget_token(r);
	r->attached = r->attaching = false;
	/* It had been sent, and heard. */
	r->begun = r->connected = true;
	return false;
}

static void say(const struct run *r, const char *what, const char *code)
{
	char id[ID_TEXT];

	id_text(&r->execution->id, id);
	log_info("run", what, "id=%s attempt=%u upstream=%s code=%s", id,
	    r->attempt, r->target.upstream->name, code);
}

bool run_attach_again(struct run *r)
{
	struct run_outcome *o = &r->outcome;
	struct retry_limits limits = r->retry;
	struct retry_failure f = { .tries = r->attaches + 1,
		.retryable = true,
		.retry_after_ms = o->retry_after_ms,
		.left_ms =
		    r->first_ms + r->env->limits.total_ms - r->env->mono_ms };
	int64_t wait_ms = 0;

	if (r->token.len == 0 || o->final ||
	    (!r->attached && !r->attaching && !is_cut(o)))
		return false;
	limits.attempts = MAX_IN_A_ROW;
	if ((!is_cut(o) && !o->retryable) ||
	    !retry_wait(&limits, &f, run_plan_draw(r->env), &wait_ms)) {
		say(r, "answer is lost", o->code);
		return give_up(r);
	}
	say(r, "answer is taken up again", o->code);
	if (r->lost.known)
		run_outcome_fini(o);
	else
		r->lost = *o;
	*o = (struct run_outcome){ 0 };
	decoder_free(r->decoder);
	r->decoder = NULL;
	r->begun = r->connected = r->attached = false;
	r->attaching = true;
	/* The first time there is nothing to wait for. */
	r->due_ms = r->env->mono_ms + (r->attaches == 0 ? 0 : wait_ms);
	return true;
}

bool run_attach_build(struct run *r, struct dialect_request *ret)
{
	const struct upstream_entry *u = r->target.upstream;
	struct dialect_target t = { .base_url = u->base_url,
		.model = r->target.model,
		.headers = u->headers,
		.is_openai = u->is_openai };

	r->attaching = false;
	if (!run_attempt_choose_key(r))
		return give_up(r);
	t.key = r->key;
	if (dialect_attach(u->dialect, &t, r->token.data, ret) != OK)
		return give_up(r);
	ret->alone = !r->key_is_ours;
	r->attached = r->begun = true;
	r->attaches++;
	if (r->first_ms == 0)
		r->first_ms = r->env->mono_ms;
	return true;
}

bool run_farewell(struct run *r, struct dialect_request *ret)
{
	const struct upstream_entry *u = r->target.upstream;
	struct dialect_target t = { 0 };

	if (r->token.len == 0 || u == NULL || !run_ended(r) || run_completed(r))
		return false;
	t = (struct dialect_target){ .base_url = u->base_url,
		.model = r->target.model,
		.headers = u->headers,
		.key = r->key,
		.is_openai = u->is_openai };
	if (dialect_abandon(u->dialect, &t, r->token.data, ret) != OK)
		return false;
	ret->alone = !r->key_is_ours;
	return true;
}
