/* REST: creating, listing, showing and deleting executions. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_execution.h"
#include "server/write_job.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"
#include "store/query.h"
#include "store/tail.h"

#define LIST_MAX_BYTES ((size_t)16 << 20)
#define SHOW_MAX_BYTES ((size_t)64 << 20)

/* --- create --- */

static void on_created(struct call *call, const struct submitted *s)
{
	char id[ID_TEXT], path[64];
	struct buf b;

	id_text(&s->id, id);
	(void)snprintf(path, sizeof(path), "/v1/executions/%s", id);
	http_reply_header(call->x, "Location", path);
	if (s->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	buf_init(&b, 1024);
	jsonout_object(&b);
	jsonout_member(&b, "execution_id", id);
	jsonout_member(&b, "status", execution_status_name(s->status));
	if (!s->existed) {
		jsonout_key(&b, "created_at");
		write_execution_time(&b, s->created_ms);
	}
	jsonout_member(&b, "url", path);
	jsonout_object_end(&b);
	call_reply_json(call, s->existed ? 200 : 202, &b);
}

void front_rest_execution_create(struct call *call)
{
	uint8_t hash[DIGEST_BYTES];
	struct body_create create;
	json_t *root = NULL;
	struct problem p;
	const char *body;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return;
	body = http_body(call->x, &len);
	e = body_parse(body, len, &root, &p);
	if (e == OK)
		e = body_create(root, &create, &p);
	json_decref(root);
	if (e != OK) {
		call_fail(call, &p);
		return;
	}
	digest_sha256(body, len, hash);
	submit_start(call, &create, hash, on_created);
}

/* What is stored counts chunks only at the end; memory knows more. */
static void count_live(struct call *call, struct execution *e)
{
	struct tail_head head;

	if (!execution_ended(e->status) &&
	    tail_head(
		call->service->o.store, &e->id, call_filter(call), &head) == OK)
		e->next_index = head.total;
}

/* --- list --- */

struct list_job {
	struct read_job job;
	struct query_filter f;
	char owner[KEY_NAME_BYTES];
	struct id after;
	struct execution *found;
	uint32_t n;
};

static void list_run(struct read_job *job, struct query *q)
{
	struct list_job *j = (struct list_job *)job;

	j->found = calloc(j->f.limit, sizeof(*j->found));
	job->result =
	    j->found ? query_list(q, &j->f, false, j->found, &j->n) : ERR_NOMEM;
}

static void list_done(struct read_job *job, struct call *call)
{
	struct list_job *j = (struct list_job *)job;
	char id[ID_TEXT];
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	buf_init(&b, LIST_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "executions");
	jsonout_array(&b);
	for (uint32_t i = 0; i < j->n; i++) {
		count_live(call, &j->found[i]);
		write_execution(&b, &j->found[i], false);
	}
	jsonout_array_end(&b);
	if (j->n > 0 && j->n == j->f.limit) {
		id_text(&j->found[j->n - 1].id, id);
		jsonout_member(&b, "next", id);
	} else {
		jsonout_member(&b, "next", NULL);
	}
	jsonout_object_end(&b);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void list_drop(struct read_job *job)
{
	struct list_job *j = (struct list_job *)job;

	for (uint32_t i = 0; j->found && i < j->n; i++)
		execution_fini(&j->found[i]);
	free(j->found);
	free(j);
}

void front_rest_execution_list(struct call *call)
{
	struct list_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = list_run;
	j->job.done = list_done;
	j->job.drop = list_drop;
	if (write_execution_filter(
		call, &j->f, j->owner, &j->after, 50, 1000) == OK)
		(void)read_pool_ask(call, &j->job);
	else
		list_drop(&j->job);
}

/* --- show --- */

struct show_job {
	struct read_job job;
	struct id id;
	char owner[KEY_NAME_BYTES];
	bool anybody;
	struct execution found;
};

static void show_run(struct read_job *job, struct query *q)
{
	struct show_job *j = (struct show_job *)job;

	const char *owner = j->anybody ? NULL : j->owner;

	job->result = query_execution(q, &j->id, owner, &j->found);
	read_pool_gone(job, q, &j->id, owner);
}

static void show_done(struct read_job *job, struct call *call)
{
	struct show_job *j = (struct show_job *)job;
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	count_live(call, &j->found);
	buf_init(&b, SHOW_MAX_BYTES);
	write_execution(&b, &j->found, true);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void show_drop(struct read_job *job)
{
	struct show_job *j = (struct show_job *)job;

	execution_fini(&j->found);
	free(j);
}

void front_rest_execution_show(struct call *call)
{
	const char *owner = call_filter(call);
	struct show_job *j;
	struct id id;

	if (call_id(call, &id) != OK)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = show_run;
	j->job.done = show_done;
	j->job.drop = show_drop;
	j->id = id;
	j->anybody = !owner;
	(void)snprintf(j->owner, sizeof(j->owner), "%s", owner ? owner : "");
	(void)read_pool_ask(call, &j->job);
}

/* --- delete --- */

struct delete_job {
	struct write_job job;
	struct audit audit;
};

static void delete_done(struct write_job *job, struct call *call)
{
	if (job->write.result == ERR_GONE)
		call->gone =
		    (struct query_gone){ .deleted_ms =
					     job->write.u.remove.deleted_ms };
	if (job->write.result == OK)
		call_reply_empty(call, 204);
	else if (job->write.result == ERR_CONFLICT)
		call_refuse(call, PROBLEM_NOT_ENDED, NULL,
		    "the execution has not ended; cancel it first");
	else
		call_fail_err(call, job->write.result, &job->write.why);
}

static void delete_drop(struct write_job *job)
{
	free(job);
}

void front_rest_execution_delete(struct call *call)
{
	const char *owner = call_filter(call);
	struct delete_job *j;
	char name[ID_TEXT];
	struct id id;

	if (call_id(call, &id) != OK)
		return;
	j = calloc(1, sizeof(*j));
	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	id_text(&id, name);
	actor_audit(&call->who, "execution.delete", name, &j->audit);
	j->job.write.kind = WRITE_DELETE;
	j->job.write.audit = &j->audit;
	j->job.write.mail.bytes = sizeof(*j);
	j->job.write.u.remove.id = id;
	(void)snprintf(j->job.write.u.remove.owner,
	    sizeof(j->job.write.u.remove.owner), "%s", owner ? owner : "");
	j->job.done = delete_done;
	j->job.drop = delete_drop;
	(void)write_job_ask(call, &j->job);
}
