/* REST: owners' keys for providers, sealed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/call.h"
#include "server/front_handlers.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_job.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/vault.h"
#include "worker/worker.h"

#define LIST_MAX_BYTES ((size_t)16 << 20)

struct vault_job {
	struct write_job job;
	struct provider_key key;
	struct audit audit;
};

static void vault_job_drop(struct write_job *job)
{
	free(job);
}

static void write_one(struct buf *b, const struct provider_key *k)
{
	jsonout_object(b);
	jsonout_member(b, "upstream", k->upstream);
	jsonout_member(b, "owner", k->owner);
	jsonout_member(b, "hint", k->hint);
	jsonout_key(b, "created_at");
	write_execution_time(b, k->created_ms);
	jsonout_object_end(b);
}

/* The {upstream} of the path. False: answered. */
static bool read_upstream(struct call *call, char *dst)
{
	const char *text = call->args.arg[0].text;
	size_t len = call->args.arg[0].len;
	struct worker *w;
	bool known = false;

	dst[0] = '\0';
	if (len < PROVIDER_KEY_UPSTREAM_BYTES) {
		memcpy(dst, text, len);
		dst[len] = '\0';
	}
	w = service_worker(call->service);
	if (!w) {
		call_fail_err(call, ERR_STOPPED, NULL);
		return false;
	}
	known = dst[0] && worker_has_upstream(w, dst);
	service_worker_done(call->service);
	if (!known)
		call_refuse(call, PROBLEM_NOT_FOUND, "upstream",
		    "there is no upstream \"%.64s\"; GET /v1/models lists them",
		    dst);
	return known;
}

/* Whose key it is: the caller's, or ${said} for an admin. False: answered. */
static bool choose_owner(struct call *call, const char *said, char *dst)
{
	if (said[0] && strcmp(said, call->who.owner) != 0 &&
	    !(call->who.scopes & KEY_ADMIN)) {
		call_refuse(call, PROBLEM_FORBIDDEN, "owner",
		    "only an admin key may do this for another owner");
		return false;
	}
	(void)snprintf(
	    dst, KEY_NAME_BYTES, "%s", said[0] ? said : call->who.owner);
	return true;
}

static void post(struct call *call, struct vault_job *j, enum write_kind kind,
    const char *action, void (*done)(struct write_job *, struct call *))
{
	char subject[AUDIT_SUBJECT_BYTES];

	(void)snprintf(
	    subject, sizeof(subject), "%s/%s", j->key.owner, j->key.upstream);
	actor_audit(&call->who, action, subject, &j->audit);
	j->job.write.audit = &j->audit;
	j->job.write.kind = kind;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.provider_key = &j->key;
	j->job.done = done;
	j->job.drop = vault_job_drop;
	(void)write_job_ask(call, &j->job);
}

static bool keeps(struct call *call)
{
	if (call->service->o.seal)
		return true;
	call_refuse(call, PROBLEM_FAILED_PRECONDITION, NULL,
	    "this server keeps no keys for providers: start it with "
	    "--vault-key-file FILE, 32 random bytes with mode 0600");
	return false;
}

/* --- set --- */

static void on_put(struct write_job *job, struct call *call)
{
	const struct vault_job *j = (const struct vault_job *)job;
	struct buf b;

	if (job->write.result != OK) {
		call_fail_err(call, job->write.result, &job->write.why);
		return;
	}
	buf_init(&b, 1024);
	write_one(&b, &j->key);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void wipe(char **secret)
{
	digest_wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

void front_rest_provider_key_put(struct call *call)
{
	struct vault_job *j = NULL;
	char owner[KEY_NAME_BYTES], *secret = NULL;
	struct provider_key k = { 0 };
	struct problem p;
	const char *body;
	size_t len;
	enum err e;

	if (!keeps(call) || call_wants_json(call) != OK)
		return;
	body = http_body(call->x, &len);
	if (body_provider_key(body, len, owner, &secret, &p) != OK) {
		call_fail(call, &p);
		return;
	}
	/* What it is for, and whose, is a part of what is sealed. */
	if (!read_upstream(call, k.upstream) ||
	    !choose_owner(call, owner, k.owner)) {
		wipe(&secret);
		return;
	}
	k.created_ms = clock_wall_ms();
	e = provider_key_seal(
	    &k, call->service->o.seal, secret, strlen(secret));
	wipe(&secret);
	j = e == OK ? calloc(1, sizeof(*j)) : NULL;
	if (!j) {
		call_fail_err(call, e != OK ? e : ERR_NOMEM, NULL);
		return;
	}
	j->key = k;
	post(call, j, WRITE_PROVIDER_KEY_PUT, "provider_key.set", on_put);
}

/* --- list --- */

void front_rest_provider_key_list(struct call *call)
{
	char owner[KEY_NAME_BYTES], whose[KEY_NAME_BYTES];
	struct provider_key *keys = NULL;
	size_t n = 0;
	struct buf b;
	enum err e;

	if (call_text(call, "owner", owner, sizeof(owner)) != OK ||
	    !choose_owner(call, owner, whose))
		return;
	e = vault_list(call->service->o.store,
	    call->who.scopes & KEY_ADMIN && !owner[0] ? NULL : whose, &keys,
	    &n);
	if (e != OK) {
		call_fail_err(call, e, NULL);
		return;
	}
	buf_init(&b, LIST_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "provider_keys");
	jsonout_array(&b);
	for (size_t i = 0; i < n; i++)
		write_one(&b, &keys[i]);
	jsonout_array_end(&b);
	jsonout_object_end(&b);
	free(keys);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

/* --- remove --- */

static void on_deleted(struct write_job *job, struct call *call)
{
	const struct vault_job *j = (const struct vault_job *)job;

	if (job->write.result == OK)
		call_reply_empty(call, 204);
	else if (job->write.result == ERR_NOT_FOUND)
		call_refuse(call, PROBLEM_NOT_FOUND, "upstream",
		    "there is no key for \"%s\"; GET /v1/provider-keys lists "
		    "what there is",
		    j->key.upstream);
	else
		call_fail_err(call, job->write.result, &job->write.why);
}

void front_rest_provider_key_delete(struct call *call)
{
	const char *text = call->args.arg[0].text;
	size_t len = call->args.arg[0].len;
	char owner[KEY_NAME_BYTES];
	struct vault_job *j;

	/* Of an upstream that is configured no more, too. */
	if (len >= PROVIDER_KEY_UPSTREAM_BYTES) {
		call_fail_err(call, ERR_NOT_FOUND, NULL);
		return;
	}
	if (call_text(call, "owner", owner, sizeof(owner)) != OK)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	memcpy(j->key.upstream, text, len);
	if (choose_owner(call, owner, j->key.owner))
		post(call, j, WRITE_PROVIDER_KEY_DELETE, "provider_key.remove",
		    on_deleted);
	else
		free(j);
}
