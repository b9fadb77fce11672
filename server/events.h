/*
 * events: a log told as server-sent events (WHATWG HTML 9.2), pulled as the
 * socket drains, in the form of the call's front.
 *
 * Used by: the fronts that stream.
 * Thread: the call's loop.
 * Promises: a slow client costs one page; each chunk is told once, in order,
 * after its commit; the stream of an execution that has ended ends with the
 * front's result; while there is no news, a comment comes every ping_ms.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/id.h"

struct call;

/* No end but the log's own. */
#define EVENTS_FOR_EVER (-1)

struct events_options {
	uint64_t from;	 /* the first index wanted */
	int64_t ping_ms; /* silence before a comment */
	/* How long the stream may last; then it ends without a result. */
	int64_t wait_ms;
	const char *hello; /* the first bytes; NULL: none */
	/* A log that has ended before ${from} is answered 204. */
	bool over_is_204;
};

/* Takes the call's state: ends the call, now or later. Lends: o->hello stays. */
void events_start(
    struct call *call, const struct id *id, const struct events_options *o);

#endif
