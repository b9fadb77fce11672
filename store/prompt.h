/*
 * prompt: a named, versioned template that executions are made from.
 *
 * Used by: submit, the prompts routes and command.     Thread: the owner's.
 * Promises: a version never changes once stored; versions of a name count
 * from 1 without gap.
 */
#ifndef STORE_PROMPT_H
#define STORE_PROMPT_H

#include <stddef.h>
#include <stdint.h>

#define PROMPT_NAME_BYTES 128 /* [A-Za-z0-9._-]+, with the NUL */

struct prompt {
	char *owner;
	char *name;
	uint32_t version;
	char *body; /* JSON: the template, as server/prompt_body says */
	size_t body_len;
	int64_t created_ms;
};

/* Free the strings of an embedded prompt and clear it. */
void prompt_fini(struct prompt *p);

#endif
