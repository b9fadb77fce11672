/*
 * cancel: end an execution, and wait a little to say how it ended.
 *
 * Used by: the callable and REST fronts.     Thread: the call's loop.
 */
#ifndef SERVER_CANCEL_H
#define SERVER_CANCEL_H

#include "server/call.h"
#include "store/base/id.h"
#include "store/execution.h"

/*
 * ${on_done} is told the status afterwards: cancelled, another end that came
 * first, or one that has not ended yet (the cancel is on its way). Failures
 * are answered here. Takes the call's state.
 */
void cancel_start(struct call *call, const struct id *id,
    void (*on_done)(
	struct call *call, const struct id *id, enum execution_status status));

/*
 * Whoever waited for ${id} has gone: end it, unless it has ended. Nobody is
 * told.
 */
void cancel_left(struct service *s, const struct id *id);

/* {"execution_id", "status", "cancelled"} */
void cancel_write(
    struct buf *b, const struct id *id, enum execution_status status);

#endif
