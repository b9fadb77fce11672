#include "store/sqlite_internal.h"

#include <string.h>

#include "store/base/log.h"

/* The columns of STREAM. */
enum {
	C_LOG,
	C_PUBLIC_ID,
	C_OWNER,
	C_NAME,
	C_TYPE,
	C_CREATED_MS,
	C_CLOSED,
	C_DELETED_MS,
	C_FIRST,
	C_NEXT,
	C_PACKED,
	C_TTL_S,
	C_EXPIRES_AT,
	C_EXPIRES_MS,
	C_SEQ,
	C_CLOSER,
	C_CLOSER_EPOCH,
	C_CLOSER_SEQ,
	C_SOURCE_LOG,
	C_SOURCE,
	C_FORK_AT,
	C_FORK_SUB,
	C_FORKS,
};

static struct sqlite_db *inside(struct engine_db *db)
{
	struct sqlite_db *d = (struct sqlite_db *)db;

	ASSERT(d->writer && d->open);
	return d;
}

static struct sqlite_value text_or_null(const char *s)
{
	struct sqlite_value none = { .kind = SQL_IS_NULL };
	struct sqlite_value text = SQL_TEXT(s);

	return s[0] == '\0' ? none : text;
}

static struct sqlite_value int_or_null(int64_t v, int64_t none)
{
	struct sqlite_value null = { .kind = SQL_IS_NULL }, number = SQL_INT(v);

	return v == none ? null : number;
}

enum err sqlite_stream_insert(struct engine_db *db, struct stream *s)
{
	struct sqlite_db *d = inside(db);
	int64_t row = d->next_execution;
	enum err rc;

	rc = sqlite_run(d, SQL_STREAM_INSERT,
	    SQL_WITH(SQL_INT(row), SQL_ID(&s->id), SQL_TEXT(s->owner),
		SQL_TEXT(s->name), SQL_TEXT(s->type), SQL_INT(s->created_ms),
		SQL_INT(s->first), int_or_null(s->ttl_s, -1),
		text_or_null(s->expires_at), SQL_INT(s->expires_ms),
		int_or_null(s->source_row, 0), text_or_null(s->source),
		SQL_INT(s->fork_at), SQL_INT(s->fork_sub)),
	    NULL);
	if (rc == OK && s->source_row != 0)
		rc = sqlite_run(d, SQL_STREAM_FORKED,
		    SQL_WITH(SQL_INT(s->source_row), SQL_INT(1)), NULL);
	if (rc != OK)
		return rc;
	d->next_execution++;
	s->row = row;
	return OK;
}

enum err sqlite_stream_grown(struct engine_db *db, const struct stream *s)
{
	return sqlite_run(inside(db), SQL_STREAM_GROWN,
	    SQL_WITH(SQL_INT(s->row), SQL_INT(s->closed), SQL_INT(s->total),
		text_or_null(s->seq), text_or_null(s->closer.producer),
		SQL_INT(s->closer.epoch), SQL_INT(s->closer.seq)),
	    NULL);
}

enum err sqlite_stream_renewed(
    struct engine_db *db, int64_t row, int64_t expires_ms)
{
	return sqlite_run(inside(db), SQL_STREAM_RENEWED,
	    SQL_WITH(SQL_INT(row), SQL_INT(expires_ms)), NULL);
}

enum err sqlite_stream_hide(
    struct engine_db *db, const struct stream *s, int64_t deleted_ms)
{
	return sqlite_run(inside(db), SQL_STREAM_HIDE,
	    SQL_WITH(SQL_INT(s->row), SQL_INT(deleted_ms), SQL_INT(s->total)),
	    NULL);
}

enum err sqlite_stream_delete(struct engine_db *db, const struct stream *s)
{
	struct sqlite_db *d = inside(db);
	enum err rc;

	rc = sqlite_run(d, SQL_STREAM_DELETE, SQL_WITH(SQL_INT(s->row)), NULL);
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_PRODUCERS_DELETE, SQL_WITH(SQL_INT(s->row)), NULL);
	if (rc == OK && s->source_row != 0)
		rc = sqlite_run(d, SQL_STREAM_FORKED,
		    SQL_WITH(SQL_INT(s->source_row), SQL_INT(-1)), NULL);
	/* As with an execution: its number must not come back. */
	if (rc == OK)
		rc = sqlite_run(d, SQL_STATE_EXECUTION,
		    SQL_WITH(SQL_INT(d->next_execution)), NULL);
	if (rc == OK)
		rc = sqlite_run(
		    d, SQL_TRASH_PUT, SQL_WITH(SQL_INT(s->row)), NULL);
	return rc;
}

/* --- reading --- */

/* A text into ${dst}; false when it has no room: nobody wrote that. */
static bool read_text(sqlite3_stmt *row, int column, char *dst, size_t room)
{
	const void *text = sqlite3_column_text(row, column);
	size_t len = (size_t)sqlite3_column_bytes(row, column);

	if (len >= room)
		return false;
	if (len > 0)
		memcpy(dst, text, len);
	dst[len] = '\0';
	return true;
}

static uint64_t count(sqlite3_stmt *row, int column)
{
	return (uint64_t)sqlite3_column_int64(row, column);
}

static bool read_texts(sqlite3_stmt *row, struct stream *s)
{
	return read_text(row, C_OWNER, s->owner, sizeof(s->owner)) &&
	       read_text(row, C_NAME, s->name, sizeof(s->name)) &&
	       read_text(row, C_TYPE, s->type, sizeof(s->type)) &&
	       read_text(
		   row, C_EXPIRES_AT, s->expires_at, sizeof(s->expires_at)) &&
	       read_text(row, C_SEQ, s->seq, sizeof(s->seq)) &&
	       read_text(row, C_CLOSER, s->closer.producer,
		   sizeof(s->closer.producer)) &&
	       read_text(row, C_SOURCE, s->source, sizeof(s->source));
}

static enum err read_stream(
    struct sqlite_db *d, sqlite3_stmt *row, struct stream *ret)
{
	bool timed = sqlite3_column_type(row, C_TTL_S) != SQLITE_NULL;

	*ret = (struct stream){ .row = sqlite3_column_int64(row, C_LOG),
		.created_ms = sqlite3_column_int64(row, C_CREATED_MS),
		.closed = sqlite3_column_int(row, C_CLOSED) != 0,
		.deleted_ms = sqlite3_column_int64(row, C_DELETED_MS),
		.first = count(row, C_FIRST),
		.packed = count(row, C_PACKED),
		.total = count(row, C_NEXT),
		.ttl_s = timed ? sqlite3_column_int64(row, C_TTL_S) : -1,
		.expires_ms = sqlite3_column_int64(row, C_EXPIRES_MS),
		.closer = { .epoch = count(row, C_CLOSER_EPOCH),
		    .seq = count(row, C_CLOSER_SEQ) },
		.source_row = sqlite3_column_int64(row, C_SOURCE_LOG),
		.fork_at = count(row, C_FORK_AT),
		.fork_sub = count(row, C_FORK_SUB),
		.forks = (uint32_t)sqlite3_column_int64(row, C_FORKS) };
	if (sqlite3_column_bytes(row, C_PUBLIC_ID) != sizeof(ret->id.byte) ||
	    !read_texts(row, ret) || ret->first > ret->packed ||
	    ret->packed > ret->total || ret->total > SQLITE_INDEX_LIMIT)
		return sqlite_corrupt(d, "a stream is broken");
	memcpy(ret->id.byte, sqlite3_column_blob(row, C_PUBLIC_ID),
	    sizeof(ret->id.byte));
	return OK;
}

struct reading {
	struct sqlite_db *d;
	struct stream *ret;
	uint32_t n;
	enum err (*on_stream)(void *arg, const struct stream *s);
	void *arg;
};

static enum err on_stream(void *arg, sqlite3_stmt *row)
{
	struct reading *r = arg;

	return read_stream(r->d, row, &r->ret[r->n++]);
}

static enum err on_live(void *arg, sqlite3_stmt *row)
{
	struct reading *r = arg;
	struct stream s;
	enum err rc = read_stream(r->d, row, &s);

	return rc == OK ? r->on_stream(r->arg, &s) : rc;
}

enum err sqlite_stream_get(struct engine_db *db, const char *owner,
    const char *name, struct stream *ret)
{
	struct reading r = { .d = (struct sqlite_db *)db, .ret = ret };

	return sqlite_one(r.d, SQL_STREAM_GET,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(name)), on_stream, &r);
}

enum err sqlite_stream_at(struct engine_db *db, int64_t row, struct stream *ret)
{
	struct reading r = { .d = (struct sqlite_db *)db, .ret = ret };

	return sqlite_one(
	    r.d, SQL_STREAM_AT, SQL_WITH(SQL_INT(row)), on_stream, &r);
}

enum err sqlite_stream_list(struct engine_db *db, const char *owner,
    const char *after, uint32_t limit, struct stream *ret, uint32_t *ret_n)
{
	struct reading r = { .d = (struct sqlite_db *)db, .ret = ret };
	enum err rc;

	rc = sqlite_each(r.d, SQL_STREAM_LIST,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(after), SQL_INT(limit)),
	    on_stream, &r);
	if (rc == OK)
		*ret_n = r.n;
	return rc;
}

enum err sqlite_stream_expired(struct engine_db *db, int64_t now_ms,
    uint32_t limit, struct stream *ret, uint32_t *ret_n)
{
	struct reading r = { .d = (struct sqlite_db *)db, .ret = ret };
	enum err rc;

	rc = sqlite_each(r.d, SQL_STREAM_EXPIRED,
	    SQL_WITH(SQL_INT(now_ms), SQL_INT(limit)), on_stream, &r);
	if (rc == OK)
		*ret_n = r.n;
	return rc;
}

enum err sqlite_stream_live(struct sqlite_db *d, void *arg,
    enum err (*on_one)(void *arg, const struct stream *s))
{
	struct reading r = { .d = d, .on_stream = on_one, .arg = arg };

	return sqlite_each(d, SQL_STREAM_LIVE, SQL_NOTHING, on_live, &r);
}

/* --- producers --- */

static enum err on_producer(void *arg, sqlite3_stmt *row)
{
	*(struct stream_producer *)arg = (struct stream_producer){
		.known = true, .epoch = count(row, 0), .seq = count(row, 1)
	};
	return OK;
}

enum err sqlite_producer_get(struct engine_db *db, int64_t row,
    const char *producer, struct stream_producer *ret)
{
	enum err rc;

	*ret = (struct stream_producer){ 0 };
	rc = sqlite_one((struct sqlite_db *)db, SQL_PRODUCER_GET,
	    SQL_WITH(SQL_INT(row), SQL_TEXT(producer)), on_producer, ret);
	return rc == ERR_NOT_FOUND ? OK : rc;
}

enum err sqlite_producer_put(struct engine_db *db, int64_t row,
    const struct stream_tuple *t, bool known, uint64_t used)
{
	struct sqlite_db *d = inside(db);
	enum err rc;

	rc = sqlite_run(d, SQL_PRODUCER_PUT,
	    SQL_WITH(SQL_INT(row), SQL_TEXT(t->producer), SQL_INT(t->epoch),
		SQL_INT(t->seq), SQL_INT(used)),
	    NULL);
	if (rc == OK && !known)
		rc = sqlite_run(d, SQL_PRODUCERS_TRIM,
		    SQL_WITH(SQL_INT(row), SQL_INT(STREAM_MAX_PRODUCERS)),
		    NULL);
	return rc;
}
