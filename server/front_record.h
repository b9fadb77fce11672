/*
 * front_record: an execution's record, asked for by a handler.
 *
 * Used by: the fronts.          Thread: the call's loop.
 */
#ifndef SERVER_FRONT_RECORD_H
#define SERVER_FRONT_RECORD_H

#include "server/call.h"
#include "store/base/id.h"
#include "store/execution.h"

/*
 * ${on_record} is given the record of ${id}, lent for the call; it answers. What
 * is not there (any more), or not the caller's, is answered by ${on_none}; here,
 * if that is NULL.
 */
void front_record_ask(struct call *call, const struct id *id,
    void (*on_record)(struct call *call, const struct execution *e),
    void (*on_none)(struct call *call));

#endif
