#include "worker/ask_thought.h"

#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The least that may be allowed. */
#define MIN_BUDGET 1024

/* By the model's version, 4.6 as 406. */
#define ADAPTIVE_FROM 406 /* says itself how long it thinks */
#define FIXED_FROM 407	  /* takes no temperature or top_p */

/* One or two digits alone between dashes; moves *${s} behind them. -1: no. */
static int number(const char **s)
{
	const char *p = *s;
	int n = 0;

	while (*p >= '0' && *p <= '9' && p - *s < 3)
		n = n * 10 + (*p++ - '0');
	if (p == *s || p - *s > 2 || (*p != '-' && *p != '.' && *p != '\0'))
		return -1;
	*s = p;
	return n;
}

/* "claude-opus-4-6" is 406, "claude-3-5-haiku-20241022" 305. */
static int version_of(const char *model)
{
	const char *s = strstr(model, "claude-");
	int major, minor;

	while (s != NULL) {
		s++;
		major = number(&s);
		if (major >= 0) {
			minor = -1;
			if (*s != '\0') {
				s++;
				minor = number(&s);
			}
			return major * 100 + (minor < 0 ? 0 : minor);
		}
		s = strchr(s, '-');
	}
	return 0;
}

/* Does the talk stand where a function's result was just told? */
static bool in_tool_loop(const struct ask *a)
{
	const json_t *messages = ask_member(a, "messages");
	const json_t *last =
	    json_array_get(messages, json_array_size(messages) - 1);

	return ask_is(json_object_get(last, "role"), "tool");
}

static const struct effort {
	const char *ours, *theirs;
	int budget; /* of models that are told how long to think, in tokens */
} efforts[] = {
	{ "minimal", "low", 1024 },
	{ "low", "low", 2048 },
	{ "medium", "medium", 8192 },
	{ "high", "high", 16384 },
	{ "xhigh", "high", 32768 },
	{ "max", "max", 32768 },
};

static const struct effort *find_effort(const struct ask *a)
{
	const json_t *effort = ask_member(a, "reasoning_effort");

	for (size_t i = 0; i < COUNT(efforts); i++)
		if (ask_is(effort, efforts[i].ours))
			return &efforts[i];
	return NULL;
}

/* The tokens that an older model may think; 0, and a warning: none. */
static int64_t budget_of(struct ask *a, const struct effort *e)
{
	int64_t max = ask_max_tokens(a), budget = e->budget;
	const char *name = NULL;
	enum ask_choice choice = ask_choice(a, &name);
	const char *why = NULL;

	if (max >= 0 && budget > max / 2)
		budget = max / 2 < MIN_BUDGET ? MIN_BUDGET : max / 2;
	if (max >= 0 && budget >= max)
		why = "max_output_tokens leaves no room for it";
	else if (choice == ASK_REQUIRED || choice == ASK_NAMED)
		why = "this upstream does not think where tool_choice demands "
		      "a call";
	else if (in_tool_loop(a))
		why = "this upstream wants its own thoughts back, which are "
		      "not kept, to think about a function's result";
	if (why == NULL)
		return budget;
	ask_warn(a, "reasoning_effort", "left out: %s", why);
	return 0;
}

struct ask_thought ask_thought(struct ask *a, const char *model)
{
	const struct effort *e = find_effort(a);
	int version = version_of(model);
	struct ask_thought t = { .is_fixed = version >= FIXED_FROM };

	if (ask_is(ask_member(a, "reasoning_effort"), "none"))
		t.type = "disabled";
	if (e == NULL)
		return t;
	if (version == 0 || version >= ADAPTIVE_FROM) {
		t.type = "adaptive";
		t.effort = e->theirs;
		return t;
	}
	t.budget = budget_of(a, e);
	if (t.budget > 0)
		t.type = "enabled";
	return t;
}

void ask_thought_set(struct ask *a, json_t *body, const struct ask_thought *t)
{
	json_t *out;

	if (t->type == NULL)
		return;
	out = ask_object(a, body, "thinking");
	ask_set(a, out, "type", json_string(t->type));
	if (t->budget > 0)
		ask_set(a, out, "budget_tokens", json_integer(t->budget));
	if (t->effort != NULL)
		ask_set(a, ask_object(a, body, "output_config"), "effort",
		    json_string(t->effort));
}
