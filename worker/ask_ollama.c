#include "worker/ask_ollama.h"

#include <stdio.h>
#include <string.h>

#include "worker/estimate.h"
#include "worker/json_in.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Without a limit a model that repeats itself never ends. */
#define DEFAULT_MAX_TOKENS 32768

/*
 * The context that servers have unless told: what is longer would lose its
 * beginning. More is asked for in powers of two, since each change loads the
 * model anew; the server cuts it to what the model has.
 */
#define DEFAULT_CONTEXT 4096
#define MAX_CONTEXT (1 << 20)
#define ROOM_FOR_ANSWER 2048 /* when nobody says how long it may be */
#define MAX_ROOM_FOR_ANSWER 8192

static void set_images(
    struct ask *a, json_t *to, const json_t *content, size_t i)
{
	json_t *images = NULL;
	struct ask_image image;
	const json_t *part;
	size_t j;

	json_array_foreach(content, j, part)
	{
		if (!ask_image(a, part, i, &image))
			continue;
		if (image.url != NULL) {
			ask_refuse(a,
			    "messages[%zu]: this upstream fetches no images; "
			    "send a data: URL",
			    i);
			return;
		}
		if (images == NULL)
			images = ask_array(a, to, "images");
		ask_append(
		    a, images, json_stringn(image.data.s, image.data.len));
	}
}

static void set_calls(struct ask *a, json_t *to, const json_t *m, size_t i)
{
	const json_t *calls = json_object_get(m, "tool_calls"), *call;
	json_t *list = NULL, *function, *out;
	size_t j;

	json_array_foreach(calls, j, call)
	{
		if (list == NULL)
			list = ask_array(a, to, "tool_calls");
		out = json_object();
		ask_append(a, list, out);
		ask_put(a, out, "id", json_object_get(call, "id"));
		function = ask_object(a, out, "function");
		ask_put(a, function, "name",
		    json_object_get(json_object_get(call, "function"), "name"));
		ask_set(a, function, "arguments", ask_arguments(a, call, i));
	}
}

static void add_message(
    struct ask *a, json_t *messages, const json_t *m, size_t i)
{
	json_t *content = json_object_get(m, "content");
	json_t *id = json_object_get(m, "tool_call_id");
	json_t *to = json_object();
	struct buf text;

	ask_append(a, messages, to);
	ask_put(a, to, "role", json_object_get(m, "role"));
	buf_init(&text, DIALECT_MAX_BODY_BYTES);
	ask_text(a, content, &text);
	ask_set(a, to, "content", ask_string(a, &text));
	buf_fini(&text);
	set_images(a, to, content, i);
	set_calls(a, to, m, i);
	if (ask_is(json_object_get(m, "role"), "tool")) {
		const char *name = ask_called(a, id, i);

		if (name != NULL)
			ask_set(a, to, "tool_name", json_string(name));
		ask_put(a, to, "tool_call_id", id);
	} else if (json_object_get(m, "name") != NULL) {
		ask_warn(a, "messages.name",
		    "left out: this upstream has no names of people");
	}
}

static void set_tools(struct ask *a, json_t *body)
{
	const char *name = NULL;
	enum ask_choice choice = ask_choice(a, &name);
	const json_t *tool;
	size_t i;

	if (choice == ASK_REQUIRED || choice == ASK_NAMED)
		ask_refuse(a,
		    "tool_choice: this upstream cannot be made to call a "
		    "function");
	if (choice == ASK_NONE || !ask_has_tools(a))
		return;
	ask_copy(a, body, "tools", "tools");
	json_array_foreach(ask_member(a, "tools"), i, tool)
	{
		if (json_is_true(json_object_get(
			json_object_get(tool, "function"), "strict")))
			ask_warn(a, "tools.strict",
			    "not heeded: this upstream has no such thing");
	}
	if (json_is_false(ask_member(a, "parallel_tool_calls")))
		ask_lacks(a, "parallel_tool_calls");
}

static void set_format(struct ask *a, json_t *body)
{
	const json_t *format = ask_member(a, "response_format");
	const json_t *type = json_object_get(format, "type");
	json_t *schema =
	    json_object_get(json_object_get(format, "json_schema"), "schema");

	if (ask_is(type, "json_schema") && json_is_object(schema))
		ask_put(a, body, "format", schema);
	else if (ask_is(type, "json_schema") || ask_is(type, "json_object"))
		ask_set(a, body, "format", json_string("json"));
}

static void set_think(struct ask *a, json_t *body)
{
	static const struct {
		const char *ours, *theirs;
	} levels[] = { { "minimal", "low" }, { "low", "low" },
		{ "medium", "medium" }, { "high", "high" }, { "xhigh", "high" },
		{ "max", "max" } };
	const json_t *effort = ask_member(a, "reasoning_effort");

	if (ask_is(effort, "none"))
		ask_set(a, body, "think", json_false());
	for (size_t i = 0; i < COUNT(levels); i++)
		if (ask_is(effort, levels[i].ours))
			ask_set(
			    a, body, "think", json_string(levels[i].theirs));
}

/* The context to ask for, or 0 when that of the server should do. */
static int64_t context(const struct ask *a)
{
	int64_t room = ask_max_tokens(a), want, have = DEFAULT_CONTEXT;

	if (room < 0)
		room = ROOM_FOR_ANSWER;
	else if (room > MAX_ROOM_FOR_ANSWER)
		room = MAX_ROOM_FOR_ANSWER;
	want = estimate_request(a->text, a->text_len);
	want += want / 4 + room; /* the estimate may be a fifth too small */
	while (have < want && have < MAX_CONTEXT)
		have *= 2;
	return have > DEFAULT_CONTEXT ? have : 0;
}

static void set_options(struct ask *a, json_t *body)
{
	static const char *const same[] = { "temperature", "top_p",
		"presence_penalty", "frequency_penalty", "stop", "seed" };
	json_t *options = ask_object(a, body, "options");
	int64_t n = ask_max_tokens(a), num_ctx = context(a);
	const json_t *own = json_object_get(ask_member(a, "extra"), "options");

	for (size_t i = 0; i < COUNT(same); i++)
		ask_copy(a, options, same[i], same[i]);
	/* Who knows the server better says so in extra. */
	if (n >= 0 || json_object_get(own, "num_predict") == NULL)
		ask_set(a, options, "num_predict",
		    json_integer(n < 0 ? DEFAULT_MAX_TOKENS : n));
	if (num_ctx > 0 && json_object_get(own, "num_ctx") == NULL)
		ask_set(a, options, "num_ctx", json_integer(num_ctx));
}

static bool ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n >= m && strcmp(s + n - m, tail) == 0;
}

static void add_key(struct ask *a)
{
	const char *key = a->target->key;

	if (key != NULL && *key != '\0')
		buf_printf(&a->ret->headers, "Authorization: Bearer %s\n", key);
}

void ask_ollama_embeddings(struct ask *a)
{
	const char *base = a->target->base_url;
	json_t *body = ask_embeddings(a, false);

	if (json_object_get(ask_member(a, "extra"), "truncate") == NULL)
		ask_set(a, body, "truncate", json_false());
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "application/json");
	buf_printf(&a->ret->url, "%s%s/embed", base,
	    ends_with(base, "/api") ? "" : "/api");
	add_key(a);
}

void ask_ollama(struct ask *a)
{
	const struct dialect_target *target = a->target;
	json_t *body = json_object(), *messages;
	const json_t *m;
	size_t i;

	ask_set(a, body, "model", json_string(target->model));
	ask_set(a, body, "stream", json_boolean(ask_streams(a)));
	messages = ask_array(a, body, "messages");
	json_array_foreach(ask_member(a, "messages"), i, m)
	    add_message(a, messages, m, i);
	set_tools(a, body);
	set_format(a, body);
	set_think(a, body);
	set_options(a, body);
	/* Too long is an error, not a beginning that is cut off unseen. */
	if (json_object_get(ask_member(a, "extra"), "truncate") == NULL)
		ask_set(a, body, "truncate", json_false());
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "application/x-ndjson");
	buf_printf(&a->ret->url, "%s%s/chat", target->base_url,
	    ends_with(target->base_url, "/api") ? "" : "/api");
	add_key(a);
}

void ask_ollama_list(struct ask *a, const char *after)
{
	const char *base = a->target->base_url;

	(void)after; /* it comes whole */
	buf_printf(&a->ret->url, "%s%s/tags", base,
	    ends_with(base, "/api") ? "" : "/api");
	ask_get(a);
	add_key(a);
}
