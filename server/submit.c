#include "server/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/limit.h"
#include "server/models.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_job.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/query.h"
#include "worker/worker.h"

#define IDEMPOTENCY_KEY_MAX 255

typedef void submit_done_fn(struct call *call, const struct submitted *s);

/* What travels from the loop to the writer and back. */
struct create_job {
	struct write_job job;
	struct id key; /* of the caller, for its limit */
	bool limited;
	struct worker_key *provider_key; /* for the worker; NULL: none came */
	/* There is no room for a new one; an earlier one is told even so. */
	bool refused;
	struct problem refusal;
	submit_done_fn *on_done;
	struct submitted made;
};

/* A creation that waits for its stored prompt. */
struct prompt_job {
	struct read_job job;
	struct body_create create;
	char owner[KEY_NAME_BYTES];
	uint8_t hash[DIGEST_BYTES];
	submit_done_fn *on_done;
	struct prompt prompt;
};

/* On the writer's thread (or the loop's, when the post failed). */
static void settle(struct write_job *job)
{
	struct create_job *j = (struct create_job *)job;
	struct service *s = job->service;
	struct write *w = &job->write;
	bool fresh = w->result == OK && !w->u.create.existed;

	/* Under the id that was counted: an earlier one takes its place below. */
	if (j->limited && !j->refused)
		limit_opened(s->limit, &j->key, &j->made.id, fresh);
	if (w->result == OK) {
		j->made.id = w->u.create.execution->id;
		j->made.status = w->u.create.execution->status;
		j->made.existed = w->u.create.existed;
	}
	if (!fresh && !j->refused)
		worker_release(s->o.worker);
	else if (fresh && worker_submit_with(s->o.worker,
			      &w->u.create.execution, &j->provider_key) != OK)
		log_warn("submit", "left for next start", "err=stopped");
	service_worker_done(s);
}

static void create_done(struct write_job *job, struct call *call)
{
	struct create_job *j = (struct create_job *)job;

	if (job->write.result == OK)
		j->on_done(call, &j->made);
	else if (j->refused && job->write.result == ERR_NOT_FOUND)
		call_fail(call, &j->refusal);
	else if (job->write.result == ERR_CONFLICT)
		call_refuse(call, PROBLEM_IDEMPOTENCY_MISMATCH,
		    "Idempotency-Key",
		    "this Idempotency-Key was used for another request; send "
		    "a new one with a new request");
	else
		call_fail_err(call, job->write.result, &job->write.why);
}

/* Nobody else wants it. */
static void create_gone(struct write_job *job)
{
	struct create_job *j = (struct create_job *)job;
	struct worker *w;

	if (job->write.result != OK || j->made.existed)
		return;
	w = service_worker(job->service);
	if (!w)
		return;
	if (worker_cancel(w, &j->made.id) != OK)
		log_warn("submit", "runs on unread", "err=nomem");
	service_worker_done(job->service);
}

static void create_drop(struct write_job *job)
{
	execution_free(job->write.u.create.execution);
	worker_key_free(((struct create_job *)job)->provider_key);
	free(job);
}

/* Say in the request which upstream's key came with it, so that a start knows. */
static enum err note_key(struct execution *e, const struct worker_key *key)
{
	static const char member[] = ",\"" WORKER_KEY_MEMBER "\":\"";
	const char *upstream = worker_key_upstream(key);
	struct buf b;
	char *text;

	ASSERT(e->request_len > 2 && e->request[e->request_len - 1] == '}');
	buf_init(&b, e->request_len + sizeof(member) + strlen(upstream) + 4);
	buf_add(&b, e->request, e->request_len - 1);
	buf_puts(&b, member);
	buf_puts(&b, upstream);
	buf_puts(&b, "\"}");
	text = buf_detach(&b, &e->request_len);
	if (!text)
		return ERR_NOMEM;
	free(e->request);
	e->request = text;
	return OK;
}

/*
 * The provider's key that came along, for the model's upstream; and is there
 * any? Gives: *${ret}, NULL without one.
 */
static enum err provider_key(struct call *call, struct worker *w,
    struct execution *e, struct worker_key **ret, struct problem *p)
{
	const char *text = http_header(call->x, "X-Provider-Key");
	struct worker_key *key = NULL;
	struct why why = { "" };
	enum err rc = OK;

	if (text)
		rc = worker_key_read(w, e->model, text, &key, &why);
	if (rc == OK)
		rc = worker_key_check(w, e->model, e->owner, key, &why);
	if (rc == OK && key)
		rc = note_key(e, key);
	if (rc == OK) {
		*ret = key;
		return OK;
	}
	worker_key_free(key);
	problem_from_err(p, rc, &why);
	if (rc == ERR_INPUT)
		problem_set(p,
		    text ? PROBLEM_INVALID_ARGUMENT
			 : PROBLEM_FAILED_PRECONDITION,
		    text ? "X-Provider-Key" : "model", "%s", why.text);
	return rc;
}

/* The Idempotency-Key header; *ret NULL without one. False: answered. */
static bool idempotency_key(struct call *call, const char **ret)
{
	const char *key = call->whole ? call->idempotency_key
				      : http_header(call->x, "Idempotency-Key");
	size_t len = key ? strlen(key) : 0;

	*ret = key;
	if (!key)
		return true;
	for (size_t i = 0; i < len; i++)
		if (key[i] < ' ' || key[i] == 0x7f)
			len = 0;
	if (len > 0 && len <= IDEMPOTENCY_KEY_MAX)
		return true;
	call_refuse(call, PROBLEM_INVALID_ARGUMENT, "Idempotency-Key",
	    "Idempotency-Key must have 1 to %d printable ASCII characters",
	    IDEMPOTENCY_KEY_MAX);
	return false;
}

/* The record to store; NULL without memory. Takes request and model. */
static struct execution *record(const struct call *call,
    const struct body_create *create, const char *idempotency, char **request,
    size_t request_len, char **model, uint32_t version)
{
	struct execution *e = execution_new();
	char prompt[PROMPT_NAME_BYTES + 16];
	bool whole;

	if (!e)
		return NULL;
	e->id = id_new();
	e->status = EXECUTION_QUEUED;
	e->created_ms = clock_wall_ms();
	e->owner = strdup(create->owner[0] ? create->owner : call->who.owner);
	e->request = *request;
	e->request_len = request_len;
	e->model = *model;
	*request = *model = NULL;
	whole = e->owner;
	if (create->prompt[0]) {
		(void)snprintf(prompt, sizeof(prompt), "%s@%u", create->prompt,
		    (unsigned)version);
		e->prompt = strdup(prompt);
		whole = whole && e->prompt;
	}
	if (idempotency) {
		e->idempotency_key = strdup(idempotency);
		whole = whole && e->idempotency_key;
	}
	if (whole)
		return e;
	execution_free(e);
	return NULL;
}

/* ${why} lists what is configured; what is near to it may be a longer list's. */
static void refuse_model(struct worker *w, const char *model, enum err e,
    const struct why *why, struct problem *p)
{
	struct worker_models *models = worker_models(w);
	size_t used;

	problem_from_err(p, e, why);
	(void)snprintf(p->field, sizeof(p->field), "model");
	used = strlen(p->detail);
	if (e == ERR_INPUT && used + 3 < sizeof(p->detail)) {
		char hint[120];

		models_hint(models, model, hint, sizeof(hint));
		if (hint[0])
			(void)snprintf(p->detail + used,
			    sizeof(p->detail) - used, "; %s", hint);
	}
	worker_models_drop(models);
}

/* Room in the worker for ${model}, and in the caller's limit. */
static enum err reserve(struct call *call, struct worker *w,
    struct execution *made, struct worker_key **ret_key, struct problem *p)
{
	struct service *s = call->service;
	const char *model = made->model;
	struct why why = { "" };
	char *target = NULL;
	enum err e;

	e = worker_resolve(w, model, &target, &why);
	free(target);
	if (e != OK) {
		refuse_model(w, model, e, &why, p);
		return e;
	}
	e = provider_key(call, w, made, ret_key, p);
	if (e != OK)
		return e;
	e = worker_reserve(w);
	if (e != OK) {
		problem_from_err(p, e, NULL);
		return e;
	}
	if (call->who.scopes & KEY_ADMIN)
		return OK;
	e = limit_open(s->limit, &call->who.key, &made->id);
	if (e == OK)
		return OK;
	worker_release(w);
	problem_from_err(p, e, NULL);
	if (e == ERR_LIMIT) {
		problem_set(p, PROBLEM_TOO_MANY_OPEN, NULL,
		    "%u executions of this key have not ended; wait for some",
		    s->o.max_open_per_key);
		p->retry_after_ms = 5000;
	}
	return e;
}

static void post(struct call *call, struct execution *execution,
    const uint8_t hash[DIGEST_BYTES], submit_done_fn *on_done)
{
	struct service *s = call->service;
	struct worker *w = service_worker(s);
	struct worker_key *key = NULL;
	struct create_job *j = NULL;
	struct problem p;
	bool refused;

	if (!w) {
		problem_from_err(&p, ERR_STOPPED, NULL);
		goto fail;
	}
	refused = reserve(call, w, execution, &key, &p) != OK;
	if (refused && !execution->idempotency_key)
		goto fail_worker;
	j = calloc(1, sizeof(*j));
	if (!j && refused)
		goto fail_worker;
	if (!j) {
		problem_from_err(&p, ERR_NOMEM, NULL);
		worker_release(w);
		if (!(call->who.scopes & KEY_ADMIN))
			limit_opened(
			    s->limit, &call->who.key, &execution->id, false);
		goto fail_worker;
	}
	j->refused = refused;
	j->provider_key = key;
	if (refused)
		j->refusal = p;
	memcpy(execution->request_hash, hash, DIGEST_BYTES);
	j->job.write.kind = WRITE_CREATE;
	j->job.write.mail.bytes = sizeof(*j) + execution->request_len;
	j->job.write.u.create.execution = execution;
	j->job.write.u.create.only_existing = refused;
	j->job.settle = settle;
	j->job.done = create_done;
	j->job.gone = call->cancel_if_gone ? create_gone : NULL;
	j->job.drop = create_drop;
	j->key = call->who.key;
	j->limited = !(call->who.scopes & KEY_ADMIN);
	j->on_done = on_done;
	j->made.id = execution->id;
	j->made.created_ms = execution->created_ms;
	(void)write_job_ask(call, &j->job);
	return;
fail_worker:
	service_worker_done(s);
fail:
	worker_key_free(key);
	execution_free(execution);
	call_fail(call, &p);
}

/* All is there: make the record and send it off. Moves out of ${create}. */
static void finish(struct call *call, struct body_create *create,
    const struct prompt *prompt, const uint8_t hash[DIGEST_BYTES],
    submit_done_fn *on_done)
{
	char *request = NULL, *model = NULL;
	struct execution *e = NULL;
	const char *idempotency;
	size_t len = 0;
	struct problem p;

	if (!idempotency_key(call, &idempotency))
		goto out;
	if (body_request(create, prompt ? prompt->body : NULL,
		prompt ? prompt->body_len : 0, &request, &len, &model,
		&p) != OK) {
		call_fail(call, &p);
		goto out;
	}
	e = record(call, create, idempotency, &request, len, &model,
	    prompt ? prompt->version : 0);
	if (e)
		post(call, e, hash, on_done);
	else
		call_fail_err(call, ERR_NOMEM, NULL);
out:
	free(request);
	free(model);
	body_create_fini(create);
}

static void prompt_run(struct read_job *job, struct query *q)
{
	struct prompt_job *j = (struct prompt_job *)job;

	job->result = query_prompt(
	    q, j->owner, j->create.prompt, j->create.version, &j->prompt);
}

static void prompt_done(struct read_job *job, struct call *call)
{
	struct prompt_job *j = (struct prompt_job *)job;

	if (job->result == ERR_NOT_FOUND && j->create.version)
		call_refuse(call, PROBLEM_NOT_FOUND, "promptId",
		    "there is no prompt \"%s\", or no version %u of it",
		    j->create.prompt, j->create.version);
	else if (job->result == ERR_NOT_FOUND)
		call_refuse(call, PROBLEM_NOT_FOUND, "promptId",
		    "there is no prompt \"%s\"", j->create.prompt);
	else if (job->result != OK)
		call_fail_err(call, job->result, &job->why);
	else
		finish(call, &j->create, &j->prompt, j->hash, j->on_done);
}

static void prompt_drop(struct read_job *job)
{
	struct prompt_job *j = (struct prompt_job *)job;

	prompt_fini(&j->prompt);
	body_create_fini(&j->create);
	free(j);
}

void submit_start(struct call *call, struct body_create *create,
    const uint8_t hash[DIGEST_BYTES], submit_done_fn *on_done)
{
	struct prompt_job *j;

	if (create->owner[0] && !(call->who.scopes & KEY_ADMIN) &&
	    strcmp(create->owner, call->who.owner) != 0) {
		body_create_fini(create);
		call_refuse(call, PROBLEM_FORBIDDEN, "owner",
		    "only an admin key may create for another owner");
		return;
	}
	if (!create->prompt[0]) {
		finish(call, create, NULL, hash, on_done);
		return;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		body_create_fini(create);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = prompt_run;
	j->job.done = prompt_done;
	j->job.drop = prompt_drop;
	j->create = *create;
	*create = (struct body_create){ 0 };
	(void)snprintf(j->owner, sizeof(j->owner), "%s",
	    j->create.owner[0] ? j->create.owner : call->who.owner);
	memcpy(j->hash, hash, DIGEST_BYTES);
	j->on_done = on_done;
	(void)read_pool_ask(call, &j->job);
}
