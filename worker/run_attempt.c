/* A run's attempts: what is sent, and what follows a failure. */
#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"
#include "store/base/jsonout.h"
#include "store/base/log.h"
#include "worker/circuit.h"
#include "worker/note.h"
#include "worker/prices.h"
#include "worker/run_internal.h"
#include "worker/worker_key.h"

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

void run_attempt_broke_off(struct run *r, const char *code, const char *message)
{
	struct buf *b = &r->env->scratch;

	buf_reset(b);
	jsonout_object(b);
	jsonout_member(b, "code", code);
	jsonout_member(b, "message", message == NULL ? code : message);
	jsonout_object_end(b);
	say(r, CHUNK_ERROR);
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
		.key = r->key,
		.headers = u->headers,
		.is_openai = u->is_openai,
		.background = u->background };
	const char *request = e->request == NULL ? "" : e->request;
	struct estimate kept = { 0 };
	struct buf longer;
	enum err rc;

	r->repeats_from = r->text.len;
	if (!r->shown || !run_plan_continues(r, r->at))
		return dialect_build(
		    u->dialect, request, e->request_len, &t, ret, why);
	estimate_add(&kept, r->text.data, r->text.len);
	buf_init(&longer, DIALECT_MAX_BODY_BYTES);
	prefill_write(&longer, u->prefill, request, e->request_len, &r->text,
	    estimate_tokens(&kept));
	r->repeats_from = prefill_len(u->prefill, &r->text);
	rc = buf_state(&longer);
	if (rc == OK)
		rc = dialect_build(
		    u->dialect, longer.data, longer.len, &t, ret, why);
	buf_fini(&longer);
	return rc;
}

void run_attempt_forget_key(struct run *r)
{
	if (r->key != NULL)
		digest_wipe(r->key, strlen(r->key));
	free(r->key);
	r->key = NULL;
}

/*
 * Which key: the one that came with the request, else the owner's, else the
 * operator's. Fails: as worker_key_of_owner().
 */
static enum err find_key(struct run *r, char **ret)
{
	const struct upstream_entry *u = r->target.upstream;
	const char *own = worker_key_for(r->own_key, u->name);
	enum err rc = ERR_NOT_FOUND;

	r->key_is_ours = false;
	if (own == NULL)
		rc = worker_key_of_owner(r->env->store, r->env->seal,
		    r->execution->owner, u->name, ret);
	if (rc != ERR_NOT_FOUND)
		return rc;
	r->key_is_ours = own == NULL;
	if (own == NULL)
		own = u->key;
	if (own == NULL || *own == '\0')
		return ERR_NOT_FOUND;
	*ret = strdup(own);
	return *ret == NULL ? ERR_NOMEM : OK;
}

bool run_attempt_choose_key(struct run *r)
{
	const struct upstream_entry *u = r->target.upstream;
	char hint[256];
	enum err rc;

	run_attempt_forget_key(r);
	rc = find_key(r, &r->key);
	if (rc == OK)
		return true;
	if (rc == ERR_NOMEM) {
		run_fail(r, err_name(rc), true, "out of memory");
		return false;
	}
	if (rc != ERR_NOT_FOUND) {
		run_fail(r, dialect_error_name(ERROR_AUTH), false,
		    "the owner's key for %s cannot be opened (%s): set it "
		    "again, or give the server the key file that closed it",
		    u->name, err_name(rc));
		return false;
	}
	if (u->key_variable == NULL)
		return true;
	upstreams_key_hint(u, hint, sizeof(hint));
	run_fail(r, dialect_error_name(ERROR_AUTH), false,
	    "%s wants a key and there is none: %s", u->name, hint);
	return false;
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
	if (!run_attempt_choose_key(r))
		return false;
	rc = build(r, ret, &why);
	ret->alone = !r->key_is_ours;
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
	r->repeats_to = r->text.len;
	r->must_reset = r->shown && !run_plan_continues(r, r->at);
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
	r->shown = r->must_reset = false;
}

static void is_well(struct run *r)
{
	if (circuit_good(r->target.upstream->circuit))
		log_info("run", "upstream is well again", "upstream=%s",
		    r->target.upstream->name);
}

void run_attempt_speaks(struct run *r)
{
	if (r->must_reset)
		say_reset(r);
	r->has_content = true;
	if (r->content_ms == 0)
		r->content_ms = r->env->mono_ms;
	is_well(r);
}

void run_attempt_skip(struct run *r, struct text *t)
{
	while (r->repeats_from < r->repeats_to && t->len > 0) {
		if (*t->s != r->text.data[r->repeats_from]) {
			r->repeats_from = r->repeats_to;
			return;
		}
		r->repeats_from++;
		t->s++;
		t->len--;
	}
}

void run_attempt_finishes(struct run *r)
{
	/* An answer without a word is one: half of another must not stand. */
	if (r->must_reset)
		say_reset(r);
	else if (r->shown && !r->has_content)
		run_warn(r, "on_interrupt",
		    "the answer broke off, and who was to go on from it added "
		    "nothing: it may be cut short");
	if (!r->has_content)
		is_well(r);
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

void run_attempt_pay(struct run *r, const char *target,
    const struct dialect_usage *u, struct attempts_bill *bill)
{
	struct price price;

	if (r->env->prices != NULL &&
	    prices_find(r->env->prices, target, &price))
		bill->price = &price;
	attempts_pay(&r->attempts, u, bill);
	bill->price = NULL;
}

void run_attempt_settle(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	struct attempts_bill bill = { 0 };
	int64_t output;
	char *target;
	enum err rc;
	bool held = r->attached || r->attaching || r->lost.known;
	bool refused;

	if (!r->unsettled)
		return;
	r->unsettled = false;
	/* A cancel or a deadline came before the decoder told it. */
	if (o->status != EXECUTION_COMPLETED && r->decoder != NULL)
		r->usage = decoder_usage(r->decoder);
	/* What never left, or was refused, was read by nobody. */
	refused = !held &&
		  (!r->connected || (o->http_status >= 400 && !r->has_content));
	output = estimate_tokens(&r->output);
	/*
	 * Some upstreams count from their first piece on: where the end did not
	 * come, their last count is not that of what was received.
	 */
	if (o->status != EXECUTION_COMPLETED &&
	    r->usage.output_tokens < output - r->usage.output_tokens)
		r->usage.output_tokens = -1;
	bill.estimated_input = refused ? 0 : r->estimated_input;
	bill.estimated_output = output;
	attempts_take(&r->attempts, &r->usage, bill.estimated_input, output);
	if (r->connected)
		r->connect_took_ms = r->connected_ms - r->begun_ms;
	target = upstreams_target_name(&r->target);
	if (target != NULL)
		run_attempt_pay(r, target, &r->usage, &bill);
	rc = target == NULL
		 ? ERR_NOMEM
		 : attempts_add(&r->attempts,
		       &(struct attempts_item){
			   .number = r->begun || held ? r->attempt : 0,
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
	/* Nor is a client's key, or its limit, the upstream's fault. */
	if (!o->retryable || o->final ||
	    (!r->key_is_ours && o->http_status > 0)) {
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
	run_attach_forget(r);
}

void run_attempt_note(struct run *r)
{
	struct buf *b = &r->env->scratch;

	buf_reset(b);
	note_write(b, &(struct note){ .attempts = &r->attempts,
			  .began_ms = r->begun ? r->begun_wall_ms : 0,
			  .token = r->token.len > 0 ? r->token.data : NULL });
	if (buf_state(b) != OK) {
		r->env->batch->bytes.failed = buf_state(b);
		return;
	}
	batch_note(r->env->batch, &r->execution->id,
	    &(struct batch_note){ b->data, b->len });
}

bool run_attempt_again(struct run *r)
{
	const struct run_outcome *o = &r->outcome;
	char id[ID_TEXT];

	if (o->status != EXECUTION_FAILED)
		return false;
	if (run_attach_again(r))
		return true;
	if (r->unsettled)
		blame(r);
	if (o->final || !r->unsettled || r->attempts.n + 1 >= ATTEMPTS_MAX ||
	    !run_plan_next(r))
		return false;
	id_text(&r->execution->id, id);
	log_info("run", "attempt failed",
	    "id=%s attempt=%u target=%s/%s code=%s next=%s/%s wait_ms=%lld", id,
	    r->attempt, r->target.upstream->name, r->target.model, o->code,
	    r->route.at[r->at].upstream->name, r->route.at[r->at].model,
	    (long long)(r->due_ms - r->env->mono_ms));
	if (r->has_content) {
		r->broke_off = o->code;
		run_attempt_broke_off(r, o->code, o->message);
	}
	run_attempt_settle(r);
	forget(r);
	run_attempt_note(r);
	return true;
}
