/*
 * tail: the logs that live in memory, and who waits for them.
 *
 * A log is here from the commit that creates its execution until it has ended,
 * is packed, and is the one least recently read when memory is wanted. So a
 * poll of a live execution never touches the disk.
 *
 * Used by: the writer (announces), readers in server/ (read or arm).
 * Thread: any; 64 shards, each with a lock that is held only to copy memory.
 * Promises: tail_wait() compares and arms under the lock that the writer takes
 * to announce: a reader learns that there is more, or is certain to be woken.
 * A wake is a hint; the data is in the log.
 */
#ifndef STORE_TAIL_H
#define STORE_TAIL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "store/base/err.h"
#include "store/base/id.h"
#include "store/page.h"

struct store;

/*
 * Copy part of a log into ${ret} (initialised). ${owner} NULL: anybody's.
 * A ${q}->from at or beyond the end gives an empty page with status and total;
 * page.first is then ${q}->from.
 * Fails: ERR_NOT_FOUND when memory cannot answer (not here, another's, or the
 * wanted part is packed already): ask the store (query_page()). ERR_NOMEM.
 */
MUST_CHECK enum err tail_page(struct store *store, const struct id *id,
    const char *owner, const struct page_query *q, struct page *ret);

/* What a poll needs to say "nothing new". */
struct tail_head {
	enum execution_status status;
	uint64_t total;
	uint32_t rate_milli;
};

/* As tail_page(), without chunks and metadata. */
MUST_CHECK enum err tail_head(struct store *store, const struct id *id,
    const char *owner, struct tail_head *ret);

/*
 * One reader's wish to be told. The caller's memory; armed until it fires or
 * tail_forget() returns.
 */
struct waiter {
	/*
	 * Called once on the writer's thread with the shard's lock held: may
	 * only post ${number}; must not touch the waiter or the tail.
	 */
	void (*wake)(void *arg, uint64_t number);
	void *arg;
	uint64_t number;
	/* Private to tail. */
	struct id id;
	uint64_t seen;
	bool armed;
	TAILQ_ENTRY(waiter) link;
};

/*
 * Arm ${w} for more than ${seen} chunks, or the end, of a log that is here.
 * OK: armed. Fails: ERR_CONFLICT when there is more already or it has ended
 * (read again); ERR_NOT_FOUND when it is not here; ERR_IO when the store has
 * stopped for good: nothing will come.
 */
MUST_CHECK enum err tail_wait(struct store *store, const struct id *id,
    const char *owner, uint64_t seen, struct waiter *w);

/* Disarm; afterwards wake is not called. Harmless when not armed. */
void tail_forget(struct store *store, struct waiter *w);

/* For metrics: logs and bytes held, live logs among them. */
struct tail_stats {
	uint64_t logs, live, bytes, waiters;
};
void tail_stats(struct store *store, struct tail_stats *ret);

#endif
