/*
 * ask_thought: how much one of Anthropic's models is to think, and what that
 * forbids beside it; by the version in its name.
 *
 * Used by: ask_anthropic.          Thread: any; pure.
 */
#ifndef WORKER_ASK_THOUGHT_H
#define WORKER_ASK_THOUGHT_H

#include "worker/ask.h"

struct ask_thought {
	const char *type;   /* "enabled" …; NULL: nothing is said of it */
	const char *effort; /* of models that decide themselves, or NULL */
	int64_t
	    budget;    /* tokens, of models that are told; max_tokens is more */
	bool is_fixed; /* takes no temperature or top_p at all */
};

/*
 * What ${a}'s reasoning_effort means for ${model}. Older models are not told to
 * think where they would refuse the request; a warning says so.
 */
struct ask_thought ask_thought(struct ask *a, const char *model);

/* Write it into ${body}. */
void ask_thought_set(struct ask *a, json_t *body, const struct ask_thought *t);

#endif
