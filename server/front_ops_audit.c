/* Operators: what was done, by whom, the newest first. */
#include <stdlib.h>
#include <string.h>

#include "server/call.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "server/write_page.h"
#include "store/base/jsonout.h"
#include "store/query.h"

#define LIST_MAX_BYTES ((size_t)16 << 20)

struct audit_job {
	struct read_job job;
	int64_t before, limit;
	struct audit_entry *found;
	uint32_t n;
};

static void audit_run(struct read_job *job, struct query *q)
{
	struct audit_job *j = (struct audit_job *)job;

	j->found = calloc((size_t)j->limit, sizeof(*j->found));
	job->result = j->found ? query_audit(q, j->before, (uint32_t)j->limit,
				     j->found, &j->n)
			       : ERR_NOMEM;
}

static void write_entry(struct buf *b, const struct audit_entry *e)
{
	char operation[ID_TEXT];

	id_text(&e->what.operation, operation);
	jsonout_object(b);
	jsonout_member_int(b, "number", e->number);
	jsonout_key(b, "at");
	write_execution_time(b, e->at_ms);
	jsonout_key(b, "last_at");
	write_execution_time(b, e->last_ms);
	jsonout_member(b, "actor", e->what.actor);
	jsonout_member(b, "action", e->what.action);
	jsonout_member(b, "subject", e->what.subject);
	jsonout_member_int(b, "executions", (int64_t)e->gone.executions);
	jsonout_member_int(b, "chunks", (int64_t)e->gone.chunks);
	jsonout_member_int(b, "bytes", (int64_t)e->gone.bytes);
	jsonout_key(b, "detail");
	if (e->what.detail[0])
		write_page_json(b, e->what.detail, strlen(e->what.detail));
	else
		jsonout_null(b);
	jsonout_member(b, "operation", operation);
	jsonout_object_end(b);
}

static void audit_done(struct read_job *job, struct call *call)
{
	struct audit_job *j = (struct audit_job *)job;
	struct buf b;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	buf_init(&b, LIST_MAX_BYTES);
	jsonout_object(&b);
	jsonout_key(&b, "entries");
	jsonout_array(&b);
	for (uint32_t i = 0; i < j->n; i++)
		write_entry(&b, &j->found[i]);
	jsonout_array_end(&b);
	jsonout_key(&b, "next");
	if (j->n > 0 && j->n == j->limit)
		jsonout_int(&b, j->found[j->n - 1].number);
	else
		jsonout_null(&b);
	jsonout_object_end(&b);
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &b);
}

static void audit_drop(struct read_job *job)
{
	struct audit_job *j = (struct audit_job *)job;

	free(j->found);
	free(j);
}

void front_ops_audit(struct call *call)
{
	static const char *const before[] = { "before", NULL };
	static const char *const limit[] = { "limit", NULL };
	struct audit_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = audit_run;
	j->job.done = audit_done;
	j->job.drop = audit_drop;
	j->limit = 50;
	if (call_number(call, before, 1, INT64_MAX, &j->before) == OK &&
	    call_number(call, limit, 1, 1000, &j->limit) == OK)
		(void)read_pool_ask(call, &j->job);
	else
		audit_drop(&j->job);
}
