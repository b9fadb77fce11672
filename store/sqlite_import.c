#include "store/sqlite_internal.h"

#include <string.h>

#include "store/base/log.h"

static struct sqlite_db *inside(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;

	ASSERT(d->writer && d->open);
	return d;
}

enum err sqlite_import_begin(struct engine_db *db, int64_t *ret_row)
{
	struct sqlite_db *d = inside(db);
	int64_t row = d->next_execution;
	enum err rc;

	rc = sqlite_run(d, SQL_IMPORT_NOTE, SQL_WITH(SQL_INT(row)), NULL);
	/* No record says yet that the number is taken: keep it in mind. */
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_STATE_EXECUTION, SQL_WITH(SQL_INT(row + 1)), NULL);
	if (rc != OK)
		return rc;
	d->next_execution++;
	*ret_row = row;
	return OK;
}

enum err sqlite_import_segment(
    struct engine_db *db, int64_t row, const struct engine_segment *s)
{
	struct sqlite_db *d = inside(db);
	enum err rc = sqlite_segment_fits(d, s);

	return rc == OK ? sqlite_segment_row(d, row, s) : rc;
}

/* NULL for a hash that was never made. */
static const void *hash_or_null(const uint8_t hash[DIGEST_BYTES])
{
	static const uint8_t none[DIGEST_BYTES];

	return memcmp(hash, none, DIGEST_BYTES) == 0 ? NULL : hash;
}

static enum err insert(
    struct sqlite_db *d, const struct execution *e, int64_t row)
{
	return sqlite_run(d, SQL_IMPORT_EXECUTION,
	    SQL_WITH(SQL_INT(row), SQL_ID(&e->id), SQL_TEXT(e->owner),
		SQL_INT(e->status), SQL_TEXT(e->model), SQL_TEXT(e->target),
		SQL_TEXT(e->prompt), SQL_INT(e->created_ms),
		SQL_INT(e->started_ms), SQL_INT(e->first_chunk_ms),
		SQL_INT(e->finished_ms), SQL_INT(e->next_index),
		SQL_INT(e->attempts), SQL_TEXT(e->error_code),
		SQL_TEXT(e->idempotency_key),
		SQL_BLOB(hash_or_null(e->request_hash), DIGEST_BYTES),
		SQL_CHARS(e->metadata, e->metadata_len), SQL_INT(e->bytes),
		SQL_INT(e->metadata_len)),
	    NULL);
}

static enum err on_number(void *arg, sqlite3_stmt *row)
{
	int64_t *n = arg;

	*n = sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_import_finish(struct engine_db *db, struct execution *e)
{
	struct sqlite_db *d = inside(db);
	int64_t row = e->row == 0 ? d->next_execution : e->row;
	int tombstones = 0;
	int64_t settled = 0;
	enum err rc;

	ASSERT(execution_ended(e->status));
	rc = insert(d, e, row);
	/* Brought back, it is not gone any more; its usage never was. */
	if (rc == OK)
		rc = sqlite_run(d, SQL_TOMBSTONE_DELETE,
		    SQL_WITH(SQL_ID(&e->id)), &tombstones);
	if (rc == OK && tombstones == 0)
		rc = sqlite_one(d, SQL_SETTLED, SQL_WITH(SQL_ID(&e->id)),
		    on_number, &settled);
	if (rc == ERR_NOT_FOUND)
		rc = OK;
	if (rc == OK && e->payload_deleted_ms != 0)
		rc = sqlite_run(d, SQL_PAYLOAD_DELETE,
		    SQL_WITH(SQL_INT(row), SQL_INT(e->payload_deleted_ms)),
		    NULL);
	else if (rc == OK)
		rc = sqlite_run(d, SQL_REQUEST_INSERT,
		    SQL_WITH(
			SQL_INT(row), SQL_CHARS(e->request, e->request_len)),
		    NULL);
	if (rc == OK)
		rc = sqlite_usage_settle(d, row, e->metadata, e->metadata_len,
		    e->finished_ms, tombstones > 0 || settled != 0);
	if (rc == OK && e->row != 0)
		rc = sqlite_run(
		    d, SQL_IMPORT_FORGET, SQL_WITH(SQL_INT(row)), NULL);
	if (rc != OK)
		return rc;
	if (e->row == 0)
		d->next_execution++;
	e->row = row;
	return OK;
}

enum err sqlite_import_drop(
    struct engine_db *db, uint32_t limit, bool *ret_left)
{
	struct sqlite_db *d = inside(db);
	int64_t row = 0, from;
	int dropped = 0;
	enum err rc;

	rc = sqlite_one(d, SQL_IMPORT_FIRST, SQL_NOTHING, on_number, &row);
	if (rc == ERR_NOT_FOUND) {
		*ret_left = false;
		return OK;
	}
	from = row << SQLITE_INDEX_BITS;
	if (rc == OK)
		rc = sqlite_run(d, SQL_IMPORT_DROP,
		    SQL_WITH(SQL_INT(from),
			SQL_INT(from + (int64_t)SQLITE_INDEX_LIMIT),
			SQL_INT(limit)),
		    &dropped);
	if (rc == OK && dropped < (int)limit)
		rc = sqlite_run(
		    d, SQL_IMPORT_FORGET, SQL_WITH(SQL_INT(row)), NULL);
	if (rc == OK)
		*ret_left = true;
	return rc;
}
