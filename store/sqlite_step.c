#include "store/sqlite_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

/*
 * A write that found no room, by another name: a quota, or the index of the WAL
 * that could not grow. A failed sync is none: what it should have kept is lost.
 */
static bool is_full(struct sqlite_db *d, int code)
{
	int why = d->db == NULL ? 0 : sqlite3_system_errno(d->db);

	return (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_SHMSIZE) &&
	       (why == ENOSPC || why == EDQUOT);
}

static enum err err_of(int code)
{
	switch (code) {
	case SQLITE_IOERR_NOMEM: return ERR_NOMEM;
	case SQLITE_CONSTRAINT_UNIQUE:
	case SQLITE_CONSTRAINT_PRIMARYKEY:
	case SQLITE_CONSTRAINT_ROWID: return ERR_CONFLICT;
	}
	switch (code & 0xff) {
	case SQLITE_NOMEM: return ERR_NOMEM;
	case SQLITE_FULL: return ERR_FULL;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return ERR_BUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB: return ERR_CORRUPT;
	case SQLITE_TOOBIG: return ERR_LIMIT;
	default: return ERR_IO;
	}
}

enum err sqlite_failed(struct sqlite_db *d, int code)
{
	enum err rc = is_full(d, code) ? ERR_FULL : err_of(code);

	err_why(&d->base.why, "SQLite on %s: %s (%d)", d->path,
	    d->db == NULL ? sqlite3_errstr(code) : sqlite3_errmsg(d->db), code);
	if (rc == ERR_IO || rc == ERR_CORRUPT)
		d->sound = false;
	return rc;
}

enum err sqlite_corrupt(struct sqlite_db *d, const char *what)
{
	err_why(&d->base.why, "%s: %s", d->path, what);
	d->sound = false;
	return ERR_CORRUPT;
}

static int bind_one(sqlite3_stmt *s, int at, const struct sqlite_value *v)
{
	if (v->kind == SQL_IS_INT)
		return sqlite3_bind_int64(s, at, v->number);
	if (v->kind == SQL_IS_NULL || v->data == NULL)
		return sqlite3_bind_null(s, at);
	if (v->kind == SQL_IS_TEXT)
		return sqlite3_bind_text64(
		    s, at, v->data, v->len, SQLITE_STATIC, SQLITE_UTF8);
	return sqlite3_bind_blob64(s, at, v->data, v->len, SQLITE_STATIC);
}

enum err sqlite_prepare(struct sqlite_db *d, enum sqlite_sql q)
{
	if (sqlite3_prepare_v3(d->db, sqlite_sql(q)->text, -1,
		SQLITE_PREPARE_PERSISTENT, &d->stmt[q], NULL) != SQLITE_OK)
		return sqlite_failed(d, sqlite3_extended_errcode(d->db));
	return OK;
}

/* The statement with its values, or NULL and what went wrong in *ret. */
static sqlite3_stmt *bind(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, enum err *ret)
{
	int code = SQLITE_OK;
	sqlite3_stmt *s;

	ASSERT(d->writer || !sqlite_sql(q)->write);
	if (d->stmt[q] == NULL) {
		*ret = sqlite_prepare(d, q);
		if (*ret != OK)
			return NULL;
	}
	s = d->stmt[q];
	for (size_t i = 0; i < n && code == SQLITE_OK; i++)
		code = bind_one(s, (int)i + 1, &v[i]);
	if (code == SQLITE_OK)
		return s;
	*ret = sqlite_failed(d, code);
	sqlite3_clear_bindings(s);
	return NULL;
}

/* Lends nothing and pins nothing from here on. */
static void release(sqlite3_stmt *s)
{
	sqlite3_reset(s);
	sqlite3_clear_bindings(s);
}

enum err sqlite_each(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, sqlite_row_fn *on_row, void *arg)
{
	enum err rc = OK;
	int code = SQLITE_ROW;
	sqlite3_stmt *s;

	/* A full disk may end the whole transaction: nothing may follow it. */
	if (d->lost != OK)
		return d->lost;
	s = bind(d, q, v, n, &rc);
	if (s == NULL)
		return rc;
	while (rc == OK && (code = sqlite3_step(s)) == SQLITE_ROW)
		rc = on_row(arg, s);
	if (rc == SQLITE_ENOUGH)
		rc = OK;
	else if (rc == OK && code != SQLITE_DONE)
		rc = sqlite_failed(d, sqlite3_extended_errcode(d->db));
	release(s);
	if (rc != OK && d->open && sqlite3_get_autocommit(d->db))
		d->lost = rc;
	return rc;
}

struct first {
	sqlite_row_fn *on_row;
	void *arg;
	bool found;
};

static enum err on_first(void *arg, sqlite3_stmt *row)
{
	struct first *f = arg;
	enum err rc = f->on_row(f->arg, row);

	f->found = true;
	return rc == OK ? SQLITE_ENOUGH : rc;
}

enum err sqlite_one(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, sqlite_row_fn *on_row, void *arg)
{
	struct first f = { .on_row = on_row, .arg = arg };
	enum err rc = sqlite_each(d, q, v, n, on_first, &f);

	return rc == OK && !f.found ? ERR_NOT_FOUND : rc;
}

/* Some pragmas answer with a row; nobody wants it. */
static enum err on_ignored(void *arg, sqlite3_stmt *row)
{
	(void)arg;
	(void)row;
	return OK;
}

enum err sqlite_run(struct sqlite_db *d, enum sqlite_sql q,
    const struct sqlite_value *v, size_t n, int *ret_changed)
{
	enum err rc = sqlite_each(d, q, v, n, on_ignored, NULL);

	if (rc == OK && ret_changed != NULL)
		*ret_changed = sqlite3_changes(d->db);
	return rc;
}

enum err sqlite_text(sqlite3_stmt *row, int column, char **ret, size_t *ret_len)
{
	const void *data;
	char *text;
	size_t len;

	if (sqlite3_column_type(row, column) == SQLITE_NULL)
		return OK;
	data = sqlite3_column_blob(row, column);
	len = (size_t)sqlite3_column_bytes(row, column);
	if (data == NULL && len > 0)
		return ERR_NOMEM;
	text = malloc(len + 1);
	if (text == NULL)
		return ERR_NOMEM;
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	*ret = text;
	if (ret_len != NULL)
		*ret_len = len;
	return OK;
}
