/*
 * front_openai_whole: an execution as one chat completion (OpenAI).
 *
 * Used by: front_openai_chat.          Thread: the owner's; pure.
 * Promises: what a reset withdrew is not in it.
 */
#ifndef SERVER_FRONT_OPENAI_WHOLE_H
#define SERVER_FRONT_OPENAI_WHOLE_H

#include <stddef.h>

#include "server/front_ending.h"
#include "store/base/buf.h"
#include "store/chunk.h"
#include "store/page.h"

/* Bytes that text, thoughts, and each call may have, as JSON. */
#define FRONT_OPENAI_WHOLE_BYTES ((size_t)64 << 20)
/* Calls in one answer. */
#define FRONT_OPENAI_WHOLE_CALLS 512

struct front_openai_whole {
	struct buf text, reasoning, refusal; /* insides of JSON strings */
	struct buf *calls;		     /* JSON objects, the last open */
	size_t n_calls;
	enum err failed;
};

/* An empty one. */
void front_openai_whole_init(struct front_openai_whole *w);
void front_openai_whole_fini(struct front_openai_whole *w);

/* Take the rows of the next page. */
void front_openai_whole_take(
    struct front_openai_whole *w, const struct page *page);

/* OK, ERR_LIMIT (larger than an answer may be), ERR_NOMEM. */
MUST_CHECK enum err front_openai_whole_state(
    const struct front_openai_whole *w);

/* Append the completion object; ${last} is the page with the end. */
void front_openai_whole_write(struct buf *b, struct front_openai_whole *w,
    const struct page *last, const char *model, const struct front_ending *e);

#endif
