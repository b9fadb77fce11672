#include "store/sqlite_internal.h"

#include <stdio.h>
#include <string.h>

/* How far an id's stamp and created_ms may lie apart: the same clock, ms. */
#define STAMP_SLACK_MS 60000

/* The columns of COLUMNS in sqlite_sql.c. */
enum {
	C_ID,
	C_PUBLIC_ID,
	C_OWNER,
	C_STATUS,
	C_MODEL,
	C_TARGET,
	C_PROMPT,
	C_CREATED_MS,
	C_STARTED_MS,
	C_FIRST_CHUNK_MS,
	C_FINISHED_MS,
	C_NEXT_INDEX,
	C_ATTEMPTS,
	C_ERROR_CODE,
	C_IDEMPOTENCY_KEY,
	C_REQUEST_HASH,
	C_PACKED,
	C_BYTES,
	C_PAYLOAD_DELETED_MS,
	C_METADATA,
	C_HOLDS,
};

static enum err read_texts(sqlite3_stmt *row, bool whole, struct execution *e)
{
	const struct {
		int column;
		char **to;
	} texts[] = {
		{ C_OWNER, &e->owner },
		{ C_MODEL, &e->model },
		{ C_TARGET, &e->target },
		{ C_PROMPT, &e->prompt },
		{ C_ERROR_CODE, &e->error_code },
		{ C_IDEMPOTENCY_KEY, &e->idempotency_key },
	};
	enum err rc = OK;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && rc == OK;
	     i++)
		rc = sqlite_text(row, texts[i].column, texts[i].to, NULL);
	if (rc == OK && whole)
		rc = sqlite_text(
		    row, C_METADATA, &e->metadata, &e->metadata_len);
	return rc;
}

enum err sqlite_read_execution(
    sqlite3_stmt *row, bool whole, struct sqlite_row *ret)
{
	int64_t status = sqlite3_column_int64(row, C_STATUS);
	struct execution e = {
		.row = sqlite3_column_int64(row, C_ID),
		.status = (enum execution_status)status,
		.created_ms = sqlite3_column_int64(row, C_CREATED_MS),
		.started_ms = sqlite3_column_int64(row, C_STARTED_MS),
		.first_chunk_ms = sqlite3_column_int64(row, C_FIRST_CHUNK_MS),
		.finished_ms = sqlite3_column_int64(row, C_FINISHED_MS),
		.next_index = (uint64_t)sqlite3_column_int64(row, C_NEXT_INDEX),
		.attempts = (uint32_t)sqlite3_column_int64(row, C_ATTEMPTS),
		.bytes = (uint64_t)sqlite3_column_int64(row, C_BYTES),
		.payload_deleted_ms =
		    sqlite3_column_int64(row, C_PAYLOAD_DELETED_MS),
	};
	const void *hash;
	enum err rc;

	if (sqlite3_column_bytes(row, C_PUBLIC_ID) != sizeof(e.id.byte) ||
	    status < 0 || status >= EXECUTION_STATUSES ||
	    sqlite3_column_int(row, C_HOLDS) == 0)
		return ERR_CORRUPT;
	memcpy(e.id.byte, sqlite3_column_blob(row, C_PUBLIC_ID),
	    sizeof(e.id.byte));
	hash = sqlite3_column_blob(row, C_REQUEST_HASH);
	if (hash != NULL &&
	    sqlite3_column_bytes(row, C_REQUEST_HASH) == DIGEST_BYTES)
		memcpy(e.request_hash, hash, DIGEST_BYTES);
	rc = read_texts(row, whole, &e);
	if (rc != OK) {
		execution_fini(&e);
		return rc;
	}
	ret->e = e;
	ret->packed = (uint64_t)sqlite3_column_int64(row, C_PACKED);
	return OK;
}

struct requesting {
	struct sqlite_db *d;
	struct execution *e;
};

static enum err on_request(void *arg, sqlite3_stmt *row)
{
	struct requesting *r = arg;

	if (sqlite3_column_int(row, 1) == 0)
		return sqlite_broken(r->d, "request", &r->e->id);
	return sqlite_text(row, 0, &r->e->request, &r->e->request_len);
}

enum err sqlite_broken(
    struct sqlite_db *d, const char *what, const struct id *id)
{
	char text[ID_TEXT], words[128];

	id_text(id, text);
	snprintf(words, sizeof(words),
	    "the %s of execution %s is damaged; spool check says more", what,
	    text);
	return sqlite_corrupt(d, words);
}

enum err sqlite_read_request(struct sqlite_db *d, struct execution *e)
{
	struct requesting r = { d, e };
	enum err rc;

	/* It may still lie in the trash: deleted is deleted. */
	if (e->payload_deleted_ms != 0)
		return OK;
	rc = sqlite_one(
	    d, SQL_REQUEST_GET, SQL_WITH(SQL_INT(e->row)), on_request, &r);
	return rc == ERR_NOT_FOUND ? OK : rc;
}

enum err sqlite_broken_row(struct sqlite_db *d, sqlite3_stmt *row)
{
	struct id id = { { 0 } };

	if (sqlite3_column_bytes(row, C_PUBLIC_ID) == sizeof(id.byte))
		memcpy(id.byte, sqlite3_column_blob(row, C_PUBLIC_ID),
		    sizeof(id.byte));
	return sqlite_broken(d, "record", &id);
}

struct reading {
	struct sqlite_db *d;
	bool whole;
	struct execution *list;
	uint32_t n, limit;
};

static enum err on_execution(void *arg, sqlite3_stmt *row)
{
	struct reading *to = arg;
	struct sqlite_row r = { 0 };
	enum err rc;

	if (to->n == to->limit)
		return SQLITE_ENOUGH;
	rc = sqlite_read_execution(row, to->whole, &r);
	if (rc == ERR_CORRUPT)
		rc = sqlite_broken_row(to->d, row);
	/* What waits to be dropped is gone already. */
	if (rc == OK && to->whole && r.e.payload_deleted_ms == 0)
		rc = sqlite_read_request(to->d, &r.e);
	if (rc != OK) {
		execution_fini(&r.e);
		return rc;
	}
	to->list[to->n++] = r.e;
	return OK;
}

enum err sqlite_execution_get(struct engine_db *db, const struct id *id,
    const char *owner, struct execution *ret)
{
	struct reading to = { .d = (struct sqlite_db *)db,
		.whole = true,
		.list = ret,
		.limit = 1 };
	enum err rc;

	rc = sqlite_one(to.d, SQL_EXECUTION_GET,
	    SQL_WITH(SQL_ID(id), SQL_TEXT(owner)), on_execution, &to);
	return rc == ERR_NOT_FOUND ? sqlite_gone(to.d, id, owner) : rc;
}

static enum err on_deleted_ms(void *arg, sqlite3_stmt *row)
{
	int64_t *ms = arg;

	*ms = sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_tombstone_get(struct engine_db *db, const struct id *id,
    const char *owner, int64_t *ret_deleted_ms)
{
	return sqlite_one((struct sqlite_db *)db, SQL_TOMBSTONE_GET,
	    SQL_WITH(SQL_ID(id), SQL_TEXT(owner)), on_deleted_ms,
	    ret_deleted_ms);
}

enum err sqlite_gone(
    struct sqlite_db *d, const struct id *id, const char *owner)
{
	int64_t ms = 0;
	enum err rc = sqlite_tombstone_get(&d->base, id, owner, &ms);

	if (rc == OK)
		err_why(&d->base.why, "it has been deleted");
	return rc == OK ? ERR_GONE : rc;
}

/* The columns of BRIEF in sqlite_sql.c. */
enum {
	B_ID,
	B_PUBLIC_ID,
	B_OWNER,
	B_STATUS,
	B_CREATED_MS,
	B_FINISHED_MS,
	B_PAYLOAD_DELETED_MS,
	B_NEXT_INDEX,
	B_BYTES,
	B_METADATA_BYTES,
};

struct briefing {
	struct sqlite_db *d;
	struct execution_brief *list;
	uint32_t n, limit;
};

static enum err on_brief(void *arg, sqlite3_stmt *row)
{
	struct briefing *to = arg;
	struct execution_brief *b = &to->list[to->n];
	const char *owner = (const char *)sqlite3_column_text(row, B_OWNER);
	int64_t status = sqlite3_column_int64(row, B_STATUS);

	if (to->n == to->limit)
		return SQLITE_ENOUGH;
	if (sqlite3_column_bytes(row, B_PUBLIC_ID) != sizeof(b->id.byte) ||
	    status < 0 || status >= EXECUTION_STATUSES)
		return sqlite_corrupt(to->d, "an execution is broken");
	*b = (struct execution_brief){
		.row = sqlite3_column_int64(row, B_ID),
		.status = (enum execution_status)status,
		.created_ms = sqlite3_column_int64(row, B_CREATED_MS),
		.finished_ms = sqlite3_column_int64(row, B_FINISHED_MS),
		.payload_deleted_ms =
		    sqlite3_column_int64(row, B_PAYLOAD_DELETED_MS),
		.chunks = (uint64_t)sqlite3_column_int64(row, B_NEXT_INDEX),
		.bytes = (uint64_t)sqlite3_column_int64(row, B_BYTES),
		.record_bytes =
		    (uint64_t)sqlite3_column_int64(row, B_METADATA_BYTES),
	};
	memcpy(b->id.byte, sqlite3_column_blob(row, B_PUBLIC_ID),
	    sizeof(b->id.byte));
	snprintf(b->owner, sizeof(b->owner), "%s", owner == NULL ? "" : owner);
	to->n++;
	return OK;
}

enum err sqlite_execution_brief(struct engine_db *db, const struct id *id,
    const char *owner, struct execution_brief *ret)
{
	struct execution_brief b = { 0 };
	struct briefing to = { (struct sqlite_db *)db, &b, 0, 1 };
	enum err rc;

	rc = sqlite_one(to.d, SQL_EXECUTION_BRIEF,
	    SQL_WITH(SQL_ID(id), SQL_TEXT(owner)), on_brief, &to);
	if (rc == OK)
		*ret = b;
	return rc;
}

/* The least id of ${ms}: UUIDv7 begins with its milliseconds. */
static struct id id_at(int64_t ms)
{
	struct id id = { { 0 } };

	if (ms < 0)
		ms = 0;
	for (int i = 0; i < 6; i++)
		id.byte[i] = (uint8_t)((uint64_t)ms >> (40 - 8 * i));
	return id;
}

/* Between which ids to walk: the times narrow it, the cursor too. */
static void id_range(
    const struct query_filter *f, struct id *low, struct id *high)
{
	memset(low, 0, sizeof(*low));
	memset(high, 0xff, sizeof(*high));
	if (f->since_ms > 0)
		*low = id_at(f->since_ms - STAMP_SLACK_MS);
	if (f->until_ms > 0)
		*high = id_at(f->until_ms + STAMP_SLACK_MS);
	if (f->after == NULL)
		return;
	if (f->oldest_first && memcmp(f->after, low, sizeof(*low)) > 0)
		*low = *f->after;
	if (!f->oldest_first && memcmp(f->after, high, sizeof(*high)) < 0)
		*high = *f->after;
}

/* Ask the one of the eight from ${first} on that ${f} wants. */
static enum err each_listed(struct sqlite_db *d, enum sqlite_sql first,
    const struct query_filter *f, sqlite_row_fn *on_row, void *arg)
{
	int q = (int)first +
		(f->owner != NULL ? SQL_LIST_OWNER - SQL_LIST : 0) +
		(f->status >= 0 ? SQL_LIST_STATUS - SQL_LIST : 0) +
		(f->oldest_first ? SQL_LIST_ASC - SQL_LIST : 0);
	/* Each statement has as many as the last one it names. */
	size_t n = f->status >= 0 ? 7 : f->owner != NULL ? 6 : 5;
	struct id low, high;

	id_range(f, &low, &high);
	return sqlite_each(d, (enum sqlite_sql)q,
	    (const struct sqlite_value[]){ SQL_ID(&low), SQL_ID(&high),
		SQL_INT(f->since_ms),
		SQL_INT(f->until_ms > 0 ? f->until_ms : INT64_MAX),
		SQL_INT(f->limit), SQL_TEXT(f->owner), SQL_INT(f->status) },
	    n, on_row, arg);
}

enum err sqlite_execution_list(struct engine_db *db,
    const struct query_filter *f, bool whole, struct execution *ret,
    uint32_t *ret_n)
{
	struct reading to = { .d = (struct sqlite_db *)db,
		.whole = whole,
		.list = ret,
		.limit = f->limit };
	enum err rc = each_listed(to.d, SQL_LIST, f, on_execution, &to);

	if (rc == OK)
		*ret_n = to.n;
	else
		while (to.n > 0)
			execution_fini(&ret[--to.n]);
	return rc;
}

enum err sqlite_execution_walk(struct engine_db *db,
    const struct query_filter *f, struct execution_brief *ret, uint32_t *ret_n)
{
	struct briefing to = { (struct sqlite_db *)db, ret, 0, f->limit };
	enum err rc = each_listed(to.d, SQL_WALK, f, on_brief, &to);

	if (rc == OK)
		*ret_n = to.n;
	return rc;
}
