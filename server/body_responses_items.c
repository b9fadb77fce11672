/* A stored request's input, as the items of a response's. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_responses_internal.h"
#include "store/base/id.h"

struct list {
	json_t *items;
	char id[ID_TEXT];
	bool failed;
};

/* Takes ${item}; it gets the next id. */
static void add(struct list *l, const char *prefix, json_t *item)
{
	char id[ID_TEXT + 32];

	(void)snprintf(id, sizeof(id), "%s_%s_in%zu", prefix, l->id,
	    json_array_size(l->items));
	if (!item || json_object_set_new(item, "id", json_string(id)) != 0 ||
	    json_object_set_new(item, "status", json_string("completed")) != 0)
		json_decref(item), l->failed = true;
	else if (json_array_append_new(l->items, item) != 0)
		l->failed = true;
}

static json_t *part(const json_t *v, const char *text_type)
{
	const json_t *image = json_object_get(v, "image_url");
	const json_t *detail = json_object_get(image, "detail");

	if (!image)
		return json_pack("{s:s,s:O*}", "type", text_type, "text",
		    json_object_get(v, "text"));
	if (detail)
		return json_pack("{s:s,s:O,s:O}", "type", "input_image",
		    "image_url", json_object_get(image, "url"), "detail",
		    detail);
	return json_pack("{s:s,s:O,s:s}", "type", "input_image", "image_url",
	    json_object_get(image, "url"), "detail", "auto");
}

/* The parts of a message; NULL without memory. */
static json_t *parts(const json_t *content, bool answer)
{
	const char *type = answer ? "output_text" : "input_text";
	json_t *list = json_array();
	const json_t *v;
	size_t i;
	int bad = !list;

	if (json_is_string(content))
		bad |= json_array_append_new(list,
		    json_pack("{s:s,s:O}", "type", type, "text", content));
	json_array_foreach(content, i, v) bad |=
	    json_array_append_new(list, part(v, type));
	json_array_foreach(list, i, v)
	{
		if (answer)
			bad |= json_object_set_new((json_t *)(uintptr_t)v,
			    "annotations", json_array());
	}
	if (!bad)
		return list;
	json_decref(list);
	return NULL;
}

static void take(struct list *l, const json_t *m)
{
	const json_t *role = json_object_get(m, "role"), *call;
	const json_t *content = body_responses_get(m, "content");
	bool answer = body_responses_is(role, "assistant");
	size_t i;

	if (body_responses_is(role, "tool")) {
		json_t *output = json_is_string(content)
				     ? json_incref((json_t *)(uintptr_t)content)
				     : parts(content, false);

		add(l, "fco",
		    json_pack("{s:s,s:O,s:o}", "type", "function_call_output",
			"call_id", json_object_get(m, "tool_call_id"), "output",
			output));
		return;
	}
	if (content)
		add(l, "msg",
		    json_pack("{s:s,s:O,s:o}", "type", "message", "role", role,
			"content", parts(content, answer)));
	json_array_foreach(json_object_get(m, "tool_calls"), i, call)
	{
		const json_t *f = json_object_get(call, "function");

		add(l, "fc",
		    json_pack("{s:s,s:O,s:O,s:O}", "type", "function_call",
			"call_id", json_object_get(call, "id"), "name",
			json_object_get(f, "name"), "arguments",
			json_object_get(f, "arguments")));
	}
}

struct json_t *body_responses_items(
    const struct id *id, const char *request, size_t len)
{
	json_t *root = request ? body_responses_load(request, len) : NULL;
	bool skip = json_is_string(json_object_get(
	    json_object_get(json_object_get(root, "reply"), "response"),
	    "instructions"));
	struct list l = { .items = json_array() };
	const json_t *m;
	size_t i;

	id_text(id, l.id);
	l.failed = !l.items || (request && !root);
	json_array_foreach(json_object_get(root, "messages"), i, m)
	{
		/* The instructions are no item. */
		if (!l.failed && (i > 0 || !skip))
			take(&l, m);
	}
	json_decref(root);
	if (!l.failed)
		return l.items;
	json_decref(l.items);
	return NULL;
}
