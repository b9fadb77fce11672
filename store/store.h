/*
 * store: open it by URL, close it, ask how it is. It hands out the parts:
 * writer.h (write), tail.h (read memory), query.h (read disk), keyring.h.
 *
 * Used by: serve, the CLI's offline commands, tests.
 * Thread: store_open() and store_close() the main one; the rest any.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/execution.h"

struct store;

enum store_durability {
	STORE_FULL,   /* a power cut loses nothing acknowledged (default) */
	STORE_NORMAL, /* a power cut may lose the last moments, a crash nothing */
};

struct store_options {
	const char *url; /* a path, or an engine's URL */
	enum store_durability durability;
	size_t cache_bytes;   /* ended logs kept in memory; 0: 32 MiB */
	size_t backlog_bytes; /* ceiling of the writer's mailbox; 0: 64 MiB */
	/*
	 * While less of the disk is free nothing new is taken. 0: 128 MiB and a
	 * twentieth of the disk, at most 1 GiB and a quarter of the disk.
	 */
	uint64_t reserve_bytes;
	/*
	 * Told once, on the writer's thread, when the store has stopped for
	 * good (I/O error, corruption). May only post. NULL: nobody.
	 */
	void (*on_failed)(void *arg, const struct why *why);
	void *arg;
};

/*
 * Open or create the store: take the lock that proves that no other process
 * has it, bring the schema up to date, read the live logs back into memory,
 * start the writer. Settling what a crash left is the caller's next step
 * (store_unfinished()).
 * Fails, leaving the file as it was: ERR_BUSY (${why} says who holds it),
 * ERR_VERSION (written by a newer spool), ERR_CORRUPT (not a spool store),
 * ERR_INPUT (the place is not fit: no directory, no rights, network file
 * system), ERR_IO, ERR_FULL, ERR_NOMEM.
 */
MUST_CHECK enum err store_open(
    const struct store_options *options, struct store **ret, struct why *why);

/*
 * Commit what was posted, stop the writer, close. After it returns no on_done
 * fires. All queries must be closed. NULL is nothing.
 */
void store_close(struct store *store);

/* OK, or why the store has stopped for good (ERR_IO, ERR_CORRUPT). */
MUST_CHECK enum err store_failed(struct store *store, struct why *why);

/*
 * Give the executions that had not ended when the store was opened, oldest
 * first: *${ret} is an array of ${*ret_n} owned pointers, for free().
 */
MUST_CHECK enum err store_unfinished(
    struct store *store, struct execution ***ret, size_t *ret_n);

struct store_stats {
	uint64_t commits, chunks, executions; /* since the start */
	uint64_t deleted; /* executions, not only payloads; as the above */
	uint64_t commit_ns_sum, commit_ns_max; /* what commits took */
	uint64_t wal_bytes, db_bytes;	       /* on disk now */
	bool cleaning;	       /* what was deleted is still being dropped */
	uint64_t open_streams; /* now */
};
void store_stats(struct store *store, struct store_stats *ret);

/*
 * How the lock names us to people: "pid 7 since …", and "" where that cannot be
 * read. No two openings of stores on one machine have the same name; a pid alone
 * does not tell containers apart. Touches the disk.
 */
#define STORE_HOLDER_BYTES 64
void store_holder(struct store *store, char dst[STORE_HOLDER_BYTES]);

/* The disk as it was seen a second ago at most. */
struct store_room {
	/*
	 * Less than the reserve is free, or a write has found no room: the
	 * writer refuses what is new with ERR_FULL. What runs goes on while
	 * there is room. Ends by itself.
	 */
	bool low;
	uint64_t free_bytes, disk_bytes; /* both 0: the engine cannot tell */
	uint64_t reserve_bytes;
};
void store_room(struct store *store, struct store_room *ret);

/*
 * The reserve on a disk of ${disk_bytes}: ${chosen} (store_options), or by the
 * size of the disk where that is 0.
 */
uint64_t store_reserve(uint64_t chosen, uint64_t disk_bytes);

#endif
