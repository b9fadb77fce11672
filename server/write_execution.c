#include "server/write_execution.h"

#include <stdio.h>
#include <string.h>

#include "server/write_page.h"
#include "store/base/jsonout.h"

void write_execution_time(struct buf *b, int64_t ms)
{
	if (ms > 0)
		write_page_time(b, ms);
	else
		jsonout_null(b);
}

static void member_time(struct buf *b, const char *key, int64_t ms)
{
	jsonout_key(b, key);
	write_execution_time(b, ms);
}

void write_execution_members(
    struct buf *b, const struct execution *e, bool whole)
{
	char id[ID_TEXT];

	id_text(&e->id, id);
	jsonout_member(b, "execution_id", id);
	jsonout_member(b, "status", execution_status_name(e->status));
	jsonout_member(b, "owner", e->owner);
	jsonout_member(b, "model", e->model);
	jsonout_member(b, "target", e->target);
	jsonout_member(b, "prompt", e->prompt);
	member_time(b, "created_at", e->created_ms);
	member_time(b, "started_at", e->started_ms);
	member_time(b, "first_chunk_at", e->first_chunk_ms);
	member_time(b, "finished_at", e->finished_ms);
	jsonout_member_int(b, "total_chunks", (int64_t)e->next_index);
	jsonout_member_int(b, "attempts", e->attempts);
	jsonout_member(b, "error_code", e->error_code);
	if (e->payload_deleted_ms > 0)
		member_time(b, "payload_deleted_at", e->payload_deleted_ms);
	if (!whole)
		return;
	jsonout_key(b, "request");
	if (e->request_len > 0)
		write_page_json(b, e->request, e->request_len);
	else
		jsonout_null(b);
	jsonout_key(b, "metadata");
	if (e->metadata_len > 0)
		write_page_json(b, e->metadata, e->metadata_len);
	else
		jsonout_raw(b, "{}", 2);
}

void write_execution(struct buf *b, const struct execution *e, bool whole)
{
	jsonout_object(b);
	write_execution_members(b, e, whole);
	jsonout_object_end(b);
}

/* A choice that is empty would be none, and choose everything. */
static enum err read_choice(
    struct call *call, const char *name, char *dst, size_t room)
{
	if (http_query_value(call->x, name, dst, room) == OK && !dst[0]) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, name,
		    "%s is empty; leave it out to choose all", name);
		return ERR_INPUT;
	}
	return call_text(call, name, dst, room);
}

enum err write_execution_owner(struct call *call, char *owner, const char **ret)
{
	const char *own = call_filter(call);

	if (read_choice(call, "owner", owner, KEY_NAME_BYTES) != OK)
		return ERR_INPUT;
	if (own && owner[0] && strcmp(own, owner) != 0) {
		call_refuse(call, PROBLEM_FORBIDDEN, "owner",
		    "only an admin key may ask for another owner's");
		return ERR_INPUT;
	}
	if (own)
		(void)snprintf(owner, KEY_NAME_BYTES, "%s", own);
	*ret = owner[0] ? owner : NULL;
	return OK;
}

static enum err read_status(struct call *call, struct query_filter *ret)
{
	enum execution_status status;
	char text[32];

	if (read_choice(call, "status", text, sizeof(text)) != OK)
		return ERR_INPUT;
	ret->status = -1;
	if (!text[0])
		return OK;
	if (execution_status_parse(text, &status) != OK) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "status",
		    "status must be queued, streaming, completed, failed or "
		    "cancelled");
		return ERR_INPUT;
	}
	ret->status = (int)status;
	return OK;
}

enum err write_execution_filter(struct call *call, struct query_filter *ret,
    char *owner, struct id *after, uint32_t default_limit, uint32_t max_limit)
{
	static const char *const limit_names[] = { "limit", NULL };
	struct query_filter f = { 0 };
	int64_t limit = default_limit;
	char text[ID_TEXT + 8];

	if (write_execution_owner(call, owner, &f.owner) != OK ||
	    read_status(call, &f) != OK ||
	    call_time(call, "since", &f.since_ms) != OK ||
	    call_time(call, "until", &f.until_ms) != OK ||
	    call_text(call, "after", text, sizeof(text)) != OK ||
	    call_number(call, limit_names, 1, max_limit, &limit) != OK)
		return ERR_INPUT;
	if (text[0]) {
		if (id_parse(text, strlen(text), after) != OK) {
			call_refuse(call, PROBLEM_INVALID_ARGUMENT, "after",
			    "after must be an execution_id, as next says it");
			return ERR_INPUT;
		}
		f.after = after;
	}
	f.limit = (uint32_t)limit;
	*ret = f;
	return OK;
}
