/*
 * sqlite_internal: what the files of the SQLite engine share.
 *
 * Used by: store/sqlite*.c alone.     Thread: the connection's.
 */
#ifndef STORE_SQLITE_INTERNAL_H
#define STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/engine.h"
#include "store/sqlite_sql.h"

/* "spol": PRAGMA application_id of every store. */
#define SQLITE_STORE_ID 0x73706f6c

/* A log's chunks are numbered below this: segments.id has room for it. */
#define SQLITE_INDEX_BITS 24
#define SQLITE_INDEX_LIMIT ((uint64_t)1 << SQLITE_INDEX_BITS)

/* The file that holds room for bad times: the store's name and this. */
#define SQLITE_ASIDE "-reserve"

/* Who has the lock is this node. */
#define SQLITE_NODE 1

/* What a segment may unpack to, whatever its row says. */
#define SQLITE_SEGMENT_MAX_BYTES ((size_t)64 << 20)

/* How long the writer waits for a stranger's lock (a shell that looks), ms. */
#define SQLITE_WRITER_WAIT_MS 2000

struct sqlite_db {
	struct engine_db base;
	sqlite3 *db;
	sqlite3_stmt *stmt[N_SQL]; /* NULL: not asked yet, by a reader */
	bool writer;
	bool open;     /* between begin and commit or rollback */
	bool sound;    /* the file is ours, and no error of it was met */
	enum err lost; /* why SQLite rolled it back under us; OK: it has not */
	char *path;
	int lock_fd; /* -1 for readers */

	/* The writer's: the next numbers, and the block being filled. */
	int64_t next_execution, next_seq;
	struct buf block;
	int64_t block_seq, block_ms;
	uint32_t block_n;

	uint64_t epoch; /* of the node that we are; 0: none yet */
	bool shrinking; /* giving pages back, until few are free */
	bool copy_all;	/* the next tidy() need not find it worth while */
	bool trashed;	/* room came free that may not be wanted again soon */

	/* Frames in the WAL, and how many were copied back already. */
	int wal_frames, wal_copied;
	int wal_tidied; /* frames when tidy() looked last */

	void *unzip; /* ZSTD_DCtx, made when first needed */
};

/* --- sqlite_step.c: binding and stepping, one helper per shape --- */

struct sqlite_value {
	enum { SQL_IS_NULL, SQL_IS_INT, SQL_IS_TEXT, SQL_IS_BLOB } kind;
	int64_t number;
	const void *data; /* lent for the call */
	size_t len;
};

#define SQL_INT(v)                                         \
	{                                                  \
		.kind = SQL_IS_INT, .number = (int64_t)(v) \
	}
#define SQL_BLOB(p, n)                                       \
	{                                                    \
		.kind = SQL_IS_BLOB, .data = (p), .len = (n) \
	}
#define SQL_CHARS(p, n)                                      \
	{                                                    \
		.kind = SQL_IS_TEXT, .data = (p), .len = (n) \
	}
#define SQL_TEXT(s) SQL_CHARS((s), (s) == NULL ? 0 : strlen(s))
#define SQL_ID(id) SQL_BLOB((id)->byte, sizeof((id)->byte))

/*
 * Make the statement of ${q} ready, which a reading connection does when it is
 * first asked: the writing one has tried all texts, and most are asked of none.
 */
MUST_CHECK enum err sqlite_prepare(struct sqlite_db *d, enum sqlite_sql q);

/* The values of one statement, ended by themselves. */
#define SQL_WITH(...)                                              \
	(const struct sqlite_value[]){ __VA_ARGS__ },              \
	    sizeof((const struct sqlite_value[]){ __VA_ARGS__ }) / \
		sizeof(struct sqlite_value)
#define SQL_NOTHING NULL, 0

/* One row, lent. What it returns ends the walk when it is not OK. */
typedef enum err sqlite_row_fn(void *arg, sqlite3_stmt *row);

/*
 * Ask a question that gives no rows. *${ret_changed}, when not NULL, is the
 * number of rows it touched. Fails: ERR_CONFLICT, a key is taken.
 */
MUST_CHECK enum err sqlite_run(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, int *ret_changed);

/* Ask for at most one row. Fails: ERR_NOT_FOUND. */
MUST_CHECK enum err sqlite_one(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, sqlite_row_fn *on_row, void *arg);

/* Ask for rows. on_row may say SQLITE_ENOUGH to end the walk with OK. */
MUST_CHECK enum err sqlite_each(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, sqlite_row_fn *on_row, void *arg);
#define SQLITE_ENOUGH ERR_CANCELLED

/*
 * SQLite's code in the house's words; fills d->base.why. After ERR_IO and
 * ERR_CORRUPT the connection leaves the file as it is, also when it closes.
 */
enum err sqlite_failed(struct sqlite_db *d, int code);

/* Stored data that is not what was written. */
enum err sqlite_corrupt(struct sqlite_db *d, const char *what);

/* A copy of a column's text, or NULL for NULL. Fails: ERR_NOMEM. */
MUST_CHECK enum err sqlite_text(
    sqlite3_stmt *row, int column, char **ret, size_t *ret_len);

/* --- sqlite_place.c: is the place fit, and is it ours alone --- */

/*
 * Where ${url} lies. Gives: *ret for free(). Fails: ERR_INPUT with why,
 * ERR_NOMEM.
 */
MUST_CHECK enum err sqlite_place_path(
    const char *url, char **ret, struct why *why);

/*
 * Look at the directory and the file, take the lock, and make the file when it
 * is missing (*ret_made). Fails as store_open(), leaving all as it was.
 */
MUST_CHECK enum err sqlite_place_take(
    const char *path, int *ret_lock_fd, bool *ret_made, struct why *why);

/* The same for a file that is there: makes none. Fails: also ERR_NOT_FOUND. */
MUST_CHECK enum err sqlite_place_hold(
    const char *path, int *ret_lock_fd, struct why *why);

/* The same where no store is yet, nor what is left of one: ERR_CONFLICT. */
MUST_CHECK enum err sqlite_place_reserve(
    const char *path, int *ret_lock_fd, struct why *why);

/*
 * Let the lock go; unlinks the file and what lies beside it when ${made}, which
 * a failed open does.
 */
void sqlite_place_release(const char *path, int lock_fd, bool made);

/* Is the lock still the file of that name? Who finds another takes that. */
bool sqlite_place_holds(const char *path, int lock_fd);

/* --- sqlite_read.c --- */

struct sqlite_row {
	struct execution e;
	uint64_t packed;
};

/* Read the columns of COLUMNS into an empty ${ret}. */
MUST_CHECK enum err sqlite_read_execution(
    sqlite3_stmt *row, bool whole, struct sqlite_row *ret);

/* Why it is not there: ERR_GONE if there is a tombstone, else ERR_NOT_FOUND. */
MUST_CHECK enum err sqlite_gone(
    struct sqlite_db *d, const struct id *id, const char *owner);

/* ERR_CORRUPT: ${what} ("record" …) of ${id} is not what was written. */
enum err sqlite_broken(
    struct sqlite_db *d, const char *what, const struct id *id);
/* The same of the record in ${row}, which has COLUMNS. */
enum err sqlite_broken_row(struct sqlite_db *d, sqlite3_stmt *row);

/* Fill ${e}->request. */
MUST_CHECK enum err sqlite_read_request(
    struct sqlite_db *d, struct execution *e);

/* --- sqlite_live.c: blocks of live chunks --- */

/* Write the block that is being filled, if any. */
MUST_CHECK enum err sqlite_live_flush(struct sqlite_db *d);

/* Forget it. */
void sqlite_live_discard(struct sqlite_db *d);

struct sqlite_live_chunk {
	int64_t row, seq;
	struct chunk c;
};

/*
 * Every live chunk in the order of commits, dead ones too; lends. ${arg}'s
 * function may say SQLITE_ENOUGH.
 */
MUST_CHECK enum err sqlite_live_each(struct sqlite_db *d,
    enum err (*on_chunk)(void *arg, const struct sqlite_live_chunk *c),
    void *arg);

/*
 * As sqlite_live_each(), from the block at ${from} on, up to about
 * ${max_bytes}; a block that cannot be read is told to ${on_damage} and passed.
 * *${ret_next}: behind the last block.
 */
MUST_CHECK enum err sqlite_live_some(struct sqlite_db *d, int64_t from,
    size_t max_bytes,
    enum err (*on_chunk)(void *arg, const struct sqlite_live_chunk *c),
    enum err (*on_damage)(void *arg, const char *what), void *arg,
    int64_t *ret_next);

/* --- sqlite_sum.c --- */

/*
 * What a disk kept wrong must not become a chunk: behind each block and each
 * segment's payload lies the sum of it, of its key and of its count of chunks.
 */
#define SQLITE_SUM_BYTES 4

/*
 * The same for records: the SQL function spool_sum(values …), by which a
 * statement writes the column sum, and asks whether it holds. Gives SQLite's
 * code.
 */
MUST_CHECK int sqlite_sum_teach(sqlite3 *db);

void sqlite_sum(int64_t key, int64_t n, const void *data, size_t len,
    char ret[SQLITE_SUM_BYTES]);

/*
 * Do the last bytes of the *${len} at ${data} (maybe NULL) hold the sum of
 * those before? Then *${len} is from now on without them.
 */
bool sqlite_sum_holds(int64_t key, int64_t n, const void *data, size_t *len);

/* --- sqlite_write.c --- */

/* ERR_LIMIT: no row has room for ${s}. */
MUST_CHECK enum err sqlite_segment_fits(
    struct sqlite_db *d, const struct engine_segment *s);

/* A row of segments: ${s}, which fits, of the execution ${row}. */
MUST_CHECK enum err sqlite_segment_row(
    struct sqlite_db *d, int64_t row, const struct engine_segment *s);

/* --- sqlite_seen.c --- */

/*
 * A look in steps goes on behind the last row it saw. In a damaged tree that may
 * lie before it, and the look would never end: ERR_CORRUPT when ${key} is less
 * than *${least}, which becomes the next after ${key}.
 */
MUST_CHECK enum err sqlite_seen_next(
    struct sqlite_db *d, int64_t *least, int64_t key);

/* --- sqlite_page.c --- */

/* The plain form of a zstd payload. Gives: *ret for free(). ERR_CORRUPT. */
MUST_CHECK enum err sqlite_unzip(struct sqlite_db *d, const void *payload,
    size_t len, size_t raw_len, char **ret);

/* --- sqlite_usage.c --- */

/*
 * The execution ${row}, whose record has its status, owner, target and attempts,
 * ends with this transaction: note what it used, and add it to the day's sums,
 * unless that was done before (${counted}).
 */
MUST_CHECK enum err sqlite_usage_settle(struct sqlite_db *d, int64_t row,
    const char *metadata, size_t len, int64_t finished_ms, bool counted);

/* --- the questions of store/engine.h, by file --- */

/* sqlite_place.c */
enum err sqlite_look(const struct store_options *options,
    struct store_look *ret, struct why *why);

/* sqlite_open.c */
bool sqlite_accepts(const char *url);
enum err sqlite_open(const struct store_options *options,
    struct engine_db **ret, struct why *why);
enum err sqlite_open_reader(const struct store_options *options,
    struct engine_db **ret, struct why *why);
enum err sqlite_open_alone(const struct store_options *options,
    struct engine_db **ret, struct why *why);
void sqlite_close(struct engine_db *db);

/* sqlite_write.c */
enum err sqlite_begin(struct engine_db *db);
enum err sqlite_commit(struct engine_db *db);
void sqlite_rollback(struct engine_db *db);
enum err sqlite_execution_insert(struct engine_db *db, struct execution *e);
enum err sqlite_execution_by_key(struct engine_db *db, const char *owner,
    const char *key, struct execution *ret);
enum err sqlite_execution_note(struct engine_db *db, const struct execution *e,
    const char *note, size_t len);
enum err sqlite_execution_start(struct engine_db *db, const struct execution *e,
    const char *target, uint32_t attempt, int64_t started_ms);
enum err sqlite_execution_end(struct engine_db *db, const struct execution *e,
    const struct engine_end *end);
enum err sqlite_segment_put(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s);

/* sqlite_import.c */
enum err sqlite_import_begin(struct engine_db *db, int64_t *ret_row);
enum err sqlite_import_segment(
    struct engine_db *db, int64_t row, const struct engine_segment *s);
enum err sqlite_import_finish(struct engine_db *db, struct execution *e);
enum err sqlite_import_drop(
    struct engine_db *db, uint32_t limit, bool *ret_left);

/* sqlite_usage.c */
enum err sqlite_usage_list(struct engine_db *db, const struct tally_filter *f,
    struct tally_row *ret, uint32_t *ret_n);

/* sqlite_trash.c */
enum err sqlite_execution_delete(
    struct engine_db *db, int64_t row, int64_t deleted_ms);
enum err sqlite_payload_delete(
    struct engine_db *db, int64_t row, int64_t deleted_ms);
enum err sqlite_trash_drop(struct engine_db *db, uint32_t limit,
    size_t max_bytes, size_t *ret_bytes, bool *ret_left);
enum err sqlite_tombstones_drop(struct engine_db *db, int64_t before_ms,
    uint32_t limit, uint32_t *ret_dropped);

/* sqlite_audit.c */
enum err sqlite_audit_put(struct engine_db *db, const struct audit *a,
    const struct audit_counts *gone, int64_t now_ms);
enum err sqlite_audit_list(struct engine_db *db, int64_t before, uint32_t limit,
    struct audit_entry *ret, uint32_t *ret_n);

/* sqlite_live.c */
enum err sqlite_chunk_append(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq);
enum err sqlite_chunks_drop(struct engine_db *db, int64_t before,
    uint32_t limit, uint32_t *ret_dropped);
enum err sqlite_live_load(
    struct engine_db *db, const struct engine_live *to, int64_t *ret_last);

/* sqlite_vault.c */
enum err sqlite_provider_key_put(
    struct engine_db *db, const struct provider_key *k);
enum err sqlite_provider_key_delete(
    struct engine_db *db, const char *owner, const char *upstream);
enum err sqlite_provider_keys_load(struct engine_db *db, void *arg,
    enum err (*on_key)(void *arg, const struct provider_key *k));

/* sqlite_names.c: keys and prompts */
enum err sqlite_key_insert(struct engine_db *db, const struct key *k);
enum err sqlite_key_revoke(struct engine_db *db, const struct id *id,
    const char *owner, int64_t revoked_ms);
enum err sqlite_keys_load(struct engine_db *db, void *arg,
    enum err (*on_key)(void *arg, const struct key *k), uint32_t *ret_damaged);
enum err sqlite_prompt_insert(struct engine_db *db, struct prompt *p);
enum err sqlite_prompt_delete(
    struct engine_db *db, const char *owner, const char *name);
enum err sqlite_prompt_get(struct engine_db *db, const char *owner,
    const char *name, uint32_t version, struct prompt *ret);
enum err sqlite_prompt_list(struct engine_db *db, const char *owner,
    const char *after, uint32_t limit, struct prompt *ret, uint32_t *ret_n);

/* sqlite_stream.c */
enum err sqlite_stream_insert(struct engine_db *db, struct stream *s);
enum err sqlite_stream_grown(struct engine_db *db, const struct stream *s);
enum err sqlite_stream_renewed(
    struct engine_db *db, int64_t row, int64_t expires_ms);
enum err sqlite_stream_hide(
    struct engine_db *db, const struct stream *s, int64_t deleted_ms);
enum err sqlite_stream_delete(struct engine_db *db, const struct stream *s);
enum err sqlite_stream_expired(struct engine_db *db, int64_t now_ms,
    uint32_t limit, struct stream *ret, uint32_t *ret_n);
enum err sqlite_stream_get(struct engine_db *db, const char *owner,
    const char *name, struct stream *ret);
enum err sqlite_stream_at(
    struct engine_db *db, int64_t row, struct stream *ret);
enum err sqlite_stream_list(struct engine_db *db, const char *owner,
    const char *after, uint32_t limit, struct stream *ret, uint32_t *ret_n);
enum err sqlite_producer_get(struct engine_db *db, int64_t row,
    const char *producer, struct stream_producer *ret);
enum err sqlite_producer_put(struct engine_db *db, int64_t row,
    const struct stream_tuple *t, bool known, uint64_t used);
/* Each stream that is open or not all packed, in the order of numbers. */
MUST_CHECK enum err sqlite_stream_live(struct sqlite_db *d, void *arg,
    enum err (*on_stream)(void *arg, const struct stream *s));

/* sqlite_read.c */
enum err sqlite_execution_get(struct engine_db *db, const struct id *id,
    const char *owner, struct execution *ret);
enum err sqlite_execution_list(struct engine_db *db,
    const struct query_filter *f, bool whole, struct execution *ret,
    uint32_t *ret_n);
enum err sqlite_execution_brief(struct engine_db *db, const struct id *id,
    const char *owner, struct execution_brief *ret);
enum err sqlite_execution_walk(struct engine_db *db,
    const struct query_filter *f, struct execution_brief *ret, uint32_t *ret_n);
enum err sqlite_tombstone_get(struct engine_db *db, const struct id *id,
    const char *owner, int64_t *ret_deleted_ms);

/* sqlite_page.c */
enum err sqlite_chunk_page(struct engine_db *db, const struct id *id,
    const char *owner, const struct page_query *q, struct page *ret);

/* sqlite_copy.c */
enum err sqlite_copy_begin(struct engine_db *db, const char *path,
    uint64_t reserve, struct engine_copy **ret);
enum err sqlite_copy_step(struct engine_copy *c, int pages, bool *ret_done);
void sqlite_copy_end(struct engine_copy *c);
enum err sqlite_copy_accept(
    const struct store_options *options, const char *from, struct why *why);

/* sqlite_seen.c */
enum err sqlite_seen_executions(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to);
enum err sqlite_seen_segments(struct engine_db *db, int64_t row, uint64_t from,
    int64_t last, size_t max_bytes, const struct engine_seen *to);
enum err sqlite_seen_chunks(struct engine_db *db, int64_t from,
    size_t max_bytes, const struct engine_seen *to, int64_t *ret_next);
enum err sqlite_seen_requests(struct engine_db *db, int64_t after,
    uint32_t limit, size_t max_bytes, const struct engine_seen *to);
enum err sqlite_seen_keys(struct engine_db *db, int64_t after, uint32_t limit,
    const struct engine_seen *to);
enum err sqlite_seen_prompts(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to);
enum err sqlite_seen_trash(struct engine_db *db, int64_t after, uint32_t limit,
    const struct engine_seen *to);
enum err sqlite_seen_tombstones(struct engine_db *db, const struct id *after,
    uint32_t limit, const struct engine_seen *to);
enum err sqlite_seen_streams(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to);
enum err sqlite_seen_producers(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to);
enum err sqlite_seen_files(struct engine_db *db, bool quick, uint64_t max_bytes,
    const struct engine_seen *to, bool *ret_looked);

/* sqlite_node.c */
enum err sqlite_node_join(struct engine_db *db, uint64_t *ret_epoch);
enum err sqlite_node_renew(struct engine_db *db, int64_t ms);
enum err sqlite_node_take(
    struct engine_db *db, uint32_t limit, uint32_t *ret_n);
/* In a transaction: are we still the node that we were? ERR_CONFLICT. */
MUST_CHECK enum err sqlite_node_check(struct sqlite_db *d);

/* sqlite_aside.c */
enum err sqlite_set_aside(struct engine_db *db, uint64_t bytes);
/* The disk's figures into ${ret}; they stay 0 when it does not tell. */
void sqlite_aside_stats(const struct sqlite_db *d, struct engine_stats *ret);

/* sqlite_tidy.c */
enum err sqlite_tidy(struct engine_db *db);
enum err sqlite_shrink(struct engine_db *db, int ms, bool *ret_left);
void sqlite_stats(struct engine_db *db, struct engine_stats *ret);
uint64_t sqlite_wal_bytes(const struct sqlite_db *d);
int sqlite_tidy_committed(void *arg, sqlite3 *db, const char *name, int frames);

#endif
