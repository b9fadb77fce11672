/* What a response is asked: its input items and the past, as messages. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/body_responses_internal.h"
#include "store/base/id.h"

struct turns {
	json_t *messages;
	const json_t *past;
	json_t *open; /* the assistant's message that calls join */
	struct problem *p;
};

/* --- items as messages --- */

/* Takes ${m}. */
static enum err add(struct turns *t, json_t *m, bool open)
{
	if (!m || json_array_append_new(t->messages, m) != 0)
		return body_nomem(t->p);
	t->open = open ? m : NULL;
	return OK;
}

/* One part of a message as a chat has it: *${ret}. */
static enum err part(
    const json_t *v, const char *field, json_t **ret, struct problem *p)
{
	const json_t *type = json_object_get(v, "type");
	const json_t *url = json_object_get(v, "image_url");
	const json_t *detail = body_responses_get(v, "detail");
	const json_t *text = json_object_get(v, "text");
	json_t *image;

	if (body_responses_is(type, "refusal"))
		text = json_object_get(v, "refusal");
	if (body_responses_is(type, "input_image")) {
		if (!json_is_string(url))
			return body_refuse(p, field,
			    "%s.image_url must be a string: files are not "
			    "kept here",
			    field);
		image = json_pack("{s:O}", "url", url);
		if (image && detail &&
		    json_object_set(
			image, "detail", (json_t *)(uintptr_t)detail) != 0) {
			json_decref(image);
			image = NULL;
		}
		*ret = json_pack(
		    "{s:s,s:o}", "type", "image_url", "image_url", image);
	} else if (body_responses_is(type, "input_text") ||
		   body_responses_is(type, "output_text") ||
		   body_responses_is(type, "text") ||
		   body_responses_is(type, "refusal")) {
		if (!json_is_string(text))
			return body_refuse(
			    p, field, "%s.text must be a string", field);
		*ret = json_pack("{s:s,s:O}", "type", "text", "text", text);
	} else {
		return body_refuse(p, field,
		    "%s.type must be input_text, input_image or output_text",
		    field);
	}
	return *ret ? OK : body_nomem(p);
}

/* A text, or parts: *${ret}. One text alone is a plain one. */
static enum err content(
    const json_t *v, const char *field, json_t **ret, struct problem *p)
{
	json_t *list, *one = NULL;
	const json_t *item;
	size_t i;

	if (json_is_string(v)) {
		*ret = json_incref((json_t *)(uintptr_t)v);
		return OK;
	}
	if (!json_is_array(v))
		return body_refuse(
		    p, field, "%s must be a string or a list of parts", field);
	list = json_array();
	if (!list)
		return body_nomem(p);
	json_array_foreach(v, i, item)
	{
		char name[160];
		enum err e;

		(void)snprintf(name, sizeof(name), "%s[%zu]", field, i);
		one = NULL;
		e = part(item, name, &one, p);
		if (e == OK && json_array_append_new(list, one) != 0)
			e = body_nomem(p);
		if (e != OK) {
			json_decref(list);
			return e;
		}
	}
	one = json_array_get(list, 0);
	if (json_array_size(list) == 0)
		*ret = json_string("");
	else if (json_array_size(list) == 1 && json_object_get(one, "text"))
		*ret = json_incref(json_object_get(one, "text"));
	else
		*ret = json_incref(list);
	json_decref(list);
	return *ret ? OK : body_nomem(p);
}

static enum err message(struct turns *t, const json_t *item, const char *field)
{
	static const char *const roles[] = { "user", "assistant", "system",
		"developer" };
	const json_t *role = json_object_get(item, "role");
	json_t *said = NULL;
	char name[96];
	bool known = false;
	enum err e;

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		known = known || body_responses_is(role, roles[i]);
	if (!known)
		return body_refuse(t->p, field,
		    "%s.role must be user, assistant, system or developer",
		    field);
	(void)snprintf(name, sizeof(name), "%s.content", field);
	e = content(json_object_get(item, "content"), name, &said, t->p);
	if (e != OK)
		return e;
	return add(t, json_pack("{s:O,s:o}", "role", role, "content", said),
	    body_responses_is(role, "assistant"));
}

static enum err function_call(
    struct turns *t, const json_t *item, const char *field)
{
	const json_t *id = json_object_get(item, "call_id");
	const json_t *name = json_object_get(item, "name");
	const json_t *arguments = json_object_get(item, "arguments");
	json_t *call, *calls;

	if (!json_is_string(id) || !json_is_string(name) ||
	    !json_is_string(arguments))
		return body_refuse(t->p, field,
		    "%s must have call_id, name and arguments, all strings",
		    field);
	call = json_pack("{s:O,s:s,s:{s:O,s:O}}", "id", id, "type", "function",
	    "function", "name", name, "arguments", arguments);
	if (!t->open)
		return add(t,
		    json_pack("{s:s,s:n,s:[o]}", "role", "assistant", "content",
			"tool_calls", call),
		    true);
	calls = json_object_get(t->open, "tool_calls");
	if (calls && json_array_append_new(calls, call) == 0)
		return OK;
	if (!calls && json_object_set_new(
			  t->open, "tool_calls", json_pack("[o]", call)) == 0)
		return OK;
	return body_nomem(t->p);
}

static enum err function_output(
    struct turns *t, const json_t *item, const char *field)
{
	const json_t *id = json_object_get(item, "call_id");
	json_t *said = NULL;
	char name[96];
	enum err e;

	if (!json_is_string(id))
		return body_refuse(
		    t->p, field, "%s.call_id must be a string", field);
	(void)snprintf(name, sizeof(name), "%s.output", field);
	e = content(json_object_get(item, "output"), name, &said, t->p);
	if (e != OK)
		return e;
	return add(t,
	    json_pack("{s:s,s:O,s:o}", "role", "tool", "tool_call_id", id,
		"content", said),
	    false);
}

static enum err one_item(struct turns *t, const json_t *item, const char *field)
{
	const json_t *type = body_responses_get(item, "type");

	if ((!type && json_object_get(item, "role")) ||
	    body_responses_is(type, "message"))
		return message(t, item, field);
	if (body_responses_is(type, "function_call"))
		return function_call(t, item, field);
	if (body_responses_is(type, "function_call_output"))
		return function_output(t, item, field);
	/* Thoughts are no part of a chat's messages. */
	if (body_responses_is(type, "reasoning"))
		return OK;
	return body_refuse(t->p, field,
	    "%s.type must be message, function_call, function_call_output, "
	    "reasoning or item_reference",
	    field);
}

static enum err reference(
    struct turns *t, const json_t *item, const char *field)
{
	const json_t *wanted = json_object_get(item, "id"), *known;
	const json_t *output;
	char name[ID_TEXT];
	struct id id;
	size_t i;

	if (!body_responses_id(wanted, NULL, &id))
		return body_refuse(
		    t->p, field, "%s.id is not an item's", field);
	id_text(&id, name);
	output = json_object_get(json_object_get(t->past, name), "output");
	json_array_foreach(
	    output, i, known) if (json_equal(json_object_get(known, "id"),
				      wanted)) return one_item(t, known, field);
	return body_refuse(
	    t->p, field, "there is no item %s", json_string_value(wanted));
}

static enum err items(struct turns *t, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		char field[64];
		enum err e;

		(void)snprintf(field, sizeof(field), "input[%zu]", i);
		e = body_responses_is(
			json_object_get(item, "type"), "item_reference")
			? reference(t, item, field)
			: one_item(t, item, field);
		if (e != OK)
			return e;
	}
	return OK;
}

/* What was said before, without the instructions: those are of one request. */
static enum err go_on(struct turns *t, const json_t *previous)
{
	const json_t *request, *messages, *m;
	char name[ID_TEXT];
	struct id id;
	bool skip;
	size_t i;

	if (!previous || !body_responses_id(previous, "resp_", &id))
		return OK;
	id_text(&id, name);
	request = json_object_get(json_object_get(t->past, name), "request");
	messages = json_object_get(request, "messages");
	if (!messages)
		return body_refuse(t->p, "previous_response_id",
		    "what the previous response was asked is no longer kept, "
		    "or was no conversation");
	skip = json_is_string(json_object_get(
	    json_object_get(json_object_get(request, "reply"), "response"),
	    "instructions"));
	json_array_foreach(messages, i,
	    m) if ((i > 0 || !skip) &&
		   json_array_append(t->messages, (json_t *)(uintptr_t)m) !=
		       0) return body_nomem(t->p);
	return items(
	    t, json_object_get(json_object_get(t->past, name), "output"));
}

enum err body_responses_input(
    const json_t *root, const json_t *past, json_t *to, struct problem *p)
{
	const json_t *input = json_object_get(root, "input");
	const json_t *instructions = body_responses_get(root, "instructions");
	struct turns t = { json_array(), past, NULL, p };
	enum err e = OK;

	if (!t.messages || json_object_set_new(to, "messages", t.messages) != 0)
		return body_nomem(p);
	if (instructions && !json_is_string(instructions))
		return body_refuse(
		    p, "instructions", "instructions must be a string");
	if (!json_is_string(input) &&
	    !(json_is_array(input) && json_array_size(input) > 0))
		return body_refuse(p, "input",
		    "input must be a string, or a list of at least one item");
	if (instructions)
		e = add(&t,
		    json_pack(
			"{s:s,s:O}", "role", "system", "content", instructions),
		    false);
	if (e == OK)
		e = go_on(&t, body_responses_get(root, "previous_response_id"));
	if (e != OK)
		return e;
	if (json_is_array(input))
		return items(&t, input);
	return add(&t, json_pack("{s:s,s:O}", "role", "user", "content", input),
	    false);
}
