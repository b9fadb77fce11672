/*
 * writer: the one thread that writes. A mailbox in, group commits, announcing.
 *
 * Used by: worker (batches), server (the rest), store.c (starts and stops it).
 * Thread: writer_post() any. on_done runs on the writer's thread.
 * Promises:
 *  - one commit at a time; all that came in meanwhile shares the next one;
 *  - announce after commit: no reader sees what a crash could take back;
 *  - after a post that returned OK, on_done is called exactly once, with the
 *    result, whatever happens (also at a stop: ERR_STOPPED);
 *  - what is new (executions, prompts, keys) is refused with ERR_FULL while
 *    less of the disk is free than the reserve (store_room());
 *  - a full disk fails all but batches with ERR_FULL at once, and keeps batches
 *    and tries them again every 250 ms until there is room or the stop; so do
 *    no memory (ERR_NOMEM) and a stranger's lock on the file (ERR_BUSY).
 *    Deletes and prunes are tried beside them, and while no batch waits they
 *    are given what is set aside; only then they fail. After
 *    WRITER_PATIENCE_MS of it workers end what runs; room for these ends was
 *    set aside and is given a moment later;
 *  - the first I/O error or corruption stops the store for good: everything
 *    posted then or later ends with ERR_IO, and store_failed() says so;
 *  - a finished execution is packed into segments in the background, between
 *    commits, and the dead prefix of the live rows is deleted in order;
 *  - deleting is cheap, however large it is: what makes an execution invisible
 *    is small, its payload goes to the trash, which is emptied in the
 *    background in small steps, after a crash too; then the file shrinks.
 */
#ifndef STORE_WRITER_H
#define STORE_WRITER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "store/audit.h"
#include "store/base/err.h"
#include "store/base/mailbox.h"
#include "store/batch.h"
#include "store/execution.h"
#include "store/key.h"
#include "store/prompt.h"
#include "store/provider_key.h"
#include "store/stream.h"

struct import;
struct store;

/* How long a run waits for room on the disk before it is ended. */
#define WRITER_PATIENCE_MS 10000

/* What one log may hold before its end; a run stops long before. */
#define WRITER_MAX_CHUNKS 10000000
#define WRITER_MAX_CHUNK_BYTES ((size_t)16 << 20)

/* Executions that one WRITE_PRUNE may name. */
#define WRITE_PRUNE_MAX 500
/* Tombstones that one WRITE_TOMBSTONES_DROP may take away. */
#define WRITE_TOMBSTONES_MAX 500

enum write_kind {
	WRITE_CREATE,		   /* an execution, once per idempotency key */
	WRITE_BATCH,		   /* a worker's batch */
	WRITE_DELETE,		   /* an ended execution, with its chunks */
	WRITE_KEY_ADD,		   /* a key */
	WRITE_KEY_REVOKE,	   /* by id */
	WRITE_PROVIDER_KEY_PUT,	   /* an owner's key for an upstream */
	WRITE_PROVIDER_KEY_DELETE, /* the same */
	WRITE_PROMPT_ADD,	   /* the next version of a name */
	WRITE_PROMPT_DELETE,	   /* all versions of a name */
	WRITE_COPY,	       /* no write: all that is stored, into a file */
	WRITE_IMPORT,	       /* an ended execution, with its chunks */
	WRITE_PRUNE,	       /* many ended executions, or their payload */
	WRITE_TOMBSTONES_DROP, /* forget old deletions */
	WRITE_STREAM,	       /* a stream: create, append, renew, delete */
	WRITE_AUDIT,	       /* nothing but its audit row */
};

enum stream_write_kind {
	STREAM_CREATE,
	STREAM_APPEND,
	STREAM_RENEW, /* it was read: its time to live begins anew */
	STREAM_DELETE,
};

/* A log that a write took away, or that nobody may read by name any more. */
struct stream_removed {
	struct id id;
	bool hidden;
};

/*
 * What is asked of a stream, and what became of it. Create and append are
 * refused with ERR_FULL while the disk is low, but for what only closes.
 */
struct stream_write {
	enum stream_write_kind kind;
	/*
	 * In: owner and name, and for a create all that is asked for. Out, with
	 * DONE, SAME, DUPLICATE, CLOSED, OUT_OF_ORDER, GAP, FENCED and the like:
	 * the stream as it is after the write.
	 */
	struct stream stream;
	bool at_tail; /* create: the fork leaves where its source ends */
	struct stream_append append; /* append; its body is a create's, too */
	enum stream_outcome outcome;
	struct stream_producer producer; /* append: what was known before */
	struct stream_removed removed[STREAM_MAX_DEPTH + 1];
	uint32_t n_removed;
};

struct write;
/* Takes back ${w}. May only post and free: it must not block or call the store. */
typedef void write_done_fn(struct write *w);

/* Embed it first in what travels; allocate it, fill it, post it. */
struct write {
	struct mail mail; /* mail.bytes: what it weighs */
	enum write_kind kind;
	write_done_fn *on_done;
	enum err result; /* set before on_done */
	struct why why;	 /* set when result is not OK */
	/*
	 * Lent until on_done; NULL: none. When the write is done its row is
	 * written in the same transaction; writes of one operation add their
	 * counts up in one row. What failed or changed nothing leaves none. Not with
	 * WRITE_CREATE, WRITE_BATCH and WRITE_COPY (post a WRITE_AUDIT after).
	 */
	const struct audit *audit;
	union {
		/*
		 * Takes execution (row 0, status queued). Result OK: stored and
		 * in the tail, ->row set. existed true: the owner had used this
		 * idempotency key for the same request; execution is then that
		 * earlier one (id, status; nothing was written). With
		 * only_existing nothing is made: ERR_NOT_FOUND when the owner
		 * has not used the key.
		 * Fails: ERR_CONFLICT, the key was used for another request;
		 * ERR_FULL; ERR_IO. Execution stays in the write in each case
		 * and on_done frees or passes it on.
		 */
		struct {
			struct execution *execution;
			bool only_existing;
			bool existed;
		} create;
		/*
		 * Fails: ERR_LIMIT, a log was longer than WRITER_MAX_CHUNKS or
		 * a chunk larger than WRITER_MAX_CHUNK_BYTES: such chunks were
		 * dropped, all other records are stored (its end too).
		 */
		struct batch batch;
		/*
		 * Leaves a tombstone: reads say ERR_GONE from now on. Its
		 * idempotency key is free again.
		 * Fails: ERR_NOT_FOUND (also: not ${owner}'s; owner "" means
		 * any), ERR_GONE (it was deleted before; deleted_ms is set),
		 * ERR_CONFLICT when it has not ended.
		 */
		struct {
			struct id id;
			char owner[KEY_NAME_BYTES];
			int64_t deleted_ms;
		} remove;
		/* Fails: ERR_CONFLICT when the hash or the id is there. */
		struct key key_add;
		/* Fails: ERR_NOT_FOUND. Revoking twice is OK. */
		struct {
			struct id id;
			char owner[KEY_NAME_BYTES]; /* "": any */
		} key_revoke;
		/*
		 * Lent until on_done. Put: in place of what there was. Delete
		 * looks at owner and upstream. Fails: ERR_NOT_FOUND (delete).
		 */
		const struct provider_key *provider_key;
		/* version is set by the writer. */
		struct prompt prompt_add;
		/* Fails: ERR_NOT_FOUND. */
		struct {
			char owner[KEY_NAME_BYTES];
			char name[PROMPT_NAME_BYTES];
		} prompt_delete;
		/*
		 * ${path} (lent) is made; it is not synced. A little between
		 * commits, until it holds what was committed when on_done is
		 * called. Ends with ERR_STOPPED soon after *${cancel} (lent)
		 * is true. Fails, and the file is gone: ERR_BUSY (one copy at
		 * a time), ERR_CONFLICT (it is there), ERR_FULL, ERR_INPUT,
		 * ERR_IO.
		 */
		struct {
			const char *path;
			const atomic_bool *cancel;
		} copy;
		/*
		 * ${import} (lent, packed) is stored, whole or not at all. A
		 * large one takes several commits, and nobody sees anything of
		 * it before the last. Readers are not told: it has ended.
		 * Fails: ERR_CONFLICT, the id is there, or its owner has used
		 * the idempotency key; ERR_FULL; ERR_IO.
		 */
		struct {
			struct import *import;
			size_t stored; /* the writer's: segments so far */
			bool existed;  /* ERR_CONFLICT: it was the id */
		} import;
		/*
		 * As remove, for all of ${ids} (lent; n up to WRITE_PRUNE_MAX)
		 * that may go: a few in a transaction, between other commits,
		 * so each is whole or gone, and a stop leaves some.
		 * payload_only: request and chunks go; the record stays, is
		 * listed, and has payload_deleted_ms; its idempotency key
		 * stays used.
		 * The counts are right whatever the result. absent: not there,
		 * not ${owner}'s, or gone before. live: have not ended.
		 * Fails: ERR_INPUT (too many), ERR_FULL, ERR_STOPPED, ERR_IO.
		 */
		struct {
			const struct id *ids;
			uint32_t n;
			bool payload_only;
			char owner[KEY_NAME_BYTES];
			struct audit_counts gone;
			uint32_t absent, live;
		} prune;
		/* Lent. OK, whatever its outcome. */
		struct stream_write *stream;
		/*
		 * Up to ${limit} (at most WRITE_TOMBSTONES_MAX) tombstones of
		 * deletions before ${before_ms}: their ids say ERR_NOT_FOUND
		 * from now on. ${dropped} less than limit: no more. Fails:
		 * ERR_INPUT (too many).
		 */
		struct {
			int64_t before_ms;
			uint32_t limit, dropped;
		} tombstones_drop;
	} u;
};

/*
 * Takes ${w} on OK. Fails: ERR_LIMIT when the mailbox is full (say 503),
 * ERR_FULL when something new must wait for room on the disk,
 * ERR_STOPPED or ERR_IO when the store is down; the write is still the caller's.
 * Batches are never refused for ERR_LIMIT: workers watch writer_backlog().
 */
MUST_CHECK enum err writer_post(struct store *store, struct write *w);

/*
 * Wait until all that was posted before has been answered. Not on the writer's
 * own thread, nor on one that must not block. Fails: ERR_FULL, and does not
 * wait, while the disk has no room for it; ERR_NOMEM; ERR_IO and ERR_STOPPED
 * when the store is down.
 */
MUST_CHECK enum err writer_sync(struct store *store);

/*
 * For how many ms the disk has had no room for what waits; 0: it has. A worker
 * that has waited for WRITER_PATIENCE_MS ends what it runs.
 */
int64_t writer_full_ms(struct store *store);

/* May what has not begun begin? Not while what it says could not be kept. */
bool writer_may_begin(struct store *store);

/* Bytes that wait for a commit: above its limit a worker pauses upstreams. */
size_t writer_backlog(struct store *store);

#endif
