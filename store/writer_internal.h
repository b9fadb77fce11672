/*
 * writer_internal: the writer's parts: the thread and its queue (writer.c),
 * one transaction (writer_tx.c, writer_batch.c), room on the disk
 * (writer_room.c), and between commits packing (writer_pack.c), deleting
 * (writer_clean.c), copies and imports
 * (writer_copy.c, writer_import.c).
 *
 * Used by: writer*.c; store.c (starts and stops it), store_load.c (tracks).
 * Thread: the writer's, but for writer_init() … writer_fini().
 */
#ifndef STORE_WRITER_INTERNAL_H
#define STORE_WRITER_INTERNAL_H

#include <stdatomic.h>
#include <sys/queue.h>

#include "store/base/thread.h"
#include "store/pack.h"
#include "store/tail_internal.h"
#include "store/writer.h"

/* Once more than this was written engine->tidy() is worth a call. */
#define WRITER_TIDY_BYTES ((size_t)1 << 20)

/* What the open transaction does to one log. */
struct writer_change {
	struct tail_log *log;
	enum execution_status status;
	uint32_t attempt;
	uint32_t n, first, last; /* chunks, and their chain of stages */
	size_t bytes;		 /* of them, packed */
	int64_t first_seq;
	int64_t first_chunk_ms;
	char *metadata; /* owned until announced */
	size_t metadata_len;
};

/*
 * One transaction: what readers will see of it is kept here until the commit.
 */
struct writer_tx {
	struct buf bytes;	   /* packed chunks, end to end */
	struct tail_stage *stages; /* where each of them is */
	uint32_t n_stages, stages_room;
	struct writer_change *changes;
	uint32_t n_changes, changes_room;
	struct tail_log *created, **created_tail; /* linked by next */
	size_t n_keys, n_provider_keys, n_created, n_streams;
};

struct writer {
	struct mailbox box;
	struct thread thread;
	struct store *store;
	atomic_size_t held_bytes; /* taken out of the box, not yet answered */

	/* Taken in, oldest first, linked by mail.next. */
	struct mail *queue, **queue_tail;
	/*
	 * There is no room: queue holds only batches, and is tried again at
	 * retry_ms; all else is answered at once with full (and full_why).
	 */
	enum err full;
	struct why full_why;
	int64_t retry_ms;
	bool told; /* the log knows that there is no room */

	struct writer_tx tx;

	int64_t look_ms; /* when to look at the disk again */
	uint64_t aside;	 /* bytes of it that are set aside now */

	/* The copy under way, NULL: none (writer_copy.c). */
	struct write *copying;
	struct engine_copy *copy;
	unsigned copy_busy;    /* tries in a row that found the file held */
	int64_t copy_after_ms; /* not before this */

	/* Large imports, the first under way (writer_import.c). */
	struct mail *imports, **imports_tail;
	bool import_unclean;	 /* segments may be there to be dropped */
	int64_t import_after_ms; /* after a failure: not before this */
	unsigned since_import;	 /* commits since the last turn, by weight */

	/* Deleting: see writer_clean.c. */
	struct mail *prunes, **prunes_tail; /* and deletes, oldest first */
	uint32_t prune_next;		    /* of the first one's ids */
	bool trash;			    /* there may be some */
	bool shrink;			    /* the file may be too large */
	bool shrinking;			    /* and the last turn saw it */
	int64_t clean_after_ms;		    /* not before this */
	unsigned since_clean;		    /* commits since the last turn */

	/* Streams: see writer_stream.c. */
	int64_t expire_ms;	/* mono: when to look for expired ones */
	struct audit expire_as; /* what that is noted as */

	/* Packing: see writer_pack.c. */
	struct pack pack;
	struct tail_logs unpacked; /* with live rows, by first_seq */
	struct tail_logs packing;  /* whose rows are wanted in segments */
	size_t n_packing;
	size_t n_unpacked;
	uint64_t unpacked_rows;
	int64_t last_seq;      /* the newest row */
	int64_t dropped_seq;   /* all rows below it are deleted */
	int64_t deleted_seq;   /* rows below it may be of what was deleted */
	bool dropping;	       /* the last turn left dead rows behind */
	int64_t pack_after_ms; /* after a failure: not before this */
	unsigned since_pack;   /* commits since the last turn */
	size_t untidy_bytes;   /* written since the last engine->tidy() */
};

MUST_CHECK enum err writer_init(struct writer *w, struct store *store);
void writer_fini(struct writer *w);
/* Fails: ERR_NOMEM, no thread. */
MUST_CHECK enum err writer_start(struct writer *w);
/* Commit what was posted, answer everything, join. */
void writer_stop(struct writer *w);

/*
 * One turn of the thread: wait for mail, ${longest_ms} at most (negative: as long
 * as there is nothing to do), a transaction, some packing. Whoever holds threads
 * (base/thread.h) calls it by hand. False: closed, and nothing is left to do.
 */
bool writer_turn(struct writer *w, int longest_ms);

/* ERR_FULL, ERR_NOMEM and ERR_BUSY may pass by themselves. */
bool writer_may_retry(enum err rc);

/*
 * Translate what an engine said: OK, what may be tried again, or ERR_CORRUPT
 * or ERR_IO, which stop the store.
 */
enum err writer_verdict(enum err rc);

/* --- one transaction (writer_tx.c) --- */

void writer_tx_init(struct writer_tx *tx);
void writer_tx_fini(struct writer_tx *tx);

/*
 * Do ${x} in the open transaction. OK: x->result and x->why are set, for good
 * unless the transaction fails. Fails (verdict): the transaction must be undone.
 */
MUST_CHECK enum err writer_apply(struct writer *w, struct write *x);

/* The same for a batch (writer_batch.c). Fails: as the engine. */
MUST_CHECK enum err writer_apply_batch(struct writer *w, struct write *x);

/* What the transaction does to ${l} so far; NULL without memory. */
struct writer_change *writer_change(struct writer_tx *tx, struct tail_log *l);

/* ${chunk} is the next of that log; its index is set. Fails: as the engine. */
MUST_CHECK enum err writer_append(
    struct writer *w, struct writer_change *c, struct chunk *chunk);

/* The log of ${id}, also one that is being created; NULL: not in memory. */
struct tail_log *writer_log(struct writer *w, const struct id *id);

/* Make sure that writer_announce() cannot fail. ERR_NOMEM. */
MUST_CHECK enum err writer_reserve(struct writer *w);

/* Before the commit's on_done: show readers what is durable now. */
void writer_announce(struct writer *w);

/* ${x} was committed with result OK: bring the mirrors in memory up to date. */
void writer_settle(struct writer *w, struct write *x);

/* Rolled back: forget what was to be shown. */
void writer_undo(struct writer *w);

/* --- packing (writer_pack.c) --- */

/* ${l} has ${n} new live rows, the oldest of them ${first_seq}. */
void writer_pack_grown(
    struct writer *w, struct tail_log *l, uint32_t n, int64_t first_seq);

/* Want its rows in segments. */
void writer_pack_want(struct writer *w, struct tail_log *l);

/* ${l} is about to be deleted. */
void writer_pack_forget(struct writer *w, struct tail_log *l);

/* Is there something to do now? */
bool writer_pack_due(const struct writer *w);

/*
 * One bounded turn, in its own transaction: segments, then some dead rows.
 * What may be tried again only puts it off. Fails (verdict): ERR_IO, ERR_CORRUPT.
 */
MUST_CHECK enum err writer_pack_turn(struct writer *w);

/* --- room on the disk (writer_room.c) --- */

/* Look at the disk: is there the reserve? Says so in the log when it changes. */
void writer_room_look(struct writer *w);

/* How long until the next look is due. */
int writer_room_wait_ms(const struct writer *w);

/* A write found no room. */
void writer_room_out(struct writer *w);

/* A commit went through. */
void writer_room_in(struct writer *w);

/* Give what was set aside to what waits, if its time has come or ${now}. */
bool writer_room_give(struct writer *w, bool now);

/* Give it to a deletion that found no room: that is how others get some. */
bool writer_room_give_to_clean(struct writer *w);

/* --- deleting (writer_clean.c) --- */

/* Take ${x} in, a WRITE_PRUNE. Gives it back when there is nothing to do. */
struct write *writer_clean_begin(struct writer *w, struct write *x);

/* Take ${x} in, a WRITE_DELETE that found no room with the other writes. */
void writer_clean_retry(struct writer *w, struct write *x);

/* End the oldest of both by ${rc}: the write to answer, or NULL. */
struct write *writer_clean_stop(
    struct writer *w, enum err rc, const struct why *why);

/* The execution, or its payload, is gone: forget its log. */
void writer_clean_forget(struct writer *w, const struct id *id);

/* How long there is nothing to do, ms; 0: there is now; -1: for ever. */
int64_t writer_clean_wait_ms(const struct writer *w);

/* Do nothing for ${ms}. */
void writer_clean_rest(struct writer *w, int64_t ms);

/*
 * One bounded turn: some executions of a WRITE_PRUNE, or some trash, or some
 * room for the file system. *${ret_done}: a write to answer, or NULL. What may
 * be tried again ends a prune and puts off the rest. Fails (verdict): ERR_IO,
 * ERR_CORRUPT.
 */
MUST_CHECK enum err writer_clean_turn(
    struct writer *w, struct write **ret_done);

/* --- streams (writer_stream.c) --- */

/* As writer_apply(); ${gone} is what was deleted. */
MUST_CHECK enum err writer_stream_apply(
    struct writer *w, struct write *x, struct audit_counts *gone);

/* The stream of ${l}, which may be evicted by this, is closed. */
void writer_stream_closed(struct writer *w, struct tail_log *l);

/* It was committed: memory may know what is gone. */
void writer_stream_settle(struct writer *w, const struct stream_write *s);

/*
 * Delete some of what has expired, in a transaction of its own.
 * What may be tried again only puts it off. Fails (verdict): ERR_IO,
 * ERR_CORRUPT.
 */
MUST_CHECK enum err writer_stream_turn(struct writer *w);

/* --- copying (writer_copy.c); each gives the write to answer now, or NULL --- */

/* Begin what ${x} asks for. */
struct write *writer_copy_begin(struct writer *w, struct write *x);

/* How long there is nothing to copy, ms; 0: there is now; -1: for ever. */
int64_t writer_copy_wait_ms(const struct writer *w);

/* A little of the copy under way, if any; ends it when there is no room. */
struct write *writer_copy_turn(struct writer *w);

/* End it by ${rc}. */
struct write *writer_copy_stop(
    struct writer *w, enum err rc, const struct why *why);

/* --- importing (writer_import.c) --- */

/* As writer_apply(); large ones come later. */
MUST_CHECK enum err writer_import_apply(struct writer *w, struct write *x);

/* ${x} was committed: gives it back to be answered, or NULL: it comes later. */
struct write *writer_import_begin(struct writer *w, struct write *x);

/* At start: has a crash left something of one? Fails: ERR_IO, ERR_CORRUPT. */
MUST_CHECK enum err writer_import_look(struct writer *w);

/* Is there something to do now? */
bool writer_import_due(const struct writer *w);

/*
 * A little of a large one, in its own transaction, less often while ${mail}
 * waits. *${ret}: a write to answer now, if any. Fails (verdict): ERR_IO,
 * ERR_CORRUPT.
 */
MUST_CHECK enum err writer_import_turn(
    struct writer *w, bool mail, struct write **ret);

/* End the first large one by ${rc}, and give it to be answered; or NULL. */
struct write *writer_import_stop(
    struct writer *w, enum err rc, const struct why *why);

#endif
