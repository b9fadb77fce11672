/*
 * batch: what one turn of a worker has to say about all its runs, in order.
 *
 * Used by: worker (fills, posts), writer (applies).
 * Thread: the worker's until posted, the writer's until its on_done.
 * Promises: records are applied in order, in one transaction. A record for an
 * execution that has ended, or is gone, is dropped in silence: late messages
 * are normal. The writer, not the worker, gives each chunk its index.
 */
#ifndef STORE_BATCH_H
#define STORE_BATCH_H

#include "store/base/buf.h"
#include "store/base/id.h"
#include "store/chunk.h"
#include "store/execution.h"

enum batch_kind {
	BATCH_START, /* an attempt begins: status, target, attempts */
	BATCH_CHUNK, /* one chunk */
	BATCH_END,   /* the last chunk, the status, the metadata: the seal */
	/*
	 * What its run would have the process after this one know, in place of
	 * what it said before; forgotten at the end.
	 */
	BATCH_NOTE,
};

struct batch_start {
	uint32_t attempt;
	int64_t ts_ms;
	const char *target; /* lent; "upstream/model" */
	size_t target_len;
};

struct batch_end {
	enum execution_status status; /* an ended one */
	struct chunk chunk;	      /* kind CHUNK_END; index unset */
	const char *metadata; /* lent; the final metadata, JSON object */
	size_t metadata_len;
	const char *error_code; /* lent; empty when completed */
	size_t error_code_len;
};

struct batch_note {
	const char *text; /* lent; JSON */
	size_t len;
};

/* One record as it is read back. */
struct batch_record {
	enum batch_kind kind;
	struct id id;
	union {
		struct batch_start start;
		struct chunk chunk; /* index unset */
		struct batch_end end;
		struct batch_note note;
	} u;
};

struct batch {
	struct buf bytes;
	uint32_t n; /* records */
};

/* An empty batch of at most ${max_bytes}; allocates nothing. */
void batch_init(struct batch *b, size_t max_bytes);
void batch_fini(struct batch *b);

/* Append one record; everything lent is copied. Fails through batch_state(). */
void batch_start(
    struct batch *b, const struct id *id, const struct batch_start *start);
void batch_chunk(struct batch *b, const struct id *id, const struct chunk *c);
void batch_end(
    struct batch *b, const struct id *id, const struct batch_end *end);
void batch_note(
    struct batch *b, const struct id *id, const struct batch_note *note);

/* OK, ERR_NOMEM or ERR_LIMIT; a failed batch must not be posted. */
MUST_CHECK enum err batch_state(const struct batch *b);

/*
 * The next record, lent from the batch; *${offset} is 0 to begin. False at the
 * end. Broken bytes are a panic: this program wrote them.
 */
bool batch_each(
    const struct batch *b, size_t *offset, struct batch_record *ret);

#endif
