#include "worker/ask_anthropic.h"

#include <stdio.h>
#include <string.h>

#include "worker/ask_thought.h"
#include "worker/json_in.h"

/* A limit must be sent; every model that is served takes this one. */
#define DEFAULT_MAX_TOKENS 8192

/* --- messages --- */

/* Turns in the making: what one side says in a row is one turn. */
struct turns {
	json_t *messages, *blocks;
	const char *role;
};

static json_t *blocks_of(struct ask *a, struct turns *t, const char *role)
{
	json_t *turn;

	if (t->role != NULL && strcmp(t->role, role) == 0)
		return t->blocks;
	turn = json_object();
	ask_append(a, t->messages, turn);
	ask_set(a, turn, "role", json_string(role));
	t->blocks = ask_array(a, turn, "content");
	t->role = role;
	return t->blocks;
}

/* Empty texts are refused over there. */
static void add_text(struct ask *a, json_t *blocks, const json_t *text)
{
	struct text t = json_in_text(text);

	if (t.len > 0)
		ask_append(a, blocks,
		    json_pack("{s:s,s:s%}", "type", "text", "text", t.s,
			(size_t)t.len));
}

static void add_image(
    struct ask *a, json_t *blocks, const struct ask_image *image)
{
	json_t *block = json_object(), *source;

	ask_append(a, blocks, block);
	ask_set(a, block, "type", json_string("image"));
	source = ask_object(a, block, "source");
	if (image->url != NULL) {
		ask_set(a, source, "type", json_string("url"));
		ask_set(a, source, "url", json_string(image->url));
		return;
	}
	ask_set(a, source, "type", json_string("base64"));
	ask_set(a, source, "media_type",
	    json_stringn(image->media.s, image->media.len));
	ask_set(
	    a, source, "data", json_stringn(image->data.s, image->data.len));
}

static void add_content(
    struct ask *a, json_t *blocks, const json_t *content, size_t i)
{
	struct ask_image image;
	const json_t *part;
	size_t j;

	add_text(a, blocks, content);
	json_array_foreach(content, j, part)
	{
		if (ask_image(a, part, i, &image))
			add_image(a, blocks, &image);
		else
			add_text(a, blocks, json_object_get(part, "text"));
	}
}

static void add_calls(struct ask *a, json_t *blocks, const json_t *m, size_t i)
{
	const json_t *call;
	json_t *block;
	size_t j;

	json_array_foreach(json_object_get(m, "tool_calls"), j, call)
	{
		block = json_object();
		ask_append(a, blocks, block);
		ask_set(a, block, "type", json_string("tool_use"));
		ask_put(a, block, "id", json_object_get(call, "id"));
		ask_put(a, block, "name",
		    json_object_get(json_object_get(call, "function"), "name"));
		ask_set(a, block, "input", ask_arguments(a, call, i));
	}
}

static void add_result(struct ask *a, json_t *blocks, const json_t *m, size_t i)
{
	json_t *id = json_object_get(m, "tool_call_id");
	json_t *block = json_object(), *content;

	(void)ask_called(a, id, i);
	ask_append(a, blocks, block);
	ask_set(a, block, "type", json_string("tool_result"));
	ask_put(a, block, "tool_use_id", id);
	content = ask_array(a, block, "content");
	add_content(a, content, json_object_get(m, "content"), i);
	if (json_array_size(content) == 0)
		json_object_del(block, "content");
}

static void add_message(
    struct ask *a, struct turns *t, json_t *system, const json_t *m, size_t i)
{
	const json_t *role = json_object_get(m, "role");
	const json_t *content = json_object_get(m, "content");

	if (ask_is(role, "tool")) {
		add_result(a, blocks_of(a, t, "user"), m, i);
		return;
	}
	if (json_object_get(m, "name") != NULL)
		ask_warn(a, "messages.name",
		    "left out: this upstream has no names of people");
	if (ask_is(role, "system")) {
		if (t->role != NULL)
			ask_warn(a, "messages.system",
			    "moved to the beginning: this upstream takes "
			    "system messages nowhere else");
		add_content(a, system, content, i);
	} else if (ask_is(role, "assistant")) {
		add_content(a, blocks_of(a, t, "assistant"), content, i);
		add_calls(a, blocks_of(a, t, "assistant"), m, i);
	} else {
		add_content(a, blocks_of(a, t, "user"), content, i);
	}
}

static void set_messages(struct ask *a, json_t *body)
{
	json_t *system = json_array();
	struct turns t = { 0 };
	const json_t *m;
	size_t i;

	t.messages = json_array();
	json_array_foreach(ask_member(a, "messages"), i, m)
	    add_message(a, &t, system, m, i);
	ask_drop_empty(a, t.messages, "content");
	if (json_array_size(system) > 0)
		ask_put(a, body, "system", system);
	json_decref(system);
	ask_set(a, body, "messages", t.messages);
}

/* --- tools --- */

static void set_tools(struct ask *a, json_t *body)
{
	json_t *tools, *out, *function, *v;
	const json_t *tool;
	size_t i;

	if (!ask_has_tools(a))
		return;
	tools = ask_array(a, body, "tools");
	json_array_foreach(ask_member(a, "tools"), i, tool)
	{
		function = json_object_get(tool, "function");
		out = json_object();
		ask_append(a, tools, out);
		ask_put(a, out, "name", json_object_get(function, "name"));
		ask_put(a, out, "description",
		    json_object_get(function, "description"));
		v = json_object_get(function, "parameters");
		ask_set(a, out, "input_schema",
		    v != NULL ? json_incref(v)
			      : json_pack("{s:s,s:{}}", "type", "object",
				    "properties"));
		if (json_is_true(json_object_get(function, "strict")))
			ask_set(a, out, "strict", json_true());
	}
}

static void set_choice(struct ask *a, json_t *body)
{
	static const char *const types[] = { [ASK_UNSAID] = "auto",
		[ASK_AUTO] = "auto",
		[ASK_NONE] = "none",
		[ASK_REQUIRED] = "any",
		[ASK_NAMED] = "tool" };
	bool alone = json_is_false(ask_member(a, "parallel_tool_calls"));
	const char *name = NULL;
	enum ask_choice choice = ask_choice(a, &name);
	json_t *out;

	if (!ask_has_tools(a) || (choice == ASK_UNSAID && !alone))
		return;
	out = ask_object(a, body, "tool_choice");
	ask_set(a, out, "type", json_string(types[choice]));
	if (choice == ASK_NAMED)
		ask_set(a, out, "name", json_string(name));
	if (alone && choice != ASK_NONE)
		ask_set(a, out, "disable_parallel_tool_use", json_true());
}

/* --- the rest --- */

static void set_sampling(
    struct ask *a, json_t *body, const struct ask_thought *t)
{
	bool both = ask_member(a, "temperature") != NULL &&
		    ask_member(a, "top_p") != NULL;
	const char *why = NULL;

	if (t->is_fixed)
		why = "this model takes no other than its own";
	else if (t->budget > 0)
		why = "a model that thinks takes no other than its own";
	if (ask_member(a, "temperature") != NULL) {
		if (why != NULL)
			ask_warn(a, "temperature", "left out: %s", why);
		else
			ask_copy(a, body, "temperature", "temperature");
	}
	if (why == NULL && both)
		why = "this upstream takes temperature or top_p, not both";
	if (ask_member(a, "top_p") != NULL) {
		if (why != NULL)
			ask_warn(a, "top_p", "left out: %s", why);
		else
			ask_copy(a, body, "top_p", "top_p");
	}
	ask_copy(a, body, "stop_sequences", "stop");
	ask_lacks(a, "seed");
	ask_lacks(a, "presence_penalty");
	ask_lacks(a, "frequency_penalty");
}

static void set_format(struct ask *a, json_t *body)
{
	const json_t *format = ask_member(a, "response_format");
	const json_t *type = json_object_get(format, "type");
	json_t *schema =
	    json_object_get(json_object_get(format, "json_schema"), "schema");
	json_t *config = json_object_get(body, "output_config");

	if (ask_is(type, "json_object") ||
	    (ask_is(type, "json_schema") && schema == NULL)) {
		ask_refuse(a,
		    "response_format: this upstream wants a json_schema with "
		    "a schema");
		return;
	}
	if (!ask_is(type, "json_schema"))
		return;
	if (config == NULL)
		config = ask_object(a, body, "output_config");
	ask_set(a, config, "format",
	    json_pack("{s:s,s:O}", "type", "json_schema", "schema", schema));
}

static void set_max_tokens(struct ask *a, json_t *body, int64_t budget)
{
	int64_t n = ask_max_tokens(a);

	if (n < 0) {
		n = DEFAULT_MAX_TOKENS + budget;
		ask_warn(a, "max_output_tokens",
		    "this upstream wants one; %lld was sent", (long long)n);
	}
	ask_set(a, body, "max_tokens", json_integer(n));
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static void add_key(struct ask *a)
{
	const char *key = a->target->key;

	buf_puts(&a->ret->headers, "anthropic-version: 2023-06-01\n");
	if (key != NULL && *key != '\0')
		buf_printf(&a->ret->headers, "x-api-key: %s\n", key);
}

void ask_anthropic(struct ask *a)
{
	const struct dialect_target *target = a->target;
	struct ask_thought t = ask_thought(a, target->model);
	json_t *body = json_object();

	ask_set(a, body, "model", json_string(target->model));
	ask_set(a, body, "stream", json_boolean(ask_streams(a)));
	set_messages(a, body);
	set_tools(a, body);
	set_choice(a, body);
	ask_thought_set(a, body, &t);
	set_max_tokens(a, body, t.budget);
	set_sampling(a, body, &t);
	set_format(a, body);
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "text/event-stream");
	buf_printf(&a->ret->url, "%s%s/messages", target->base_url,
	    ends_with(target->base_url, "/v1") ? "" : "/v1");
	add_key(a);
}

void ask_anthropic_list(struct ask *a, const char *after)
{
	const char *base = a->target->base_url;
	struct buf *url = &a->ret->url;

	buf_printf(url, "%s%s/models?limit=1000", base,
	    ends_with(base, "/v1") ? "" : "/v1");
	if (after != NULL) {
		buf_puts(url, "&after_id=");
		ask_percent(url, after);
	}
	ask_get(a);
	add_key(a);
}
