/*
 * upstream_wire: an answer in a wire format: pieces of a stream, a whole
 * completion, errors. How each dialect looks is in upstream_voice_*.
 *
 * Used by: upstream, upstream_answer.          Thread: the owner's; pure.
 */
#ifndef SERVER_UPSTREAM_WIRE_H
#define SERVER_UPSTREAM_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/id.h"

struct upstream_voice;

/* A longer answer is not repeated at its end. */
#define UPSTREAM_SAID_BYTES ((size_t)1 << 20)

/* What every piece of one answer has in common. */
struct upstream_wire {
	const struct upstream_voice *voice;
	struct buf head; /* of every event, where it is always the same */
	char id[48];
	const char *model; /* lent by the owner */
	int64_t created_s;
	bool usage;	       /* the client asked for it */
	bool thinks;	       /* before it speaks */
	const char *tool;      /* lent: the function called; NULL: text */
	const char *arguments; /* lent: of the function, JSON */
	int64_t prompt_tokens;
	bool background; /* it goes on when nobody hears it */
	int64_t number;	 /* of the next event, where events have numbers */
	int64_t heard;	 /* the last that the client knows: not told again */
	struct buf said; /* so far, where the end repeats it */
};

/*
 * Sets head, id (of ${id}) and counters; the rest was filled in. Fails:
 * ERR_NOMEM.
 */
MUST_CHECK enum err upstream_wire_init(
    struct upstream_wire *w, const struct id *id);
void upstream_wire_fini(struct upstream_wire *w);

/* Append what comes before the first token: the beginning, thoughts. */
void upstream_wire_begin(struct upstream_wire *w, struct buf *b);
/*
 * Append one token: text, or a fragment of arguments. Nothing comes of an event
 * that the client knows.
 */
void upstream_wire_token(
    struct upstream_wire *w, struct buf *b, const char *token, size_t len);
/*
 * Append the end: why, usage (where asked for), the marker. ${finish} is
 * OpenAI's word, or "cancelled" where the dialect's answers can be.
 */
void upstream_wire_end(
    struct upstream_wire *w, struct buf *b, const char *finish, int64_t tokens);
/* Append a piece that is not JSON. */
void upstream_wire_garbage(struct upstream_wire *w, struct buf *b);
/* Append a failure in mid-stream. */
void upstream_wire_broken(struct upstream_wire *w, struct buf *b);

/*
 * Append the whole completion with ${text} (or arguments) inside. What is kept
 * may also be "cancelled", "failed", "in_progress" as yet.
 */
void upstream_wire_whole(struct upstream_wire *w, struct buf *b,
    const char *text, size_t len, const char *finish, int64_t tokens);

/* Append an error body in the shape and with the words for ${status}. */
void upstream_wire_error(const struct upstream_voice *voice, struct buf *b,
    int status, const char *message);
/* Its content type: gateways answer in HTML. */
const char *upstream_wire_error_type(int status);

#endif
