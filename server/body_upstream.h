/*
 * body_upstream: what the simulated upstream reads out of a request to a model,
 * in the words of any dialect.
 *
 * Used by: upstream.          Thread: any; pure.
 */
#ifndef SERVER_BODY_UPSTREAM_H
#define SERVER_BODY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

struct body_upstream {
	char *model;
	char *prompt; /* text of the last user message; "" without one */
	size_t prompt_len;
	char *prefill; /* text of a last assistant message, or NULL */
	size_t prefill_len;
	bool stream, include_usage, thinks, background;
	int64_t max_tokens;	/* -1: not said */
	int64_t prompt_tokens;	/* estimated */
	char *tool, *arguments; /* the function to call, or NULL; JSON */
};

/*
 * Read ${len} bytes of JSON in ${dialect}, sent to ${path}. A tool is called when there are tools, and
 * tool_choice demands it or the prompt has the word "tool", and the last
 * message is not a tool's result. Gives: *${ret}, for body_upstream_fini(). Fails:
 * ERR_INPUT, and ${why} is the message for the client; ERR_NOMEM.
 */
MUST_CHECK enum err body_upstream_parse(const char *dialect, const char *path,
    const char *body, size_t len, struct body_upstream *ret, struct why *why);

void body_upstream_fini(struct body_upstream *r);

#endif
