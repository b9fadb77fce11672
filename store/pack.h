/*
 * pack: a stretch of a log becomes a segment: chosen by bytes, compressed
 * with zstd where that helps.
 *
 * Used by: the writer, import.          Thread: the owner's.
 * Promises: a segment's payload is the very bytes of chunk_pack(), plain or in
 * one zstd frame with checksum and content size: packing cannot change a chunk.
 */
#ifndef STORE_PACK_H
#define STORE_PACK_H

#include <zstd.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/chunklog.h"
#include "store/engine.h"

/* Raw bytes of a segment; one larger chunk makes a segment of its own. */
#define PACK_SEGMENT_BYTES ((size_t)64 << 10)

struct pack {
	ZSTD_CCtx *zstd;
	struct buf out;
};

/* Fails: ERR_NOMEM; pack_fini() is due all the same. */
MUST_CHECK enum err pack_init(struct pack *p);
void pack_fini(struct pack *p);

/*
 * The segment of the ${s}->raw_len bytes at ${raw}, which are ${s}->n packed
 * chunks from ${s}->first on: fills in the rest of ${s}. Lends and fails as
 * pack_next().
 */
MUST_CHECK enum err pack_bytes(
    struct pack *p, const char *raw, struct engine_segment *s);

/*
 * The segment that begins with chunk ${from} of ${l}. Lends: its payload is
 * good until the next call, or until ${l} changes. Fails: ERR_NOMEM.
 */
MUST_CHECK enum err pack_next(struct pack *p, const struct chunklog *l,
    uint64_t from, struct engine_segment *ret);

#endif
