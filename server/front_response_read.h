/*
 * front_response_read: all that there is of an execution now, as a response,
 * read for a handler.
 *
 * Used by: front_responses*.c.          Thread: the call's loop.
 */
#ifndef SERVER_FRONT_RESPONSE_READ_H
#define SERVER_FRONT_RESPONSE_READ_H

#include "server/call.h"
#include "server/front_response.h"
#include "store/execution.h"

struct front_response_found {
	struct execution e;
	char *echo;
	struct front_response r;
	bool ended;
	struct front_ending ending; /* when it has */
};

/*
 * ${on_read} is given what is there of ${id}, lent for the call; it answers. What
 * is not there, not the caller's, or larger than a response may be, is answered
 * here.
 */
void front_response_read(struct call *call, const struct id *id,
    void (*on_read)(struct call *call, const struct front_response_found *f));

/* Answer with the object. */
void front_response_reply(
    struct call *call, const struct front_response_found *f);

#endif
