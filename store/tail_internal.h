/*
 * tail_internal: what the writer and recovery do to the logs in memory.
 *
 * Used by: tail*.c, writer*.c, store*.c.
 * Thread: the writer's alone (or the opening one, before the writer starts).
 * Nobody else changes the table or a log, so they look without the lock; each
 * change is made with the shard's lock held.
 */
#ifndef STORE_TAIL_INTERNAL_H
#define STORE_TAIL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/chunklog.h"
#include "store/execution.h"
#include "store/tail.h"

#define TAIL_SHARDS 64

/* One log with its head. An idle one must stay below 400 bytes. */
struct tail_log {
	struct tail_log *next; /* in its bucket, or among the unborn */
	struct id id;
	int64_t row;
	int64_t created_ms;
	char *owner;
	struct chunklog log;
	char *metadata; /* NULL until the end */
	size_t metadata_len;
	enum execution_status status;
	uint32_t attempt;
	/* The rate: chunks since its stamp are not in it yet. */
	uint32_t rate_milli, rate_n;
	int64_t rate_ms;
	TAILQ_HEAD(, waiter) waiters;
	/* In its shard's list by time of reading once it may be evicted. */
	TAILQ_ENTRY(tail_log) lru;
	uint64_t read_at;
	size_t charged; /* bytes counted for it in its shard */

	/* The writer's own; readers never look. */
	uint64_t packed;   /* first index that is not in a segment */
	int64_t first_seq; /* no row from packed on has a smaller seq */
	int64_t first_chunk_ms;
	uint32_t change; /* 1 + its place in the open transaction, or 0 */
	bool stream;	 /* a stream's, not an execution's */
	bool unpacked;	 /* in the writer's list of logs with live rows */
	bool queued;	 /* in the writer's queue for packing */
	bool cached;	 /* in its shard's lru list */
	TAILQ_ENTRY(tail_log) unpacked_link, queue_link;
};
TAILQ_HEAD(tail_logs, tail_log);

struct tail_shard {
	/*
	 * Whenever the lock is free: each log hangs in the bucket of its id;
	 * n_* and bytes are the sums over the table; lru holds those logs that
	 * are ended and packed, the least recently read first; a waiter is
	 * armed exactly when it hangs at a log that has not ended.
	 */
	pthread_mutex_t lock;
	struct tail_log **bucket;
	size_t n_buckets; /* a power of two */
	size_t n_logs, n_live, n_waiters, bytes;
	struct tail_logs lru;
};

struct tail {
	struct tail_shard shard[TAIL_SHARDS];
	size_t cache_bytes;
	size_t cached_bytes; /* the writer's: the sum over the lru lists */
	atomic_uint_fast64_t reads; /* the clock of the lru lists */
};

/* Chunks of one transaction, packed end to end, linked per log. */
struct tail_stage {
	uint32_t offset, len;
	uint32_t next; /* 1 + the place of the log's next one, or 0 */
};

/* What a transaction has made true of one log. */
struct tail_news {
	enum execution_status status;
	uint32_t attempt;
	uint32_t n; /* chunks; their room is reserved */
	const char *bytes;
	const struct tail_stage *stages;
	uint32_t first; /* 1 + place in stages, or 0 */
	/* Taken: the final metadata when ended, else NULL. */
	char *metadata;
	size_t metadata_len;
};

/* Gives: NULL without memory. */
struct tail *tail_new(size_t cache_bytes);
void tail_free(struct tail *t);

/* A log for ${e}, still outside, whose next chunk is ${first}. Or NULL. */
struct tail_log *tail_log_new(const struct execution *e, uint64_t first);
void tail_log_free(struct tail_log *l);

/* Takes ${l}: from now on readers find it. Its id must be new. */
void tail_insert(struct tail *t, struct tail_log *l);

/* Lends: the log, or NULL. */
struct tail_log *tail_find(struct tail *t, const struct id *id);

/* Room for news, so that tail_announce() cannot fail. As chunklog_reserve(). */
MUST_CHECK enum err tail_reserve(
    struct tail *t, struct tail_log *l, uint32_t n, size_t bytes);

/* Count what ${l} weighs, after recovery has filled it. */
void tail_weigh(struct tail *t, struct tail_log *l);

/* Append, move the head, seal at the end, wake who waits for it. */
void tail_announce(
    struct tail *t, struct tail_log *l, const struct tail_news *news);

/*
 * Rows below ${packed} are in segments. A live log keeps the newest
 * ${keep_bytes} of them in memory; an ended one that is packed whole may be
 * evicted, perhaps at once: ${l} is then gone.
 */
void tail_packed(
    struct tail *t, struct tail_log *l, uint64_t packed, size_t keep_bytes);

/* Forget a log that has ended. */
void tail_remove(struct tail *t, struct tail_log *l);

/* The store has stopped for good: wake everybody once. */
void tail_wake_all(struct tail *t);

#endif
