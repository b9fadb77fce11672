/*
 * estimate: about how many tokens a text is, for when no provider says.
 *
 * ceil(ascii bytes / 4 + 1.1 x other code points) a text, + 4 a message, + 3 a
 * request: within some 20 % for English and code, worse elsewhere. What rests
 * on it is marked as estimated.
 *
 * Used by: run, metadata.     Thread: any; pure.
 */
#ifndef WORKER_ESTIMATE_H
#define WORKER_ESTIMATE_H

#include <stddef.h>
#include <stdint.h>

/* What was counted of a text that comes in pieces: {0} to begin. */
struct estimate {
	uint64_t ascii; /* bytes */
	uint64_t other; /* code points */
};

/* Count a piece of well-formed UTF-8. */
void estimate_add(struct estimate *e, const char *s, size_t len);

/* The tokens of all that was added; 0 for nothing. */
int64_t estimate_tokens(const struct estimate *e);

/* The input tokens of a normalised request (store/request.h). */
int64_t estimate_request(const char *request, size_t len);

#endif
