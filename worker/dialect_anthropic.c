/*
 * Anthropic's Messages: an answer is blocks, each begun, told in deltas and
 * ended; the JSON's own type says what a frame is, not the event's name.
 */
#include <string.h>

#include "worker/ask_anthropic.h"
#include "worker/driver.h"
#include "worker/json_in.h"
#include "worker/results_anthropic.h"
#include "worker/usage.h"

#define NO_TEXT ((struct text){ NULL, 0 })
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One is open at a time; a server that never ends any is broken. */
#define MAX_OPEN_BLOCKS 32

enum block_kind { BLOCK_TEXT, BLOCK_THINKING, BLOCK_TOOL, BLOCK_OTHER };

struct anthropic_state {
	struct block {
		int64_t index;
		enum block_kind kind;
	} open[MAX_OPEN_BLOCKS];
	size_t n_open;
	/* Counts as they came; input is the sum of three. */
	bool known;
	int64_t input, cache_read, cache_write;
};

static bool is(struct text t, const char *word)
{
	return t.len == strlen(word) && memcmp(t.s, word, t.len) == 0;
}

/* --- usage --- */

static void merge(const json_t *usage, const char *key, int64_t *count)
{
	int64_t n = usage_count(usage, key);

	if (n >= 0)
		*count = n;
}

static void merge_usage(
    struct anthropic_state *s, const json_t *u, struct dialect_usage *usage)
{
	int64_t cached;

	merge(u, "input_tokens", &s->input);
	merge(u, "cache_read_input_tokens", &s->cache_read);
	merge(u, "cache_creation_input_tokens", &s->cache_write);
	merge(u, "output_tokens", &usage->output_tokens);
	merge(json_object_get(u, "output_tokens_details"), "thinking_tokens",
	    &usage->reasoning_tokens);
	cached = usage_sum(s->cache_read < 0 ? 0 : s->cache_read,
	    s->cache_write < 0 ? 0 : s->cache_write);
	if (s->input >= 0)
		usage->input_tokens = usage_sum(s->input, cached);
	usage->cached_input_tokens = s->cache_read;
	usage->cache_write_tokens = s->cache_write;
}

static void frame_usage(
    void *state, const json_t *frame, struct dialect_usage *usage)
{
	struct anthropic_state *s = state;

	if (!s->known) {
		s->known = true;
		s->input = s->cache_read = s->cache_write = -1;
	}
	merge_usage(s,
	    json_object_get(json_object_get(frame, "message"), "usage"), usage);
	merge_usage(s, json_object_get(frame, "usage"), usage);
}

/* --- blocks --- */

static int64_t index_of(const json_t *v)
{
	int64_t index;

	return json_in_int(json_object_get(v, "index"), &index) ? index : 0;
}

static enum block_kind kind_of(const json_t *block)
{
	struct text type = json_in_member(block, "type");

	return is(type, "text")	      ? BLOCK_TEXT
	       : is(type, "thinking") ? BLOCK_THINKING
	       : is(type, "tool_use") ? BLOCK_TOOL
				      : BLOCK_OTHER;
}

/* A block's own text: what a whole one has, and a new one may have. */
static void on_block_text(struct answer *a, const json_t *block)
{
	switch (kind_of(block)) {
	case BLOCK_TEXT:
		answer_text(a, EVENT_TEXT, json_in_member(block, "text"));
		break;
	case BLOCK_THINKING:
		answer_text(
		    a, EVENT_REASONING, json_in_member(block, "thinking"));
		break;
	case BLOCK_TOOL:
	case BLOCK_OTHER: break;
	}
}

static struct block *find(struct anthropic_state *s, int64_t index)
{
	for (size_t i = 0; i < s->n_open; i++)
		if (s->open[i].index == index)
			return &s->open[i];
	return NULL;
}

static void on_block_start(
    struct answer *a, struct anthropic_state *s, const json_t *frame)
{
	const json_t *block = json_object_get(frame, "content_block");
	int64_t index = index_of(frame);
	struct block *b = find(s, index);

	if (b == NULL && s->n_open == COUNT(s->open)) {
		answer_fail_err(a, ERR_LIMIT);
		return;
	}
	if (b == NULL)
		b = &s->open[s->n_open++];
	*b = (struct block){ index, kind_of(block) };
	on_block_text(a, block);
	if (b->kind == BLOCK_TOOL)
		answer_tool_open(a, index, json_in_member(block, "id"),
		    json_in_member(block, "name"),
		    json_object_get(block, "input"));
}

static void on_block_stop(
    struct answer *a, struct anthropic_state *s, const json_t *frame)
{
	struct block *b = find(s, index_of(frame));

	if (b == NULL)
		return;
	if (b->kind == BLOCK_TOOL)
		answer_tool_close(a, b->index);
	*b = s->open[--s->n_open];
}

static void on_block_delta(
    struct answer *a, struct anthropic_state *s, const json_t *frame)
{
	const json_t *delta = json_object_get(frame, "delta");
	struct text type = json_in_member(delta, "type");
	const struct block *b = find(s, index_of(frame));

	if (b != NULL && b->kind == BLOCK_OTHER)
		return;
	if (is(type, "text_delta"))
		answer_text(a, EVENT_TEXT, json_in_member(delta, "text"));
	else if (is(type, "thinking_delta"))
		answer_text(
		    a, EVENT_REASONING, json_in_member(delta, "thinking"));
	else if (is(type, "input_json_delta") && b != NULL &&
		 b->kind == BLOCK_TOOL)
		answer_tool(a,
		    &(struct tool_calls_fragment){ .has_index = true,
			.index = b->index,
			.arguments = json_in_member(delta, "partial_json") });
}

/* --- frames --- */

static void on_start(struct answer *a, const json_t *message)
{
	answer_start(a, json_in_member(message, "id"),
	    json_in_member(message, "model"), NO_TEXT);
}

static void on_reason(struct answer *a, const json_t *v)
{
	struct text reason = json_in_member(v, "stop_reason");

	answer_reason(a, reason, reason, NO_TEXT);
}

static void on_message(struct answer *a, const json_t *message)
{
	const json_t *block;
	size_t i;

	on_start(a, message);
	json_array_foreach(json_object_get(message, "content"), i, block)
	{
		on_block_text(a, block);
		if (kind_of(block) == BLOCK_TOOL)
			answer_tool_whole(a, json_in_member(block, "id"),
			    json_in_member(block, "name"),
			    json_object_get(block, "input"));
	}
	on_reason(a, message);
}

static void frame(struct answer *a, void *state, const json_t *v, bool whole)
{
	struct text type = json_in_member(v, "type");
	struct anthropic_state *s = state;

	if (whole) {
		on_message(a, v);
		frame_usage(s, v, &a->usage);
	} else if (is(type, "message_start")) {
		on_start(a, json_object_get(v, "message"));
		frame_usage(s, v, &a->usage);
	} else if (is(type, "content_block_start")) {
		on_block_start(a, s, v);
	} else if (is(type, "content_block_delta")) {
		on_block_delta(a, s, v);
	} else if (is(type, "content_block_stop")) {
		on_block_stop(a, s, v);
	} else if (is(type, "message_delta")) {
		on_reason(a, json_object_get(v, "delta"));
		frame_usage(s, v, &a->usage);
	} else if (is(type, "message_stop")) {
		answer_marker(a);
	} else if (is(type, "ping")) {
		answer_ping(a);
	}
}

const struct dialect dialect_anthropic = {
	.name = "anthropic",
	.state_bytes = sizeof(struct anthropic_state),
	.frame = frame,
	.usage = frame_usage,
	.build = ask_anthropic,
	.list = ask_anthropic_list,
	.models = results_anthropic_models,
};
