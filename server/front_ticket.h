/*
 * front_ticket: the answer to who asks for a ticket (ticket.h).
 *
 * Used by: front_sse, front_ws.          Thread: the call's loop.
 */
#ifndef SERVER_FRONT_TICKET_H
#define SERVER_FRONT_TICKET_H

#include "store/base/id.h"

struct call;

/* Answer with a ticket for ${execution}, or when it is NULL for a socket. */
void front_ticket_answer(struct call *call, const struct id *execution);

#endif
