/*
 * durable: what requests of the Durable Streams protocol say, in their headers
 * and paths, read and checked.
 *
 * Used by: front_durable*.     Thread: the call's loop.
 * Promises: what is wrong is answered, with the header's name and the rule.
 */
#ifndef SERVER_DURABLE_H
#define SERVER_DURABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/stream.h"
#include "store/writer.h"

struct call;

#define DURABLE_PREFIX "/v1/stream/"
/* Names below this are executions, which spool writes itself. */
#define DURABLE_EXECUTIONS "executions/"
#define DURABLE_MAX_TTL_S INT64_C(3155760000) /* a century */

/* What each answer of these routes has, refusals too. */
void durable_headers(struct call *call);

/* Stream-Next-Offset. */
void durable_next(struct call *call, uint64_t place);

/* ${n} as the value of the header ${name}. */
void durable_number(struct call *call, const char *name, uint64_t n);

/* The {name} of the path, decoded. ERR_INPUT, answered. */
MUST_CHECK enum err durable_name(
    struct call *call, char dst[STREAM_NAME_BYTES]);

/*
 * The same of one that clients may write: not an execution's, not reserved.
 * ERR_INPUT, answered.
 */
MUST_CHECK enum err durable_own_name(
    struct call *call, char dst[STREAM_NAME_BYTES]);

/*
 * What a PUT or a POST asks for. The body is a copy: durable_free().
 * ERR_INPUT or ERR_NOMEM, answered.
 */
struct durable {
	struct stream_write write;
	char *body;
	struct stream_message *messages;
};
MUST_CHECK enum err durable_create(struct call *call, struct durable *d);
MUST_CHECK enum err durable_append(struct call *call, struct durable *d);
void durable_fini(struct durable *d);

#endif
