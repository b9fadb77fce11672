#include "worker/ask_responses.h"

#include <string.h>

#include "worker/json_in.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Members that mean and are called the same on both sides. */
static const char *const same[] = { "temperature", "top_p",
	"parallel_tool_calls", "max_output_tokens" };
/* Members that it does not have. */
static const char *const lacks[] = { "seed", "presence_penalty",
	"frequency_penalty" };

/* --- messages as items --- */

static void add_part(
    struct ask *a, json_t *parts, const json_t *part, const char *type)
{
	json_t *to = json_object();
	json_t *source = json_object_get(part, "image_url");

	ask_append(a, parts, to);
	if (source == NULL) {
		ask_set(a, to, "type", json_string(type));
		ask_put(a, to, "text", json_object_get(part, "text"));
		return;
	}
	/* data: or https:, as it was sent */
	ask_set(a, to, "type", json_string("input_image"));
	ask_put(a, to, "image_url",
	    json_is_object(source) ? json_object_get(source, "url") : source);
	ask_put(a, to, "detail", json_object_get(source, "detail"));
}

/* What was said, by whoever: nothing when it is empty. */
static void add_words(struct ask *a, json_t *input, const json_t *m)
{
	json_t *role = json_object_get(m, "role");
	json_t *content = json_object_get(m, "content");
	const char *type =
	    ask_is(role, "assistant") ? "output_text" : "input_text";
	json_t *item, *parts;
	const json_t *part;
	size_t j;

	if (json_object_get(m, "name") != NULL)
		ask_warn(a, "messages.name",
		    "left out: this upstream has no names of people");
	if (json_is_string(content) ? json_string_length(content) == 0
				    : json_array_size(content) == 0)
		return;
	item = json_object();
	ask_append(a, input, item);
	ask_put(a, item, "role", role);
	if (json_is_string(content)) {
		ask_put(a, item, "content", content);
		return;
	}
	parts = ask_array(a, item, "content");
	json_array_foreach(content, j, part) add_part(a, parts, part, type);
}

static void add_calls(struct ask *a, json_t *input, const json_t *m)
{
	const json_t *call, *function;
	json_t *item;
	size_t j;

	json_array_foreach(json_object_get(m, "tool_calls"), j, call)
	{
		function = json_object_get(call, "function");
		item = json_object();
		ask_append(a, input, item);
		ask_set(a, item, "type", json_string("function_call"));
		ask_put(a, item, "call_id", json_object_get(call, "id"));
		ask_put(a, item, "name", json_object_get(function, "name"));
		ask_put(a, item, "arguments",
		    json_object_get(function, "arguments"));
	}
}

static void add_result(struct ask *a, json_t *input, const json_t *m)
{
	json_t *item = json_object();
	struct buf text;

	ask_append(a, input, item);
	ask_set(a, item, "type", json_string("function_call_output"));
	ask_put(a, item, "call_id", json_object_get(m, "tool_call_id"));
	buf_init(&text, DIALECT_MAX_BODY_BYTES);
	ask_text(a, json_object_get(m, "content"), &text);
	ask_set(a, item, "output", ask_string(a, &text));
	buf_fini(&text);
}

static void set_input(struct ask *a, json_t *body)
{
	json_t *input = ask_array(a, body, "input");
	const json_t *m;
	size_t i;

	json_array_foreach(ask_member(a, "messages"), i, m)
	{
		if (ask_is(json_object_get(m, "role"), "tool")) {
			add_result(a, input, m);
			continue;
		}
		add_words(a, input, m);
		add_calls(a, input, m);
	}
	if (json_array_size(input) == 0)
		ask_refuse(a, "messages: none of them says anything");
}

/* --- what else --- */

/* Functions lie flat here. */
static void set_tools(struct ask *a, json_t *body)
{
	json_t *choice = ask_member(a, "tool_choice"), *list, *to, *function;
	const json_t *tool;
	size_t i;

	if (!ask_has_tools(a))
		return;
	list = ask_array(a, body, "tools");
	json_array_foreach(ask_member(a, "tools"), i, tool)
	{
		function = json_object_get(tool, "function");
		to = json_object();
		ask_append(a, list, to);
		ask_set(a, to, "type", json_string("function"));
		if (to != NULL && json_object_update_missing(to, function) != 0)
			ask_set(a, to, "name", NULL); /* no memory */
		/* It would be strict unless told. */
		if (json_object_get(function, "strict") == NULL)
			ask_set(a, to, "strict", json_false());
	}
	if (json_is_object(choice))
		ask_set(a, body, "tool_choice",
		    json_pack("{s:s,s:O}", "type", "function", "name",
			json_object_get(choice, "name")));
	else
		ask_copy(a, body, "tool_choice", "tool_choice");
}

static void set_format(struct ask *a, json_t *body)
{
	json_t *asked = ask_member(a, "response_format"), *format;
	json_t *schema = json_object_get(asked, "json_schema");

	if (asked == NULL)
		return;
	format = ask_object(a, ask_object(a, body, "text"), "format");
	ask_put(a, format, "type", json_object_get(asked, "type"));
	if (format != NULL && json_is_object(schema) &&
	    json_object_update_missing(format, schema) != 0)
		ask_set(a, format, "name", NULL); /* no memory */
}

static void set_streaming(struct ask *a, json_t *body)
{
	bool streams = ask_streams(a);
	/* Only a stream can be gone on with. */
	bool background = streams && a->target->background;

	ask_set(a, body, "stream", json_boolean(streams));
	if (background)
		ask_set(a, body, "background", json_true());
	ask_set(a, body, "store", json_boolean(background));
	/* Padding against traffic analysis would double the bytes. */
	if (streams && a->target->is_openai)
		ask_set(a, ask_object(a, body, "stream_options"),
		    "include_obfuscation", json_false());
}

static void add_key(const struct dialect_target *target, struct buf *headers)
{
	if (target->key != NULL && *target->key != '\0')
		buf_printf(headers, "Authorization: Bearer %s\n", target->key);
}

void ask_responses(struct ask *a)
{
	const struct dialect_target *target = a->target;
	json_t *body = json_object();
	json_t *effort = ask_member(a, "reasoning_effort");

	if (json_array_size(ask_member(a, "stop")) > 0)
		ask_refuse(a, "stop: this upstream knows no texts to stop at");
	ask_set(a, body, "model", json_string(target->model));
	set_streaming(a, body);
	set_input(a, body);
	for (size_t i = 0; i < COUNT(same); i++)
		ask_copy(a, body, same[i], same[i]);
	for (size_t i = 0; i < COUNT(lacks); i++)
		ask_lacks(a, lacks[i]);
	set_tools(a, body);
	set_format(a, body);
	if (effort != NULL)
		ask_put(a, ask_object(a, body, "reasoning"), "effort", effort);
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "text/event-stream");
	buf_printf(&a->ret->url, "%s/responses", target->base_url);
	add_key(target, &a->ret->headers);
}

void ask_responses_attach(const struct dialect_target *target, const char *id,
    int64_t after, struct dialect_request *ret)
{
	ret->is_get = true;
	buf_printf(&ret->url,
	    "%s/responses/%s?stream=true&starting_after=%lld%s",
	    target->base_url, id, (long long)after,
	    target->is_openai ? "&include_obfuscation=false" : "");
	buf_puts(&ret->headers,
	    "Accept: text/event-stream\nAccept-Encoding: identity\n");
	add_key(target, &ret->headers);
}

void ask_responses_abandon(const struct dialect_target *target, const char *id,
    struct dialect_request *ret)
{
	buf_printf(&ret->url, "%s/responses/%s/cancel", target->base_url, id);
	buf_puts(&ret->headers, "Accept: application/json\n");
	add_key(target, &ret->headers);
}
