/*
 * template: {{name}} in a prompt's text, replaced by values.
 *
 * A name is [A-Za-z0-9_.-]+, blanks around it are allowed. \{{ stands for {{.
 * A value is put in as it is and never looked at again.
 *
 * Used by: body_prompt.          Thread: any; pure.
 */
#ifndef SERVER_TEMPLATE_H
#define SERVER_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"

#define TEMPLATE_NAME_BYTES 64 /* with the NUL */
#define TEMPLATE_MAX_VARS 256

struct template_var {
	const char *name;
	const char *value;
	size_t value_len;
	bool used; /* set by template_render() */
};

/* The names that were asked for and not given, for one message. */
struct template_missing {
	char text[256]; /* "a, b" */
	unsigned n;
};

/* Fails: ERR_INPUT, ${why} says where a {{ is not a variable. */
MUST_CHECK enum err template_check(
    const char *text, size_t len, struct why *why);

/*
 * Append ${text} with its variables replaced to ${out}. A name without a value
 * is noted in ${missing} (once each) and rendered as nothing: ask
 * missing->n after the last part.
 * Fails: ERR_INPUT as template_check(); through the buffer.
 */
MUST_CHECK enum err template_render(const char *text, size_t len,
    struct template_var *vars, size_t n_vars, struct buf *out,
    struct template_missing *missing, struct why *why);

/*
 * Fails: ERR_INPUT when names were missing or values were never used; ${why}
 * lists them.
 */
MUST_CHECK enum err template_settle(const struct template_var *vars,
    size_t n_vars, const struct template_missing *missing, struct why *why);

#endif
