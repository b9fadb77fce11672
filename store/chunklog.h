/*
 * chunklog: the part of one log that is in memory: packed chunks end to end,
 * and where each begins.
 *
 * Used by: tail (keeps them), the writer (fills and packs them).
 * Thread: it has no lock of its own. Only the writer changes it, holding the
 * lock of the tail's shard; so the writer may look without the lock, and all
 * others with it.
 * Promises: indices are dense: it holds [first, next) and nothing else. A
 * chunk never changes, only leaves (oldest first). A sealed log does not grow.
 */
#ifndef STORE_CHUNKLOG_H
#define STORE_CHUNKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/page.h"

/* What one log may hold in memory: offsets are 32 bits. */
#define CHUNKLOG_MAX_BYTES ((size_t)1 << 30)

struct chunklog {
	uint64_t first; /* index of the first chunk here */
	uint32_t n;	/* chunks here */
	uint32_t n_room;
	uint32_t len; /* bytes here */
	uint32_t room;
	char *bytes;  /* NULL while nothing was reserved */
	uint32_t *at; /* where each chunk begins in bytes */
	bool sealed;
};

/* An empty log whose next chunk is ${first}; allocates nothing. */
void chunklog_init(struct chunklog *l, uint64_t first);
void chunklog_fini(struct chunklog *l);

/* The index that the next chunk gets. */
uint64_t chunklog_next(const struct chunklog *l);

/*
 * Make room for ${n} chunks of ${bytes} in all, so that appending them cannot
 * fail. Fails: ERR_SEALED, ERR_NOMEM, ERR_LIMIT; the log is as it was.
 */
MUST_CHECK enum err chunklog_reserve(
    struct chunklog *l, uint32_t n, size_t bytes);

/* Append one packed chunk; panics when sealed or when no room was reserved. */
void chunklog_append(struct chunklog *l, const char *packed, uint32_t len);

/* The log has ended: it never grows again, and gives back spare memory. */
void chunklog_seal(struct chunklog *l);

/*
 * Copy chunks from ${q} into first, n and records of ${ret}; none when
 * ${q}->from is at or beyond the end. Fails: ERR_NOT_FOUND when they have left
 * memory, ERR_NOMEM.
 */
MUST_CHECK enum err chunklog_copy(
    const struct chunklog *l, const struct page_query *q, struct page *ret);

/* Bytes from chunk ${index} to the end; ${index} must be here or the next. */
size_t chunklog_bytes_from(const struct chunklog *l, uint64_t index);

/*
 * Lends: the packed bytes of as many chunks from ${from} as ${max_bytes} hold,
 * at least one; ${from} must be here. Gives their number.
 */
uint32_t chunklog_slice(const struct chunklog *l, uint64_t from,
    size_t max_bytes, const char **ret, size_t *ret_len);

/* Let the oldest chunks below ${before} go until at most ${keep_bytes} stay. */
void chunklog_drop(struct chunklog *l, uint64_t before, size_t keep_bytes);

/* Bytes allocated. */
size_t chunklog_memory(const struct chunklog *l);

#endif
