/*
 * front_openai: what the OpenAI-compatible routes share: the form of an error,
 * names of things, and what is remembered of a request.
 *
 * Used by: front_openai*.c, front_ui*.c.
 * Thread: the call's loop.
 */
#ifndef SERVER_FRONT_OPENAI_H
#define SERVER_FRONT_OPENAI_H

#include <stdbool.h>
#include <stdint.h>

#include "server/call.h"
#include "server/problem.h"
#include "store/base/buf.h"
#include "store/base/id.h"

/* "chatcmpl-" and the id's text, with its NUL. */
#define FRONT_OPENAI_ID_BYTES (ID_TEXT + 16)

/* "chatcmpl-019a…" into ${dst}. */
void front_openai_id(
    const struct id *id, const char *prefix, char dst[FRONT_OPENAI_ID_BYTES]);

/*
 * The {id} of the path, with or without ${prefix}. Fails: ERR_NOT_FOUND,
 * answered already.
 */
MUST_CHECK enum err front_openai_call_id(
    struct call *call, const char *prefix, struct id *ret);

/*
 * Append {"error":{"message","type","param","code","details"}}: an error's body.
 */
void front_openai_problem(
    struct buf *b, const struct problem *p, const char *instance);

/* The finish reason as chat completions have it; lent, static. */
const char *front_openai_finish(const char *reason);

/* X-Execution-Id, by which a client finds what it began. */
void front_openai_name(struct call *call, const struct id *id);

#endif
