#include "store/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

static struct sqlite_db *writer(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;

	ASSERT(d->writer);
	return d;
}

/* Between begin and commit. */
static struct sqlite_db *inside(struct engine_db *db)
{
	struct sqlite_db *d = writer(db);

	ASSERT(d->open);
	return d;
}

/*
 * Is the file still where everybody looks for it? What is written to one that
 * was removed or replaced is gone with the process.
 */
static enum err still_there(struct sqlite_db *d)
{
	int moved = 0, code;

	code =
	    sqlite3_file_control(d->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
	if (code != SQLITE_OK)
		return sqlite_failed(d, code);
	if (!moved)
		return OK;
	err_why(&d->base.why, "%s was removed or replaced while it was in use",
	    d->path);
	d->sound = false;
	return ERR_IO;
}

enum err sqlite_begin(struct engine_db *db)
{
	struct sqlite_db *d = writer(db);
	enum err rc;

	ASSERT(!d->open);
	rc = still_there(d);
	if (rc != OK)
		return rc;
	rc = sqlite_run(d, SQL_BEGIN, SQL_NOTHING, NULL);
	d->open = rc == OK;
	if (rc == OK)
		rc = sqlite_node_check(d);
	if (rc != OK && d->open)
		sqlite_rollback(db);
	return rc;
}

enum err sqlite_commit(struct engine_db *db)
{
	struct sqlite_db *d = inside(db);
	enum err rc;

	rc = sqlite_live_flush(d);
	if (rc == OK)
		rc = sqlite_run(d, SQL_COMMIT, SQL_NOTHING, NULL);
	if (rc != OK)
		sqlite_rollback(db);
	/* A log that begins again needs no room for what it has room for. */
	if (rc == ERR_FULL)
		d->copy_all = true;
	d->open = false;
	return rc;
}

void sqlite_rollback(struct engine_db *db)
{
	struct sqlite_db *d = writer(db);
	struct why why = db->why;

	sqlite_live_discard(d);
	d->lost = OK;
	d->open = false;
	if (!sqlite3_get_autocommit(d->db) &&
	    sqlite_run(d, SQL_ROLLBACK, SQL_NOTHING, NULL) != OK) {
		/* The connection is only good for close, which rolls back. */
	}
	db->why = why; /* what led here is what people want to know */
}

/* NULL for a hash that was never made. */
static const void *hash_or_null(const uint8_t hash[DIGEST_BYTES])
{
	static const uint8_t none[DIGEST_BYTES];

	return memcmp(hash, none, DIGEST_BYTES) == 0 ? NULL : hash;
}

enum err sqlite_execution_insert(struct engine_db *db, struct execution *e)
{
	struct sqlite_db *d = inside(db);
	int64_t row = d->next_execution;
	enum err rc;

	rc = sqlite_run(d, SQL_EXECUTION_INSERT,
	    SQL_WITH(SQL_INT(row), SQL_ID(&e->id), SQL_TEXT(e->owner),
		SQL_INT(e->status), SQL_TEXT(e->model == NULL ? "" : e->model),
		SQL_TEXT(e->target), SQL_TEXT(e->prompt),
		SQL_INT(e->created_ms), SQL_TEXT(e->idempotency_key),
		SQL_BLOB(hash_or_null(e->request_hash), DIGEST_BYTES),
		SQL_INT(SQLITE_NODE), SQL_INT(d->epoch),
		SQL_INT(e->request == NULL ? 0 : e->request_len)),
	    NULL);
	/* Brought back, it is not gone any more. */
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_TOMBSTONE_DELETE, SQL_WITH(SQL_ID(&e->id)), NULL);
	if (rc == OK && e->request != NULL)
		rc = sqlite_run(d, SQL_REQUEST_INSERT,
		    SQL_WITH(
			SQL_INT(row), SQL_CHARS(e->request, e->request_len)),
		    NULL);
	if (rc != OK)
		return rc;
	/* A rollback leaves a gap; a number is never used twice. */
	d->next_execution++;
	e->row = row;
	return OK;
}

static enum err on_keyed(void *arg, sqlite3_stmt *row)
{
	struct execution *e = arg;

	if (sqlite3_column_bytes(row, 1) != sizeof(e->id.byte))
		return ERR_CORRUPT;
	e->row = sqlite3_column_int64(row, 0);
	memcpy(e->id.byte, sqlite3_column_blob(row, 1), sizeof(e->id.byte));
	e->status = (enum execution_status)sqlite3_column_int(row, 2);
	memset(e->request_hash, 0, DIGEST_BYTES);
	if (sqlite3_column_bytes(row, 3) == DIGEST_BYTES)
		memcpy(
		    e->request_hash, sqlite3_column_blob(row, 3), DIGEST_BYTES);
	return OK;
}

enum err sqlite_execution_by_key(struct engine_db *db, const char *owner,
    const char *key, struct execution *ret)
{
	return sqlite_one(writer(db), SQL_EXECUTION_BY_KEY,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(key)), on_keyed, ret);
}

/* A compare-and-set that found nothing to set. */
static enum err changed_one(
    struct sqlite_db *d, enum err rc, int changed, const char *what)
{
	if (rc != OK || changed == 1)
		return rc;
	err_why(&d->base.why, "%s", what);
	return ERR_CONFLICT;
}

enum err sqlite_execution_start(struct engine_db *db, const struct execution *e,
    const char *target, uint32_t attempt, int64_t started_ms)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc;

	rc = sqlite_run(d, SQL_EXECUTION_START,
	    SQL_WITH(SQL_INT(e->row), SQL_TEXT(target), SQL_INT(attempt),
		SQL_INT(started_ms)),
	    &changed);
	return changed_one(d, rc, changed, "the execution has ended");
}

enum err sqlite_execution_note(struct engine_db *db, const struct execution *e,
    const char *note, size_t len)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc;

	rc = sqlite_run(d, SQL_EXECUTION_NOTE,
	    SQL_WITH(SQL_INT(e->row), SQL_CHARS(note, len)), &changed);
	return changed_one(d, rc, changed, "the execution has ended");
}

enum err sqlite_execution_end(struct engine_db *db, const struct execution *e,
    const struct engine_end *end)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc;

	ASSERT(execution_ended(end->status));
	rc = sqlite_run(d, SQL_EXECUTION_END,
	    SQL_WITH(SQL_INT(e->row), SQL_INT(end->status),
		SQL_INT(end->finished_ms), SQL_INT(end->first_chunk_ms),
		SQL_INT(end->next_index), SQL_TEXT(end->error_code),
		SQL_CHARS(end->metadata, end->metadata_len),
		SQL_INT(end->metadata_len)),
	    &changed);
	rc = changed_one(d, rc, changed, "the execution has ended");
	if (rc == OK)
		rc = sqlite_usage_settle(d, e->row, end->metadata,
		    end->metadata_len, end->finished_ms, false);
	return rc;
}

enum err sqlite_segment_row(
    struct sqlite_db *d, int64_t row, const struct engine_segment *s)
{
	int64_t id = row << SQLITE_INDEX_BITS | (int64_t)s->first;
	size_t len = s->payload_len;
	char *summed = malloc(len + SQLITE_SUM_BYTES);
	enum err rc;

	if (summed == NULL)
		return ERR_NOMEM;
	memcpy(summed, s->payload, len);
	sqlite_sum(id, s->n, summed, len, summed + len);
	rc = sqlite_run(d, SQL_SEGMENT_PUT,
	    SQL_WITH(SQL_INT(id), SQL_INT(s->n), SQL_INT(s->codec),
		SQL_INT(s->raw_len), SQL_BLOB(summed, len + SQLITE_SUM_BYTES)),
	    NULL);
	free(summed);
	return rc;
}

enum err sqlite_segment_fits(
    struct sqlite_db *d, const struct engine_segment *s)
{
	if (s->first + s->n <= SQLITE_INDEX_LIMIT &&
	    s->raw_len <= SQLITE_SEGMENT_MAX_BYTES)
		return OK;
	err_why(&d->base.why, "a segment is too large");
	return ERR_LIMIT;
}

enum err sqlite_segment_put(struct engine_db *db, const struct execution *e,
    const struct engine_segment *s)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc = sqlite_segment_fits(d, s);

	if (rc != OK)
		return rc;
	/* Dense by construction: it begins where the last one ended. */
	rc = sqlite_run(d, SQL_EXECUTION_PACKED,
	    SQL_WITH(SQL_INT(e->row), SQL_INT(s->first),
		SQL_INT(s->first + s->n), SQL_INT(s->first_chunk_ms),
		SQL_INT(s->payload_len)),
	    &changed);
	if (rc == OK && changed == 0)
		rc = sqlite_run(d, SQL_STREAM_PACKED,
		    SQL_WITH(SQL_INT(e->row), SQL_INT(s->first),
			SQL_INT(s->first + s->n), SQL_INT(s->payload_len)),
		    &changed);
	rc = changed_one(d, rc, changed,
	    "the segment does not begin where the last one ended");
	return rc == OK ? sqlite_segment_row(d, e->row, s) : rc;
}
