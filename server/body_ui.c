/*
 * What useChat sends (AI SDK, UI messages): a conversation as it was shown, put
 * into the messages that a model reads.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "store/base/buf.h"

/* More than a body may be. */
#define JOINED_MAX_BYTES ((size_t)64 << 20)

/* The assistant's turn while its parts are read. */
struct turn {
	json_t *list; /* where messages go */
	json_t *text; /* pieces of it */
	json_t *calls, *results;
};

static bool is(const json_t *v, const char *word)
{
	return json_is_string(v) && strcmp(json_string_value(v), word) == 0;
}

static bool append(json_t *list, json_t *v)
{
	return list && json_array_append_new(list, v) == 0;
}

/* The text parts of ${parts} as they are; the images of users, too. */
static enum err take_part(
    json_t *content, const json_t *part, const char *field, struct problem *p)
{
	const json_t *type = json_object_get(part, "type");
	const json_t *text = json_object_get(part, "text");
	const json_t *url = json_object_get(part, "url");
	const char *media =
	    json_string_value(json_object_get(part, "mediaType"));
	json_t *made = NULL;

	if (is(type, "text") && json_is_string(text)) {
		made = json_pack("{s:s,s:O}", "type", "text", "text", text);
	} else if (is(type, "file") && json_is_string(url)) {
		if (!media || strncmp(media, "image/", 6) != 0)
			return body_refuse(p, field,
			    "%s is a file of type %.64s; of files, only images "
			    "can be sent",
			    field, media ? media : "unknown");
		made = json_pack("{s:s,s:{s:O}}", "type", "image_url",
		    "image_url", "url", url);
	} else if (is(type, "text") || is(type, "file")) {
		return body_refuse(
		    p, field, "%s lacks its text, or its url", field);
	} else {
		/* data-…, step-start: nothing that is said. */
		return OK;
	}
	return append(content, made) ? OK : body_nomem(p);
}

/* --- what the assistant did, step by step --- */

static json_t *joined(const json_t *pieces)
{
	const json_t *s;
	struct buf b;
	json_t *all;
	size_t i;

	buf_init(&b, JOINED_MAX_BYTES);
	json_array_foreach(pieces, i, s)
	    buf_add(&b, json_string_value(s), json_string_length(s));
	all = buf_state(&b) == OK ? json_stringn(b.data ? b.data : "", b.len)
				  : NULL;
	buf_fini(&b);
	return all;
}

static void turn_fini(struct turn *t)
{
	json_decref(t->text);
	json_decref(t->calls);
	json_decref(t->results);
	t->text = t->calls = t->results = NULL;
}

static enum err turn_begin(struct turn *t, struct problem *p)
{
	turn_fini(t);
	t->text = json_array();
	t->calls = json_array();
	t->results = json_array();
	return t->text && t->calls && t->results ? OK : body_nomem(p);
}

/* A step has ended: what was said and called, then what came of it. */
static enum err turn_end(struct turn *t, struct problem *p)
{
	json_t *m;

	if (json_array_size(t->text) + json_array_size(t->calls) == 0)
		return turn_begin(t, p);
	m = json_pack("{s:s}", "role", "assistant");
	if (!m ||
	    json_object_set_new(m, "content",
		json_array_size(t->text) ? joined(t->text) : json_null()) !=
		0 ||
	    (json_array_size(t->calls) &&
		json_object_set(m, "tool_calls", t->calls) != 0)) {
		json_decref(m);
		return body_nomem(p);
	}
	if (!append(t->list, m) || json_array_extend(t->list, t->results) != 0)
		return body_nomem(p);
	return turn_begin(t, p);
}

/* What a function gave: a text as it is, anything else as JSON. */
static json_t *result_text(const json_t *v)
{
	char *text;
	json_t *s;

	if (json_is_string(v))
		return json_incref((json_t *)(uintptr_t)v);
	text = v ? body_dump(v, NULL) : NULL;
	s = json_string(text ? text : "null");
	free(text);
	return s;
}

/*
 * A call and its result. One that has none (yet) is left out: models are not
 * asked to go on before they have all results.
 */
static enum err take_call(
    struct turn *t, const json_t *part, const char *field, struct problem *p)
{
	const json_t *state = json_object_get(part, "state");
	const json_t *id = json_object_get(part, "toolCallId");
	const json_t *input = json_object_get(part, "input");
	const char *type = json_string_value(json_object_get(part, "type"));
	const char *name =
	    strncmp(type, "tool-", 5) == 0
		? type + 5
		: json_string_value(json_object_get(part, "toolName"));
	json_t *call, *result;
	bool bad;

	if (!json_is_string(id) || !name)
		return body_refuse(
		    p, field, "%s lacks its toolCallId, or its name", field);
	if (is(state, "output-available"))
		result = result_text(json_object_get(part, "output"));
	else if (is(state, "output-error"))
		result = result_text(json_object_get(part, "errorText"));
	else
		return OK;
	if (!input || json_is_null(input))
		input = json_object_get(part, "rawInput");
	call = json_pack("{s:O,s:s,s:{s:s,s:o}}", "id", id, "type", "function",
	    "function", "name", name, "arguments", result_text(input));
	result = json_pack("{s:s,s:O,s:o}", "role", "tool", "tool_call_id", id,
	    "content", result);
	/* Both are taken, whatever happens. */
	bad = !append(t->calls, call);
	bad |= !append(t->results, result);
	return bad ? body_nomem(p) : OK;
}

static enum err assistant_part(
    struct turn *t, const json_t *part, const char *field, struct problem *p)
{
	const char *type = json_string_value(json_object_get(part, "type"));
	const json_t *text = json_object_get(part, "text");

	if (!type)
		return body_refuse(p, field, "%s lacks its type", field);
	if (strcmp(type, "step-start") == 0)
		return turn_end(t, p);
	if (strncmp(type, "tool-", 5) == 0 || strcmp(type, "dynamic-tool") == 0)
		return take_call(t, part, field, p);
	if (strcmp(type, "text") != 0 || !json_is_string(text) ||
	    json_string_length(text) == 0)
		return OK;
	return json_array_append(t->text, (json_t *)(uintptr_t)text) == 0
		   ? OK
		   : body_nomem(p);
}

/* --- messages --- */

static enum err message(
    json_t *list, const json_t *m, size_t i, struct problem *p)
{
	const json_t *role = json_object_get(m, "role"), *part;
	const json_t *parts = json_object_get(m, "parts");
	bool assistant = is(role, "assistant");
	struct turn turn = { .list = list };
	json_t *content = NULL;
	char field[96];
	enum err e = OK;
	size_t k;

	(void)snprintf(field, sizeof(field), "messages[%zu]", i);
	if (!assistant && !is(role, "user") && !is(role, "system"))
		return body_refuse(p, field,
		    "%s.role must be system, user or assistant", field);
	if (!json_is_array(parts))
		return body_refuse(
		    p, field, "%s.parts must be a list of parts", field);
	content = json_array();
	e = content ? turn_begin(&turn, p) : body_nomem(p);
	json_array_foreach(parts, k, part)
	{
		if (e != OK)
			break;
		(void)snprintf(
		    field, sizeof(field), "messages[%zu].parts[%zu]", i, k);
		e = assistant ? assistant_part(&turn, part, field, p)
			      : take_part(content, part, field, p);
	}
	if (e == OK && assistant)
		e = turn_end(&turn, p);
	if (e == OK && json_array_size(content) > 0 &&
	    !append(
		list, json_pack("{s:O,s:O}", "role", role, "content", content)))
		e = body_nomem(p);
	turn_fini(&turn);
	json_decref(content);
	return e;
}

static enum err messages(const json_t *root, json_t *to, struct problem *p)
{
	const json_t *from = json_object_get(root, "messages"), *m;
	json_t *list;
	enum err e = OK;
	size_t i;

	if (!json_is_array(from) || json_array_size(from) == 0)
		return body_refuse(p, "messages",
		    "messages must be a list of at least one UI message");
	list = json_array();
	if (!list || json_object_set_new(to, "messages", list) != 0)
		return body_nomem(p);
	json_array_foreach(from, i, m)
	{
		e = message(list, m, i, p);
		if (e != OK)
			return e;
	}
	return OK;
}

/* A short text of ${root}'s; absent: "". */
static enum err short_text(const json_t *root, const char *name, char *dst,
    size_t room, struct problem *p)
{
	const char *names[] = { name, NULL }, *text = "";

	if (body_text(root, names, &text, p) != OK)
		return ERR_INPUT;
	if (strlen(text) >= room)
		return body_refuse(p, name,
		    "%s must be a string of at most %zu bytes", name, room - 1);
	(void)snprintf(dst, room, "%s", text);
	return OK;
}

/* Who goes on with its own message, after its functions have answered? */
static const char *goes_on_in(const json_t *root)
{
	const json_t *list = json_object_get(root, "messages");
	const json_t *last = json_array_get(list, json_array_size(list) - 1);

	return is(json_object_get(last, "role"), "assistant")
		   ? json_string_value(json_object_get(last, "id"))
		   : NULL;
}

static enum err set_reply(
    const json_t *root, struct body_ui *ui, struct problem *p)
{
	const char *message = goes_on_in(root);
	json_t *reply = json_object();
	bool bad = !reply;

	if (ui->chat[0])
		bad |= json_object_set_new(
			   reply, "chat", json_string(ui->chat)) != 0;
	if (message && strlen(message) < sizeof(ui->message)) {
		(void)snprintf(ui->message, sizeof(ui->message), "%s", message);
		bad |= json_object_set_new(
			   reply, "message", json_string(ui->message)) != 0;
	}
	bad = bad || json_object_set(ui->create.members, "reply", reply) != 0;
	json_decref(reply);
	return bad ? body_nomem(p) : OK;
}

enum err body_ui(const struct json_t *root, bool fails, struct body_ui *ret,
    struct problem *p)
{
	static const char *const ours[] = { "id", "messages", "trigger",
		"messageId", "on_disconnect", "metadata" };
	const json_t *leave = json_object_get(root, "on_disconnect");
	const json_t *metadata = json_object_get(root, "metadata");
	struct body_ui ui = { 0 };
	json_t *to = json_object(), *v;
	const char *key;
	enum err e;

	e = to ? short_text(root, "id", ui.chat, sizeof(ui.chat), p)
	       : body_nomem(p);
	if (e == OK)
		e = messages(root, to, p);
	if (e == OK && leave && !is(leave, "cancel") && !is(leave, "continue"))
		e = body_refuse(p, "on_disconnect",
		    "on_disconnect must be continue or cancel");
	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		size_t i = 0;

		while (i < sizeof(ours) / sizeof(ours[0]) &&
		       strcmp(ours[i], key) != 0)
			i++;
		if (e == OK && i == sizeof(ours) / sizeof(ours[0]) &&
		    json_object_set(to, key, v) != 0)
			e = body_nomem(p);
	}
	if (e == OK && json_is_object(metadata) &&
	    json_object_set(to, "metadata", (json_t *)(uintptr_t)metadata) != 0)
		e = body_nomem(p);
	if (e == OK)
		e = body_create_told(to, fails, &ui.create, p);
	if (e == OK)
		e = set_reply(root, &ui, p);
	ui.cancel_if_gone = is(leave, "cancel");
	if (e == OK)
		*ret = ui;
	else
		body_create_fini(&ui.create);
	json_decref(to);
	return e;
}

void body_ui_reply(const char *request, size_t len, struct body_ui *ret)
{
	json_t *root =
	    len ? json_loadb(request, len, JSON_ALLOW_NUL, NULL) : NULL;
	const json_t *reply = json_object_get(root, "reply");
	const char *chat = json_string_value(json_object_get(reply, "chat"));
	const char *message =
	    json_string_value(json_object_get(reply, "message"));

	*ret = (struct body_ui){ 0 };
	(void)snprintf(ret->chat, sizeof(ret->chat), "%s", chat ? chat : "");
	(void)snprintf(
	    ret->message, sizeof(ret->message), "%s", message ? message : "");
	json_decref(root);
}
