/*
 * upstream_text: the words of a simulated answer. They depend on the prompt and
 * a seed alone, say that they are simulated, and are not only ASCII.
 *
 * Used by: upstream_answer, tests.          Thread: any; pure.
 * Promises: token ${i} is the same whenever it is asked for; each is
 * well-formed UTF-8 and ends at the end of a code point.
 */
#ifndef SERVER_UPSTREAM_TEXT_H
#define SERVER_UPSTREAM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"

struct upstream_plan;

#define UPSTREAM_TEXT_ECHO 8	    /* words of the prompt, at most */
#define UPSTREAM_TEXT_WORD_BYTES 48 /* of each, with the quotes and NUL */

struct upstream_text {
	uint64_t hash; /* of prompt and seed */
	int64_t n;     /* tokens in the whole answer */
	int64_t size;  /* bytes in each; -1: words */
	bool stamp;
	unsigned n_echo;
	char echo[UPSTREAM_TEXT_ECHO][UPSTREAM_TEXT_WORD_BYTES];
};

/* The answer to ${prompt}, well-formed UTF-8, as ${plan} wants it. Keeps
 * neither. */
void upstream_text_init(struct upstream_text *t, const char *prompt, size_t len,
    const struct upstream_plan *plan);

/* Append token ${i} to ${b}. Tokens of ${stamp} say when that happened. */
void upstream_text_token(
    const struct upstream_text *t, int64_t i, struct buf *b);

/*
 * A client sent ${len} bytes of an answer back for it to be continued: as far
 * as they are this answer, skip them: *${ret_token} is the first token not
 * wholly sent, *${ret_offset} how many bytes of it were. False (0, 0) when they
 * are another answer's. ${scratch} is for one token at a time.
 */
bool upstream_text_resume(const struct upstream_text *t, const char *sent,
    size_t len, struct buf *scratch, int64_t *ret_token, size_t *ret_offset);

#endif
