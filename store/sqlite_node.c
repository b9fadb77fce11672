/*
 * The one node of a SQLite store: who has the lock. Its lease is the lock, so
 * there is nothing to write to keep it. But a lock can be lost, by a hand that
 * removes its file; then another process may join, and our epoch is not the
 * node's any more.
 */
#include "store/sqlite_internal.h"

static enum err on_epoch(void *arg, sqlite3_stmt *row)
{
	uint64_t *epoch = arg;

	*epoch = (uint64_t)sqlite3_column_int64(row, 0);
	return OK;
}

/* From now on the file is the other's. */
static enum err lost(struct sqlite_db *d, const char *how)
{
	err_why(&d->base.why, "%s: %s", d->path, how);
	d->sound = false;
	return ERR_CONFLICT;
}

enum err sqlite_node_join(struct engine_db *db, uint64_t *ret_epoch)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	uint64_t epoch = 0;
	enum err rc;

	rc = sqlite_begin(db);
	if (rc != OK)
		return rc;
	rc = sqlite_run(d, SQL_NODE_JOIN, SQL_WITH(SQL_INT(SQLITE_NODE)), NULL);
	if (rc == OK)
		rc = sqlite_one(d, SQL_NODE_EPOCH,
		    SQL_WITH(SQL_INT(SQLITE_NODE)), on_epoch, &epoch);
	if (rc == OK)
		rc = sqlite_commit(db);
	else
		sqlite_rollback(db);
	if (rc == OK)
		*ret_epoch = d->epoch = epoch;
	return rc;
}

enum err sqlite_node_check(struct sqlite_db *d)
{
	uint64_t epoch = 0;
	enum err rc;

	if (d->epoch == 0)
		return OK;
	rc = sqlite_one(d, SQL_NODE_EPOCH, SQL_WITH(SQL_INT(SQLITE_NODE)),
	    on_epoch, &epoch);
	if (rc == ERR_NOT_FOUND)
		return sqlite_corrupt(d, "the table nodes is empty");
	if (rc == OK && epoch != d->epoch)
		rc = lost(d, "another process has taken over the store");
	return rc;
}

enum err sqlite_node_renew(struct engine_db *db, int64_t ms)
{
	struct sqlite_db *d = (struct sqlite_db *)db;

	(void)ms; /* the lock is held as long as we live */
	if (sqlite_place_holds(d->path, d->lock_fd))
		return OK;
	return lost(d, "its lock was removed or replaced while it was in use");
}

enum err sqlite_node_take(struct engine_db *db, uint32_t limit, uint32_t *ret_n)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	int changed = 0;
	enum err rc;

	rc = sqlite_begin(db);
	if (rc != OK)
		return rc;
	rc = sqlite_run(d, SQL_NODE_TAKE,
	    SQL_WITH(SQL_INT(SQLITE_NODE), SQL_INT(d->epoch), SQL_INT(limit)),
	    &changed);
	if (rc == OK)
		rc = sqlite_commit(db);
	else
		sqlite_rollback(db);
	if (rc == OK)
		*ret_n = (uint32_t)changed;
	return rc;
}
