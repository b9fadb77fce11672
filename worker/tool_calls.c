#include "worker/tool_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tool_call {
	int64_t wire_index;
	struct buf wire_id; /* empty: none */
	struct buf id;	    /* as told; empty before the start */
	struct buf name;
	struct buf arguments;
	struct buf instead;		/* arguments in case none come */
	struct json_in_balance balance; /* of the arguments */
	bool trailing; /* something follows the balanced arguments */
	bool started, ended;
	enum { FULL_UNKNOWN, FULL_YES, FULL_NO } full;
};

enum err tool_calls_arguments(
    const json_t *arguments, struct text *ret, char **ret_made)
{
	char *made = NULL;

	if (json_is_object(arguments) || json_is_array(arguments)) {
		/* 17 digits: as a double it stays the same */
		made = json_dumps(
		    arguments, JSON_COMPACT | JSON_REAL_PRECISION(17));
		if (made == NULL)
			return ERR_NOMEM;
		*ret = (struct text){ made, strlen(made) };
	} else {
		*ret = json_in_text(arguments);
	}
	*ret_made = made;
	return OK;
}

void tool_calls_init(struct tool_calls *c, dialect_sink_fn *sink, void *arg)
{
	*c = (struct tool_calls){ .sink = sink, .arg = arg };
}

static void call_free(struct tool_call *call)
{
	if (call == NULL)
		return;
	buf_fini(&call->wire_id);
	buf_fini(&call->id);
	buf_fini(&call->name);
	buf_fini(&call->arguments);
	buf_fini(&call->instead);
	free(call);
}

void tool_calls_fini(struct tool_calls *c)
{
	for (size_t i = 0; i < c->n; i++)
		call_free(c->all[i]);
	free(c->all);
	tool_calls_init(c, c->sink, c->arg);
}

static bool same(const struct buf *b, struct text t)
{
	return b->len == t.len && memcmp(b->data, t.s, t.len) == 0;
}

static struct text text_of(const struct buf *b)
{
	return (struct text){ b->len > 0 ? b->data : "", b->len };
}

static struct tool_call *newest(
    const struct tool_calls *c, bool has_index, int64_t index)
{
	for (size_t i = c->n; i > 0; i--)
		if (!has_index || c->all[i - 1]->wire_index == index)
			return c->all[i - 1];
	return NULL;
}

static struct tool_call *newest_with_id(
    const struct tool_calls *c, struct text id)
{
	for (size_t i = c->n; i > 0; i--)
		if (same(&c->all[i - 1]->wire_id, id))
			return c->all[i - 1];
	return NULL;
}

/* True when the arguments so far are a whole JSON object. */
static bool full(struct tool_call *call)
{
	json_t *v = NULL;

	/* Only balanced text is worth a look, and only one look. */
	if (!call->balance.closed || call->trailing)
		return false;
	if (call->full == FULL_UNKNOWN) {
		call->full = FULL_NO;
		if (json_in_parse(
			call->arguments.data, call->arguments.len, &v) == OK &&
		    json_is_object(v))
			call->full = FULL_YES;
		json_decref(v);
	}
	return call->full == FULL_YES;
}

/* The call that ${f} goes on with; NULL: none, it opens one or is dropped. */
static struct tool_call *target(
    const struct tool_calls *c, const struct tool_calls_fragment *f)
{
	struct tool_call *call = newest(c, f->has_index, f->index);
	bool again;

	if (f->id.len > 0 && !f->has_index)
		return newest_with_id(c, f->id);
	if (call == NULL)
		return NULL;
	if (f->id.len > 0 && call->wire_id.len > 0)
		return same(&call->wire_id, f->id) ? call : NULL;
	again = f->name.len > 0 && call->name.len > 0 && full(call);
	return again ? NULL : call;
}

static enum err open_call(struct tool_calls *c,
    const struct tool_calls_fragment *f, struct tool_call **ret)
{
	struct tool_call *call, **all;

	if (c->n >= TOOL_CALLS_MAX)
		return ERR_LIMIT;
	if (c->n == c->cap) {
		all =
		    realloc(c->all, (c->cap + 8) * sizeof(struct tool_call *));
		if (all == NULL)
			return ERR_NOMEM;
		c->all = all;
		c->cap += 8;
	}
	call = calloc(1, sizeof(*call));
	if (call == NULL)
		return ERR_NOMEM;
	call->wire_index = f->has_index ? f->index : (int64_t)c->n;
	buf_init(&call->wire_id, TOOL_CALLS_MAX_ID_BYTES);
	buf_init(&call->id, TOOL_CALLS_MAX_ID_BYTES);
	buf_init(&call->name, TOOL_CALLS_MAX_ID_BYTES);
	buf_init(&call->arguments, TOOL_CALLS_MAX_BYTES);
	buf_init(&call->instead, TOOL_CALLS_MAX_BYTES);
	buf_add(&call->wire_id, f->id.s, f->id.len);
	c->all[c->n++] = call;
	*ret = call;
	return buf_state(&call->wire_id);
}

static size_t place(const struct tool_calls *c, const struct tool_call *call)
{
	size_t i = c->n - 1;

	while (c->all[i] != call)
		i--;
	return i;
}

static void tell(struct tool_calls *c, const struct tool_call *call,
    enum event_kind kind, struct text arguments, bool valid)
{
	struct event e = { .kind = kind,
		.index = (uint32_t)place(c, call),
		.text = arguments,
		.valid_json = valid };

	if (kind == EVENT_TOOL_START) {
		e.id = text_of(&call->id);
		e.name = text_of(&call->name);
	}
	c->sink(c->arg, &e);
}

/* Tell that ${call} begins, and what was held back for it. */
static enum err start(struct tool_calls *c, struct tool_call *call)
{
	bool used = call->wire_id.len == 0;

	for (size_t i = 0; i < c->n && !used; i++)
		used = c->all[i] != call && c->all[i]->id.len > 0 &&
		       same(&c->all[i]->id, text_of(&call->wire_id));
	if (used)
		buf_printf(&call->id, "call_%zu", place(c, call));
	else
		buf_add(&call->id, call->wire_id.data, call->wire_id.len);
	if (buf_state(&call->id) != OK)
		return buf_state(&call->id);
	call->started = true;
	tell(c, call, EVENT_TOOL_START, (struct text){ NULL, 0 }, false);
	if (call->arguments.len > 0)
		tell(c, call, EVENT_TOOL_DELTA, text_of(&call->arguments),
		    false);
	return OK;
}

static bool blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (strchr(" \t\r\n", s[i]) == NULL || s[i] == '\0')
			return false;
	return true;
}

static enum err arguments(
    struct tool_calls *c, struct tool_call *call, struct text t)
{
	size_t used;

	if (t.len == 0)
		return OK;
	if (t.len > TOOL_CALLS_MAX_BYTES - c->bytes)
		return ERR_LIMIT;
	c->bytes += t.len;
	buf_add(&call->arguments, t.s, t.len);
	used = json_in_balance(&call->balance, t.s, t.len);
	if (!blank(t.s + used, t.len - used))
		call->trailing = true;
	if (call->started)
		tell(c, call, EVENT_TOOL_DELTA, t, false);
	return buf_state(&call->arguments);
}

enum err tool_calls_add(
    struct tool_calls *c, const struct tool_calls_fragment *f)
{
	struct tool_call *call = target(c, f);
	enum err err = OK;
	bool named;

	if (call == NULL) {
		if (f->id.len == 0 && f->name.len == 0)
			return OK;
		err = open_call(c, f, &call);
	} else if (!call->started && call->wire_id.len == 0) {
		buf_add(&call->wire_id, f->id.s, f->id.len);
		err = buf_state(&call->wire_id);
	}
	if (err != OK)
		return err;
	if (call->ended)
		return OK;
	named = f->name.len > 0 && call->name.len == 0 && !call->started;
	if (named) {
		buf_add(&call->name, f->name.s, f->name.len);
		err = buf_state(&call->name);
		if (err == OK)
			err = start(c, call);
	}
	if (err == OK)
		err = arguments(c, call, f->arguments);
	return err;
}

static enum err end(struct tool_calls *c, struct tool_call *call)
{
	struct text all;
	json_t *v = NULL;
	enum err err = OK;

	if (call->ended)
		return OK;
	if (!call->started)
		err = start(c, call);
	if (err == OK && call->arguments.len == 0)
		err = arguments(c, call, text_of(&call->instead));
	if (err != OK)
		return err;
	all = text_of(&call->arguments);
	if (blank(all.s, all.len))
		all = (struct text){ "{}", 2 };
	err = json_in_parse(all.s, all.len, &v);
	if (err == ERR_NOMEM)
		return err;
	call->ended = true;
	tell(c, call, EVENT_TOOL_END, all, err == OK);
	json_decref(v);
	return OK;
}

/* Open a call whatever came before, and tell of it. */
static enum err begin(struct tool_calls *c, const struct tool_calls_fragment *f,
    struct tool_call **ret)
{
	struct tool_call *call = NULL;
	enum err err = open_call(c, f, &call);

	if (err != OK)
		return err;
	buf_add(&call->name, f->name.s, f->name.len);
	err = buf_state(&call->name);
	if (err == OK)
		err = start(c, call);
	if (err == OK)
		*ret = call;
	return err;
}

enum err tool_calls_whole(
    struct tool_calls *c, const struct tool_calls_fragment *f)
{
	struct tool_call *call = NULL;
	enum err err = begin(c, f, &call);

	if (err == OK)
		err = arguments(c, call, f->arguments);
	if (err == OK)
		err = end(c, call);
	return err;
}

enum err tool_calls_open(
    struct tool_calls *c, const struct tool_calls_fragment *f)
{
	struct tool_call *call = NULL;
	enum err err = begin(c, f, &call);

	if (err != OK)
		return err;
	buf_add(&call->instead, f->arguments.s, f->arguments.len);
	return buf_state(&call->instead);
}

enum err tool_calls_close(struct tool_calls *c, int64_t index)
{
	struct tool_call *call = newest(c, true, index);

	return call == NULL ? OK : end(c, call);
}

enum err tool_calls_end(struct tool_calls *c)
{
	enum err err = OK;

	for (size_t i = 0; i < c->n && err == OK; i++)
		err = end(c, c->all[i]);
	return err;
}
