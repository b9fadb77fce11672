/*
 * body_responses_internal: what the files that read a response's body share.
 *
 * Used by: body_responses*.c.     Thread: any; pure.
 */
#ifndef SERVER_BODY_RESPONSES_INTERNAL_H
#define SERVER_BODY_RESPONSES_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/problem.h"
#include "store/base/err.h"
#include "store/base/id.h"

/* Is ${v} the string ${word}? */
bool body_responses_is(const json_t *v, const char *word);

/* The member ${key} of ${o}; NULL when it is absent or null. */
json_t *body_responses_get(const json_t *o, const char *key);

/*
 * The execution in "resp_…" (${prefix} "resp_") or, ${prefix} NULL, in an item's
 * id, "msg_…_0". False: there is none.
 */
bool body_responses_id(const json_t *v, const char *prefix, struct id *ret);

/*
 * JSON that this program wrote, read back. Gives: for json_decref(); NULL without
 * memory.
 */
json_t *body_responses_load(const char *text, size_t len);

/*
 * Put the conversation that ${root} goes on with, as a chat's messages, into
 * ${to}. Fails: ERR_INPUT, ERR_NOMEM, and the problem.
 */
MUST_CHECK enum err body_responses_input(
    const json_t *root, const json_t *past, json_t *to, struct problem *p);

#endif
