#include "worker/ask_openai.h"

#include "worker/json_in.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define MAX_STOP 4

/* Members that mean and are called the same on both sides. */
static const char *const same[] = { "messages", "temperature", "top_p",
	"presence_penalty", "frequency_penalty", "stop", "seed", "tools",
	"parallel_tool_calls", "response_format", "reasoning_effort" };

static void set_streaming(struct ask *a, json_t *body)
{
	json_t *options;

	if (!ask_streams(a)) {
		ask_set(a, body, "stream", json_false());
		return;
	}
	ask_set(a, body, "stream", json_true());
	options = ask_object(a, body, "stream_options");
	ask_set(a, options, "include_usage", json_true());
	/* Padding against traffic analysis would double the bytes. */
	if (a->target->is_openai)
		ask_set(a, options, "include_obfuscation", json_false());
}

static void set_choice(struct ask *a, json_t *body)
{
	json_t *choice = ask_member(a, "tool_choice");

	if (!json_is_object(choice)) {
		ask_copy(a, body, "tool_choice", "tool_choice");
		return;
	}
	ask_set(a, body, "tool_choice",
	    json_pack("{s:s,s:{s:O}}", "type", "function", "function", "name",
		json_object_get(choice, "name")));
}

static void add_key(struct ask *a)
{
	const char *key = a->target->key;

	if (key != NULL && *key != '\0')
		buf_printf(&a->ret->headers, "Authorization: Bearer %s\n", key);
}

void ask_openai_embeddings(struct ask *a)
{
	json_t *body = ask_embeddings(a, true);

	/* A quarter of the bytes; not all others know it. */
	ask_set(a, body, "encoding_format",
	    json_string(a->target->is_openai ? "base64" : "float"));
	ask_extra(a, body);
	ask_extra_openai(a, body);
	ask_finish(a, body, "application/json");
	buf_printf(&a->ret->url, "%s/embeddings", a->target->base_url);
	add_key(a);
}

void ask_openai(struct ask *a)
{
	const struct dialect_target *target = a->target;
	json_t *body = json_object();

	if (target->is_openai &&
	    json_array_size(ask_member(a, "stop")) > MAX_STOP)
		ask_refuse(
		    a, "stop: this upstream takes at most %d texts", MAX_STOP);
	ask_set(a, body, "model", json_string(target->model));
	set_streaming(a, body);
	for (size_t i = 0; i < COUNT(same); i++)
		ask_copy(a, body, same[i], same[i]);
	set_choice(a, body);
	ask_copy(a, body,
	    target->is_openai ? "max_completion_tokens" : "max_tokens",
	    "max_output_tokens");
	ask_extra(a, body);
	ask_extra_openai(a, body);
	ask_finish(a, body, "text/event-stream");
	buf_printf(&a->ret->url, "%s/chat/completions", target->base_url);
	add_key(a);
}

void ask_openai_list(struct ask *a, const char *after)
{
	(void)after; /* it comes whole */
	buf_printf(&a->ret->url, "%s/models", a->target->base_url);
	ask_get(a);
	add_key(a);
}
