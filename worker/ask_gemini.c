#include "worker/ask_gemini.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "worker/json_in.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_STOP 5

/*
 * Newer models want the signature of their own thought beside a call that is
 * told back to them. It is not kept; this word says so.
 */
#define NO_SIGNATURE "skip_thought_signature_validator"

/* The model's name without "models/". */
static const char *model_name(const struct ask *a)
{
	const char *s = a->target->model;

	return strncmp(s, "models/", 7) == 0 ? s + 7 : s;
}

/* Models before the third generation: they count their thoughts. */
static bool is_older(const struct ask *a)
{
	const char *s = model_name(a);

	return strncmp(s, "gemini-1", 8) == 0 || strncmp(s, "gemini-2", 8) == 0;
}

/* --- messages --- */

/* Turns in the making: what one side says in a row is one turn. */
struct turns {
	json_t *contents, *parts;
	const char *role;
};

static json_t *parts_of(struct ask *a, struct turns *t, const char *role)
{
	json_t *turn;

	if (t->role != NULL && strcmp(t->role, role) == 0)
		return t->parts;
	turn = json_object();
	ask_append(a, t->contents, turn);
	ask_set(a, turn, "role", json_string(role));
	t->parts = ask_array(a, turn, "parts");
	t->role = role;
	return t->parts;
}

static void add_text(struct ask *a, json_t *parts, const json_t *text)
{
	struct text t = json_in_text(text);

	if (t.len > 0)
		ask_append(
		    a, parts, json_pack("{s:s%}", "text", t.s, (size_t)t.len));
}

/* What the end of a URL says that an image is; NULL: nothing. */
static const char *media_type(const char *url)
{
	static const struct {
		const char *ending, *type;
	} types[] = { { ".png", "image/png" }, { ".jpg", "image/jpeg" },
		{ ".jpeg", "image/jpeg" }, { ".webp", "image/webp" },
		{ ".heic", "image/heic" }, { ".heif", "image/heif" } };
	size_t len = strcspn(url, "?#");

	for (size_t i = 0; i < COUNT(types); i++) {
		size_t n = strlen(types[i].ending);

		if (len > n &&
		    strncasecmp(url + len - n, types[i].ending, n) == 0)
			return types[i].type;
	}
	return NULL;
}

static void add_image(
    struct ask *a, json_t *parts, const struct ask_image *image)
{
	const char *type = image->url == NULL ? NULL : media_type(image->url);
	json_t *part = json_object(), *file;

	ask_append(a, parts, part);
	if (image->url == NULL) {
		file = ask_object(a, part, "inlineData");
		ask_set(a, file, "mimeType",
		    json_stringn(image->media.s, image->media.len));
		ask_set(a, file, "data",
		    json_stringn(image->data.s, image->data.len));
		return;
	}
	file = ask_object(a, part, "fileData");
	if (type != NULL)
		ask_set(a, file, "mimeType", json_string(type));
	ask_set(a, file, "fileUri", json_string(image->url));
}

static void add_content(
    struct ask *a, json_t *parts, const json_t *content, size_t i)
{
	struct ask_image image;
	const json_t *part;
	size_t j;

	add_text(a, parts, content);
	json_array_foreach(content, j, part)
	{
		if (ask_image(a, part, i, &image))
			add_image(a, parts, &image);
		else
			add_text(a, parts, json_object_get(part, "text"));
	}
}

static void add_calls(struct ask *a, json_t *parts, const json_t *m, size_t i)
{
	const json_t *call;
	json_t *part, *out;
	size_t j;

	json_array_foreach(json_object_get(m, "tool_calls"), j, call)
	{
		part = json_object();
		ask_append(a, parts, part);
		out = ask_object(a, part, "functionCall");
		ask_put(a, out, "id", json_object_get(call, "id"));
		ask_put(a, out, "name",
		    json_object_get(json_object_get(call, "function"), "name"));
		ask_set(a, out, "args", ask_arguments(a, call, i));
		if (j == 0 && !is_older(a))
			ask_set(a, part, "thoughtSignature",
			    json_string(NO_SIGNATURE));
	}
}

/* A function's result must be an object: one it is, or one with the text. */
static json_t *result(struct ask *a, const json_t *content)
{
	json_t *v = NULL;
	struct buf text;

	buf_init(&text, DIALECT_MAX_BODY_BYTES);
	ask_text(a, content, &text);
	if (text.len > 0 && json_in_parse(text.data, text.len, &v) == OK &&
	    json_is_object(v))
		goto out;
	json_decref(v);
	v = json_pack("{s:o}", "result", ask_string(a, &text));
out:
	buf_fini(&text);
	return v;
}

static void add_result(struct ask *a, json_t *parts, const json_t *m, size_t i)
{
	json_t *part = json_object(), *out;
	json_t *id = json_object_get(m, "tool_call_id");
	const char *name = ask_called(a, id, i);

	ask_append(a, parts, part);
	out = ask_object(a, part, "functionResponse");
	ask_put(a, out, "id", id);
	if (name != NULL)
		ask_set(a, out, "name", json_string(name));
	ask_set(a, out, "response", result(a, json_object_get(m, "content")));
}

static void add_message(
    struct ask *a, struct turns *t, json_t *system, const json_t *m, size_t i)
{
	const json_t *role = json_object_get(m, "role");
	const json_t *content = json_object_get(m, "content");

	if (ask_is(role, "tool")) {
		add_result(a, parts_of(a, t, "user"), m, i);
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
		add_content(a, parts_of(a, t, "model"), content, i);
		add_calls(a, parts_of(a, t, "model"), m, i);
	} else {
		add_content(a, parts_of(a, t, "user"), content, i);
	}
}

static void set_messages(struct ask *a, json_t *body)
{
	json_t *system = json_array();
	struct turns t = { 0 };
	const json_t *m;
	size_t i;

	t.contents = json_array();
	json_array_foreach(ask_member(a, "messages"), i, m)
	    add_message(a, &t, system, m, i);
	if (json_array_size(system) > 0)
		ask_put(a, ask_object(a, body, "systemInstruction"), "parts",
		    system);
	json_decref(system);
	ask_drop_empty(a, t.contents, "parts");
	ask_set(a, body, "contents", t.contents);
}

/* --- tools --- */

static void set_tools(struct ask *a, json_t *body)
{
	json_t *tools, *list, *out, *function;
	const json_t *tool;
	size_t i;

	if (!ask_has_tools(a))
		return;
	tools = ask_array(a, body, "tools");
	out = json_object();
	ask_append(a, tools, out);
	list = ask_array(a, out, "functionDeclarations");
	json_array_foreach(ask_member(a, "tools"), i, tool)
	{
		function = json_object_get(tool, "function");
		out = json_object();
		ask_append(a, list, out);
		ask_put(a, out, "name", json_object_get(function, "name"));
		ask_put(a, out, "description",
		    json_object_get(function, "description"));
		ask_put(a, out, "parametersJsonSchema",
		    json_object_get(function, "parameters"));
		if (json_is_true(json_object_get(function, "strict")))
			ask_warn(a, "tools.strict",
			    "left out: this upstream has no such thing");
	}
}

static void set_choice(struct ask *a, json_t *body)
{
	static const char *const modes[] = { [ASK_UNSAID] = NULL,
		[ASK_AUTO] = "AUTO",
		[ASK_NONE] = "NONE",
		[ASK_REQUIRED] = "ANY",
		[ASK_NAMED] = "ANY" };
	const char *name = NULL;
	enum ask_choice choice = ask_choice(a, &name);
	json_t *config;

	if (json_is_false(ask_member(a, "parallel_tool_calls")) &&
	    ask_has_tools(a))
		ask_lacks(a, "parallel_tool_calls");
	if (choice == ASK_UNSAID)
		return;
	config = ask_object(
	    a, ask_object(a, body, "toolConfig"), "functionCallingConfig");
	ask_set(a, config, "mode", json_string(modes[choice]));
	if (choice == ASK_NAMED)
		ask_set(
		    a, config, "allowedFunctionNames", json_pack("[s]", name));
}

/* --- generationConfig --- */

static void set_format(struct ask *a, json_t *config)
{
	const json_t *format = ask_member(a, "response_format");
	const json_t *type = json_object_get(format, "type");
	json_t *schema =
	    json_object_get(json_object_get(format, "json_schema"), "schema");

	if (!ask_is(type, "json_object") && !ask_is(type, "json_schema"))
		return;
	ask_set(a, config, "responseMimeType", json_string("application/json"));
	if (ask_is(type, "json_schema") && schema != NULL)
		ask_put(a, config, "responseJsonSchema", schema);
}

/* Thoughts count as output: half of what there may be is for the answer. */
static int64_t budget(const struct ask *a, int64_t want)
{
	int64_t max = ask_max_tokens(a);

	return max >= 0 && want > max / 2 ? max / 2 : want;
}

static void set_thinking(struct ask *a, json_t *config)
{
	static const struct {
		const char *effort;
		int budget; /* of older models, in tokens */
		const char *level;
	} levels[] = {
		{ "none", 0, "MINIMAL" },
		{ "minimal", 1024, "MINIMAL" },
		{ "low", 1024, "LOW" },
		{ "medium", 8192, "MEDIUM" },
		{ "high", 24576, "HIGH" },
		{ "xhigh", 24576, "HIGH" },
		{ "max", 24576, "HIGH" },
	};
	const json_t *effort = ask_member(a, "reasoning_effort");
	json_t *thinking;

	for (size_t i = 0; i < COUNT(levels); i++) {
		if (!ask_is(effort, levels[i].effort))
			continue;
		thinking = ask_object(a, config, "thinkingConfig");
		ask_set(a, thinking, "includeThoughts", json_boolean(i > 0));
		if (is_older(a))
			ask_set(a, thinking, "thinkingBudget",
			    json_integer(budget(a, levels[i].budget)));
		else
			ask_set(a, thinking, "thinkingLevel",
			    json_string(levels[i].level));
		if (i == 0 && !is_older(a))
			ask_warn(a, "reasoning_effort",
			    "sent as the least there is: this model cannot "
			    "but think");
	}
}

static void set_config(struct ask *a, json_t *body)
{
	static const struct {
		const char *theirs, *ours;
	} same[] = { { "temperature", "temperature" }, { "topP", "top_p" },
		{ "maxOutputTokens", "max_output_tokens" },
		{ "stopSequences", "stop" }, { "seed", "seed" },
		{ "presencePenalty", "presence_penalty" },
		{ "frequencyPenalty", "frequency_penalty" } };
	json_t *config = json_object();

	if (json_array_size(ask_member(a, "stop")) > MAX_STOP)
		ask_refuse(
		    a, "stop: this upstream takes at most %d texts", MAX_STOP);
	for (size_t i = 0; i < COUNT(same); i++)
		ask_copy(a, config, same[i].theirs, same[i].ours);
	set_format(a, config);
	set_thinking(a, config);
	if (json_object_size(config) > 0)
		ask_put(a, body, "generationConfig", config);
	json_decref(config);
}

/* --- where to --- */

/* Is there "/v1beta" or the like at the end, behind the host? */
static bool ends_with_version(const char *url)
{
	const char *host = strstr(url, "://");
	const char *last = strrchr(url, '/');

	return last != NULL && (host == NULL || last > host + 2) &&
	       last[1] == 'v' && last[2] >= '1' && last[2] <= '9';
}

/* The model is a part of the path: nothing in it may lead elsewhere. */
static void add_model(struct ask *a, struct buf *url)
{
	const char *s = model_name(a);

	if (strncmp(s, "tunedModels/", 12) == 0) {
		buf_puts(url, "tunedModels/");
		s += 12;
	} else {
		buf_puts(url, "models/");
	}
	if (*s == '\0' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		ask_refuse(a, "model: it is no name");
	ask_percent(url, s);
}

static void add_key(struct ask *a)
{
	const char *key = a->target->key;

	if (key != NULL && *key != '\0')
		buf_printf(&a->ret->headers, "x-goog-api-key: %s\n", key);
}

static void add_base(const struct dialect_target *target, struct buf *url)
{
	buf_printf(url, "%s%s/", target->base_url,
	    ends_with_version(target->base_url) ? "" : "/v1beta");
}

static void set_target(struct ask *a, const char *what)
{
	struct buf *url = &a->ret->url;

	add_base(a->target, url);
	add_model(a, url);
	buf_puts(url, what);
	add_key(a);
}

void ask_gemini_embeddings(struct ask *a)
{
	json_t *body = json_object(), *list, *one, *item;
	const char *name = model_name(a);
	size_t i;

	list = ask_array(a, body, "requests");
	json_array_foreach(ask_member(a, "input"), i, item)
	{
		if (!json_is_string(item))
			ask_refuse(
			    a, "input: this upstream takes texts, not tokens");
		one = json_pack("{s:o,s:{s:[{s:O}]}}", "model",
		    json_sprintf("models/%s", name), "content", "parts", "text",
		    item);
		ask_copy(a, one, "outputDimensionality", "dimensions");
		ask_append(a, list, one);
	}
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "application/json");
	set_target(a, ":batchEmbedContents");
}

void ask_gemini(struct ask *a)
{
	json_t *body = json_object();

	set_messages(a, body);
	set_tools(a, body);
	set_choice(a, body);
	set_config(a, body);
	ask_extra(a, body);
	ask_lacks_openai(a);
	ask_finish(a, body, "text/event-stream");
	set_target(a, ask_streams(a) ? ":streamGenerateContent?alt=sse"
				     : ":generateContent");
}

void ask_gemini_list(struct ask *a, const char *after)
{
	struct buf *url = &a->ret->url;

	add_base(a->target, url);
	buf_puts(url, "models?pageSize=1000");
	if (after != NULL) {
		buf_puts(url, "&pageToken=");
		ask_percent(url, after);
	}
	ask_get(a);
	add_key(a);
}
