/*
 * Deleting. What a reader sees is a record, so taking that away is all there is
 * to it; the payload of a large execution is thousands of pages, each of which
 * is overwritten with zeros (secure_delete), so it is only named in the trash
 * and dropped from there a few pages at a time.
 */
#include "store/sqlite_internal.h"

#include "store/base/log.h"

static struct sqlite_db *inside(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;

	ASSERT(d->writer && d->open);
	return d;
}

enum err sqlite_execution_delete(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc;

	rc = sqlite_run(d, SQL_TOMBSTONE_PUT,
	    SQL_WITH(SQL_INT(row), SQL_INT(deleted_ms)), &changed);
	if (rc == OK && changed == 0)
		return ERR_NOT_FOUND;
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_EXECUTION_DELETE, SQL_WITH(SQL_INT(row)), NULL);
	/*
	 * Its live rows, if any, belong to nobody from now on, and go with the
	 * prefix. So its number must not come back: keep it in mind for good.
	 */
	if (rc == OK)
		rc = sqlite_run(d, SQL_STATE_EXECUTION,
		    SQL_WITH(SQL_INT(d->next_execution)), NULL);
	if (rc == OK)
		rc = sqlite_run(d, SQL_TRASH_PUT, SQL_WITH(SQL_INT(row)), NULL);
	return rc;
}

enum err sqlite_payload_delete(
    struct engine_db *db, int64_t row, int64_t deleted_ms)
{
	struct sqlite_db *d = inside(db);
	int changed = 0;
	enum err rc;

	rc = sqlite_run(d, SQL_PAYLOAD_DELETE,
	    SQL_WITH(SQL_INT(row), SQL_INT(deleted_ms)), &changed);
	if (rc == OK && changed == 0)
		return ERR_CONFLICT;
	if (rc == OK)
		rc = sqlite_run(d, SQL_TRASH_PUT, SQL_WITH(SQL_INT(row)), NULL);
	return rc;
}

/* Segments of one execution that may go in this step. */
struct dropping {
	int64_t last; /* the last one's id */
	size_t bytes, max_bytes;
	bool any, left;
};

static enum err on_size(void *arg, sqlite3_stmt *row)
{
	struct dropping *p = arg;

	if (p->bytes >= p->max_bytes) {
		p->left = true;
		return SQLITE_ENOUGH;
	}
	p->last = sqlite3_column_int64(row, 0);
	p->bytes += (size_t)sqlite3_column_int64(row, 1);
	p->any = true;
	return OK;
}

static enum err on_request_size(void *arg, sqlite3_stmt *row)
{
	struct dropping *p = arg;

	p->left = p->bytes > 0 && p->bytes >= p->max_bytes;
	if (!p->left)
		p->bytes += (size_t)sqlite3_column_bytes(row, 0);
	return OK;
}

static enum err drop_one(struct sqlite_db *d, int64_t row, struct dropping *p)
{
	int64_t base;
	enum err rc;

	if (row < 1 || row > INT64_MAX >> SQLITE_INDEX_BITS)
		return sqlite_corrupt(d, "the trash is broken");
	base = row << SQLITE_INDEX_BITS;
	p->any = p->left = false;
	rc = sqlite_each(d, SQL_SEGMENT_SIZES,
	    SQL_WITH(
		SQL_INT(base), SQL_INT(base + (int64_t)SQLITE_INDEX_LIMIT - 1)),
	    on_size, p);
	if (rc == OK && p->any)
		rc = sqlite_run(d, SQL_SEGMENTS_DELETE,
		    SQL_WITH(SQL_INT(base), SQL_INT(p->last)), NULL);
	if (rc != OK || p->left)
		return rc;
	rc = sqlite_one(
	    d, SQL_REQUEST_GET, SQL_WITH(SQL_INT(row)), on_request_size, p);
	if (rc == ERR_NOT_FOUND)
		rc = OK;
	if (rc == OK && p->left)
		return OK;
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_REQUEST_DELETE, SQL_WITH(SQL_INT(row)), NULL);
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_TRASH_DELETE, SQL_WITH(SQL_INT(row)), NULL);
	return rc;
}

static enum err on_row(void *arg, sqlite3_stmt *row)
{
	int64_t *n = arg;

	*n = sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_trash_drop(struct engine_db *db, uint32_t limit,
    size_t max_bytes, size_t *ret_bytes, bool *ret_left)
{
	struct sqlite_db *d = inside(db);
	struct dropping p = { .max_bytes = max_bytes };
	int64_t row = INT64_MIN;
	enum err rc = OK;

	while (rc == OK && !p.left) {
		rc = sqlite_one(
		    d, SQL_TRASH, SQL_WITH(SQL_INT(row)), on_row, &row);
		if (rc != OK)
			break;
		if (limit-- == 0 || (p.bytes > 0 && p.bytes >= max_bytes))
			p.left = true;
		else
			rc = drop_one(d, row, &p);
	}
	if (rc == ERR_NOT_FOUND)
		rc = OK;
	if (rc == OK) {
		d->trashed = d->trashed || p.bytes > 0;
		*ret_bytes = p.bytes;
		*ret_left = p.left;
	}
	return rc;
}

enum err sqlite_tombstones_drop(struct engine_db *db, int64_t before_ms,
    uint32_t limit, uint32_t *ret_dropped)
{
	int changed = 0;
	enum err rc;

	/* Usage does not forget them, and must not learn of them twice. */
	rc = sqlite_run(inside(db), SQL_TOMBSTONES_SETTLE,
	    SQL_WITH(SQL_INT(before_ms), SQL_INT(limit)), NULL);
	if (rc == OK)
		rc = sqlite_run(inside(db), SQL_TOMBSTONES_DROP,
		    SQL_WITH(SQL_INT(before_ms), SQL_INT(limit)), &changed);
	if (rc == OK)
		*ret_dropped = (uint32_t)changed;
	return rc;
}
