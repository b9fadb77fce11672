/*
 * The older shape: {"type":"stream_start","query","session_id"} is answered by
 * stream_start, stream_chunk… and stream_end; its clients append data and know
 * of nothing else, so what fails is text that says Error.
 */
#include <string.h>

#include "server/front_callable_args.h"
#include "server/ws_internal.h"
#include "store/base/jsonout.h"

static void session(struct buf *b, const char *tag)
{
	if (!tag[0])
		return;
	jsonout_key(b, "session_id");
	jsonout_raw(b, tag, strlen(tag));
}

void ws_query_started(struct ws *ws, const struct body_ws *w)
{
	struct buf b;

	buf_init(&b, 8 * WS_MESSAGE_MAX);
	ws_part_head(&b, "stream_start", NULL, NULL);
	jsonout_key(&b, "query");
	jsonout_raw(&b, w->query, strlen(w->query));
	session(&b, w->tag);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

static void tell_data(
    struct ws *ws, const char *tag, const char *data, size_t len)
{
	struct buf b;

	buf_init(&b, 1024 + 6 * len);
	ws_part_head(&b, "stream_chunk", NULL, NULL);
	jsonout_key(&b, "data");
	jsonout_string(&b, data, len);
	session(&b, tag);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

static void tell_end(struct ws *ws, const char *tag, const struct id *id,
    bool complete, uint64_t characters)
{
	struct buf b;

	buf_init(&b, WS_MESSAGE_MAX);
	ws_part_head(&b, "stream_end", NULL, id);
	jsonout_key(&b, "complete");
	jsonout_bool(&b, complete);
	jsonout_member_int(&b, "total_length", (int64_t)characters);
	session(&b, tag);
	jsonout_object_end(&b);
	ws_send(ws, &b);
	buf_fini(&b);
}

/* Code points of well-formed UTF-8. */
static uint64_t count(const char *s, size_t len)
{
	uint64_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

void ws_query_chunk(struct ws_part *p, const struct chunk *c)
{
	if (c->kind != CHUNK_TEXT || c->content_len == 0)
		return;
	p->characters += count(c->content, c->content_len);
	tell_data(ws_of(p->part), p->tag, c->content, c->content_len);
}

static void tell_error(struct ws *ws, const char *tag, const char *detail)
{
	struct buf b;

	buf_init(&b, WS_MESSAGE_MAX);
	buf_printf(&b, "Error: %s", detail);
	if (buf_state(&b) == OK)
		tell_data(ws, tag, b.data, b.len);
	buf_fini(&b);
}

void ws_query_end(struct ws_part *p, const struct page *last)
{
	struct ws *ws = ws_of(p->part);
	struct callable_end end;
	bool complete = last->status == EXECUTION_COMPLETED;

	if (!complete) {
		front_callable_args_end(
		    last->metadata.data, last->metadata.len, &end);
		tell_error(ws, p->tag,
		    end.message[0] ? end.message
				   : execution_status_name(last->status));
	}
	tell_end(ws, p->tag, &p->id, complete, p->characters);
}

void ws_query_problem(
    struct ws *ws, const char *tag, uint64_t characters, const char *detail)
{
	tell_error(ws, tag, detail);
	tell_end(ws, tag, NULL, false, characters);
}
