#include "tests/sim/story.h"

#include <inttypes.h>

#include "store/base/log.h"

#define MAX_BYTES ((size_t)8 << 20)

/* What a delta may say, as JSON writes it and as people read it. */
static const struct {
	const char *json, *text;
} words[] = {
	{ "the ", "the " },
	{ "sky", "sky" },
	{ " is blue", " is blue" },
	{ "\\n", "\n" },
	{ "\\\"so\\\" ", "\"so\" " },
	{ "caf\xc3\xa9 ", "caf\xc3\xa9 " },
	{ "\\u00e9", "\xc3\xa9" },
	{ "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac" },
	{ "\xf0\x9f\x99\x82", "\xf0\x9f\x99\x82" },
	{ "\\ud83d\\ude42", "\xf0\x9f\x99\x82" },
	{ "a\\\\b\\/c\\t", "a\\b/c\t" },
	{ "data: [DONE]", "data: [DONE]" },
	{ "0123456789 0123456789 ", "0123456789 0123456789 " },
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

struct telling {
	struct story *s;
	struct dice dice;
	enum story_lie lie;
	bool heavy;
};

static void begin_delta(struct telling *t)
{
	buf_puts(&t->s->bytes,
	    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\","
	    "\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,"
	    "\"delta\":{");
}

static void end_delta(struct telling *t, const char *reason)
{
	buf_printf(&t->s->bytes, "},\"finish_reason\":%s}]}\n\n", reason);
}

/* A member's value, which is also told to ${text} unless it is NULL. */
static void say_words(struct telling *t, struct buf *text)
{
	uint32_t n = dice_size(&t->dice, t->heavy ? 3000 : 12);

	buf_putc(&t->s->bytes, '"');
	for (; n > 0; n--) {
		uint32_t i = dice_throw(&t->dice, N_WORDS);

		buf_puts(&t->s->bytes, words[i].json);
		if (text != NULL)
			buf_puts(text, words[i].text);
	}
	buf_putc(&t->s->bytes, '"');
}

static void say_text(struct telling *t)
{
	size_t from = t->s->bytes.len;

	begin_delta(t);
	buf_puts(&t->s->bytes, "\"content\":");
	say_words(t, &t->s->text);
	end_delta(t, "null");
	if (t->lie == STORY_LOSES_TEXT && dice_is(&t->dice, 1, 20))
		t->s->bytes.len = from;
	if (t->lie == STORY_REPEATS_TEXT && dice_is(&t->dice, 1, 20)) {
		size_t len = t->s->bytes.len - from;
		char *again = buf_room(&t->s->bytes, len);

		ASSERT(again != NULL);
		memcpy(again, t->s->bytes.data + from, len);
		t->s->bytes.len += len;
	}
}

static void say_reasoning(struct telling *t)
{
	begin_delta(t);
	buf_puts(&t->s->bytes, "\"reasoning_content\":");
	say_words(t, NULL);
	end_delta(t, "null");
}

static void say_tool_call(struct telling *t, unsigned i)
{
	begin_delta(t);
	buf_printf(&t->s->bytes,
	    "\"tool_calls\":[{\"index\":%u,\"id\":\"t%u\",\"type\":"
	    "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]",
	    i, i);
	end_delta(t, "null");
	begin_delta(t);
	buf_printf(&t->s->bytes,
	    "\"tool_calls\":[{\"index\":%u,\"function\":{\"arguments\":"
	    "\"{\\\"n\\\":%u}\"}}]",
	    i, i);
	end_delta(t, "null");
}

static void say_end(struct telling *t)
{
	struct story *s = t->s;

	begin_delta(t);
	end_delta(t, "\"stop\"");
	/* The blank line behind the last event may be lost with the rest. */
	s->whole_at = s->bytes.len - 2;
	if (dice_is(&t->dice, 3, 4)) {
		s->output_tokens = dice_throw(&t->dice, 100000);
		buf_printf(&s->bytes,
		    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":"
		    "{\"prompt_tokens\":7,\"completion_tokens\":%" PRId64
		    ",\"total_tokens\":7}}\n\n",
		    s->output_tokens);
	}
	buf_puts(&s->bytes, "data: [DONE]\n\n");
}

/* A stream: whole, cut, or with an error in it. */
static void tell_stream(struct telling *t, uint32_t fate)
{
	struct story *s = t->s;
	static const uint32_t most[] = { 3, 30, 30, 200 };
	uint32_t n = 1 + dice_throw(&t->dice,
			     t->heavy ? 30 : most[dice_throw(&t->dice, 4)]);
	unsigned calls = 0;

	s->content_type = "text/event-stream";
	for (; n > 0; n--) {
		uint32_t what = dice_throw(&t->dice, 40);

		if (what == 0)
			buf_puts(&s->bytes, ": ping\n\n");
		else if (what == 1)
			say_tool_call(t, calls++);
		else if (what < 6)
			say_reasoning(t);
		else
			say_text(t);
	}
	if (fate < 12) {
		say_end(t);
		s->end = dice_is(&t->dice, 1, 8) ? STORY_BROKEN : STORY_CLEAN;
		return;
	}
	if (fate == 12)
		buf_puts(&s->bytes,
		    "data: {\"error\":{\"message\":\"it broke\",\"code\":500}}"
		    "\n\n");
	else if (dice_is(&t->dice, 1, 2))
		s->bytes.len = dice_throw(&t->dice, (uint32_t)s->bytes.len);
	if (t->lie == STORY_FORGES_ENDS) {
		s->bytes.len = s->bytes.len / 2;
		buf_puts(&s->bytes, "\n\n");
		say_end(t);
		s->whole_at = SIZE_MAX;
	}
	s->end = (enum story_end)dice_throw(&t->dice, 3);
}

/* One object, whole. */
static void tell_object(struct telling *t)
{
	struct story *s = t->s;

	s->content_type = "application/json";
	buf_puts(&s->bytes,
	    "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"m\","
	    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	    "\"content\":");
	say_words(t, &s->text);
	s->output_tokens = 9;
	buf_puts(&s->bytes,
	    "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,"
	    "\"completion_tokens\":9,\"total_tokens\":12}}");
	s->whole_at = s->bytes.len;
}

static void tell_failure(struct telling *t)
{
	static const int codes[] = { 400, 401, 404, 429, 500, 503 };

	t->s->status = codes[dice_throw(&t->dice, 6)];
	t->s->content_type = "application/json";
	buf_printf(&t->s->bytes,
	    "{\"error\":{\"message\":\"no %d\",\"type\":\"x\",\"code\":null}}",
	    t->s->status);
}

static void tell_garbage(struct telling *t)
{
	uint32_t n = dice_size(&t->dice, 300);

	t->s->content_type =
	    dice_is(&t->dice, 1, 2) ? "text/event-stream" : "text/html";
	for (; n > 0; n--)
		buf_putc(&t->s->bytes, (char)dice_throw(&t->dice, 256));
	t->s->end = (enum story_end)dice_throw(&t->dice, 3);
}

void story_init(struct story *s, uint64_t seed, bool heavy, enum story_lie lie)
{
	struct telling t = { .s = s, .dice = { seed }, .lie = lie };
	uint32_t fate = dice_throw(&t.dice, 20);

	*s = (struct story){
		.status = 200, .whole_at = SIZE_MAX, .output_tokens = -1
	};
	buf_init(&s->bytes, MAX_BYTES);
	buf_init(&s->text, MAX_BYTES);
	t.heavy = heavy && dice_is(&t.dice, 1, 3);
	if (fate < 15)
		tell_stream(&t, fate);
	else if (fate == 15)
		tell_object(&t);
	else if (fate == 16)
		tell_failure(&t);
	else if (fate == 17)
		tell_garbage(&t);
	else if (fate == 18)
		s->refused = true;
	else
		s->end = STORY_HANGS;
	ASSERT(buf_state(&s->bytes) == OK && buf_state(&s->text) == OK);
}

void story_fini(struct story *s)
{
	buf_fini(&s->bytes);
	buf_fini(&s->text);
}
