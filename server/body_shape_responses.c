#include "server/body_shape_responses.h"

#include <stdbool.h>
#include <string.h>

static bool is(const json_t *v, const char *word)
{
	const char *s = json_string_value(v);

	return s != NULL && strcmp(s, word) == 0;
}

/* As member ${key}, when it is there. */
static int put(json_t *to, const char *key, json_t *v)
{
	return v == NULL ? 0 : json_object_set(to, key, v);
}

/* A message with text or parts, or the result of a function; else NULL. */
static json_t *message(const json_t *item)
{
	json_t *role = json_object_get(item, "role");
	json_t *content = json_object_get(item, "content");
	const json_t *type = json_object_get(item, "type");

	if (is(type, "function_call_output"))
		return json_pack("{s:s,s:s}", "role", "tool", "content", "");
	if (is(type, "function_call"))
		return json_pack(
		    "{s:s,s:s}", "role", "assistant", "content", "");
	return json_pack("{s:O?,s:O?}", "role", role, "content", content);
}

/* What says nothing to the simulation. */
static bool is_silent(const json_t *item)
{
	const json_t *type = json_object_get(item, "type");

	return is(type, "reasoning") || is(type, "item_reference");
}

static enum err take_input(const json_t *in, json_t *messages, struct why *why)
{
	json_t *input = json_object_get(in, "input");
	json_t *instructions = json_object_get(in, "instructions");
	const json_t *item;
	size_t i;

	if (json_is_string(instructions) &&
	    json_array_append_new(
		messages, json_pack("{s:s,s:O}", "role", "system", "content",
			      instructions)) != 0)
		return ERR_NOMEM;
	if (json_is_string(input))
		return json_array_append_new(
			   messages, json_pack("{s:s,s:O}", "role", "user",
					 "content", input)) == 0
			   ? OK
			   : ERR_NOMEM;
	if (json_array_size(input) == 0) {
		err_why(why,
		    "'input' must be a string or an array of items, not "
		    "empty.");
		return ERR_INPUT;
	}
	json_array_foreach(input, i, item)
	{
		if (!is_silent(item) &&
		    json_array_append_new(messages, message(item)) != 0)
			return ERR_NOMEM;
	}
	return OK;
}

/* Functions lie flat here. */
static json_t *function(json_t *tool)
{
	return json_pack("{s:s,s:O}", "type", "function", "function", tool);
}

static enum err take_tools(const json_t *in, json_t *out)
{
	json_t *choice = json_object_get(in, "tool_choice");
	json_t *tools, *tool;
	size_t i;

	if (json_array_size(json_object_get(in, "tools")) == 0)
		return OK;
	tools = json_array();
	if (json_object_set_new(out, "tools", tools) != 0)
		return ERR_NOMEM;
	json_array_foreach(json_object_get(in, "tools"), i, tool)
	{
		if (is(json_object_get(tool, "type"), "function") &&
		    json_array_append_new(tools, function(tool)) != 0)
			return ERR_NOMEM;
	}
	if (!json_is_object(choice))
		return put(out, "tool_choice", choice) == 0 ? OK : ERR_NOMEM;
	return json_object_set_new(out, "tool_choice", function(choice)) == 0
		   ? OK
		   : ERR_NOMEM;
}

enum err body_shape_responses(
    const char *path, const json_t *in, json_t *out, struct why *why)
{
	json_t *background = json_object_get(in, "background");
	json_t *messages = json_array();
	enum err e;

	(void)path;
	if (json_object_set_new(out, "messages", messages) != 0 ||
	    put(out, "model", json_object_get(in, "model")) != 0 ||
	    put(out, "stream", json_object_get(in, "stream")) != 0 ||
	    put(out, "background", background) != 0 ||
	    put(out, "max_tokens", json_object_get(in, "max_output_tokens")) !=
		0 ||
	    put(out, "reasoning_effort",
		json_object_get(json_object_get(in, "reasoning"), "effort")) !=
		0)
		return ERR_NOMEM;
	if (json_is_true(background) &&
	    json_is_false(json_object_get(in, "store"))) {
		err_why(why, "'background' requires 'store' to be true.");
		return ERR_INPUT;
	}
	e = take_input(in, messages, why);
	return e == OK ? take_tools(in, out) : e;
}
