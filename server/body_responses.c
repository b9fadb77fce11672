/*
 * The body of a response's creation (OpenAI), in our words: a conversation, and
 * how the answer is to be made and told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/body_responses_internal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Members that a creation knows by the same name and meaning. */
static const char *const same[] = { "model", "max_output_tokens", "temperature",
	"top_p", "presence_penalty", "frequency_penalty", "stop", "seed",
	"tool_choice", "parallel_tool_calls", "metadata", "extra",
	"on_interrupt", "retry", "owner" };

/* Members that are read here, or say nothing that is not so anyway. */
static const char *const known[] = { "input", "instructions", "stream",
	"stream_options", "background", "store", "previous_response_id",
	"tools", "text", "reasoning", "include", "truncation", "max_tool_calls",
	"top_logprobs", "on_disconnect", "conversation", "prompt" };

/* What a response says of its request, and when nothing was said. */
static const struct {
	const char *name, *otherwise;
} echoed[] = {
	{ "background", "false" },
	{ "conversation", "null" },
	{ "instructions", "null" },
	{ "max_output_tokens", "null" },
	{ "max_tool_calls", "null" },
	{ "metadata", "{}" },
	{ "parallel_tool_calls", "true" },
	{ "previous_response_id", "null" },
	{ "prompt_cache_key", "null" },
	{ "reasoning", "{\"effort\":null,\"summary\":null}" },
	{ "safety_identifier", "null" },
	{ "service_tier", "\"default\"" },
	{ "store", "true" },
	{ "temperature", "1.0" },
	{ "text", "{\"format\":{\"type\":\"text\"}}" },
	{ "tool_choice", "\"auto\"" },
	{ "tools", "[]" },
	{ "top_logprobs", "0" },
	{ "top_p", "1.0" },
	{ "truncation", "\"disabled\"" },
	{ "user", "null" },
};

static bool one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return false;
}

static enum err read_bool(
    const json_t *o, const char *name, bool *ret, struct problem *p)
{
	const json_t *v = body_responses_get(o, name);

	if (!v)
		return OK;
	if (!json_is_boolean(v))
		return body_refuse(p, name, "%s must be true or false", name);
	*ret = json_is_true(v);
	return OK;
}

static enum err read_how(
    const json_t *root, struct body_responses *ret, struct problem *p)
{
	const json_t *leave = body_responses_get(root, "on_disconnect");
	bool store = true;

	if (read_bool(root, "stream", &ret->stream, p) != OK ||
	    read_bool(root, "background", &ret->background, p) != OK ||
	    read_bool(root, "store", &store, p) != OK)
		return ERR_INPUT;
	if (ret->background && !store)
		return body_refuse(p, "store",
		    "a background response must be stored: leave store out");
	if (!leave || body_responses_is(leave, "continue"))
		return OK;
	if (!body_responses_is(leave, "cancel"))
		return body_refuse(p, "on_disconnect",
		    "on_disconnect must be continue or cancel");
	if (ret->background)
		return body_refuse(p, "on_disconnect",
		    "a background response goes on when its client leaves");
	ret->cancel_if_gone = true;
	return OK;
}

/* What cannot be given. */
static enum err refuse_some(const json_t *root, struct problem *p)
{
	const json_t *truncation = body_responses_get(root, "truncation");

	if (body_responses_get(root, "conversation"))
		return body_refuse(p, "conversation",
		    "conversation is not known here: send "
		    "previous_response_id");
	if (body_responses_get(root, "prompt"))
		return body_refuse(p, "prompt",
		    "prompt is not known here: stored prompts are run by POST "
		    "/v1/executions");
	if (truncation && !body_responses_is(truncation, "disabled"))
		return body_refuse(p, "truncation",
		    "truncation must be disabled: nothing is left out of a "
		    "conversation");
	if (json_integer_value(json_object_get(root, "top_logprobs")) > 0)
		return body_refuse(p, "top_logprobs",
		    "logprobs are not kept; leave top_logprobs out");
	return OK;
}

/* --- tools, text, reasoning --- */

/* ${to} gets those members of ${from} that are named and not null. */
static int pick(
    json_t *to, const json_t *from, const char *const *names, size_t n)
{
	int bad = !to;

	for (size_t i = 0; !bad && i < n; i++) {
		json_t *v = body_responses_get(from, names[i]);

		if (v)
			bad |= json_object_set(to, names[i], v);
	}
	return bad;
}

static enum err read_tools(const json_t *root, json_t *to, struct problem *p)
{
	static const char *const names[] = { "name", "description",
		"parameters", "strict" };
	const json_t *tools = body_responses_get(root, "tools"), *tool;
	json_t *list;
	size_t i;

	if (!tools || (json_is_array(tools) && json_array_size(tools) == 0))
		return OK;
	if (!json_is_array(tools))
		return body_refuse(p, "tools", "tools must be a list");
	list = json_array();
	if (!list || json_object_set_new(to, "tools", list) != 0)
		return body_nomem(p);
	json_array_foreach(tools, i, tool)
	{
		json_t *f;
		char field[48];

		(void)snprintf(field, sizeof(field), "tools[%zu]", i);
		if (!body_responses_is(
			json_object_get(tool, "type"), "function"))
			return body_refuse(p, field,
			    "%s.type must be function: other tools are not "
			    "run here",
			    field);
		f = json_object();
		if (pick(f, tool, names, COUNT(names)) != 0) {
			json_decref(f);
			return body_nomem(p);
		}
		if (json_array_append_new(
			list, json_pack("{s:s,s:o}", "type", "function",
				  "function", f)) != 0)
			return body_nomem(p);
	}
	return OK;
}

static enum err read_format(const json_t *format, json_t *to, struct problem *p)
{
	static const char *const names[] = { "name", "description", "schema",
		"strict" };
	const json_t *type = json_object_get(format, "type");
	json_t *schema;

	if (!format || body_responses_is(type, "text"))
		return OK;
	if (body_responses_is(type, "json_object"))
		return json_object_set(to, "response_format",
			   (json_t *)(uintptr_t)format) == 0
			   ? OK
			   : body_nomem(p);
	if (!body_responses_is(type, "json_schema"))
		return body_refuse(p, "text.format",
		    "text.format.type must be text, json_object or "
		    "json_schema");
	schema = json_object();
	if (pick(schema, format, names, COUNT(names)) != 0) {
		json_decref(schema);
		return body_nomem(p);
	}
	return json_object_set_new(to, "response_format",
		   json_pack("{s:s,s:o}", "type", "json_schema", "json_schema",
		       schema)) == 0
		   ? OK
		   : body_nomem(p);
}

static enum err read_shape(const json_t *root, json_t *to, struct problem *p)
{
	const json_t *text = body_responses_get(root, "text");
	const json_t *reasoning = body_responses_get(root, "reasoning");
	json_t *effort;

	if (text && !json_is_object(text))
		return body_refuse(p, "text", "text must be an object");
	if (reasoning && !json_is_object(reasoning))
		return body_refuse(
		    p, "reasoning", "reasoning must be an object");
	effort = body_responses_get(reasoning, "effort");
	if (effort && json_object_set(to, "reasoning_effort", effort) != 0)
		return body_nomem(p);
	return read_format(body_responses_get(text, "format"), to, p);
}

/* --- what is kept beside it --- */

/* Whatever else was said is for upstreams that speak OpenAI's protocol. */
static enum err pass_on(
    const json_t *root, struct body_create *c, struct problem *p)
{
	json_t *verbosity =
	    body_responses_get(json_object_get(root, "text"), "verbosity");
	json_t *rest = json_object(), *v;
	const char *key;
	int bad = !rest;

	if (verbosity)
		bad |= json_object_set(rest, "verbosity", verbosity);
	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		if (!json_is_null(v) && !one_of(key, same, COUNT(same)) &&
		    !one_of(key, known, COUNT(known)))
			bad |= json_object_set(rest, key, v);
	}
	if (!bad && json_object_size(rest) > 0)
		bad |= json_object_set(c->members, "openai", rest);
	json_decref(rest);
	return bad ? body_nomem(p) : OK;
}

/* Each answer says again how it was asked for. */
static enum err keep_echo(
    const json_t *root, struct body_create *c, struct problem *p)
{
	json_t *echo = json_object();
	int bad = !echo;

	for (size_t i = 0; !bad && i < COUNT(echoed); i++) {
		json_t *v = body_responses_get(root, echoed[i].name);

		if (v)
			bad |= json_object_set(echo, echoed[i].name, v);
	}
	if (!bad)
		bad |= json_object_set_new(
		    c->members, "reply", json_pack("{s:O}", "response", echo));
	json_decref(echo);
	return bad ? body_nomem(p) : OK;
}

enum err body_responses(const struct json_t *root, bool fails,
    const struct json_t *past, struct body_responses *ret, struct problem *p)
{
	struct body_responses r = { 0 };
	json_t *to = json_object();
	enum err e;

	e = to ? refuse_some(root, p) : body_nomem(p);
	if (e == OK)
		e = read_how(root, &r, p);
	if (e == OK)
		e = body_responses_input(root, past, to, p);
	if (e == OK && pick(to, root, same, COUNT(same)) != 0)
		e = body_nomem(p);
	if (e == OK)
		e = read_tools(root, to, p);
	if (e == OK)
		e = read_shape(root, to, p);
	if (e != OK)
		goto out;
	e = body_create_told(to, fails, &r.create, p);
	if (e != OK)
		goto out;
	e = pass_on(root, &r.create, p);
	if (e == OK)
		e = keep_echo(root, &r.create, p);
	if (e == OK)
		*ret = r;
	else
		body_create_fini(&r.create);
out:
	json_decref(to);
	return e;
}

char *body_responses_echo(const char *request, size_t len)
{
	json_t *root = request ? body_responses_load(request, len) : NULL;
	const json_t *said =
	    json_object_get(json_object_get(root, "reply"), "response");
	json_t *all = json_object();
	char *text = NULL;
	size_t n = 0;
	int bad = !all || (request && !root);

	for (size_t i = 0; !bad && i < COUNT(echoed); i++) {
		json_t *v = json_object_get(said, echoed[i].name);

		bad |= v ? json_object_set(all, echoed[i].name, v)
			 : json_object_set_new(all, echoed[i].name,
			       json_loads(
				   echoed[i].otherwise, JSON_DECODE_ANY, NULL));
	}
	if (!bad)
		text = body_dump(all, &n);
	if (text && n > 2) {
		memmove(text, text + 1, n - 2);
		text[n - 2] = '\0';
	}
	json_decref(all);
	json_decref(root);
	return text;
}
