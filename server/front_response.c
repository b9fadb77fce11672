#include "server/front_response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/front_chunk_meta.h"
#include "store/base/jsonout.h"

#define ROOM 16

static void items_fini(struct front_response *r)
{
	for (size_t i = 0; i < r->n; i++) {
		buf_fini(&r->items[i].text);
		free(r->items[i].call);
		free(r->items[i].name);
	}
	free(r->items);
	r->items = NULL;
	r->n = r->bytes = 0;
}

void front_response_fini(struct front_response *r)
{
	items_fini(r);
}

static char *copy_of(const struct chunk *c, const char *key)
{
	struct jsonscan_slice v = front_chunk_meta(c, key);

	return v.p ? strndup(v.p, v.len) : strdup("\"\"");
}

/* The next item, open; NULL: no room. */
static struct front_response_item *open_item(
    struct front_response *r, enum front_response_kind kind)
{
	struct front_response_item *item;

	if (r->n == FRONT_RESPONSE_ITEMS) {
		r->failed = ERR_LIMIT;
		return NULL;
	}
	if (r->n % ROOM == 0) {
		item = reallocarray(r->items, r->n + ROOM, sizeof(*item));
		if (!item) {
			r->failed = ERR_NOMEM;
			return NULL;
		}
		r->items = item;
	}
	item = &r->items[r->n++];
	*item = (struct front_response_item){ .kind = kind };
	buf_init(&item->text, FRONT_RESPONSE_BYTES);
	return item;
}

static void finish(struct front_response *r, size_t i,
    const struct front_response_hooks *hooks, void *arg)
{
	if (r->items[i].done)
		return;
	r->items[i].done = true;
	if (hooks)
		hooks->done(arg, i);
}

/* Bytes behind ${before} are new in item ${i}. */
static void grown(struct front_response *r, size_t i, size_t before,
    const struct front_response_hooks *hooks, void *arg)
{
	struct buf *text = &r->items[i].text;

	if (buf_state(text) != OK) {
		r->failed = buf_state(text);
		return;
	}
	r->bytes += text->len - before;
	if (r->bytes > FRONT_RESPONSE_BYTES)
		r->failed = ERR_LIMIT;
	else if (hooks && text->len > before)
		hooks->grown(arg, i, text->data + before, text->len - before);
}

/* The item that text of ${kind} goes to: the last, or a new one. */
static struct front_response_item *item_for(struct front_response *r,
    enum front_response_kind kind, const struct front_response_hooks *hooks,
    void *arg)
{
	struct front_response_item *item;

	if (r->n > 0 && r->items[r->n - 1].kind == kind &&
	    !r->items[r->n - 1].done)
		return &r->items[r->n - 1];
	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].kind != FRONT_RESPONSE_CALL)
			finish(r, i, hooks, arg);
	item = open_item(r, kind);
	if (item && hooks)
		hooks->added(arg, r->n - 1);
	return item;
}

/* What a JSON string of the metadata has inside. */
static void add_inside(struct buf *text, const struct chunk *c, const char *key)
{
	struct jsonscan_slice v = front_chunk_meta(c, key);

	if (v.p && v.len > 2 && v.p[0] == '"')
		buf_add(text, v.p + 1, v.len - 2);
}

static void take_text(struct front_response *r, const struct chunk *c,
    const struct front_response_hooks *hooks, void *arg)
{
	/* The only member that a text's metadata may have. */
	bool refusal = c->meta_len > 2;
	enum front_response_kind kind = c->kind == CHUNK_REASONING
					    ? FRONT_RESPONSE_REASONING
					: refusal ? FRONT_RESPONSE_REFUSAL
						  : FRONT_RESPONSE_TEXT;
	struct front_response_item *item = item_for(r, kind, hooks, arg);
	size_t before;

	if (!item)
		return;
	before = item->text.len;
	if (kind == FRONT_RESPONSE_REASONING)
		add_inside(&item->text, c, "text");
	else
		jsonout_escape(&item->text, c->content, c->content_len);
	grown(r, r->n - 1, before, hooks, arg);
}

static void begin_call(struct front_response *r, const struct chunk *c,
    const struct front_response_hooks *hooks, void *arg)
{
	struct front_response_item *item;

	for (size_t i = 0; i < r->n; i++)
		if (r->items[i].kind != FRONT_RESPONSE_CALL)
			finish(r, i, hooks, arg);
	item = open_item(r, FRONT_RESPONSE_CALL);
	if (!item)
		return;
	item->call = copy_of(c, "id");
	item->name = copy_of(c, "name");
	if (!item->call || !item->name)
		r->failed = ERR_NOMEM;
	else if (hooks)
		hooks->added(arg, r->n - 1);
}

/* The item of the ${nth} call; r->n: never begun. */
static size_t find_call(const struct front_response *r, int64_t nth)
{
	size_t i;

	for (i = 0; i < r->n; i++)
		if (r->items[i].kind == FRONT_RESPONSE_CALL && nth-- == 0)
			break;
	return i;
}

static void take_call(struct front_response *r, const struct chunk *c,
    const struct front_response_hooks *hooks, void *arg)
{
	struct buf *text;
	int64_t nth = -1;
	size_t i, before;

	if (front_chunk_meta_is(c, "phase", "start")) {
		begin_call(r, c, hooks, arg);
		return;
	}
	if (jsonscan_int(front_chunk_meta(c, "index"), &nth) != OK)
		return;
	i = find_call(r, nth);
	if (i == r->n || r->items[i].done)
		return;
	text = &r->items[i].text;
	before = text->len;
	/* The end says again what the deltas said; without any, it is one. */
	if (!front_chunk_meta_is(c, "phase", "end") || before == 0)
		add_inside(text, c, "arguments");
	grown(r, i, before, hooks, arg);
	if (front_chunk_meta_is(c, "phase", "end") && r->failed == OK)
		finish(r, i, hooks, arg);
}

void front_response_take(struct front_response *r, const struct chunk *c,
    const struct front_response_hooks *hooks, void *arg)
{
	if (r->failed != OK)
		return;
	switch (c->kind) {
	case CHUNK_TEXT:
	case CHUNK_REASONING: take_text(r, c, hooks, arg); break;
	case CHUNK_TOOL_CALL: take_call(r, c, hooks, arg); break;
	case CHUNK_RESET:
		if (!hooks)
			items_fini(r);
		break;
	case CHUNK_END: r->ended_ms = c->ts_ms; break;
	case CHUNK_TOOL_START:
	case CHUNK_TOOL_RESULT:
	case CHUNK_TOOL_ERROR:
	case CHUNK_SOURCE:
	case CHUNK_ERROR:
	default: break;
	}
}

void front_response_close(struct front_response *r,
    const struct front_response_hooks *hooks, void *arg)
{
	for (size_t i = 0; i < r->n; i++) {
		r->items[i].last = !r->items[i].done;
		finish(r, i, hooks, arg);
	}
}
