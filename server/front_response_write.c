/* The response object and its items, as JSON. */
#include <stdio.h>
#include <string.h>

#include "server/front_openai.h"
#include "server/front_response.h"
#include "store/base/jsonout.h"

void front_response_inside(
    struct buf *b, const char *key, const char *inside, size_t len)
{
	jsonout_key(b, key);
	buf_putc(b, '"');
	buf_add(b, inside, len);
	buf_putc(b, '"');
}

static void empty_array(struct buf *b, const char *key)
{
	jsonout_key(b, key);
	jsonout_array(b);
	jsonout_array_end(b);
}

void front_response_item_id(
    struct buf *b, const char *key, const struct front_response *r, size_t i)
{
	enum front_response_kind kind = r->items[i].kind;
	char text[ID_TEXT], id[ID_TEXT + 32];

	id_text(&r->id, text);
	(void)snprintf(id, sizeof(id), "%s_%s_%zu",
	    kind == FRONT_RESPONSE_CALL	       ? "fc"
	    : kind == FRONT_RESPONSE_REASONING ? "rs"
					       : "msg",
	    text, i);
	jsonout_member(b, key, id);
}

static void text_member(struct buf *b, const char *key,
    const struct front_response_item *item, bool done)
{
	if (done)
		front_response_inside(b, key, item->text.data, item->text.len);
	else
		jsonout_member(b, key, "");
}

void front_response_part(
    struct buf *b, const struct front_response_item *item, bool done)
{
	jsonout_object(b);
	if (item->kind == FRONT_RESPONSE_REASONING) {
		jsonout_member(b, "type", "summary_text");
		text_member(b, "text", item, done);
	} else if (item->kind == FRONT_RESPONSE_REFUSAL) {
		jsonout_member(b, "type", "refusal");
		text_member(b, "refusal", item, done);
	} else {
		jsonout_member(b, "type", "output_text");
		text_member(b, "text", item, done);
		empty_array(b, "annotations");
		empty_array(b, "logprobs");
	}
	jsonout_object_end(b);
}

static void list_part(struct buf *b, const char *key,
    const struct front_response_item *item, bool done)
{
	jsonout_key(b, key);
	jsonout_array(b);
	if (done)
		front_response_part(b, item, true);
	jsonout_array_end(b);
}

void front_response_item(struct buf *b, const struct front_response *r,
    size_t i, bool done, const char *status)
{
	const struct front_response_item *item = &r->items[i];

	jsonout_object(b);
	front_response_item_id(b, "id", r, i);
	switch (item->kind) {
	case FRONT_RESPONSE_CALL:
		jsonout_member(b, "type", "function_call");
		jsonout_member(b, "status", status);
		text_member(b, "arguments", item, done);
		jsonout_key(b, "call_id");
		jsonout_raw(b, item->call, strlen(item->call));
		jsonout_key(b, "name");
		jsonout_raw(b, item->name, strlen(item->name));
		break;
	case FRONT_RESPONSE_REASONING:
		jsonout_member(b, "type", "reasoning");
		jsonout_member(b, "status", status);
		list_part(b, "summary", item, done);
		break;
	case FRONT_RESPONSE_TEXT:
	case FRONT_RESPONSE_REFUSAL:
	default:
		jsonout_member(b, "type", "message");
		jsonout_member(b, "status", status);
		list_part(b, "content", item, done);
		jsonout_member(b, "role", "assistant");
		break;
	}
	jsonout_object_end(b);
}

/* Why it is not whole; NULL: it is. */
static const char *lacks(const struct front_ending *e)
{
	return strcmp(e->finish_reason, "length") == 0 ? "max_output_tokens"
	       : strcmp(e->finish_reason, "content_filter") == 0
		   ? "content_filter"
		   : NULL;
}

const char *front_response_status(const struct front_ending *e)
{
	if (e->status == EXECUTION_FAILED)
		return "failed";
	if (e->status == EXECUTION_CANCELLED)
		return "cancelled";
	return lacks(e) ? "incomplete" : "completed";
}

const char *front_response_item_status(const struct front_ending *e)
{
	if (!e)
		return "in_progress";
	return strcmp(front_response_status(e), "completed") == 0
		   ? "completed"
		   : "incomplete";
}

void front_response_output(
    struct buf *b, const struct front_response *r, const struct front_ending *e)
{
	jsonout_array(b);
	for (size_t i = 0; i < r->n; i++)
		front_response_item(b, r, i, true,
		    r->items[i].done && !r->items[i].last
			? "completed"
			: front_response_item_status(e));
	jsonout_array_end(b);
}

static int64_t count(int64_t n)
{
	return n > 0 ? n : 0;
}

static void write_usage(struct buf *b, const struct front_ending *e)
{
	jsonout_object(b);
	jsonout_member_int(b, "input_tokens", count(e->input));
	jsonout_key(b, "input_tokens_details");
	jsonout_object(b);
	jsonout_member_int(b, "cached_tokens", count(e->cached));
	jsonout_object_end(b);
	jsonout_member_int(b, "output_tokens", count(e->output));
	jsonout_key(b, "output_tokens_details");
	jsonout_object(b);
	jsonout_member_int(b, "reasoning_tokens", count(e->reasoning));
	jsonout_object_end(b);
	jsonout_member_int(b, "total_tokens", count(e->total));
	/* No members of the original's: clients keep them as they are. */
	if (e->cost_usd >= 0) {
		jsonout_key(b, "cost");
		buf_printf(b, "%.12g", e->cost_usd);
	}
	if (e->estimated) {
		jsonout_key(b, "estimated");
		jsonout_bool(b, true);
	}
	jsonout_object_end(b);
}

static void write_error(struct buf *b, const struct front_ending *e)
{
	char text[sizeof(e->code) + sizeof(e->message) + 4];

	jsonout_key(b, "error");
	if (!e || e->status != EXECUTION_FAILED) {
		jsonout_null(b);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s: %s", e->code,
	    e->message[0] ? e->message : "the execution failed");
	jsonout_object(b);
	jsonout_member(b, "code",
	    strcmp(e->code, "rate_limit") == 0 ? "rate_limit_exceeded"
					       : "server_error");
	jsonout_member(b, "message", text);
	jsonout_object_end(b);
}

static void write_lack(struct buf *b, const struct front_ending *e)
{
	const char *reason =
	    e && e->status == EXECUTION_COMPLETED ? lacks(e) : NULL;

	jsonout_key(b, "incomplete_details");
	if (!reason) {
		jsonout_null(b);
		return;
	}
	jsonout_object(b);
	jsonout_member(b, "reason", reason);
	jsonout_object_end(b);
}

void front_response_write(struct buf *b, const struct front_response *r,
    const char *status, const struct front_ending *e)
{
	char id[FRONT_OPENAI_ID_BYTES];

	front_openai_id(&r->id, "resp_", id);
	jsonout_object(b);
	jsonout_member(b, "id", id);
	jsonout_member(b, "object", "response");
	jsonout_member_int(b, "created_at", r->created_ms / 1000);
	jsonout_key(b, "completed_at");
	if (e && r->ended_ms > 0)
		jsonout_int(b, r->ended_ms / 1000);
	else
		jsonout_null(b);
	jsonout_member(b, "status", e ? front_response_status(e) : status);
	write_error(b, e);
	write_lack(b, e);
	jsonout_member(b, "model", r->model[0] ? r->model : "default");
	jsonout_key(b, "output");
	front_response_output(b, r, e);
	jsonout_key(b, "usage");
	if (e)
		write_usage(b, e);
	else
		jsonout_null(b);
	buf_putc(b, ',');
	buf_puts(b, r->echo);
	jsonout_object_end(b);
}
