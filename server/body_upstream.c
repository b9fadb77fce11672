#include "server/body_upstream.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "server/body_shape.h"
#include "store/base/buf.h"

#define MAX_TEXT_BYTES ((size_t)4 << 20)
#define BYTES_PER_TOKEN 4
#define MAX_ARGUMENTS 16

/* Append a message's text: a string, or the text parts of an array. */
static void add_text(struct buf *b, const json_t *content)
{
	size_t i;
	const json_t *part;

	if (json_is_string(content)) {
		buf_add(
		    b, json_string_value(content), json_string_length(content));
		return;
	}
	json_array_foreach(content, i, part)
	{
		const json_t *text = json_object_get(part, "text");

		if (json_is_string(text))
			buf_add(b, json_string_value(text),
			    json_string_length(text));
	}
}

static const char *role_of(const json_t *message)
{
	const char *role = json_string_value(json_object_get(message, "role"));

	return role != NULL ? role : "";
}

static enum err check_messages(const json_t *messages, struct why *why)
{
	static const char *const roles[] = { "system", "developer", "user",
		"assistant", "tool", "function" };
	size_t i, r;
	const json_t *m;

	if (!json_is_array(messages) || json_array_size(messages) == 0) {
		err_why(why, "'messages' must be an array of messages, not "
			     "empty.");
		return ERR_INPUT;
	}
	json_array_foreach(messages, i, m)
	{
		const json_t *content = json_object_get(m, "content");

		for (r = 0; r < sizeof(roles) / sizeof(roles[0]); r++)
			if (strcmp(role_of(m), roles[r]) == 0)
				break;
		if (r == sizeof(roles) / sizeof(roles[0])) {
			err_why(why, "messages[%zu].role is not a role.", i);
			return ERR_INPUT;
		}
		if (!json_is_string(content) && !json_is_array(content) &&
		    !(json_object_get(m, "tool_calls") != NULL)) {
			err_why(why,
			    "messages[%zu].content must be a string or an "
			    "array of parts.",
			    i);
			return ERR_INPUT;
		}
	}
	return OK;
}

static enum err read_messages(
    const json_t *messages, struct body_upstream *ret, struct why *why)
{
	struct buf prompt, text;
	size_t i, all = 0;
	const json_t *m, *last;
	enum err e = check_messages(messages, why);

	if (e != OK)
		return e;
	buf_init(&prompt, MAX_TEXT_BYTES);
	buf_init(&text, MAX_TEXT_BYTES);
	buf_puts(&prompt, "");
	json_array_foreach(messages, i, m)
	{
		buf_reset(&text);
		add_text(&text, json_object_get(m, "content"));
		all += text.len;
		if (strcmp(role_of(m), "user") == 0) {
			buf_reset(&prompt);
			buf_add(&prompt, text.data, text.len);
		}
	}
	ret->prompt_tokens = (int64_t)(all / BYTES_PER_TOKEN + 1);
	last = json_array_get(messages, json_array_size(messages) - 1);
	if (strcmp(role_of(last), "assistant") == 0 && text.len > 0) {
		ret->prefill = buf_detach(&text, &ret->prefill_len);
		if (ret->prefill == NULL)
			e = ERR_NOMEM;
	}
	ret->prompt = buf_detach(&prompt, &ret->prompt_len);
	if (ret->prompt == NULL)
		e = ERR_NOMEM;
	buf_fini(&prompt);
	buf_fini(&text);
	return e;
}

/* An argument that its schema may accept; NULL without memory. */
static json_t *argument_for(const json_t *schema, const char *prompt)
{
	const char *type = json_string_value(json_object_get(schema, "type"));
	const json_t *values = json_object_get(schema, "enum");

	if (json_array_size(values) > 0)
		return json_deep_copy(json_array_get(values, 0));
	if (type == NULL || strcmp(type, "string") == 0)
		return json_string(prompt);
	if (strcmp(type, "integer") == 0)
		return json_integer(7);
	if (strcmp(type, "number") == 0)
		return json_real(0.5);
	if (strcmp(type, "boolean") == 0)
		return json_true();
	if (strcmp(type, "array") == 0)
		return json_array();
	return json_object();
}

/* Arguments for the function's properties, as JSON text; NULL: no memory. */
static char *make_arguments(json_t *function, const char *prompt)
{
	json_t *properties = json_object_get(
	    json_object_get(function, "parameters"), "properties");
	json_t *arguments = json_object();
	const char *name;
	json_t *schema;
	char *text = NULL;
	int n = 0;

	json_object_foreach(properties, name, schema)
	{
		if (n++ == MAX_ARGUMENTS)
			break;
		if (json_object_set_new(
			arguments, name, argument_for(schema, prompt)) != 0)
			goto out;
	}
	text = json_dumps(arguments, JSON_COMPACT);
out:
	json_decref(arguments);
	return text;
}

static json_t *find_function(const json_t *tools, const char *name)
{
	size_t i;
	json_t *tool;

	json_array_foreach(tools, i, tool)
	{
		json_t *f = json_object_get(tool, "function");
		const char *s = json_string_value(json_object_get(f, "name"));

		if (s != NULL && (name == NULL || strcmp(s, name) == 0))
			return f;
	}
	return NULL;
}

static enum err read_tools(
    const json_t *root, struct body_upstream *ret, struct why *why)
{
	const json_t *tools = json_object_get(root, "tools");
	const json_t *choice = json_object_get(root, "tool_choice");
	const json_t *messages = json_object_get(root, "messages");
	const char *word = json_string_value(choice);
	const char *name = json_string_value(
	    json_object_get(json_object_get(choice, "function"), "name"));
	json_t *function;

	if (tools == NULL || (word != NULL && strcmp(word, "none") == 0))
		return OK;
	function = find_function(tools, name);
	if (function == NULL) {
		err_why(why, "'tools' must be an array of functions%s.",
		    name != NULL ? " that has the one of 'tool_choice'" : "");
		return ERR_INPUT;
	}
	if (strcmp(role_of(
		       json_array_get(messages, json_array_size(messages) - 1)),
		"tool") == 0)
		return OK;
	if (name == NULL && !(word != NULL && strcmp(word, "required") == 0) &&
	    strcasestr(ret->prompt, "tool") == NULL)
		return OK;
	ret->tool =
	    strdup(json_string_value(json_object_get(function, "name")));
	ret->arguments = make_arguments(function, ret->prompt);
	return ret->tool != NULL && ret->arguments != NULL ? OK : ERR_NOMEM;
}

static enum err read_max_tokens(
    const json_t *root, struct body_upstream *ret, struct why *why)
{
	const json_t *max = json_object_get(root, "max_completion_tokens");

	if (max == NULL)
		max = json_object_get(root, "max_tokens");
	ret->max_tokens = -1;
	if (max == NULL || json_is_null(max))
		return OK;
	if (!json_is_integer(max) || json_integer_value(max) < 1) {
		err_why(why, "'max_tokens' must be an integer of at least 1.");
		return ERR_INPUT;
	}
	ret->max_tokens = json_integer_value(max);
	return OK;
}

static bool thinks(const json_t *effort)
{
	const char *s = json_string_value(effort);

	return s != NULL && strcmp(s, "none") != 0;
}

static enum err read_root(
    const json_t *root, struct body_upstream *ret, struct why *why)
{
	const char *model = json_string_value(json_object_get(root, "model"));
	enum err e;

	if (model == NULL) {
		err_why(why, "you must provide a model parameter");
		return ERR_INPUT;
	}
	ret->stream = json_is_true(json_object_get(root, "stream"));
	ret->include_usage = json_is_true(json_object_get(
	    json_object_get(root, "stream_options"), "include_usage"));
	ret->background = json_is_true(json_object_get(root, "background"));
	ret->thinks = thinks(json_object_get(root, "reasoning_effort"));
	ret->model = strdup(model);
	if (ret->model == NULL)
		return ERR_NOMEM;
	e = read_max_tokens(root, ret, why);
	if (e == OK)
		e = read_messages(json_object_get(root, "messages"), ret, why);
	if (e == OK)
		e = read_tools(root, ret, why);
	return e;
}

enum err body_upstream_parse(const char *dialect, const char *path,
    const char *body, size_t len, struct body_upstream *ret, struct why *why)
{
	struct body_upstream r = { 0 };
	json_error_t wrong;
	json_t *root =
	    json_loadb(body != NULL ? body : "", len, JSON_ALLOW_NUL, &wrong);
	enum err e = ERR_INPUT;

	if (!json_is_object(root)) {
		err_why(
		    why, "We could not parse the JSON body of your request.");
		goto out;
	}
	e = body_shape(dialect, path, &root, why);
	if (e == OK)
		e = read_root(root, &r, why);
	if (e == OK) {
		*ret = r;
		r = (struct body_upstream){ 0 };
	}
out:
	body_upstream_fini(&r);
	json_decref(root);
	return e;
}

void body_upstream_fini(struct body_upstream *r)
{
	free(r->model);
	free(r->prompt);
	free(r->prefill);
	free(r->tool);
	free(r->arguments);
	*r = (struct body_upstream){ 0 };
}
