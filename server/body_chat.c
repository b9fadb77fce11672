/*
 * A chat completion's body (OpenAI), in our words. What is ours to keep is
 * checked; what only a provider knows goes to providers of that protocol.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Members that a creation knows by the same name and meaning. */
static const char *const same[] = { "model", "max_tokens",
	"max_completion_tokens", "max_output_tokens", "temperature", "top_p",
	"presence_penalty", "frequency_penalty", "stop", "seed", "tools",
	"tool_choice", "parallel_tool_calls", "response_format",
	"reasoning_effort", "metadata", "extra", "on_interrupt", "retry",
	"owner" };

/* Members that are read here, or say nothing that is not so anyway. */
static const char *const known[] = { "messages", "stream", "stream_options",
	"n", "on_disconnect", "store" };

/* What would change the answer's form into one that is not kept. */
static const struct {
	const char *name, *instead;
} refused[] = {
	{ "functions", "send tools" },
	{ "function_call", "send tool_choice" },
	{ "audio", "answers are text" },
	{ "prompt", "send messages" },
	{ "promptId", "stored prompts are run by POST /v1/executions" },
	{ "inputs", "stored prompts are run by POST /v1/executions" },
};

static bool one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], s) == 0)
			return true;
	return false;
}

static bool is(const json_t *v, const char *word)
{
	return json_is_string(v) && strcmp(json_string_value(v), word) == 0;
}

/* ${to} gets the members of ${from} that are named and not null. */
static enum err pick(json_t *to, const json_t *from, const char *const *names,
    size_t n, struct problem *p)
{
	for (size_t i = 0; i < n; i++) {
		json_t *v = json_object_get(from, names[i]);

		if (v && !json_is_null(v) &&
		    json_object_set(to, names[i], v) != 0)
			return body_nomem(p);
	}
	return OK;
}

/* --- messages, as clients keep them: with what answers had beside --- */

/* A part without what only tunes it; one of another type stays, refused later. */
static json_t *part(const json_t *v, struct problem *p)
{
	static const char *const text[] = { "type", "text" };
	static const char *const image[] = { "type", "image_url" };
	const json_t *refusal = json_object_get(v, "refusal");
	json_t *to;

	if (is(json_object_get(v, "type"), "refusal") &&
	    json_is_string(refusal))
		return json_pack("{s:s,s:O}", "type", "text", "text", refusal);
	if (!is(json_object_get(v, "type"), "text") &&
	    !is(json_object_get(v, "type"), "image_url"))
		return json_incref((json_t *)(uintptr_t)v);
	to = json_object();
	if (!to || pick(to, v, text, COUNT(text), p) != OK ||
	    pick(to, v, image, COUNT(image), p) != OK) {
		json_decref(to);
		return NULL;
	}
	return to;
}

static enum err message(
    json_t *list, const json_t *m, size_t i, struct problem *p)
{
	static const char *const names[] = { "role", "content", "name",
		"tool_calls", "tool_call_id" };
	const json_t *call = json_object_get(m, "function_call");
	json_t *content, *to, *parts = NULL;
	const json_t *item;
	char field[64];
	size_t k;

	(void)snprintf(field, sizeof(field), "messages[%zu]", i);
	if (!json_is_object(m))
		return body_refuse(p, field, "%s must be an object", field);
	if ((call && !json_is_null(call)) ||
	    is(json_object_get(m, "role"), "function"))
		return body_refuse(p, field,
		    "%s is of the old kind of function call; send tool_calls "
		    "and the role tool",
		    field);
	to = json_object();
	if (!to || json_array_append_new(list, to) != 0)
		return body_nomem(p);
	if (pick(to, m, names, COUNT(names), p) != OK)
		return ERR_NOMEM;
	/* Kept by clients from answers without calls. */
	if (json_is_array(json_object_get(to, "tool_calls")) &&
	    json_array_size(json_object_get(to, "tool_calls")) == 0)
		json_object_del(to, "tool_calls");
	content = json_object_get(to, "content");
	if (!content && is(json_object_get(m, "role"), "assistant") &&
	    !json_object_get(to, "tool_calls")) {
		const json_t *refusal = json_object_get(m, "refusal");

		return json_object_set_new(to, "content",
			   json_is_string(refusal)
			       ? json_incref((json_t *)(uintptr_t)refusal)
			       : json_string("")) == 0
			   ? OK
			   : body_nomem(p);
	}
	if (!json_is_array(content))
		return OK;
	parts = json_array();
	json_array_foreach(content, k,
	    item) if (json_array_append_new(parts, part(item, p)) != 0) break;
	if (!parts || k < json_array_size(content) ||
	    json_object_set(to, "content", parts) != 0) {
		json_decref(parts);
		return body_nomem(p);
	}
	json_decref(parts);
	return OK;
}

static enum err messages(const json_t *root, json_t *to, struct problem *p)
{
	const json_t *from = json_object_get(root, "messages"), *m;
	json_t *list;
	size_t i;

	if (!json_is_array(from) || json_array_size(from) == 0)
		return body_refuse(p, "messages",
		    "messages must be a list of at least one message");
	list = json_array();
	if (!list || json_object_set_new(to, "messages", list) != 0)
		return body_nomem(p);
	json_array_foreach(from, i, m)
	{
		enum err e = message(list, m, i, p);

		if (e != OK)
			return e;
	}
	return OK;
}

/* --- the members beside them --- */

static enum err read_bool(
    const json_t *o, const char *name, bool *ret, struct problem *p)
{
	const json_t *v = json_object_get(o, name);

	if (!v || json_is_null(v))
		return OK;
	if (!json_is_boolean(v))
		return body_refuse(p, name, "%s must be true or false", name);
	*ret = json_is_true(v);
	return OK;
}

static enum err read_how(
    const json_t *root, struct body_chat *ret, struct problem *p)
{
	const json_t *options = json_object_get(root, "stream_options");
	const json_t *leave = json_object_get(root, "on_disconnect");
	const json_t *said = json_object_get(options, "include_usage");
	bool usage = false;
	enum err e;

	if (options && !json_is_null(options) && !json_is_object(options))
		return body_refuse(
		    p, "stream_options", "stream_options must be an object");
	e = read_bool(root, "stream", &ret->stream, p);
	if (e == OK)
		e = read_bool(options, "include_usage", &usage, p);
	if (e != OK)
		return e;
	if (said && !json_is_null(said))
		ret->usage = usage ? BODY_USAGE_EXTRA : BODY_USAGE_NONE;
	if (!leave || json_is_null(leave) || is(leave, "continue"))
		return OK;
	if (!is(leave, "cancel"))
		return body_refuse(p, "on_disconnect",
		    "on_disconnect must be continue or cancel");
	ret->cancel_if_gone = true;
	return OK;
}

/* What changes the answer into something that cannot be given. */
static enum err refuse_some(const json_t *root, struct problem *p)
{
	static const char *const n_names[] = { "n", NULL };
	const json_t *modes = json_object_get(root, "modalities");
	const json_t *logprobs = json_object_get(root, "logprobs");
	int64_t n = 1;

	for (size_t i = 0; i < COUNT(refused); i++) {
		const json_t *v = json_object_get(root, refused[i].name);

		if (v && !json_is_null(v))
			return body_refuse(p, refused[i].name,
			    "%s is not known here: %s", refused[i].name,
			    refused[i].instead);
	}
	if (body_int(root, n_names, 1, 128, &n, p) != OK)
		return ERR_INPUT;
	if (n != 1)
		return body_refuse(p, "n",
		    "n must be 1: an execution has one answer; send the "
		    "request again for another");
	if ((logprobs && !json_is_null(logprobs) && !json_is_false(logprobs)) ||
	    json_integer_value(json_object_get(root, "top_logprobs")) > 0)
		return body_refuse(
		    p, "logprobs", "logprobs are not kept; leave them out");
	if (modes && !json_is_null(modes) &&
	    !(json_array_size(modes) == 1 &&
		is(json_array_get(modes, 0), "text")))
		return body_refuse(p, "modalities",
		    "modalities must be [\"text\"]: answers are text");
	return OK;
}

/* Both names are sent for servers of either age: the newer one counts. */
static void drop_twins(json_t *to)
{
	static const char *const twins[] = { "max_output_tokens",
		"max_completion_tokens", "max_tokens" };
	bool found = false;

	for (size_t i = 0; i < COUNT(twins); i++) {
		if (found)
			json_object_del(to, twins[i]);
		found = found || json_object_get(to, twins[i]);
	}
	if (json_is_array(json_object_get(to, "stop")) &&
	    json_array_size(json_object_get(to, "stop")) == 0)
		json_object_del(to, "stop");
	if (json_is_array(json_object_get(to, "tools")) &&
	    json_array_size(json_object_get(to, "tools")) == 0)
		json_object_del(to, "tools");
}

/* Whatever else was said is for upstreams that speak this protocol. */
static enum err pass_on(
    const json_t *root, struct body_create *c, struct problem *p)
{
	static const char *const dropped[] = { "logprobs", "top_logprobs",
		"modalities" };
	json_t *rest = json_object();
	const char *key;
	json_t *v;

	if (!rest)
		return body_nomem(p);
	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		if (json_is_null(v) || one_of(key, same, COUNT(same)) ||
		    one_of(key, known, COUNT(known)) ||
		    one_of(key, dropped, COUNT(dropped)))
			continue;
		if (json_object_set(rest, key, v) != 0) {
			json_decref(rest);
			return body_nomem(p);
		}
	}
	if (json_object_size(rest) == 0) {
		json_decref(rest);
		return OK;
	}
	return json_object_set_new(c->members, "openai", rest) == 0
		   ? OK
		   : body_nomem(p);
}

enum err body_chat(const struct json_t *root, bool fails, struct body_chat *ret,
    struct problem *p)
{
	struct body_chat chat = { .usage = BODY_USAGE_FINISH };
	json_t *to = json_object();
	enum err e;

	e = to ? refuse_some(root, p) : body_nomem(p);
	if (e == OK)
		e = read_how(root, &chat, p);
	if (e == OK)
		e = messages(root, to, p);
	if (e == OK)
		e = pick(to, root, same, COUNT(same), p);
	if (e != OK)
		goto out;
	drop_twins(to);
	e = body_create_told(to, fails, &chat.create, p);
	if (e != OK)
		goto out;
	e = pass_on(root, &chat.create, p);
	if (e == OK && chat.usage != BODY_USAGE_FINISH &&
	    json_object_set_new(chat.create.members, "reply",
		json_pack("{s:s}", "usage",
		    chat.usage == BODY_USAGE_EXTRA ? "extra" : "none")) != 0)
		e = body_nomem(p);
	if (e == OK)
		*ret = chat;
	else
		body_create_fini(&chat.create);
out:
	json_decref(to);
	return e;
}

enum body_usage body_chat_usage(const char *request, size_t len)
{
	json_t *root = json_loadb(request, len, JSON_ALLOW_NUL, NULL);
	const json_t *usage =
	    json_object_get(json_object_get(root, "reply"), "usage");
	enum body_usage ret = is(usage, "extra")  ? BODY_USAGE_EXTRA
			      : is(usage, "none") ? BODY_USAGE_NONE
						  : BODY_USAGE_FINISH;

	json_decref(root);
	return ret;
}
