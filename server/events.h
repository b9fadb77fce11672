/*
 * events: a log told as server-sent events (WHATWG HTML 9.2), pulled as the
 * socket drains, in the form of the call's front.
 *
 * Used by: the fronts that stream.
 * Thread: the call's loop.
 * Promises: a slow client costs one page; each chunk is told once, in order,
 * after its commit, as the front says or as the telling that is given; the
 * stream of an execution that has ended ends with the front's result; while
 * there is no news, a comment comes every ping_ms; once the key that opened it
 * is revoked or has expired, nothing more is told but that.
 */
#ifndef SERVER_EVENTS_H
#define SERVER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"

struct call;
struct telling;

/* No end but the log's own. */
#define EVENTS_FOR_EVER (-1)

struct events_options {
	uint64_t from;	 /* the first index wanted */
	int64_t ping_ms; /* silence before a comment */
	/* How long the stream may last; then it ends without a result. */
	int64_t wait_ms;
	const char *hello; /* the first bytes; NULL: none */
	/*
	 * A log that has ended before ${from} is answered 204; with a telling,
	 * one that has ended.
	 */
	bool over_is_204;
	/*
	 * How it is told instead of by the front's event_…: from the first row
	 * on, whatever from says (it has its own). Taken in any case.
	 */
	struct telling *telling;
	/*
	 * How long the answer may wait for the first row: so that an execution
	 * that fails at once is refused with a status. 0: not at all.
	 */
	int64_t hold_ms;
};

/*
 * The id of the last event that a reconnecting client has, from its header;
 * ${ret} untouched when it says none. Fails: ERR_INPUT, answered already.
 */
MUST_CHECK enum err events_last_id(struct call *call, int64_t *ret);

/* Takes the call's state: ends the call, now or later. Lends: o->hello stays. */
void events_start(
    struct call *call, const struct id *id, const struct events_options *o);

#endif
