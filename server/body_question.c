/* A question in a conversation, for clients that send text and its context. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"

static bool append(json_t *list, const char *role, json_t *content)
{
	json_t *m =
	    content ? json_pack("{s:s,s:o}", "role", role, "content", content)
		    : NULL;

	return m && json_array_append_new(list, m) == 0;
}

/* Earlier turns as they are; anything else for the model to know of. */
static enum err take_context(
    json_t *list, const json_t *context, struct problem *p)
{
	const json_t *m;
	bool bad = false;
	char *text;
	size_t i;

	if (!context || json_is_null(context) ||
	    (json_is_string(context) && !json_string_length(context)))
		return OK;
	if (json_is_array(context) &&
	    json_is_object(json_array_get(context, 0))) {
		json_array_foreach(context, i, m)
		{
			const char *role =
			    json_string_value(json_object_get(m, "role"));
			json_t *content = json_object_get(m, "content");

			if (!role || !json_is_string(content))
				return body_refuse(p, "conversationContext",
				    "conversationContext[%zu] must be "
				    "{\"role\", \"content\"}: two texts",
				    i);
			bad |= !append(list, role, json_incref(content));
		}
		return bad ? body_nomem(p) : OK;
	}
	text = json_is_string(context) ? NULL : body_dump(context, NULL);
	bad = !append(list, "system",
	    text ? json_string(text)
		 : json_incref((json_t *)(uintptr_t)context));
	free(text);
	return bad ? body_nomem(p) : OK;
}

enum err body_question(const struct json_t *root, bool fails,
    struct body_create *ret, struct problem *p)
{
	const json_t *text = json_object_get(root, "text");
	const json_t *org = json_object_get(root, "orgId");
	json_t *to = NULL, *list = NULL;
	const char *key;
	json_t *v;
	enum err e = OK;

	if (!json_is_string(text) || json_string_length(text) == 0)
		return body_refuse(
		    p, "text", "text must be a string that is not empty");
	to = json_object();
	list = json_array();
	if (!to || !list)
		e = body_nomem(p);
	if (e == OK)
		e = take_context(
		    list, json_object_get(root, "conversationContext"), p);
	if (e == OK &&
	    (!append(list, "user", json_incref((json_t *)(uintptr_t)text)) ||
		json_object_set(to, "messages", list) != 0))
		e = body_nomem(p);
	if (e == OK && org && !json_is_null(org) &&
	    json_object_set_new(
		to, "metadata", json_pack("{s:O}", "orgId", org)) != 0)
		e = body_nomem(p);
	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		if (e != OK || strcmp(key, "text") == 0 ||
		    strcmp(key, "orgId") == 0 ||
		    strcmp(key, "conversationContext") == 0)
			continue;
		if (strcmp(key, "messages") == 0)
			e = body_refuse(
			    p, "messages", "send text and conversationContext");
		else if (json_object_set(to, key, v) != 0)
			e = body_nomem(p);
	}
	if (e == OK)
		e = body_create_told(to, fails, ret, p);
	json_decref(to);
	json_decref(list);
	return e;
}
