/* What is done with a response that is there: cancel, delete, its input. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/actor.h"
#include "server/body.h"
#include "server/body_internal.h"
#include "server/cancel.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/front_record.h"
#include "server/front_response_read.h"
#include "server/write_job.h"
#include "server/write_page.h"
#include "store/base/jsonout.h"

#define PREFIX "resp_"

/* --- cancel --- */

static void on_cancelled(
    struct call *call, const struct id *id, enum execution_status status)
{
	struct id copy = *id;

	(void)status;
	front_response_read(call, &copy, front_response_reply);
}

void front_responses_cancel(struct call *call)
{
	struct id id;

	if (front_openai_call_id(call, PREFIX, &id) == OK)
		cancel_start(call, &id, on_cancelled);
}

/* --- delete --- */

struct delete_job {
	struct write_job job;
	struct audit audit;
};

static void delete_done(struct write_job *job, struct call *call)
{
	char id[FRONT_OPENAI_ID_BYTES];
	struct buf b;

	if (job->write.result == ERR_GONE)
		call->gone =
		    (struct query_gone){ .deleted_ms =
					     job->write.u.remove.deleted_ms };
	if (job->write.result == ERR_CONFLICT) {
		call_refuse(call, PROBLEM_NOT_ENDED, NULL,
		    "the response has not ended; cancel it first");
		return;
	}
	if (job->write.result != OK) {
		call_fail_err(call, job->write.result, &job->write.why);
		return;
	}
	front_openai_id(&job->write.u.remove.id, PREFIX, id);
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	jsonout_object(&b);
	jsonout_member(&b, "id", id);
	jsonout_member(&b, "object", "response");
	jsonout_key(&b, "deleted");
	jsonout_bool(&b, true);
	jsonout_object_end(&b);
	call_reply_json(call, 200, &b);
}

static void delete_drop(struct write_job *job)
{
	free(job);
}

void front_responses_delete(struct call *call)
{
	const char *owner = call_filter(call);
	struct delete_job *j;
	char name[ID_TEXT];
	struct id id;

	if (front_openai_call_id(call, PREFIX, &id) != OK)
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

/* --- what it was asked --- */

struct input {
	int64_t limit;
	bool ascending;
	char after[128];
};

static const char *item_id(const json_t *items, size_t i)
{
	const char *s =
	    json_string_value(json_object_get(json_array_get(items, i), "id"));

	return s ? s : "";
}

/* The place behind ${after}, in the order that was asked for. */
static size_t place(const json_t *items, const struct input *in)
{
	size_t n = json_array_size(items);

	if (!in->after[0])
		return 0;
	for (size_t i = 0; i < n; i++)
		if (strcmp(item_id(items, i), in->after) == 0)
			return in->ascending ? i + 1 : n - i;
	return n;
}

static void write_items(
    struct buf *b, const json_t *items, const struct input *in)
{
	size_t n = json_array_size(items), at = place(items, in), first = at;
	size_t end = n - at > (size_t)in->limit ? at + (size_t)in->limit : n;

	jsonout_object(b);
	jsonout_member(b, "object", "list");
	jsonout_key(b, "data");
	jsonout_array(b);
	for (; at < end; at++) {
		size_t len = 0;
		char *text = body_dump(
		    json_array_get(items, in->ascending ? at : n - 1 - at),
		    &len);

		if (text)
			jsonout_raw(b, text, len);
		else
			b->failed = ERR_NOMEM;
		free(text);
	}
	jsonout_array_end(b);
	jsonout_member(b, "first_id",
	    first < end ? item_id(items, in->ascending ? first : n - 1 - first)
			: NULL);
	jsonout_member(b, "last_id",
	    first < end ? item_id(items, in->ascending ? end - 1 : n - end)
			: NULL);
	jsonout_key(b, "has_more");
	jsonout_bool(b, end < n);
	jsonout_object_end(b);
}

static void on_record(struct call *call, const struct execution *e)
{
	json_t *items =
	    body_responses_items(&e->id, e->request, e->request_len);
	struct buf b;

	if (!items) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	write_items(&b, items, call->memo);
	json_decref(items);
	call_reply_json(call, 200, &b);
}

void front_responses_input(struct call *call)
{
	static const char *const names[] = { "limit", NULL };
	struct input *in;
	char order[16];
	struct id id;

	if (front_openai_call_id(call, PREFIX, &id) != OK)
		return;
	in = call_memo(call, sizeof(*in), NULL);
	if (!in) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	in->limit = 20;
	if (call_number(call, names, 1, 100, &in->limit) != OK ||
	    call_text(call, "after", in->after, sizeof(in->after)) != OK ||
	    call_text(call, "order", order, sizeof(order)) != OK)
		return;
	if (order[0] && strcmp(order, "asc") != 0 &&
	    strcmp(order, "desc") != 0) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "order",
		    "order must be asc or desc");
		return;
	}
	in->ascending = strcmp(order, "asc") == 0;
	front_record_ask(call, &id, on_record, NULL);
}
