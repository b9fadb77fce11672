#include "store/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

/* A page being filled. */
struct paging {
	struct sqlite_db *d;
	const struct page_query *q;
	struct page page;
	int64_t row;
	uint64_t packed;
	bool full;
};

static enum err on_head(void *arg, sqlite3_stmt *row)
{
	struct paging *p = arg;
	int64_t status = sqlite3_column_int64(row, 1);
	const void *metadata = sqlite3_column_blob(row, 6);

	if (status < 0 || status >= EXECUTION_STATUSES ||
	    sqlite3_column_int(row, 8) == 0)
		return sqlite_broken(p->d, "record", &p->page.id);
	if (sqlite3_column_int64(row, 7) != 0) {
		err_why(&p->d->base.why,
		    "its request and its chunks have been deleted; its record "
		    "is still there");
		return ERR_GONE;
	}
	p->row = sqlite3_column_int64(row, 0);
	p->page.status = (enum execution_status)status;
	p->page.created_ms = sqlite3_column_int64(row, 2);
	p->page.total = (uint64_t)sqlite3_column_int64(row, 3);
	p->packed = (uint64_t)sqlite3_column_int64(row, 4);
	p->page.attempt = (uint32_t)sqlite3_column_int64(row, 5);
	if (metadata != NULL && execution_ended(p->page.status))
		buf_add(&p->page.metadata, metadata,
		    (size_t)sqlite3_column_bytes(row, 6));
	return buf_state(&p->page.metadata);
}

static enum err on_stream_head(void *arg, sqlite3_stmt *row)
{
	struct paging *p = arg;

	if (p->q->from < (uint64_t)sqlite3_column_int64(row, 9))
		return ERR_NOT_FOUND;
	return on_head(arg, row);
}

static size_t page_max(const struct paging *p)
{
	return p->q->max_bytes < PAGE_MAX_BYTES ? p->q->max_bytes
						: PAGE_MAX_BYTES;
}

/* May a chunk of ${size} packed bytes still come onto the page? */
static bool has_room(const struct paging *p, size_t size)
{
	const struct page *page = &p->page;
	size_t max = page_max(p);

	if (page->n >= p->q->limit || page->n >= PAGE_MAX_CHUNKS)
		return false;
	return page->n == 0 || (size <= max && page->records.len <= max - size);
}

/* Copy what is wanted of a segment that is unpacked at [at, end). */
static enum err copy_records(struct paging *p, const char *at, const char *end,
    uint64_t index, uint64_t n)
{
	struct page *page = &p->page;

	for (; n > 0; n--, index++) {
		const char *from = at;
		struct chunk c;

		if (chunk_unpack(&at, end, page->created_ms, index, &c) != OK)
			return sqlite_corrupt(p->d, "a segment is broken");
		if (index < p->q->from)
			continue;
		if (!has_room(p, (size_t)(at - from)))
			return SQLITE_ENOUGH;
		buf_add(&page->records, from, (size_t)(at - from));
		if (buf_state(&page->records) != OK)
			return buf_state(&page->records);
		page->n++;
	}
	return at == end ? OK : sqlite_corrupt(p->d, "a segment is broken");
}

enum err sqlite_unzip(struct sqlite_db *d, const void *payload, size_t len,
    size_t raw_len, char **ret)
{
	char *raw = malloc(raw_len + 1);
	size_t n;

	if (d->unzip == NULL)
		d->unzip = ZSTD_createDCtx();
	if (d->unzip == NULL || raw == NULL) {
		free(raw);
		return ERR_NOMEM;
	}
	n = ZSTD_decompressDCtx(d->unzip, raw, raw_len, payload, len);
	if (ZSTD_isError(n) || n != raw_len) {
		free(raw);
		return sqlite_corrupt(d, "a segment does not unpack");
	}
	*ret = raw;
	return OK;
}

static enum err on_segment(void *arg, sqlite3_stmt *row)
{
	struct paging *p = arg;
	uint64_t first =
	    (uint64_t)sqlite3_column_int64(row, 0) & (SQLITE_INDEX_LIMIT - 1);
	uint64_t n = (uint64_t)sqlite3_column_int64(row, 1);
	int64_t codec = sqlite3_column_int64(row, 2);
	int64_t raw_len = sqlite3_column_int64(row, 3);
	const char *payload = sqlite3_column_blob(row, 4);
	size_t len = (size_t)sqlite3_column_bytes(row, 4);
	char *raw = NULL;
	enum err rc = OK;

	if (!sqlite_sum_holds(
		sqlite3_column_int64(row, 0), (int64_t)n, payload, &len))
		return sqlite_corrupt(
		    p->d, "a segment is not what was written");
	/* Dense: it holds the index that is wanted next. */
	if (first > page_next(&p->page) || first + n <= page_next(&p->page) ||
	    raw_len < 0 || (uint64_t)raw_len > SQLITE_SEGMENT_MAX_BYTES ||
	    codec < 0 || codec > 1 || (codec == 0 && (size_t)raw_len != len))
		return sqlite_corrupt(p->d, "a segment is out of place");
	if (codec == 1)
		rc = sqlite_unzip(p->d, payload, len, (size_t)raw_len, &raw);
	if (rc == OK)
		rc = copy_records(p, raw == NULL ? payload : raw,
		    (raw == NULL ? payload : raw) + raw_len, first, n);
	free(raw);
	if (rc == OK && !has_room(p, 1))
		rc = SQLITE_ENOUGH;
	return rc;
}

static enum err on_segment_at(void *arg, sqlite3_stmt *row)
{
	int64_t *id = arg;

	*id = sqlite3_column_int64(row, 0);
	return OK;
}

static enum err read_segments(struct paging *p)
{
	int64_t base = p->row << SQLITE_INDEX_BITS, id = 0;
	enum err rc;

	rc = sqlite_one(p->d, SQL_SEGMENT_AT,
	    SQL_WITH(SQL_INT(base), SQL_INT(base + (int64_t)p->q->from)),
	    on_segment_at, &id);
	if (rc == ERR_NOT_FOUND)
		return sqlite_corrupt(p->d, "a segment is missing");
	if (rc != OK)
		return rc;
	return sqlite_each(p->d, SQL_SEGMENTS_FROM,
	    SQL_WITH(SQL_INT(id), SQL_INT(base + (int64_t)p->packed)),
	    on_segment, p);
}

static enum err on_live(void *arg, const struct sqlite_live_chunk *c)
{
	struct paging *p = arg;
	struct page *page = &p->page;
	size_t before = page->records.len;

	if (c->row != p->row)
		return OK;
	if (page->total <= c->c.index)
		page->total = c->c.index + 1;
	if (c->c.index != page_next(page) || p->full)
		return OK;
	chunk_pack(&page->records, &c->c, page->created_ms);
	if (buf_state(&page->records) != OK)
		return buf_state(&page->records);
	/* Its size is known only now: take it back when it is too much. */
	if (page->n > 0 && page->records.len > page_max(p)) {
		page->records.len = before;
		p->full = true;
	} else {
		page->n++;
		p->full = !has_room(p, 0);
	}
	return OK;
}

static enum err fill(struct paging *p, const struct id *id, const char *owner)
{
	enum err rc;

	rc = sqlite_one(p->d, SQL_PAGE_HEAD,
	    SQL_WITH(SQL_ID(id), SQL_TEXT(owner)), on_head, p);
	if (rc == ERR_NOT_FOUND)
		rc = sqlite_one(p->d, SQL_STREAM_HEAD,
		    SQL_WITH(SQL_ID(id), SQL_TEXT(owner)), on_stream_head, p);
	if (rc == ERR_NOT_FOUND)
		rc = sqlite_gone(p->d, id, owner);
	if (rc != OK)
		return rc;
	p->page.id = *id;
	p->page.first = p->q->from;
	/*
	 * A page ends where the segments end, so that a reader that goes on
	 * meets memory there, and no table is walked under its feet.
	 */
	if (p->q->from < p->packed)
		return read_segments(p);
	/*
	 * Without an index this walks all that is live. A server answers such
	 * questions from memory; what comes here is the CLI on a store that
	 * was not closed well, or an ended log in the moment before it is
	 * packed.
	 */
	if (!execution_ended(p->page.status) || p->q->from < p->page.total)
		return sqlite_live_each(p->d, on_live, p);
	return OK;
}

enum err sqlite_chunk_page(struct engine_db *db, const struct id *id,
    const char *owner, const struct page_query *q, struct page *ret)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct paging p = { .d = d, .q = q };
	bool alone = sqlite3_get_autocommit(d->db);
	enum err rc = OK, end;

	page_init(&p.page);
	/* One snapshot: between two statements rows may move to a segment. */
	if (alone)
		rc = sqlite_run(d, SQL_BEGIN_READ, SQL_NOTHING, NULL);
	if (rc == OK)
		rc = fill(&p, id, owner);
	if (alone && !sqlite3_get_autocommit(d->db)) {
		struct why why = db->why;

		end = sqlite_run(d, SQL_COMMIT, SQL_NOTHING, NULL);
		if (rc == OK)
			rc = end;
		else
			db->why = why;
	}
	if (rc == OK) {
		page_fini(ret);
		*ret = p.page;
	} else {
		page_fini(&p.page);
	}
	return rc;
}
