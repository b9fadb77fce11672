/*
 * upstream_answer_internal: one answer, as its own files see it.
 *
 * Used by: upstream_answer, upstream_whole.     Thread: the exchange's loop.
 */
#ifndef SERVER_UPSTREAM_ANSWER_INTERNAL_H
#define SERVER_UPSTREAM_ANSWER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/body_upstream.h"
#include "server/upstream_answer.h"
#include "server/upstream_kept.h"
#include "server/upstream_plan.h"
#include "server/upstream_text.h"
#include "server/upstream_wire.h"

#define UPSTREAM_OUT_BYTES ((size_t)32 << 20)
#define UPSTREAM_CUT_MS 10 /* for what was written to leave first */

/*
 *           on_ready           all tokens written
 *   OPENING ---------> TALKING -------------------> (the exchange ends)
 *                       |  | |
 *           fault stall |  | | fault cut: half an event is written
 *                       v  | v
 *                     HELD | CUTTING -------------> (the connection breaks)
 *                          v
 *                       PINGING: fault pings
 *
 * OPENING sleeps until the socket is ready; TALKING in the wheel until the next
 * token is due, or (${full}) until the socket has drained; CUTTING and PINGING
 * in the wheel; HELD (where the fault silent begins) until the client leaves.
 */
enum upstream_stage {
	UPSTREAM_OPENING,
	UPSTREAM_TALKING,
	UPSTREAM_PINGING,
	UPSTREAM_CUTTING,
	UPSTREAM_HELD,
};

struct upstream_answer {
	struct upstream_wheel_entry entry; /* first */
	struct upstream_lane *lane;
	struct http_exchange *x;
	struct upstream_plan plan;
	struct upstream_text text;
	struct upstream_wire wire;
	struct body_upstream asked;
	struct upstream_kept *kept; /* or NULL */
	size_t arguments_len;	    /* of the tool called */
	enum upstream_stage stage;
	bool begun;	   /* the first event is out */
	bool streaming;	   /* http_stream() was called */
	bool full;	   /* waits for the socket, not for the clock */
	int64_t start_ms;  /* when token ${base} was due */
	int64_t base;	   /* tokens the client had already (prefill) */
	size_t offset;	   /* and bytes of token ${base} */
	int64_t next, end; /* tokens */
	int64_t from;	   /* the first that this connection tells */
	uint64_t pieces;   /* written for the fault split */
};

/* Token ${i} into the lane's scratch; why the answer ends; when ${i} is due. */
void upstream_answer_token(struct upstream_answer *a, int64_t i);
const char *upstream_answer_finish(const struct upstream_answer *a);
int64_t upstream_answer_due(const struct upstream_answer *a, int64_t i);
/* Was it cancelled before ${ms}? */
bool upstream_answer_cancelled(const struct upstream_answer *a, int64_t ms);

/* Send what is in the lane's buffer; true when the socket can take more. */
bool upstream_answer_flush(struct upstream_answer *a);
/* Another turn at ${due_ms}, if none is due yet. */
void upstream_answer_sleep(struct upstream_answer *a, int64_t due_ms);

/* End the stream; ${a} is gone. */
void upstream_answer_end(struct upstream_answer *a, bool faulted);
/* Count how it ended, let go of the exchange and free ${a}. */
void upstream_answer_leave(struct upstream_answer *a, bool faulted);
void upstream_answer_count(atomic_uint_fast64_t *n, uint64_t more);

#endif
