/* REST: stored prompts, each owner its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_job.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/query.h"

#define SHOW_MAX_BYTES ((size_t)64 << 20)
#define LIST_MAX 100

/* The {name} of the path, NUL-terminated. False: answered. */
static bool read_name(struct call *call, char *dst)
{
	const char *text = call->args.arg[0].text;
	size_t len = call->args.arg[0].len;
	struct problem p;

	if (body_prompt_name(text, len, &p) != OK) {
		call_fail(call, &p);
		return false;
	}
	memcpy(dst, text, len);
	dst[len] = '\0';
	return true;
}

static void write_prompt(struct buf *b, const struct prompt *p, bool whole)
{
	jsonout_object(b);
	jsonout_member(b, "name", p->name);
	jsonout_member_int(b, "version", p->version);
	jsonout_key(b, "created_at");
	write_execution_time(b, p->created_ms);
	if (whole) {
		jsonout_key(b, "body");
		jsonout_raw(b, p->body, p->body_len);
	}
	jsonout_object_end(b);
}

/* --- put --- */

static void put_done(struct write_job *job, struct call *call)
{
	struct buf b;

	if (job->write.result != OK) {
		call_fail_err(call, job->write.result, &job->write.why);
		return;
	}
	buf_init(&b, 4096);
	write_prompt(&b, &job->write.u.prompt_add, false);
	call_reply_json(call, 201, &b);
}

static void put_drop(struct write_job *job)
{
	prompt_fini(&job->write.u.prompt_add);
	free(job);
}

void front_rest_prompt_put(struct call *call)
{
	char name[PROMPT_NAME_BYTES] = "";
	struct write_job *job;
	struct prompt *prompt;
	struct problem p;
	const char *body;
	size_t len;

	if (!read_name(call, name) || call_wants_json(call) != OK)
		return;
	job = calloc(1, sizeof(*job));
	if (!job) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	prompt = &job->write.u.prompt_add;
	body = http_body(call->x, &len);
	if (body_prompt(body, len, &prompt->body, &prompt->body_len, &p) !=
	    OK) {
		put_drop(job);
		call_fail(call, &p);
		return;
	}
	prompt->owner = strdup(call->who.owner);
	prompt->name = strdup(name);
	prompt->created_ms = clock_wall_ms();
	job->write.kind = WRITE_PROMPT_ADD;
	job->write.mail.bytes = sizeof(*job) + prompt->body_len;
	job->done = put_done;
	job->drop = put_drop;
	if (prompt->owner && prompt->name) {
		(void)write_job_ask(call, job);
		return;
	}
	put_drop(job);
	call_fail_err(call, ERR_NOMEM, NULL);
}

/* --- delete --- */

static void delete_done(struct write_job *job, struct call *call)
{
	if (job->write.result == OK)
		call_reply_empty(call, 204);
	else
		call_fail_err(call, job->write.result, &job->write.why);
}

static void delete_drop(struct write_job *job)
{
	free(job);
}

void front_rest_prompt_delete(struct call *call)
{
	char name[PROMPT_NAME_BYTES] = "";
	struct write_job *job;

	if (!read_name(call, name))
		return;
	job = calloc(1, sizeof(*job));
	if (!job) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	job->write.kind = WRITE_PROMPT_DELETE;
	job->write.mail.bytes = sizeof(*job);
	memcpy(job->write.u.prompt_delete.name, name, sizeof(name));
	memcpy(job->write.u.prompt_delete.owner, call->who.owner,
	    sizeof(job->write.u.prompt_delete.owner));
	job->done = delete_done;
	job->drop = delete_drop;
	(void)write_job_ask(call, job);
}

/* --- show and list --- */

struct prompts_job {
	struct read_job job;
	char owner[KEY_NAME_BYTES];
	char name[PROMPT_NAME_BYTES]; /* shown, or after which to list */
	uint32_t version;
	uint32_t limit;
	uint32_t n;
	struct prompt found[LIST_MAX];
};

static void prompts_drop(struct read_job *job)
{
	struct prompts_job *j = (struct prompts_job *)job;

	for (uint32_t i = 0; i < j->n; i++)
		prompt_fini(&j->found[i]);
	free(j);
}

static void show_run(struct read_job *job, struct query *q)
{
	struct prompts_job *j = (struct prompts_job *)job;

	job->result =
	    query_prompt(q, j->owner, j->name, j->version, &j->found[0]);
	j->n = job->result == OK;
}

static void show_done(struct read_job *job, struct call *call)
{
	struct prompts_job *j = (struct prompts_job *)job;
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	buf_init(&b, SHOW_MAX_BYTES);
	write_prompt(&b, &j->found[0], true);
	call_reply_json(call, 200, &b);
}

static void list_run(struct read_job *job, struct query *q)
{
	struct prompts_job *j = (struct prompts_job *)job;

	job->result = query_prompts(q, j->owner, j->name[0] ? j->name : NULL,
	    j->limit, j->found, &j->n);
}

static void list_done(struct read_job *job, struct call *call)
{
	struct prompts_job *j = (struct prompts_job *)job;
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	buf_init(&b, SHOW_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "prompts");
	jsonout_array(&b);
	for (uint32_t i = 0; i < j->n; i++)
		write_prompt(&b, &j->found[i], false);
	jsonout_array_end(&b);
	jsonout_member(&b, "next",
	    j->n > 0 && j->n == j->limit ? j->found[j->n - 1].name : NULL);
	jsonout_object_end(&b);
	call_reply_json(call, 200, &b);
}

static struct prompts_job *prompts_new(struct call *call)
{
	struct prompts_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return NULL;
	}
	memcpy(j->owner, call->who.owner, sizeof(j->owner));
	j->job.drop = prompts_drop;
	return j;
}

void front_rest_prompt_show(struct call *call)
{
	static const char *const names[] = { "version", NULL };
	char name[PROMPT_NAME_BYTES] = "";
	struct prompts_job *j;
	int64_t version = 0;

	if (!read_name(call, name) ||
	    call_number(call, names, 1, UINT32_MAX, &version) != OK)
		return;
	j = prompts_new(call);
	if (!j)
		return;
	memcpy(j->name, name, sizeof(name));
	j->version = (uint32_t)version;
	j->job.run = show_run;
	j->job.done = show_done;
	(void)read_pool_ask(call, &j->job);
}

void front_rest_prompt_list(struct call *call)
{
	static const char *const names[] = { "limit", NULL };
	char after[PROMPT_NAME_BYTES] = "";
	struct prompts_job *j;
	int64_t limit = LIST_MAX;

	if (call_text(call, "after", after, sizeof(after)) != OK ||
	    call_number(call, names, 1, LIST_MAX, &limit) != OK)
		return;
	j = prompts_new(call);
	if (!j)
		return;
	memcpy(j->name, after, sizeof(after));
	j->limit = (uint32_t)limit;
	j->job.run = list_run;
	j->job.done = list_done;
	(void)read_pool_ask(call, &j->job);
}
