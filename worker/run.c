#include "worker/run.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "worker/delta.h"
#include "worker/run_internal.h"
#include "worker/worker_key.h"

/*
 *  run_new()
 *     |
 *  QUEUED ----> CONNECTING ----> WAITING ----> STREAMING
 *     |          ^   |              |              |
 *     |          |   v              v              v
 *     |          +-- BACKOFF <------+--------------+
 *     |              |
 *     +--------------+----> ENDED <---- from all of them
 *
 * move                     made by                  says
 * QUEUED -> CONNECTING     run_begin()              BATCH_START
 * CONNECTING -> WAITING    run_connected(), _head() -
 * WAITING -> STREAMING     the first content event  CHUNK_RESET, if what was
 *                                                   shown before is withdrawn
 * any three -> BACKOFF     a failure that another   CHUNK_ERROR, if the attempt
 *                          attempt may mend         had shown something
 * BACKOFF -> CONNECTING    run_begin(), once due    BATCH_START, unless it
 *                                                   takes an answer up again
 * any -> ENDED             any other outcome        BATCH_END
 *
 * An outcome is the decoder's finish or error, a fetch that ended before it, a
 * deadline, a cancel, the stop of the program: the first one counts.
 *
 * state       sleeps until                        its own deadline
 * QUEUED      there is a place (run_begin())      none
 * CONNECTING  the connection is there             connect_ms
 * WAITING     content comes                       first_token_ms
 * STREAMING   the decoder knows the end           idle_ms, moved by each event
 * BACKOFF     the wait is over (run_begin())      none
 *
 * total_ms goes on through all of them but the first.
 */
static const bool may_move[RUN_STATES][RUN_STATES] = {
	[RUN_QUEUED] = { [RUN_CONNECTING] = true, [RUN_ENDED] = true },
	[RUN_CONNECTING] = { [RUN_WAITING] = true,
	    [RUN_BACKOFF] = true,
	    [RUN_ENDED] = true },
	[RUN_WAITING] = { [RUN_STREAMING] = true,
	    [RUN_BACKOFF] = true,
	    [RUN_ENDED] = true },
	[RUN_STREAMING] = { [RUN_BACKOFF] = true, [RUN_ENDED] = true },
	[RUN_BACKOFF] = { [RUN_CONNECTING] = true, [RUN_ENDED] = true },
};

static const char *const state_name[RUN_STATES] = {
	[RUN_QUEUED] = "queued",
	[RUN_CONNECTING] = "connecting",
	[RUN_WAITING] = "waiting",
	[RUN_STREAMING] = "streaming",
	[RUN_BACKOFF] = "backoff",
	[RUN_ENDED] = "ended",
};

struct run *run_new(struct run_env *env, struct execution **e)
{
	struct run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	*r = (struct run){ .env = env,
		.state = RUN_QUEUED,
		.execution = *e,
		.attempt = (*e)->attempts,
		.usage = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 },
		.only_text = true,
		.connect_took_ms = -1,
		.made_ms = env->mono_ms };
	attempts_init(&r->attempts);
	buf_init(&r->text, PREFILL_MAX_BYTES);
	buf_init(&r->token, RUN_MAX_TOKEN_BYTES);
	*e = NULL;
	return r;
}

void run_take_key(struct run *r, struct worker_key **key)
{
	ASSERT(r->state == RUN_QUEUED && r->own_key == NULL);
	r->own_key = *key;
	*key = NULL;
}

void run_free(struct run *r)
{
	if (r == NULL)
		return;
	run_attempt_forget_key(r);
	worker_key_free(r->own_key);
	r->env->counts.streaming -= r->state == RUN_STREAMING;
	decoder_free(r->decoder);
	execution_free(r->execution);
	run_outcome_fini(&r->outcome);
	run_outcome_fini(&r->lost);
	attempts_fini(&r->attempts);
	buf_fini(&r->token);
	buf_fini(&r->text);
	free(r->model);
	free(r->provider);
	free(r->upstream_id);
	free(r->warnings);
	free(r);
}

const struct id *run_id(const struct run *r)
{
	return &r->execution->id;
}

bool run_streaming(const struct run *r)
{
	return r->state == RUN_STREAMING;
}

bool run_ended(const struct run *r)
{
	return r->state == RUN_ENDED;
}

bool run_resting(const struct run *r)
{
	return r->state == RUN_BACKOFF;
}

bool run_due(const struct run *r)
{
	return r->state == RUN_BACKOFF && r->env->mono_ms >= r->due_ms;
}

bool run_completed(const struct run *r)
{
	return r->state == RUN_ENDED &&
	       r->outcome.status == EXECUTION_COMPLETED;
}

/* --- the machine --- */

static void say_start(struct run *r)
{
	char *target = upstreams_target_name(&r->target);

	if (target == NULL) {
		r->env->batch->bytes.failed = ERR_NOMEM;
		return;
	}
	batch_start(r->env->batch, &r->execution->id,
	    &(struct batch_start){ .attempt = r->attempt,
		.ts_ms = r->env->wall_ms,
		.target = target,
		.target_len = strlen(target) });
	free(target);
	/* The first attempt's beginning is the execution's own. */
	if (r->attempts.n > 0)
		run_attempt_note(r);
}

/* What nobody will ask for again, once an answer has been shown. */
static void forget_request(struct run *r)
{
	if (r->on_interrupt != INTERRUPT_FAIL)
		return;
	free(r->execution->request);
	r->execution->request = NULL;
	r->execution->request_len = 0;
}

static void log_move(
    const struct run *r, enum run_state from, enum run_state to)
{
	char id[ID_TEXT];

	if (!log_on(LOG_DEBUG))
		return;
	id_text(&r->execution->id, id);
	log_debug("run", "moves", "id=%s from=%s to=%s", id, state_name[from],
	    state_name[to]);
}

/* The one door. */
static void run_move(struct run *r, enum run_state to)
{
	enum run_state from = r->state;

	ASSERT(may_move[from][to]);
	ASSERT(to == RUN_CONNECTING ? r->begun : true);
	ASSERT(to == RUN_ENDED ? r->outcome.known : true);
	log_move(r, from, to);
	r->env->counts.streaming -= from == RUN_STREAMING;
	r->env->counts.streaming += to == RUN_STREAMING;
	r->state = to;
	r->since_ms = r->env->mono_ms;
	if (to == RUN_CONNECTING && !r->attached)
		say_start(r);
	if (to == RUN_STREAMING)
		forget_request(r);
	if (to == RUN_ENDED) {
		run_say_end(r);
		decoder_free(r->decoder);
		r->decoder = NULL;
	}
}

/* What an outcome leads to. */
static enum run_state after_outcome(struct run *r)
{
	return run_attempt_again(r) ? RUN_BACKOFF : RUN_ENDED;
}

void run_turn(struct run *r)
{
	for (;;) {
		bool over = r->outcome.known;

		switch (r->state) {
		case RUN_QUEUED:
			if (!over && !r->begun)
				return;
			run_move(r, over ? RUN_ENDED : RUN_CONNECTING);
			break;
		case RUN_CONNECTING:
			if (!over && !r->connected)
				return;
			run_move(r, over ? after_outcome(r) : RUN_WAITING);
			break;
		case RUN_WAITING:
			if (!over && !r->has_content)
				return;
			/* What came before the end was shown. */
			run_move(r,
			    r->has_content ? RUN_STREAMING : after_outcome(r));
			break;
		case RUN_STREAMING:
			if (!over)
				return;
			run_move(r, after_outcome(r));
			break;
		case RUN_BACKOFF:
			if (!over && !r->begun)
				return;
			run_move(r, over ? RUN_ENDED : RUN_CONNECTING);
			break;
		case RUN_ENDED: return;
		}
	}
}

/* --- what the dialect understood --- */

static void note_content(struct run *r, const struct event *e)
{
	if (r->n_chunks >= r->env->limits.max_chunks) {
		run_fail_for_good(r, "answer_too_large", false,
		    "%s sent more pieces than an answer may have",
		    r->target.upstream->name);
		return;
	}
	r->n_chunks += 1 + e->text.len / DELTA_MAX_BYTES;
	if (!r->has_content)
		run_attempt_speaks(r);
	/* a call's fragments come again, whole, at its end */
	if (e->kind != EVENT_TOOL_DELTA && e->text.s != NULL)
		estimate_add(&r->output, e->text.s, e->text.len);
	if (e->name.s != NULL)
		estimate_add(&r->output, e->name.s, e->name.len);
	delta_write(&(struct delta_target){ .batch = r->env->batch,
			.id = &r->execution->id,
			.attempt = r->attempt,
			.ts_ms = r->env->wall_ms,
			.scratch = &r->env->scratch },
	    e);
	run_attempt_told(r, e);
}

static void note_start(struct run *r, const struct event *e)
{
	if (r->model == NULL)
		r->model = run_word(e->model);
	if (r->provider == NULL)
		r->provider = run_word(e->provider);
	if (r->upstream_id == NULL)
		r->upstream_id = run_word(e->id);
}

static void on_finish(struct run *r, const struct event *e)
{
	run_attach_forget(r);
	run_attempt_finishes(r);
	if (e->reason == FINISH_UNKNOWN && e->native.len == 0)
		run_warn(r, "finish_reason",
		    "the upstream did not say why it stopped: the answer may "
		    "be cut short");
	run_complete(r, e->reason, e->native);
}

static void on_error(struct run *r, const struct dialect_error *e)
{
	/* It says itself that there is no more to come. */
	if (!e->in_request && e->kind != ERROR_TRUNCATED)
		run_attach_forget(r);
	run_fail_as_told(r, e);
}

/* Text, but for what an earlier attempt has shown of it. */
static void on_text(struct run *r, const struct event *e)
{
	struct event rest = *e;

	run_attempt_skip(r, &rest.text);
	if (rest.text.len > 0)
		note_content(r, &rest);
}

static void on_event(void *arg, const struct event *e)
{
	struct run *r = arg;

	if (r->outcome.known)
		return;
	r->n_events++;
	r->env->counts.events++;
	if (e->kind != EVENT_PING && r->state == RUN_STREAMING)
		r->since_ms = r->env->mono_ms;
	if (e->kind == EVENT_TEXT)
		on_text(r, e);
	else if (delta_is_content(e->kind))
		note_content(r, e);
	else if (e->kind == EVENT_START)
		note_start(r, e);
	else if (e->kind == EVENT_USAGE)
		r->usage = e->usage;
	else if (e->kind == EVENT_FINISH)
		on_finish(r, e);
	else if (e->kind == EVENT_ERROR)
		on_error(r, &e->error);
}

/* --- what is told --- */

bool run_begin(struct run *r, struct dialect_request *ret)
{
	ASSERT(r->state == RUN_QUEUED || r->state == RUN_BACKOFF);
	if (r->state == RUN_QUEUED && !run_plan_make(r))
		goto out;
	if (r->attaching && (run_attach_build(r, ret) || !run_attempt_again(r)))
		goto out;
	/* A target that cannot be asked this is passed by. */
	while (!run_attempt_build(r, ret) && run_attempt_again(r))
		;
out:
	run_turn(r);
	return r->state == RUN_CONNECTING;
}

/* Is there a fetch to hear from? */
static bool listens(const struct run *r)
{
	return r->state == RUN_CONNECTING || r->state == RUN_WAITING ||
	       r->state == RUN_STREAMING;
}

void run_connected(struct run *r)
{
	if (!listens(r))
		return;
	if (r->connected_ms == 0)
		r->connected_ms = r->env->mono_ms;
	r->connected = true;
	run_turn(r);
}

void run_head(struct run *r, const struct dialect_head *head)
{
	struct dialect_head h = *head;

	run_connected(r);
	if (!listens(r) || r->decoder != NULL)
		return;
	h.streaming = r->streaming_asked;
	h.embeddings = r->embeds;
	h.token = r->attached ? r->token.data : NULL;
	if (decoder_new(r->target.upstream->dialect, &h, on_event, r,
		&r->decoder) != OK)
		run_fail(r, err_name(ERR_NOMEM), true, "out of memory");
	run_turn(r);
}

void run_body(struct run *r, const char *bytes, size_t len)
{
	if (r->decoder == NULL)
		return;
	decoder_feed(r->decoder, bytes, len);
	run_attach_keep(r);
	run_turn(r);
}

void run_over(struct run *r, enum fetch_end end, const char *detail)
{
	const char *name;

	if (!listens(r))
		return;
	name = r->target.upstream->name;
	if (end == FETCH_TOO_LARGE)
		run_fail_for_good(r, "answer_too_large", false,
		    "%s sent more than an answer may have", name);
	else if (r->decoder != NULL)
		decoder_end(r->decoder, end == FETCH_CLEAN);
	else
		run_fail(r, dialect_error_name(ERROR_NETWORK), true, "%s: %s",
		    name, detail == NULL ? "no response" : detail);
	/* a decoder that has no opinion leaves an answer without its end */
	run_fail(r, dialect_error_name(ERROR_TRUNCATED), true,
	    "%s: the answer broke off", name);
	run_turn(r);
}

void run_cancel(struct run *r)
{
	run_fail_as_cancelled(r);
	run_turn(r);
}

void run_interrupt(struct run *r)
{
	run_fail_for_good(
	    r, "interrupted", true, "spool was stopped meanwhile");
	run_turn(r);
}

void run_no_room(struct run *r)
{
	run_fail_for_good(r, "storage_full", true,
	    "the store's disk is full: no more of the answer could be kept");
	run_turn(r);
}
