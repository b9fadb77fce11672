/* The parts of a request that are lists: messages, tools. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "store/request.h"

static bool is_one_of(const char *s, const char *const *words)
{
	for (; s && *words; words++)
		if (strcmp(s, *words) == 0)
			return true;
	return false;
}

static enum err known_members(const json_t *o, const char *field,
    const char *const *known, struct problem *p)
{
	const char *key;
	json_t *v;
	size_t n = 0;

	while (known[n])
		n++;
	json_object_foreach((json_t *)(uintptr_t)o, key,
	    v) if (!is_one_of(key, known)) return body_unknown(p, field, key,
	    known, n);
	return OK;
}

static enum err part(const json_t *v, const char *field, struct problem *p)
{
	static const char *const text[] = { "type", "text", NULL };
	static const char *const image[] = { "type", "image_url", NULL };
	static const char *const url[] = { "url", "detail", NULL };
	const char *type = json_string_value(json_object_get(v, "type"));
	const json_t *u;

	if (type && strcmp(type, "text") == 0) {
		if (!json_is_string(json_object_get(v, "text")))
			return body_refuse(
			    p, field, "%s.text must be a string", field);
		return known_members(v, field, text, p);
	}
	if (!type || strcmp(type, "image_url") != 0)
		return body_refuse(p, field,
		    "%s.type must be \"text\" or \"image_url\"", field);
	u = json_object_get(v, "image_url");
	if (!json_is_string(json_object_get(u, "url")))
		return body_refuse(
		    p, field, "%s.image_url.url must be a string", field);
	if (known_members(u, field, url, p) != OK)
		return ERR_INPUT;
	return known_members(v, field, image, p);
}

static enum err content(
    const json_t *v, bool may_be_absent, const char *field, struct problem *p)
{
	const json_t *item;
	size_t i;

	if (json_is_string(v))
		return OK;
	if ((!v || json_is_null(v)) && may_be_absent)
		return OK;
	if (!json_is_array(v) || json_array_size(v) == 0 ||
	    json_array_size(v) > REQUEST_MAX_MESSAGES)
		return body_refuse(p, field,
		    "%s must be a string, or a list of 1 to %d parts", field,
		    REQUEST_MAX_MESSAGES);
	json_array_foreach(v, i, item)
	{
		char name[128];

		(void)snprintf(name, sizeof(name), "%s[%zu]", field, i);
		if (part(item, name, p) != OK)
			return ERR_INPUT;
	}
	return OK;
}

static enum err tool_calls(
    const json_t *v, const char *field, struct problem *p)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) == 0 ||
	    json_array_size(v) > REQUEST_MAX_TOOLS)
		return body_refuse(p, field,
		    "%s must be a list of 1 to %d calls", field,
		    REQUEST_MAX_TOOLS);
	json_array_foreach(v, i, item)
	{
		const json_t *f = json_object_get(item, "function");

		if (!json_is_string(json_object_get(item, "id")) ||
		    !json_is_string(json_object_get(f, "name")) ||
		    !json_is_string(json_object_get(f, "arguments")))
			return body_refuse(p, field,
			    "%s[%zu] must be {\"id\", \"type\": \"function\", "
			    "\"function\": {\"name\", \"arguments\": string}}",
			    field, i);
	}
	return OK;
}

static enum err message(json_t *m, size_t i, struct problem *p)
{
	static const char *const roles[] = { "system", "developer", "user",
		"assistant", "tool", NULL };
	static const char *const known[] = { "role", "content", "name",
		"tool_calls", "tool_call_id", NULL };
	char field[64], sub[96];
	const char *role = json_string_value(json_object_get(m, "role"));
	const json_t *calls = json_object_get(m, "tool_calls");
	bool has_calls = calls && !json_is_null(calls);

	(void)snprintf(field, sizeof(field), "messages[%zu]", i);
	if (!json_is_object(m))
		return body_refuse(p, field, "%s must be an object", field);
	if (!is_one_of(role, roles))
		return body_refuse(p, field,
		    "%s.role must be system, user, assistant or tool", field);
	if (known_members(m, field, known, p) != OK)
		return ERR_INPUT;
	(void)snprintf(sub, sizeof(sub), "%s.content", field);
	if (content(json_object_get(m, "content"),
		has_calls && strcmp(role, "assistant") == 0, sub, p) != OK)
		return ERR_INPUT;
	if (json_object_get(m, "name") &&
	    !json_is_string(json_object_get(m, "name")))
		return body_refuse(p, field, "%s.name must be a string", field);
	(void)snprintf(sub, sizeof(sub), "%s.tool_calls", field);
	if (has_calls && strcmp(role, "assistant") != 0)
		return body_refuse(
		    p, sub, "%s belongs to an assistant's message", sub);
	if (has_calls && tool_calls(calls, sub, p) != OK)
		return ERR_INPUT;
	if (calls && !has_calls)
		json_object_del(m, "tool_calls");
	if (strcmp(role, "tool") == 0 &&
	    !json_is_string(json_object_get(m, "tool_call_id")))
		return body_refuse(
		    p, field, "%s.tool_call_id must be a string", field);
	/* Last: what role points to goes. */
	if (strcmp(role, "developer") == 0 &&
	    json_object_set_new(m, "role", json_string("system")) != 0)
		return body_nomem(p);
	return OK;
}

enum err body_messages(const json_t *v, json_t **ret, struct problem *p)
{
	json_t *copy, *m;
	enum err e = OK;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) == 0 ||
	    json_array_size(v) > REQUEST_MAX_MESSAGES)
		return body_refuse(p, "messages",
		    "messages must be a list of 1 to %d messages",
		    REQUEST_MAX_MESSAGES);
	copy = json_deep_copy(v);
	if (!copy)
		return body_nomem(p);
	json_array_foreach(copy, i, m)
	{
		e = message(m, i, p);
		if (e != OK)
			break;
	}
	if (e == OK)
		*ret = copy;
	else
		json_decref(copy);
	return e;
}

enum err body_tools(const json_t *v, json_t **ret, struct problem *p)
{
	static const char *const known[] = { "type", "function", NULL };
	static const char *const known_in[] = { "name", "description",
		"parameters", "strict", NULL };
	const json_t *item;
	size_t i;

	if (!json_is_array(v) || json_array_size(v) == 0 ||
	    json_array_size(v) > REQUEST_MAX_TOOLS)
		return body_refuse(p, "tools",
		    "tools must be a list of 1 to %d tools", REQUEST_MAX_TOOLS);
	json_array_foreach(v, i, item)
	{
		const char *type =
		    json_string_value(json_object_get(item, "type"));
		const json_t *f = json_object_get(item, "function");
		const json_t *args = json_object_get(f, "parameters");
		char field[32];

		(void)snprintf(field, sizeof(field), "tools[%zu]", i);
		if (!type || strcmp(type, "function") != 0 ||
		    !json_is_string(json_object_get(f, "name")) ||
		    (args && !json_is_object(args)))
			return body_refuse(p, field,
			    "%s must be {\"type\": \"function\", "
			    "\"function\": {\"name\", \"description\"?, "
			    "\"parameters\"?: object}}",
			    field);
		if (known_members(item, field, known, p) != OK ||
		    known_members(f, field, known_in, p) != OK)
			return ERR_INPUT;
	}
	*ret = json_deep_copy(v);
	return *ret ? OK : body_nomem(p);
}

enum err body_tool_choice(const json_t *v, json_t **ret, struct problem *p)
{
	static const char *const words[] = { "auto", "none", "required", NULL };
	const json_t *name = json_object_get(v, "name");

	if (!name)
		name = json_object_get(json_object_get(v, "function"), "name");
	if (json_is_string(v) && is_one_of(json_string_value(v), words))
		*ret = json_deep_copy(v);
	else if (json_is_string(name))
		*ret = json_pack("{s:O}", "name", name);
	else
		return body_refuse(p, "tool_choice",
		    "tool_choice must be \"auto\", \"none\", \"required\" or "
		    "{\"name\": …}");
	return *ret ? OK : body_nomem(p);
}
