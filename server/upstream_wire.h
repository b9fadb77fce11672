/*
 * upstream_wire: an answer in OpenAI's wire format: chunks of a stream, a whole
 * completion, the list of models, errors.
 *
 * Used by: upstream, upstream_answer.          Thread: the owner's; pure.
 * Promises: an event is one "data: " line and a blank one.
 */
#ifndef SERVER_UPSTREAM_WIRE_H
#define SERVER_UPSTREAM_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

/* What every chunk of one answer has in common. */
struct upstream_wire {
	struct buf head; /* up to the choices' value */
	char id[48];
	const char *model; /* lent by the owner */
	int64_t created_s;
	bool usage;	  /* the client asked for it */
	const char *tool; /* lent: the function called; NULL: text */
	int64_t prompt_tokens;
};

/* Sets head and id; the rest was filled in. Fails: ERR_NOMEM. */
MUST_CHECK enum err upstream_wire_init(struct upstream_wire *w);
void upstream_wire_fini(struct upstream_wire *w);

/* Append the first event, and with a tool the fragment that names it. */
void upstream_wire_begin(const struct upstream_wire *w, struct buf *b);
/* Append the event of one token: text, or a fragment of arguments. */
void upstream_wire_token(const struct upstream_wire *w, struct buf *b,
    const char *token, size_t len);
/* Append finish, usage (where asked for) and [DONE]. */
void upstream_wire_end(const struct upstream_wire *w, struct buf *b,
    const char *finish, int64_t tokens);
/* Append an event that is not JSON. */
void upstream_wire_garbage(const struct upstream_wire *w, struct buf *b);
/* Append a failure in mid-stream. */
void upstream_wire_broken(struct buf *b);

/* Append the whole completion with ${text} (or arguments) inside. */
void upstream_wire_whole(const struct upstream_wire *w, struct buf *b,
    const char *text, size_t len, const char *finish, int64_t tokens);

/* Append an error body in the shape and with the words for ${status}. */
void upstream_wire_error(struct buf *b, int status, const char *message);
/* Its content type: gateways answer in HTML. */
const char *upstream_wire_error_type(int status);

/* Append what GET /v1/models answers. */
void upstream_wire_models(struct buf *b);

#endif
