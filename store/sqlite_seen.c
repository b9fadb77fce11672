#include "store/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

/* What a check reads: as it lies there, a bounded part at a time. */
struct seeing {
	struct sqlite_db *d;
	const struct engine_seen *to;
	size_t left;
	int64_t least; /* the next key is at least this */
};

enum err sqlite_seen_next(struct sqlite_db *d, int64_t *least, int64_t key)
{
	if (key < *least)
		return sqlite_corrupt(d, "rows are not in the order of keys");
	*least = key < INT64_MAX ? key + 1 : key;
	return OK;
}

/* The columns of SQL_SEEN_EXECUTIONS. */
enum {
	C_ID,
	C_PUBLIC_ID,
	C_STATUS,
	C_CREATED_MS,
	C_FINISHED_MS,
	C_NEXT_INDEX,
	C_PACKED,
	C_ERROR_CODE,
	C_METADATA,
	C_HAS_REQUEST,
	C_INPUT_TOKENS,
	C_OUTPUT_TOKENS,
	C_COST_PUSD,
	C_PAYLOAD_DELETED_MS,
	C_HOLDS,
	C_STREAM,
	C_FIRST,
};

static int64_t known(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL
		   ? -1
		   : sqlite3_column_int64(row, column);
}

static enum err on_execution(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	struct engine_seen_execution e = {
		.row = sqlite3_column_int64(row, C_ID),
		.status = sqlite3_column_int64(row, C_STATUS),
		.created_ms = sqlite3_column_int64(row, C_CREATED_MS),
		.finished_ms = sqlite3_column_int64(row, C_FINISHED_MS),
		.next_index = sqlite3_column_int64(row, C_NEXT_INDEX),
		.packed = sqlite3_column_int64(row, C_PACKED),
		.error_code =
		    (const char *)sqlite3_column_text(row, C_ERROR_CODE),
		.metadata = (const char *)sqlite3_column_text(row, C_METADATA),
		.metadata_len = (size_t)sqlite3_column_bytes(row, C_METADATA),
		.has_request = sqlite3_column_int(row, C_HAS_REQUEST) != 0,
		.used = { .input_tokens = known(row, C_INPUT_TOKENS),
		    .output_tokens = known(row, C_OUTPUT_TOKENS),
		    .cached_tokens = -1,
		    .reasoning_tokens = -1,
		    .cost_pusd = known(row, C_COST_PUSD) },
		.payload_deleted_ms =
		    sqlite3_column_int64(row, C_PAYLOAD_DELETED_MS),
		.holds = sqlite3_column_int(row, C_HOLDS) != 0,
		.stream = (const char *)sqlite3_column_text(row, C_STREAM),
		.first = sqlite3_column_int64(row, C_FIRST),
	};

	enum err rc = sqlite_seen_next(s->d, &s->least, e.row);

	if (sqlite3_column_bytes(row, C_PUBLIC_ID) == sizeof(e.id.byte))
		memcpy(e.id.byte, sqlite3_column_blob(row, C_PUBLIC_ID),
		    sizeof(e.id.byte));
	return rc == OK ? s->to->on_execution(s->to->arg, &e) : rc;
}

enum err sqlite_seen_executions(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db,
		.to = to,
		.least = after < INT64_MAX ? after + 1 : after };

	return sqlite_each(s.d, SQL_SEEN_EXECUTIONS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_execution, &s);
}

static enum err on_segment(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	int64_t id = sqlite3_column_int64(row, 0);
	int64_t codec = sqlite3_column_int64(row, 2);
	int64_t raw_len = sqlite3_column_int64(row, 3);
	const char *payload = sqlite3_column_blob(row, 4);
	size_t len = (size_t)sqlite3_column_bytes(row, 4);
	struct engine_seen_segment seg = {
		.row = id >> SQLITE_INDEX_BITS,
		.first = (uint64_t)id & (SQLITE_INDEX_LIMIT - 1),
		.n = sqlite3_column_int64(row, 1),
		.owned = sqlite3_column_int(row, 5) != 0,
		.trashed = sqlite3_column_int(row, 6) != 0,
	};
	enum err rc = sqlite_seen_next(s->d, &s->least, id);
	char *raw = NULL;

	if (rc != OK)
		return rc;
	if (sqlite_sum_holds(id, seg.n, payload, &len) && raw_len >= 0 &&
	    (uint64_t)raw_len <= SQLITE_SEGMENT_MAX_BYTES) {
		if (codec == 1)
			rc = sqlite_unzip(
			    s->d, payload, len, (size_t)raw_len, &raw);
		if (codec == 0 && (size_t)raw_len == len)
			seg.raw = payload;
		else if (codec == 1 && rc == OK)
			seg.raw = raw;
		seg.raw_len = (size_t)raw_len;
	}
	if (rc == OK || rc == ERR_CORRUPT)
		rc = s->to->on_segment(s->to->arg, &seg);
	free(raw);
	if (rc == OK && len >= s->left)
		rc = SQLITE_ENOUGH;
	s->left -= len;
	return rc;
}

enum err sqlite_seen_segments(struct engine_db *db, int64_t row, uint64_t from,
    int64_t last, size_t max_bytes, const struct engine_seen *to)
{
	struct seeing s = {
		.d = (struct sqlite_db *)db, .to = to, .left = max_bytes
	};
	int64_t low, high = INT64_MAX;

	if (from >= SQLITE_INDEX_LIMIT) {
		from = 0;
		row += row < INT64_MAX;
	}
	/* No segment has such a number. */
	if (row > INT64_MAX >> SQLITE_INDEX_BITS)
		return OK;
	low = (row << SQLITE_INDEX_BITS) + (int64_t)from;
	s.least = low;
	if (last < INT64_MAX >> SQLITE_INDEX_BITS)
		high = ((last + 1) << SQLITE_INDEX_BITS) - 1;
	return sqlite_each(s.d, SQL_SEEN_SEGMENTS,
	    SQL_WITH(SQL_INT(low), SQL_INT(high)), on_segment, &s);
}

static enum err on_chunk(void *arg, const struct sqlite_live_chunk *c)
{
	struct seeing *s = arg;

	return s->to->on_chunk(s->to->arg, c->row, &c->c);
}

static enum err on_damage(void *arg, const char *what)
{
	struct seeing *s = arg;

	return s->to->on_damage(s->to->arg, what);
}

enum err sqlite_seen_chunks(struct engine_db *db, int64_t from,
    size_t max_bytes, const struct engine_seen *to, int64_t *ret_next)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };

	return sqlite_live_some(
	    s.d, from, max_bytes, on_chunk, on_damage, &s, ret_next);
}

static enum err on_request(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	size_t len = (size_t)sqlite3_column_bytes(row, 5);
	struct engine_seen_request r = {
		.row = sqlite3_column_int64(row, 0),
		.owned = sqlite3_column_int(row, 1) != 0,
		.trashed = sqlite3_column_int(row, 2) != 0,
		.holds = sqlite3_column_int(row, 3) != 0,
	};
	enum err rc;

	if (sqlite3_column_bytes(row, 4) == sizeof(r.id.byte))
		memcpy(
		    r.id.byte, sqlite3_column_blob(row, 4), sizeof(r.id.byte));
	rc = s->to->on_request(s->to->arg, &r);
	if (rc == OK && len >= s->left)
		rc = SQLITE_ENOUGH;
	s->left -= len;
	return rc;
}

enum err sqlite_seen_requests(struct engine_db *db, int64_t after,
    uint32_t limit, size_t max_bytes, const struct engine_seen *to)
{
	struct seeing s = {
		.d = (struct sqlite_db *)db, .to = to, .left = max_bytes
	};

	return sqlite_each(s.d, SQL_SEEN_REQUESTS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_request, &s);
}

static enum err on_name(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	const char *name = (const char *)sqlite3_column_text(row, 2);

	return s->to->on_name(s->to->arg, sqlite3_column_int64(row, 0),
	    name == NULL ? "" : name, sqlite3_column_int(row, 1) != 0);
}

enum err sqlite_seen_keys(struct engine_db *db, int64_t after, uint32_t limit,
    const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };

	return sqlite_each(s.d, SQL_SEEN_KEYS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_name, &s);
}

enum err sqlite_seen_prompts(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };

	return sqlite_each(s.d, SQL_SEEN_PROMPTS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_name, &s);
}

static enum err on_trash(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;

	return s->to->on_trash(s->to->arg, sqlite3_column_int64(row, 0),
	    sqlite3_column_int(row, 1) != 0);
}

enum err sqlite_seen_trash(struct engine_db *db, int64_t after, uint32_t limit,
    const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };

	return sqlite_each(s.d, SQL_SEEN_TRASH,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_trash, &s);
}

static enum err on_tombstone(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	struct id id;

	/* The walk goes on behind it, so it must be one. */
	if (sqlite3_column_bytes(row, 0) != sizeof(id.byte))
		return sqlite_corrupt(s->d, "a tombstone is broken");
	memcpy(id.byte, sqlite3_column_blob(row, 0), sizeof(id.byte));
	return s->to->on_tombstone(
	    s->to->arg, &id, sqlite3_column_int(row, 1) != 0);
}

enum err sqlite_seen_tombstones(struct engine_db *db, const struct id *after,
    uint32_t limit, const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };

	return sqlite_each(s.d, SQL_SEEN_TOMBSTONES,
	    SQL_WITH(SQL_ID(after), SQL_INT(limit)), on_tombstone, &s);
}

static enum err on_verdict(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	const char *what = (const char *)sqlite3_column_text(row, 0);

	if (what == NULL)
		return ERR_NOMEM;
	return strcmp(what, "ok") == 0 ? OK
				       : s->to->on_damage(s->to->arg, what);
}

static enum err on_stream(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	const char *name = (const char *)sqlite3_column_text(row, 2);
	struct engine_seen_stream t = {
		.row = sqlite3_column_int64(row, 0),
		.name = name == NULL ? "" : name,
		.forks = sqlite3_column_int64(row, 3),
		.forks_there = sqlite3_column_int64(row, 4),
		.deleted = sqlite3_column_int(row, 5) != 0,
		.has_source = sqlite3_column_int(row, 6) != 0,
		.source_there = sqlite3_column_int(row, 7) != 0,
	};
	enum err rc = sqlite_seen_next(s->d, &s->least, t.row);

	if (sqlite3_column_bytes(row, 1) == sizeof(t.id.byte))
		memcpy(
		    t.id.byte, sqlite3_column_blob(row, 1), sizeof(t.id.byte));
	return rc == OK ? s->to->on_stream(s->to->arg, &t) : rc;
}

enum err sqlite_seen_streams(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db,
		.to = to,
		.least = after < INT64_MAX ? after + 1 : after };

	return sqlite_each(s.d, SQL_SEEN_STREAMS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_stream, &s);
}

static enum err on_producers(void *arg, sqlite3_stmt *row)
{
	struct seeing *s = arg;
	int64_t stream = sqlite3_column_int64(row, 0);
	enum err rc = sqlite_seen_next(s->d, &s->least, stream);

	if (rc != OK)
		return rc;
	return s->to->on_producers(
	    s->to->arg, stream, sqlite3_column_int(row, 1) != 0);
}

enum err sqlite_seen_producers(struct engine_db *db, int64_t after,
    uint32_t limit, const struct engine_seen *to)
{
	struct seeing s = { .d = (struct sqlite_db *)db,
		.to = to,
		.least = after < INT64_MAX ? after + 1 : after };

	return sqlite_each(s.d, SQL_SEEN_PRODUCERS,
	    SQL_WITH(SQL_INT(after), SQL_INT(limit)), on_producers, &s);
}

enum err sqlite_seen_files(struct engine_db *db, bool quick, uint64_t max_bytes,
    const struct engine_seen *to, bool *ret_looked)
{
	struct seeing s = { .d = (struct sqlite_db *)db, .to = to };
	struct engine_stats now;

	sqlite_stats(db, &now);
	*ret_looked = max_bytes == 0 || now.db_bytes <= max_bytes;
	if (!*ret_looked)
		return OK;
	return sqlite_each(s.d, quick ? SQL_INTEGRITY_QUICK : SQL_INTEGRITY,
	    SQL_NOTHING, on_verdict, &s);
}
