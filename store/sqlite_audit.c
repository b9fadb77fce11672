#include "store/sqlite_internal.h"

#include <stdio.h>
#include <string.h>

static enum err on_last(void *arg, sqlite3_stmt *row)
{
	int64_t *id = arg;

	*id = sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_audit_put(struct engine_db *db, const struct audit *a,
    const struct audit_counts *gone, int64_t now_ms)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	int64_t last = 0;
	enum err rc;

	rc = sqlite_run(d, SQL_AUDIT_PUT,
	    SQL_WITH(SQL_ID(&a->operation), SQL_INT(now_ms), SQL_TEXT(a->actor),
		SQL_TEXT(a->action), SQL_TEXT(a->subject), SQL_TEXT(a->detail),
		SQL_INT(gone->executions), SQL_INT(gone->chunks),
		SQL_INT(gone->bytes)),
	    NULL);
	if (rc == OK)
		rc = sqlite_one(d, SQL_AUDIT_LAST, SQL_NOTHING, on_last, &last);
	/* The numbers have no gaps, so this is one row at most. */
	if (rc == OK && last > AUDIT_ROWS)
		rc = sqlite_run(d, SQL_AUDIT_DROP,
		    SQL_WITH(SQL_INT(last - AUDIT_ROWS)), NULL);
	return rc;
}

struct entries {
	struct sqlite_db *d;
	struct audit_entry *list;
	uint32_t n, limit;
};

static void copy(char *dst, size_t room, sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	snprintf(dst, room, "%s", text == NULL ? "" : text);
}

static enum err on_entry(void *arg, sqlite3_stmt *row)
{
	struct entries *to = arg;
	struct audit_entry *e = &to->list[to->n];

	if (to->n == to->limit)
		return SQLITE_ENOUGH;
	*e = (struct audit_entry){
		.number = sqlite3_column_int64(row, 0),
		.at_ms = sqlite3_column_int64(row, 2),
		.last_ms = sqlite3_column_int64(row, 3),
		.gone = { (uint64_t)sqlite3_column_int64(row, 8),
		    (uint64_t)sqlite3_column_int64(row, 9),
		    (uint64_t)sqlite3_column_int64(row, 10) },
	};
	if (sqlite3_column_bytes(row, 1) != sizeof(e->what.operation.byte))
		return sqlite_corrupt(to->d, "an audit row is broken");
	memcpy(e->what.operation.byte, sqlite3_column_blob(row, 1),
	    sizeof(e->what.operation.byte));
	copy(e->what.actor, sizeof(e->what.actor), row, 4);
	copy(e->what.action, sizeof(e->what.action), row, 5);
	copy(e->what.subject, sizeof(e->what.subject), row, 6);
	copy(e->what.detail, sizeof(e->what.detail), row, 7);
	to->n++;
	return OK;
}

enum err sqlite_audit_list(struct engine_db *db, int64_t before, uint32_t limit,
    struct audit_entry *ret, uint32_t *ret_n)
{
	struct entries to = { (struct sqlite_db *)db, ret, 0, limit };
	enum err rc;

	rc = sqlite_each(to.d, SQL_AUDIT,
	    SQL_WITH(SQL_INT(before <= 0 ? INT64_MAX : before), SQL_INT(limit)),
	    on_entry, &to);
	if (rc == OK)
		*ret_n = to.n;
	return rc;
}
