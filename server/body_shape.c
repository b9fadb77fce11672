#include "server/body_shape.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/body_shape_responses.h"

#define MAX_MODEL_BYTES 512

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s != NULL ? s : "";
}

static bool is(const json_t *object, const char *key, const char *word)
{
	return strcmp(text_of(object, key), word) == 0;
}

/* As member ${key}, when it is there. */
static int put(json_t *to, const char *key, json_t *v)
{
	return v == NULL ? 0 : json_object_set(to, key, v);
}

/* --- Ollama: nearly the same --- */

static enum err ollama(
    const char *path, const json_t *in, json_t *out, struct why *why)
{
	json_t *options = json_object_get(in, "options");
	json_t *max = json_object_get(options, "num_predict");
	const json_t *think = json_object_get(in, "think");
	bool thinks = json_is_true(think) || json_is_string(think);
	bool stream = !json_is_false(json_object_get(in, "stream"));
	const json_t *m;
	size_t i;

	(void)path;
	json_array_foreach(json_object_get(in, "messages"), i, m)
	{
		if (json_is_string(json_object_get(m, "content")))
			continue;
		err_why(why,
		    "json: cannot unmarshal messages[%zu].content into Go "
		    "struct field of type string",
		    i);
		return ERR_INPUT;
	}
	if (json_integer_value(max) < 0)
		max = NULL;
	return put(out, "model", json_object_get(in, "model")) != 0 ||
		       put(out, "messages", json_object_get(in, "messages")) !=
			   0 ||
		       put(out, "tools", json_object_get(in, "tools")) != 0 ||
		       put(out, "max_tokens", max) != 0 ||
		       json_object_set_new(
			   out, "stream", json_boolean(stream)) != 0 ||
		       (thinks && json_object_set_new(out, "reasoning_effort",
				      json_string("high")) != 0)
		   ? ERR_NOMEM
		   : OK;
}

/* --- what the two others have in common --- */

/* A message of a role with a text; NULL without memory. */
static json_t *message(const char *role, const json_t *text)
{
	const char *s = json_string_value(text);

	return json_pack(
	    "{s:s,s:s}", "role", role, "content", s != NULL ? s : "");
}

/* A function as OpenAI declares it. */
static json_t *function(const json_t *tool, const char *schema)
{
	json_t *f = json_pack("{s:s}", "name", text_of(tool, "name"));

	if (put(f, "parameters", json_object_get(tool, schema)) != 0) {
		json_decref(f);
		return NULL;
	}
	return json_pack("{s:s,s:o}", "type", "function", "function", f);
}

static json_t *named(const char *name)
{
	return json_pack(
	    "{s:s,s:{s:s}}", "type", "function", "function", "name", name);
}

/* --- Gemini --- */

/* The model in the path, percent-decoded; NULL: there is none. */
static json_t *model_in(const char *path)
{
	const char *p = strrchr(path, '/') + 1;
	char name[MAX_MODEL_BYTES];
	size_t n = 0;

	for (; *p != '\0' && *p != ':' && n + 1 < sizeof(name); p++) {
		char hex[3] = { 0 };

		name[n] = *p;
		if (*p == '%' && isxdigit((unsigned char)p[1]) &&
		    isxdigit((unsigned char)p[2])) {
			memcpy(hex, p + 1, 2);
			name[n] = (char)strtol(hex, NULL, 16);
			p += 2;
		}
		n++;
	}
	return json_stringn(name, n);
}

/* One turn as messages: its texts, or the results of functions. */
static enum err gemini_turn(
    const json_t *turn, json_t *messages, size_t i, struct why *why)
{
	const json_t *parts = json_object_get(turn, "parts"), *part;
	bool model = is(turn, "role", "model");
	const char *role;
	size_t j;

	if (json_array_size(parts) == 0 ||
	    (!model && !is(turn, "role", "user"))) {
		err_why(why,
		    "* GenerateContentRequest.contents[%zu]: it must have a "
		    "role, user or model, and parts",
		    i);
		return ERR_INPUT;
	}
	json_array_foreach(parts, j, part)
	{
		role = model ? "assistant" : "user";
		if (json_object_get(part, "functionResponse") != NULL)
			role = "tool";
		if (json_array_append_new(messages,
			message(role, json_object_get(part, "text"))) != 0)
			return ERR_NOMEM;
	}
	return OK;
}

static enum err gemini_tools(const json_t *in, json_t *out)
{
	const json_t *declared =
	    json_object_get(json_array_get(json_object_get(in, "tools"), 0),
		"functionDeclarations");
	const json_t *config = json_object_get(
	    json_object_get(in, "toolConfig"), "functionCallingConfig");
	const char *name = json_string_value(
	    json_array_get(json_object_get(config, "allowedFunctionNames"), 0));
	json_t *tools, *choice;
	const json_t *tool;
	size_t i;

	if (json_array_size(declared) == 0)
		return OK;
	tools = json_array();
	if (json_object_set_new(out, "tools", tools) != 0)
		return ERR_NOMEM;
	json_array_foreach(declared, i, tool)
	{
		if (json_array_append_new(
			tools, function(tool, "parametersJsonSchema")) != 0)
			return ERR_NOMEM;
	}
	if (is(config, "mode", "NONE"))
		choice = json_string("none");
	else if (is(config, "mode", "ANY"))
		choice = name != NULL ? named(name) : json_string("required");
	else
		return OK;
	return json_object_set_new(out, "tool_choice", choice) == 0 ? OK
								    : ERR_NOMEM;
}

static enum err gemini(
    const char *path, const json_t *in, json_t *out, struct why *why)
{
	const json_t *config = json_object_get(in, "generationConfig");
	json_t *messages = json_array();
	const json_t *turn;
	enum err e = OK;
	size_t i;

	if (json_object_set_new(out, "messages", messages) != 0 ||
	    json_object_set_new(out, "model", model_in(path)) != 0 ||
	    json_object_set_new(out, "stream",
		json_boolean(strstr(path, ":stream") != NULL)) != 0 ||
	    put(out, "max_tokens",
		json_object_get(config, "maxOutputTokens")) != 0)
		return ERR_NOMEM;
	json_array_foreach(json_object_get(in, "contents"), i, turn)
	{
		e = gemini_turn(turn, messages, i, why);
		if (e != OK)
			return e;
	}
	if (json_array_size(messages) == 0) {
		err_why(why, "* GenerateContentRequest.contents: contents is "
			     "not specified");
		return ERR_INPUT;
	}
	if (json_is_true(
		json_object_get(json_object_get(config, "thinkingConfig"),
		    "includeThoughts")) &&
	    json_object_set_new(out, "reasoning_effort", json_string("high")) !=
		0)
		return ERR_NOMEM;
	return gemini_tools(in, out);
}

/* --- Anthropic --- */

static enum err anthropic_message(
    const json_t *m, json_t *messages, size_t i, struct why *why)
{
	const json_t *content = json_object_get(m, "content"), *block;
	const char *role = text_of(m, "role");
	size_t j;

	if ((strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0) ||
	    (!json_is_string(content) && json_array_size(content) == 0)) {
		err_why(why,
		    "messages.%zu: it must have a role, user or assistant, and "
		    "content",
		    i);
		return ERR_INPUT;
	}
	if (json_is_string(content))
		return json_array_append_new(
			   messages, message(role, content)) == 0
			   ? OK
			   : ERR_NOMEM;
	json_array_foreach(content, j, block)
	{
		bool text = is(block, "type", "text");

		if (text && text_of(block, "text")[0] == '\0') {
			err_why(why,
			    "messages: text content blocks must be non-empty");
			return ERR_INPUT;
		}
		if (json_array_append_new(messages,
			message(
			    is(block, "type", "tool_result") ? "tool" : role,
			    json_object_get(block, "text"))) != 0)
			return ERR_NOMEM;
	}
	return OK;
}

static enum err anthropic_tools(const json_t *in, json_t *out)
{
	const json_t *choice = json_object_get(in, "tool_choice"), *tool;
	json_t *tools, *ours = NULL;
	size_t i;

	if (json_array_size(json_object_get(in, "tools")) == 0)
		return OK;
	tools = json_array();
	if (json_object_set_new(out, "tools", tools) != 0)
		return ERR_NOMEM;
	json_array_foreach(json_object_get(in, "tools"), i,
	    tool) if (json_array_append_new(tools,
			  function(tool, "input_schema")) !=
		      0) return ERR_NOMEM;
	if (is(choice, "type", "none"))
		ours = json_string("none");
	else if (is(choice, "type", "any"))
		ours = json_string("required");
	else if (is(choice, "type", "tool"))
		ours = named(text_of(choice, "name"));
	else
		return OK;
	return json_object_set_new(out, "tool_choice", ours) == 0 ? OK
								  : ERR_NOMEM;
}

static enum err anthropic(
    const char *path, const json_t *in, json_t *out, struct why *why)
{
	const json_t *thinking = json_object_get(in, "thinking"), *m;
	bool thinks = thinking != NULL && !is(thinking, "type", "disabled");
	json_t *messages = json_array();
	enum err e = OK;
	size_t i;

	(void)path;
	if (json_object_set_new(out, "messages", messages) != 0 ||
	    put(out, "model", json_object_get(in, "model")) != 0 ||
	    put(out, "stream", json_object_get(in, "stream")) != 0 ||
	    put(out, "max_tokens", json_object_get(in, "max_tokens")) != 0)
		return ERR_NOMEM;
	if (json_object_get(in, "max_tokens") == NULL) {
		err_why(why, "max_tokens: Field required");
		return ERR_INPUT;
	}
	json_array_foreach(json_object_get(in, "messages"), i, m)
	{
		e = anthropic_message(m, messages, i, why);
		if (e != OK)
			return e;
	}
	if (thinks && json_object_set_new(
			  out, "reasoning_effort", json_string("high")) != 0)
		return ERR_NOMEM;
	return anthropic_tools(in, out);
}

/* --- */

static const struct {
	const char *dialect;
	enum err (*shape)(
	    const char *path, const json_t *in, json_t *out, struct why *why);
} shapes[] = { { "ollama", ollama }, { "gemini", gemini },
	{ "anthropic", anthropic }, { "responses", body_shape_responses } };

enum err body_shape(
    const char *dialect, const char *path, json_t **root, struct why *why)
{
	json_t *out;
	enum err e;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (strcmp(shapes[i].dialect, dialect) != 0)
			continue;
		out = json_pack(
		    "{s:{s:b}}", "stream_options", "include_usage", 1);
		e = out == NULL ? ERR_NOMEM
				: shapes[i].shape(path, *root, out, why);
		json_decref(*root);
		*root = out;
		return e;
	}
	return OK;
}
