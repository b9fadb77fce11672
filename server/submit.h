/*
 * submit: a creation on its way: the stored prompt (if it names one), room in
 * the worker, the commit, the worker.
 *
 * Used by: the fronts that create.
 * Thread: the call's loop; the hand-over to the worker happens on the writer's,
 * before the answer is posted: a client that leaves never leaves an execution
 * queued.
 */
#ifndef SERVER_SUBMIT_H
#define SERVER_SUBMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/body.h"
#include "server/call.h"
#include "store/base/digest.h"
#include "store/execution.h"

struct submitted {
	struct id id;
	enum execution_status status;
	int64_t created_ms;
	/* The idempotency key had been used for the same request before. */
	bool existed;
};

/*
 * Make an execution of ${create}, which is moved out of in any case, for
 * ${call}; ${hash} is of what the client sent. The Idempotency-Key header (of
 * a part: its idempotency_key) is heeded. ${on_done} runs once on the loop's thread, unless the client went or
 * it failed (the call is then answered).
 */
void submit_start(struct call *call, struct body_create *create,
    const uint8_t hash[DIGEST_BYTES],
    void (*on_done)(struct call *call, const struct submitted *s));

#endif
