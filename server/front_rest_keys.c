/* REST: keys, for admins. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/front_handlers.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_job.h"
#include "store/base/clock.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"
#include "store/keyring.h"

#define LIST_MAX_BYTES ((size_t)16 << 20)

struct key_job {
	struct write_job job;
	struct key key; /* of a new one */
	char secret[KEY_SECRET_TEXT];
	struct id replaces; /* rotate: revoked when the new one is stored */
	bool rotates;
	struct audit audit;
};

static void key_drop(struct write_job *job)
{
	struct key_job *j = (struct key_job *)job;

	digest_wipe(j->secret, sizeof(j->secret));
	free(j);
}

static void write_key(struct buf *b, const struct key *k, const char *secret)
{
	char id[ID_TEXT], scopes[64];

	id_text(&k->id, id);
	key_scopes_text(k->scopes, scopes, sizeof(scopes));
	jsonout_object(b);
	jsonout_member(b, "id", id);
	jsonout_member(b, "label", k->label);
	jsonout_member(b, "owner", k->owner);
	jsonout_member(b, "hint", k->hint);
	jsonout_key(b, "scopes");
	jsonout_array(b);
	for (char *at = scopes, *word; (word = strsep(&at, ",")) != NULL;)
		if (word[0])
			jsonout_string(b, word, strlen(word));
	jsonout_array_end(b);
	jsonout_key(b, "created_at");
	write_execution_time(b, k->created_ms);
	jsonout_key(b, "expires_at");
	write_execution_time(b, k->expires_ms);
	jsonout_key(b, "revoked_at");
	write_execution_time(b, k->revoked_ms);
	if (secret)
		jsonout_member(b, "secret", secret);
	jsonout_object_end(b);
}

static void answer_new(struct call *call, const struct key_job *j)
{
	struct buf b;

	buf_init(&b, 4096);
	write_key(&b, &j->key, j->secret);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 201, &b);
}

/* The key ${subject} (NULL: the job's own) is told of, with who asked. */
static void audit(struct call *call, struct key_job *j, const char *action,
    const struct id *subject)
{
	char name[ID_TEXT], scopes[64];
	struct buf b;

	id_text(subject ? subject : &j->key.id, name);
	actor_audit(&call->who, action, name, &j->audit);
	j->job.write.audit = &j->audit;
	if (subject && !j->rotates)
		return;
	key_scopes_text(j->key.scopes, scopes, sizeof(scopes));
	id_text(&j->key.id, name);
	buf_init(&b, sizeof(j->audit.detail) - 1);
	jsonout_object(&b);
	if (subject)
		jsonout_member(&b, "by", name);
	jsonout_member(&b, "label", j->key.label);
	jsonout_member(&b, "owner", j->key.owner);
	jsonout_member(&b, "scopes", scopes);
	jsonout_object_end(&b);
	if (buf_state(&b) == OK)
		memcpy(j->audit.detail, b.data, b.len);
	buf_fini(&b);
}

/* The new key is stored: now the old one goes. */
static void revoke_old(struct call *call, const struct key_job *added);

static void added(struct write_job *job, struct call *call)
{
	struct key_job *j = (struct key_job *)job;

	if (job->write.result != OK)
		call_fail_err(call, job->write.result, &job->write.why);
	else if (j->rotates)
		revoke_old(call, j);
	else
		answer_new(call, j);
}

static void rotated(struct write_job *job, struct call *call)
{
	if (job->write.result != OK)
		call_fail_err(call, job->write.result, &job->write.why);
	else
		answer_new(call, (struct key_job *)job);
}

static void revoke_old(struct call *call, const struct key_job *from)
{
	struct key_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->key = from->key;
	memcpy(j->secret, from->secret, sizeof(j->secret));
	j->job.write.kind = WRITE_KEY_REVOKE;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.key_revoke.id = from->replaces;
	j->rotates = true;
	audit(call, j, "key.rotate", &from->replaces);
	j->job.done = rotated;
	j->job.drop = key_drop;
	(void)write_job_ask(call, &j->job);
}

/* Store ${key} with a new id and secret. */
static void add(
    struct call *call, const struct key *key, const struct id *replaces)
{
	struct key_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->key = *key;
	j->key.id = id_new();
	if (!j->key.owner[0])
		memcpy(j->key.owner, call->who.owner, sizeof(j->key.owner));
	key_secret_new(j->secret);
	key_secret_set(&j->key, j->secret);
	if (replaces) {
		j->replaces = *replaces;
		j->rotates = true;
	}
	j->job.write.kind = WRITE_KEY_ADD;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.key_add = j->key;
	audit(call, j, "key.create", NULL);
	j->job.done = added;
	j->job.drop = key_drop;
	(void)write_job_ask(call, &j->job);
}

void front_rest_key_add(struct call *call)
{
	struct problem p;
	const char *body;
	struct key key;
	size_t len;

	if (call_wants_json(call) != OK)
		return;
	body = http_body(call->x, &len);
	if (body_key(body, len, clock_wall_ms(), &key, &p) == OK)
		add(call, &key, NULL);
	else
		call_fail(call, &p);
}

void front_rest_key_list(struct call *call)
{
	struct key *keys = NULL;
	size_t n = 0;
	struct buf b;
	enum err e;

	e = keyring_list(call->service->o.store, NULL, &keys, &n);
	if (e != OK) {
		call_fail_err(call, e, NULL);
		return;
	}
	buf_init(&b, LIST_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "keys");
	jsonout_array(&b);
	for (size_t i = 0; i < n; i++)
		write_key(&b, &keys[i], NULL);
	jsonout_array_end(&b);
	jsonout_object_end(&b);
	free(keys);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void revoked(struct write_job *job, struct call *call)
{
	if (job->write.result == OK)
		call_reply_empty(call, 204);
	else
		call_fail_err(call, job->write.result, &job->write.why);
}

void front_rest_key_revoke(struct call *call)
{
	struct key_job *j;
	struct id id;

	if (call_id(call, &id) != OK)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.write.kind = WRITE_KEY_REVOKE;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.key_revoke.id = id;
	audit(call, j, "key.revoke", &id);
	j->job.done = revoked;
	j->job.drop = key_drop;
	(void)write_job_ask(call, &j->job);
}

void front_rest_key_rotate(struct call *call)
{
	struct key *keys = NULL, *old = NULL, next;
	size_t n = 0;
	struct id id;
	enum err e;

	if (call_id(call, &id) != OK)
		return;
	e = keyring_list(call->service->o.store, NULL, &keys, &n);
	for (size_t i = 0; i < n; i++)
		if (id_equal(&keys[i].id, &id) && keys[i].revoked_ms == 0)
			old = &keys[i];
	if (e != OK || !old) {
		free(keys);
		call_fail_err(call, e != OK ? e : ERR_NOT_FOUND, NULL);
		return;
	}
	next = *old;
	next.created_ms = clock_wall_ms();
	/* As long again as the old one was given. */
	if (next.expires_ms > 0)
		next.expires_ms += next.created_ms - old->created_ms;
	free(keys);
	add(call, &next, &id);
}
