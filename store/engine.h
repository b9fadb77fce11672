/*
 * engine: the driver interface: where rows live. Nothing above store/
 * includes it.
 *
 * A driver is one file (and its statement table) exporting one const struct
 * engine; engines in engine.c are the only place that names them all.
 * Every question is expressible on PostgreSQL and on engines that shard it: it
 * names one execution or one owner, and no answer depends on the order of rows
 * across executions. The physical layout is the driver's own affair.
 *
 * Thread: the writing connection is the writer's alone; a reading connection
 * belongs to one thread at a time.
 * Fails, each function: ERR_IO, ERR_CORRUPT, ERR_FULL, ERR_NOMEM beside what is
 * said; engine_why() has the words. After ERR_IO or ERR_CORRUPT the connection
 * is only good for close.
 */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/execution.h"
#include "store/key.h"
#include "store/store_look.h"
#include "store/page.h"
#include "store/prompt.h"
#include "store/provider_key.h"
#include "store/query.h"
#include "store/store.h"
#include "store/stream.h"
#include "store/tally.h"

/* A copy under way; the driver's own. */
struct engine_copy;

/* A driver's connection; each driver embeds it first in its own struct. */
struct engine_db {
	const struct engine *engine;
	struct why why; /* of the last failure */
};

/* What ends an execution. */
struct engine_end {
	enum execution_status status;
	int64_t finished_ms, first_chunk_ms;
	uint64_t next_index;
	const char *metadata, *error_code; /* error_code may be NULL */
	size_t metadata_len;
};

/* Packed rows of one execution. */
struct engine_segment {
	uint64_t first;
	uint32_t n;
	uint32_t codec; /* 0 plain chunk_pack(), 1 the same in a zstd frame */
	const void *payload;
	size_t payload_len;
	size_t raw_len; /* bytes before compression */
	/* When the log's first chunk came; 0: not known. Kept once. */
	int64_t first_chunk_ms;
};

/* What recovery reads back; each call lends its arguments. */
struct engine_live {
	/*
	 * An execution that has not ended, or whose rows are not all packed:
	 * ${packed} is the first index that is not in a segment.
	 */
	enum err (*on_execution)(
	    void *arg, const struct execution *e, uint64_t packed);
	/* A live row, in the order of commits; row is its log's. */
	enum err (*on_chunk)(
	    void *arg, int64_t row, int64_t seq, const struct chunk *c);
	void *arg;
	/* As on_execution; s->packed is that index. NULL: not wanted. */
	enum err (*on_stream)(void *arg, const struct stream *s);
};

/*
 * What a check is told of what lies in the store. Nothing of it has been
 * believed: numbers are as they were found. Lent for the call.
 */
struct engine_seen_execution {
	int64_t row;
	struct id id;	/* zeroes when it is none */
	int64_t status; /* maybe no enum execution_status */
	int64_t created_ms, finished_ms, next_index, packed;
	const char *error_code; /* NULL: none */
	const char *metadata;	/* NULL: none */
	size_t metadata_len;
	bool has_request;
	struct tally used;
	int64_t payload_deleted_ms; /* 0: its payload is there */
	bool holds;		    /* it is what was written */
	/*
	 * Of a stream: its name, and the first index of its log; its status is
	 * that of its pages. NULL: it is an execution.
	 */
	const char *stream;
	int64_t first;
};

struct engine_seen_request {
	int64_t row;
	struct id id; /* of its execution; zeroes: none */
	/* Its execution is there with its payload; the trash has it. */
	bool owned, trashed;
	bool holds; /* it is what was written */
};

/* What ties streams together. */
struct engine_seen_stream {
	int64_t row;
	struct id id;
	const char *name;
	int64_t forks, forks_there; /* as it says; that name it as source */
	bool deleted, has_source, source_there;
};

struct engine_seen_segment {
	int64_t row; /* maybe nobody's */
	uint64_t first;
	int64_t n;
	const char *raw; /* its chunk_pack()s; NULL: it does not unpack */
	size_t raw_len;
	/* At the same moment: its execution has a payload; the trash has it. */
	bool owned, trashed;
};

struct engine_seen {
	/* An execution or a stream, in ascending order of rows. */
	enum err (*on_execution)(
	    void *arg, const struct engine_seen_execution *e);
	/* A segment, in ascending order of rows and first indices. */
	enum err (*on_segment)(void *arg, const struct engine_seen_segment *s);
	/* A live row, as engine_live. */
	enum err (*on_chunk)(void *arg, int64_t row, const struct chunk *c);
	enum err (*on_request)(void *arg, const struct engine_seen_request *r);
	/* A key's label or a prompt's name; is it what was written? */
	enum err (*on_name)(
	    void *arg, int64_t row, const char *name, bool holds);
	/* What waits to be dropped; is its execution there with its payload? */
	enum err (*on_trash)(void *arg, int64_t row, bool owned);
	/* A tombstone; is there an execution of that id? */
	enum err (*on_tombstone)(void *arg, const struct id *id, bool there);
	/* A stream, in ascending order of rows. */
	enum err (*on_stream)(void *arg, const struct engine_seen_stream *s);
	/* What producers of the stream ${row} said; is it there? */
	enum err (*on_producers)(void *arg, int64_t row, bool there);
	/* Something that cannot be read at all. */
	enum err (*on_damage)(void *arg, const char *what);
	void *arg;
};

struct engine_stats {
	uint64_t wal_bytes, db_bytes;
	/* Of the disk, as far as the store may fill it; both 0: not known. */
	uint64_t free_bytes, disk_bytes;
};

struct engine {
	const char *name;

	/* True when ${url} is this driver's to open. */
	bool (*accepts)(const char *url);

	/*
	 * Where the store lies, without opening it: fills the fields of
	 * ${ret} up to opened. Fails: ERR_INPUT, ERR_NOMEM.
	 */
	enum err (*look)(const struct store_options *options,
	    struct store_look *ret, struct why *why);

	/*
	 * The writing connection: lock, schema, pragmas. As store_open().
	 */
	enum err (*open)(const struct store_options *options,
	    struct engine_db **ret, struct why *why);

	/* A read-only connection to the same store. */
	enum err (*open_reader)(const struct store_options *options,
	    struct engine_db **ret, struct why *why);

	/*
	 * A read-only connection under the lock that proves that nobody else
	 * has the store. Makes no store and changes none. Fails: ERR_NOT_FOUND,
	 * ERR_BUSY, ERR_VERSION (another spool's tables), else as open.
	 */
	enum err (*open_alone)(const struct store_options *options,
	    struct engine_db **ret, struct why *why);

	/* Close any kind; NULL is nothing. */
	void (*close)(struct engine_db *db);

	/*
	 * --- nodes; outside a transaction ---
	 * A process that has joined is a node. What it inserts or takes carries
	 * its number and epoch. When another has taken over what it had, its
	 * epoch is not the node's any more, and nothing that it writes is
	 * stored: begin, the write or commit says ERR_CONFLICT (an engine may
	 * let the index decide that must be contiguous).
	 */

	/* Become a node, with an epoch above all that it had. */
	enum err (*node_join)(struct engine_db *db, uint64_t *ret_epoch);
	/*
	 * Stay it for ${ms} more, or as long as the engine can tell that this
	 * process lives. ERR_CONFLICT: another has taken over.
	 */
	enum err (*node_renew)(struct engine_db *db, int64_t ms);
	/*
	 * Take over up to ${limit} executions that have not ended and whose
	 * node, as it was, is gone. *${ret_n} below ${limit}: no more are left.
	 */
	enum err (*node_take)(
	    struct engine_db *db, uint32_t limit, uint32_t *ret_n);

	/* --- the writer's; between begin and commit unless said --- */

	/*
	 * ERR_BUSY: a stranger's program holds the file; later may work.
	 * ERR_CONFLICT: another node has taken over.
	 */
	enum err (*begin)(struct engine_db *db);
	/*
	 * A commit that failed is rolled back as far as the engine can tell;
	 * after ERR_IO its fate is unknown.
	 */
	enum err (*commit)(struct engine_db *db);
	void (*rollback)(struct engine_db *db);

	/*
	 * Store ${e} and set e->row. ERR_CONFLICT: the owner has used this
	 * idempotency key (ask execution_by_key).
	 */
	enum err (*execution_insert)(struct engine_db *db, struct execution *e);
	/* ERR_NOT_FOUND. Fills id, row, status, request_hash. */
	enum err (*execution_by_key)(struct engine_db *db, const char *owner,
	    const char *key, struct execution *ret);
	/*
	 * An attempt begins: status streaming; started_ms stays that of the
	 * first. ERR_CONFLICT when it has ended already.
	 */
	enum err (*execution_start)(struct engine_db *db,
	    const struct execution *e, const char *target, uint32_t attempt,
	    int64_t started_ms);
	/*
	 * Keep ${note} of it, instead of the last, until it ends; live_load
	 * gives it back. ERR_CONFLICT when it has ended already.
	 */
	enum err (*execution_note)(struct engine_db *db,
	    const struct execution *e, const char *note, size_t len);
	/*
	 * Its metadata says what it used: that is added to its day's sums in
	 * the same transaction. ERR_CONFLICT when it has ended already.
	 */
	enum err (*execution_end)(struct engine_db *db,
	    const struct execution *e, const struct engine_end *end);
	/*
	 * The record of ${row} is gone at once, and a tombstone is there
	 * instead; all that belonged to it waits for trash_drop(). Costs the
	 * same however large it is. ERR_NOT_FOUND.
	 */
	enum err (*execution_delete)(
	    struct engine_db *db, int64_t row, int64_t deleted_ms);
	/*
	 * The same for the request and the chunks alone of one that has ended.
	 * ERR_CONFLICT: it has not, or they are gone, or it is not there.
	 */
	enum err (*payload_delete)(
	    struct engine_db *db, int64_t row, int64_t deleted_ms);
	/*
	 * Drop what waits: of at most ${limit} executions, until about
	 * ${max_bytes} are gone, but at least one segment or request.
	 * *${ret_left}: there is more.
	 */
	enum err (*trash_drop)(struct engine_db *db, uint32_t limit,
	    size_t max_bytes, size_t *ret_bytes, bool *ret_left);
	/*
	 * Forget up to ${limit} deletions before ${before_ms}: all but that
	 * the day's sums have them.
	 */
	enum err (*tombstones_drop)(struct engine_db *db, int64_t before_ms,
	    uint32_t limit, uint32_t *ret_dropped);
	/*
	 * The row of ${a}'s operation: made at ${now_ms}, or its counts grow
	 * and its detail is renewed, unless it is empty.
	 * The oldest row goes when there are more than AUDIT_ROWS.
	 */
	enum err (*audit_put)(struct engine_db *db, const struct audit *a,
	    const struct audit_counts *gone, int64_t now_ms);
	/*
	 * One live row at ${c}->index, which must be the next one (the caller
	 * holds the count). *${ret_seq} grows with every call. ERR_LIMIT: the
	 * log is as long as a log may be (2^24 chunks), or the chunk as large.
	 */
	enum err (*chunk_append)(struct engine_db *db,
	    const struct execution *e, const struct chunk *c, int64_t *ret_seq);
	/*
	 * Rows [first, first + n) of the execution, or the stream, whose number
	 * is ${e}->row are from now on in this segment; its packed becomes
	 * first + n. ERR_CONFLICT: it was not first.
	 */
	enum err (*segment_put)(struct engine_db *db, const struct execution *e,
	    const struct engine_segment *s);
	/*
	 * --- an import: an ended execution, its segments made already ---
	 * A small one is one transaction: import_finish, then its segments. A
	 * large one has several: import_begin, segments, and only the last
	 * makes it visible: import_finish. One at a time.
	 */

	/* Take a number for an execution to come; until it is finished what is
	 * stored under it is there to be dropped. */
	enum err (*import_begin)(struct engine_db *db, int64_t *ret_row);
	/* A segment of ${row}; dense is the caller's duty. ERR_LIMIT. */
	enum err (*import_segment)(
	    struct engine_db *db, int64_t row, const struct engine_segment *s);
	/*
	 * The record and the request of the ended ${e}, all of whose
	 * e->next_index chunks are in segments at this commit; e->bytes is what
	 * all of it holds. Sets e->row when it is 0, else it is
	 * import_begin()'s. What it used is added to its day's sums, unless
	 * it was here before, however long ago it was deleted; its tombstone
	 * goes. ERR_CONFLICT: there is one with
	 * this id, or this idempotency key of its owner.
	 */
	enum err (*import_finish)(struct engine_db *db, struct execution *e);
	/*
	 * Drop up to ${limit} segments of imports that were not finished.
	 * *${ret_left}: there may be more.
	 */
	enum err (*import_drop)(
	    struct engine_db *db, uint32_t limit, bool *ret_left);

	/*
	 * Delete at most ${limit} live rows with seq < ${before}, oldest
	 * first: all of them are in segments or belong to nobody. They may lie
	 * in blocks of up to 100 and go with their whole block: a few just
	 * below ${before} may stay till later, and a ${limit} below 100 may be
	 * passed by that. 0 dropped: no more to drop now.
	 */
	enum err (*chunks_drop)(struct engine_db *db, int64_t before,
	    uint32_t limit, uint32_t *ret_dropped);
	/*
	 * --- streams: logs with a number of their own, of the executions' ---
	 * Rows of theirs are appended, packed and dropped as an execution's.
	 */

	/*
	 * Store ${s} and set s->row; its log begins at s->first, empty. With
	 * a source_row that has one fork more now. ERR_CONFLICT: the name is
	 * taken.
	 */
	enum err (*stream_insert)(struct engine_db *db, struct stream *s);
	/* It has grown: keep its closed, total, seq and closer. */
	enum err (*stream_grown)(struct engine_db *db, const struct stream *s);
	enum err (*stream_renewed)(
	    struct engine_db *db, int64_t row, int64_t expires_ms);
	/*
	 * It is deleted, but its forks go on reading it; s->total is exact,
	 * nothing is appended any more.
	 */
	enum err (*stream_hide)(
	    struct engine_db *db, const struct stream *s, int64_t deleted_ms);
	/*
	 * It and its producers are gone at once; its rows wait for
	 * trash_drop(). Its source, if any, has one fork less.
	 */
	enum err (*stream_delete)(struct engine_db *db, const struct stream *s);
	/* Up to ${limit} that have expired at ${now_ms}, the first first. */
	enum err (*stream_expired)(struct engine_db *db, int64_t now_ms,
	    uint32_t limit, struct stream *ret, uint32_t *ret_n);
	/* ret->known false: nothing is known of it. */
	enum err (*producer_get)(struct engine_db *db, int64_t row,
	    const char *producer, struct stream_producer *ret);
	/*
	 * Keep what it has said last; ${used} grows with each call. Of a new
	 * one when there are STREAM_MAX_PRODUCERS: the least used is forgotten.
	 */
	enum err (*producer_put)(struct engine_db *db, int64_t row,
	    const struct stream_tuple *t, bool known, uint64_t used);

	enum err (*key_insert)(struct engine_db *db, const struct key *k);
	/* ${owner} NULL: any. ERR_NOT_FOUND. */
	enum err (*key_revoke)(struct engine_db *db, const struct id *id,
	    const char *owner, int64_t revoked_ms);
	/* In place of what there was for the same owner and upstream. */
	enum err (*provider_key_put)(
	    struct engine_db *db, const struct provider_key *k);
	/* ERR_NOT_FOUND. */
	enum err (*provider_key_delete)(
	    struct engine_db *db, const char *owner, const char *upstream);
	/* Sets p->version. */
	enum err (*prompt_insert)(struct engine_db *db, struct prompt *p);
	enum err (*prompt_delete)(
	    struct engine_db *db, const char *owner, const char *name);

	/* Outside a transaction: keep the log of changes small. */
	enum err (*tidy)(struct engine_db *db);
	/*
	 * At any time: set ${bytes} of the disk aside, so that something can
	 * still be written when others have filled it; 0 gives them back, as
	 * close does. An engine without a disk of its own says OK. Fails:
	 * ERR_FULL, ERR_IO (they cannot be set aside here); nothing else
	 * suffers from either.
	 */
	enum err (*set_aside)(struct engine_db *db, uint64_t bytes);
	/*
	 * Outside a transaction: give some of the room that nothing uses back
	 * to the file system, for about ${ms} (0: the least there is). Small
	 * amounts are kept for what is written next. *${ret_left}: there is
	 * more to give back.
	 */
	enum err (*shrink)(struct engine_db *db, int ms, bool *ret_left);

	/*
	 * At start, outside a transaction. *${ret_last}: no row was ever given
	 * a seq above it.
	 */
	enum err (*live_load)(struct engine_db *db,
	    const struct engine_live *to, int64_t *ret_last);

	/* --- either connection --- */

	/* Those that cannot be read are passed over. */
	enum err (*provider_keys_load)(struct engine_db *db, void *arg,
	    enum err (*on_key)(void *arg, const struct provider_key *k));
	/* *${ret_damaged}: so many were not told, as they are damaged. */
	enum err (*keys_load)(struct engine_db *db, void *arg,
	    enum err (*on_key)(void *arg, const struct key *k),
	    uint32_t *ret_damaged);

	/* ERR_NOT_FOUND, ERR_GONE (its tombstone is there). */
	enum err (*execution_get)(struct engine_db *db, const struct id *id,
	    const char *owner, struct execution *ret);
	/* ERR_NOT_FOUND, whatever the reason. */
	enum err (*execution_brief)(struct engine_db *db, const struct id *id,
	    const char *owner, struct execution_brief *ret);
	/* As query_walk(). */
	enum err (*execution_walk)(struct engine_db *db,
	    const struct query_filter *f, struct execution_brief *ret,
	    uint32_t *ret_n);
	/* When was it deleted whole? ERR_NOT_FOUND. */
	enum err (*tombstone_get)(struct engine_db *db, const struct id *id,
	    const char *owner, int64_t *ret_deleted_ms);
	/* As query_audit(). */
	enum err (*audit_list)(struct engine_db *db, int64_t before,
	    uint32_t limit, struct audit_entry *ret, uint32_t *ret_n);
	enum err (*execution_list)(struct engine_db *db,
	    const struct query_filter *f, bool whole, struct execution *ret,
	    uint32_t *ret_n);
	/*
	 * As query_page(), from segments and live rows alone (of a stream, too,
	 * by its log's id: streaming, completed once closed, cancelled once
	 * deleted; ERR_NOT_FOUND for rows before its first): a page that
	 * begins in segments ends with them at the latest; one that begins
	 * beyond may read all live rows of the store. ERR_NOT_FOUND,
	 * ERR_GONE (it, or its payload, has been deleted).
	 */
	enum err (*chunk_page)(struct engine_db *db, const struct id *id,
	    const char *owner, const struct page_query *q, struct page *ret);
	/* As query_usage(). */
	enum err (*usage_list)(struct engine_db *db,
	    const struct tally_filter *f, struct tally_row *ret,
	    uint32_t *ret_n);
	/* ERR_NOT_FOUND; the total of one that is open is at least so much. */
	enum err (*stream_get)(struct engine_db *db, const char *owner,
	    const char *name, struct stream *ret);
	/* The same by its number. */
	enum err (*stream_at)(
	    struct engine_db *db, int64_t row, struct stream *ret);
	/* As query_streams(). */
	enum err (*stream_list)(struct engine_db *db, const char *owner,
	    const char *after, uint32_t limit, struct stream *ret,
	    uint32_t *ret_n);
	enum err (*prompt_get)(struct engine_db *db, const char *owner,
	    const char *name, uint32_t version, struct prompt *ret);
	enum err (*prompt_list)(struct engine_db *db, const char *owner,
	    const char *after, uint32_t limit, struct prompt *ret,
	    uint32_t *ret_n);
	void (*stats)(struct engine_db *db, struct engine_stats *ret);

	/*
	 * --- a copy, from the writing connection or one that is alone ---
	 * The writing connection's own commits between the steps get into it.
	 */

	/*
	 * Begin to copy the store into the new file ${path}. On the store's
	 * own disk ${reserve} bytes stay free. Fails: ERR_CONFLICT (it is
	 * there), ERR_INPUT (it cannot be made), ERR_FULL (there is no room
	 * beside it for all).
	 */
	enum err (*copy_begin)(struct engine_db *db, const char *path,
	    uint64_t reserve, struct engine_copy **ret);
	/*
	 * Copy up to ${pages} more, outside a transaction. ERR_BUSY: nothing
	 * was copied, later it may. ERR_FULL: also when others have taken what
	 * is to stay free. What fails leaves the connection good.
	 */
	enum err (*copy_step)(struct engine_copy *c, int pages, bool *ret_done);
	/* End it; a copy that is not done is removed. NULL is nothing. */
	void (*copy_end)(struct engine_copy *c);
	/*
	 * The finished copy ${from} becomes the store at the options' url,
	 * whose lock is held meanwhile. Fails: ERR_CONFLICT (there is one, or
	 * what is left of one), ERR_BUSY, ERR_INPUT.
	 */
	enum err (*copy_accept)(const struct store_options *options,
	    const char *from, struct why *why);

	/*
	 * --- a reading connection: what is there, in steps ---
	 * Each reads a bounded part and holds nothing afterwards; what the
	 * callback fails with ends it.
	 */

	/* Up to ${limit} executions and streams with a row above ${after}. */
	enum err (*seen_executions)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	/*
	 * Segments of the rows ${row} … ${last}, from index ${from} of ${row}
	 * on, up to about ${max_bytes}, at least one if there is one.
	 */
	enum err (*seen_segments)(struct engine_db *db, int64_t row,
	    uint64_t from, int64_t last, size_t max_bytes,
	    const struct engine_seen *to);
	/*
	 * Live rows from ${from} (0: the oldest) on, up to about ${max_bytes}.
	 * *${ret_next} is where to go on; ${from} itself when there were none.
	 */
	enum err (*seen_chunks)(struct engine_db *db, int64_t from,
	    size_t max_bytes, const struct engine_seen *to, int64_t *ret_next);
	/*
	 * Up to ${limit} requests of rows above ${after}, as they ascend, until
	 * about ${max_bytes} were read, but at least one.
	 */
	enum err (*seen_requests)(struct engine_db *db, int64_t after,
	    uint32_t limit, size_t max_bytes, const struct engine_seen *to);
	/* Up to ${limit} keys, prompts, as they ascend. */
	enum err (*seen_keys)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	enum err (*seen_prompts)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	/* The same of the trash. */
	enum err (*seen_trash)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	/* The same of tombstones, by id. */
	enum err (*seen_tombstones)(struct engine_db *db,
	    const struct id *after, uint32_t limit,
	    const struct engine_seen *to);
	/* Up to ${limit} streams with a row above ${after}. */
	enum err (*seen_streams)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	/* The same of rows of which producers are known. */
	enum err (*seen_producers)(struct engine_db *db, int64_t after,
	    uint32_t limit, const struct engine_seen *to);
	/*
	 * The engine's own look at its files, each damage told; ${quick}: the
	 * cheaper one. Nothing is looked at, and *${ret_looked} false, when
	 * they hold more than ${max_bytes} (0: no bound).
	 */
	enum err (*seen_files)(struct engine_db *db, bool quick,
	    uint64_t max_bytes, const struct engine_seen *to, bool *ret_looked);
};

/* The driver for ${url}. Fails: ERR_INPUT, and ${why} lists what there is. */
MUST_CHECK enum err engine_find(
    const char *url, const struct engine **ret, struct why *why);

#endif
