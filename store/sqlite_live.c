#include "store/sqlite_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

/*
 * A block is a run of neighbours in the log of all logs. A row of its own for
 * each chunk would cost 12 to 20 bytes more than its text and its statement
 * half a microsecond; a block shares both. Small blocks fill pages well:
 * eight to a page, so that a page's unused end is a sixteenth on average.
 *
 * A chunk in it, LEB128 unless said: execution, index, one byte (kind, and
 * whether the attempt is not the first, and whether there is metadata), attempt
 * if not the first, milliseconds since the chunk before (zigzag; since 0 for
 * the first), content's length, metadata's length if any, both texts. The last
 * four bytes are the block's sum.
 */
#define BLOCK_BYTES 480
#define BLOCK_CHUNKS 100

#define HAS_ATTEMPT 0x10
#define HAS_META 0x20
#define KIND_MASK 0x0f
_Static_assert(CHUNK_KINDS <= KIND_MASK + 1, "a kind fits its four bits");

static char *put_number(char *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (char)(v | 0x80);
		v >>= 7;
	}
	*p++ = (char)v;
	return p;
}

/* NULL when the number is cut or longer than 64 bits; NULL stays NULL. */
static const char *get_number(const char *p, const char *end, uint64_t *ret)
{
	uint64_t v = 0;

	if (p == NULL)
		return NULL;
	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		unsigned char c = (unsigned char)*p++;

		if (shift == 63 && c > 1)
			return NULL;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = v;
			return p;
		}
	}
	return NULL;
}

enum err sqlite_live_flush(struct sqlite_db *d)
{
	enum err rc = buf_state(&d->block);
	char sum[SQLITE_SUM_BYTES];

	/* Half a chunk must not be stored. */
	if (rc != OK || d->block_n == 0)
		return rc;
	sqlite_sum(d->block_seq, d->block_n, d->block.data, d->block.len, sum);
	buf_add(&d->block, sum, sizeof(sum));
	rc = buf_state(&d->block);
	if (rc != OK)
		return rc;
	rc = sqlite_run(d, SQL_CHUNK_APPEND,
	    SQL_WITH(SQL_INT(d->block_seq), SQL_INT(d->block_n),
		SQL_BLOB(d->block.data, d->block.len)),
	    NULL);
	if (rc == OK)
		sqlite_live_discard(d);
	return rc;
}

void sqlite_live_discard(struct sqlite_db *d)
{
	/* One huge chunk must not be remembered in memory for ever. */
	if (d->block.cap > 64 * 1024)
		buf_fini(&d->block);
	buf_reset(&d->block);
	d->block_n = 0;
	d->block_ms = 0;
}

enum err sqlite_chunk_append(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	char head[1 + 6 * 10];
	char *p = head;
	uint64_t ms;
	enum err rc;

	ASSERT(d->writer && d->open);
	ASSERT((unsigned)c->kind < CHUNK_KINDS);
	if (c->index >= SQLITE_INDEX_LIMIT) {
		err_why(&db->why, "a log holds at most %llu chunks",
		    (unsigned long long)SQLITE_INDEX_LIMIT);
		return ERR_LIMIT;
	}
	if (d->block_n > 0 &&
	    (d->block_n == BLOCK_CHUNKS ||
		d->block.len + c->content_len + c->meta_len > BLOCK_BYTES)) {
		rc = sqlite_live_flush(d);
		if (rc != OK)
			return rc;
	}
	ms = (uint64_t)c->ts_ms - (uint64_t)d->block_ms;
	p = put_number(p, (uint64_t)e->row);
	p = put_number(p, c->index);
	*p++ = (char)(c->kind | (c->attempt == 1 ? 0 : HAS_ATTEMPT) |
		      (c->meta_len == 0 ? 0 : HAS_META));
	if (c->attempt != 1)
		p = put_number(p, c->attempt);
	p = put_number(p, ms << 1 ^ (0 - (ms >> 63)));
	p = put_number(p, c->content_len);
	if (c->meta_len > 0)
		p = put_number(p, c->meta_len);
	buf_add(&d->block, head, (size_t)(p - head));
	buf_add(&d->block, c->content, c->content_len);
	buf_add(&d->block, c->meta, c->meta_len);
	rc = buf_state(&d->block);
	if (rc != OK) {
		err_why(&db->why, "no room for a chunk of %zu bytes",
		    c->content_len + c->meta_len);
		return rc;
	}
	if (d->block_n++ == 0)
		d->block_seq = d->next_seq;
	d->block_ms = c->ts_ms;
	*ret_seq = d->next_seq++;
	return OK;
}

/* Read one chunk of a block. NULL: it is not what was written. */
static const char *get_chunk(
    const char *p, const char *end, int64_t *ms, struct sqlite_live_chunk *ret)
{
	uint64_t row, index, attempt = 1, delta, content_len, meta_len = 0;
	unsigned char head;

	p = get_number(p, end, &row);
	p = get_number(p, end, &index);
	if (p == NULL || p == end)
		return NULL;
	head = (unsigned char)*p++;
	if ((head & ~(KIND_MASK | HAS_ATTEMPT | HAS_META)) != 0 ||
	    (head & KIND_MASK) >= CHUNK_KINDS)
		return NULL;
	if (head & HAS_ATTEMPT)
		p = get_number(p, end, &attempt);
	p = get_number(p, end, &delta);
	p = get_number(p, end, &content_len);
	if (head & HAS_META)
		p = get_number(p, end, &meta_len);
	if (p == NULL || attempt > UINT32_MAX || row > INT64_MAX ||
	    index >= SQLITE_INDEX_LIMIT || content_len > (uint64_t)(end - p) ||
	    meta_len > (uint64_t)(end - p) - content_len)
		return NULL;
	*ms = (int64_t)((uint64_t)*ms + (delta >> 1 ^ (0 - (delta & 1))));
	ret->row = (int64_t)row;
	ret->c = (struct chunk){
		.index = index,
		.attempt = (uint32_t)attempt,
		.kind = (enum chunk_kind)(head & KIND_MASK),
		.ts_ms = *ms,
		.content = p,
		.content_len = content_len,
		.meta = p + content_len,
		.meta_len = meta_len,
	};
	return p + content_len + meta_len;
}

struct walk {
	struct sqlite_db *d;
	enum err (*on_chunk)(void *arg, const struct sqlite_live_chunk *c);
	void *arg;
};

static enum err on_block(void *arg, sqlite3_stmt *row)
{
	struct walk *w = arg;
	struct sqlite_live_chunk at = { .seq = sqlite3_column_int64(row, 0) };
	int64_t n = sqlite3_column_int64(row, 1), ms = 0;
	const char *p = sqlite3_column_blob(row, 2);
	size_t len = (size_t)sqlite3_column_bytes(row, 2);
	const char *end;

	if (n < 1 || !sqlite_sum_holds(at.seq, n, p, &len))
		return sqlite_corrupt(
		    w->d, "a block of live chunks is not what was written");
	end = p + len;
	for (; n > 0; n--, at.seq++) {
		enum err rc;

		p = get_chunk(p, end, &ms, &at);
		if (p == NULL)
			break;
		rc = w->on_chunk(w->arg, &at);
		if (rc != OK)
			return rc;
	}
	if (p != end)
		return sqlite_corrupt(w->d, "a block of live chunks is broken");
	return OK;
}

enum err sqlite_live_each(struct sqlite_db *d,
    enum err (*on_chunk)(void *arg, const struct sqlite_live_chunk *c),
    void *arg)
{
	struct walk w = { .d = d, .on_chunk = on_chunk, .arg = arg };

	return sqlite_each(d, SQL_LIVE_CHUNKS, SQL_NOTHING, on_block, &w);
}

struct some {
	struct walk w;
	enum err (*on_damage)(void *arg, const char *what);
	size_t left;
	int64_t next;
};

static enum err on_some(void *arg, sqlite3_stmt *row)
{
	struct some *s = arg;
	int64_t seq = sqlite3_column_int64(row, 0);
	size_t bytes = (size_t)sqlite3_column_bytes(row, 2);
	enum err rc = sqlite_seen_next(s->w.d, &s->next, seq);

	if (rc != OK)
		return rc;
	rc = on_block(&s->w, row);
	if (rc == ERR_CORRUPT)
		rc = s->on_damage(s->w.arg, s->w.d->base.why.text);
	if (rc == OK && bytes >= s->left)
		rc = SQLITE_ENOUGH;
	s->left -= bytes;
	return rc;
}

enum err sqlite_live_some(struct sqlite_db *d, int64_t from, size_t max_bytes,
    enum err (*on_chunk)(void *arg, const struct sqlite_live_chunk *c),
    enum err (*on_damage)(void *arg, const char *what), void *arg,
    int64_t *ret_next)
{
	struct some s = { .w = { d, on_chunk, arg },
		.on_damage = on_damage,
		.left = max_bytes,
		.next = from };
	enum err rc;

	rc = sqlite_each(
	    d, SQL_SEEN_CHUNKS, SQL_WITH(SQL_INT(from)), on_some, &s);
	if (rc == OK)
		*ret_next = s.next;
	return rc;
}

struct prefix {
	int64_t before, last;
	uint32_t limit, n;
};

static enum err on_oldest(void *arg, sqlite3_stmt *row)
{
	struct prefix *p = arg;
	int64_t seq = sqlite3_column_int64(row, 0);
	int64_t n = sqlite3_column_int64(row, 1);

	if (seq + n > p->before || (p->n > 0 && p->n + n > p->limit))
		return SQLITE_ENOUGH;
	p->n += (uint32_t)n;
	p->last = seq;
	return p->n >= p->limit ? SQLITE_ENOUGH : OK;
}

enum err sqlite_chunks_drop(
    struct engine_db *db, int64_t before, uint32_t limit, uint32_t *ret_dropped)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct prefix p = { .before = before, .limit = limit };
	enum err rc;

	ASSERT(d->writer && d->open);
	rc = sqlite_each(d, SQL_CHUNK_OLDEST,
	    SQL_WITH(SQL_INT(before), SQL_INT(limit)), on_oldest, &p);
	if (rc == OK && p.n > 0)
		rc = sqlite_run(
		    d, SQL_CHUNK_DROP, SQL_WITH(SQL_INT(p.last)), NULL);
	/* The highest number may go with them; it must not come back. */
	if (rc == OK && p.n > 0)
		rc = sqlite_run(
		    d, SQL_STATE_SEQ, SQL_WITH(SQL_INT(d->next_seq)), NULL);
	if (rc == OK)
		*ret_dropped = p.n;
	return rc;
}

/* An execution that live_load() gave, and the index that must come next. */
struct loaded {
	int64_t row;
	uint64_t next;
};

struct loading {
	struct sqlite_db *d;
	const struct engine_live *to;
	struct loaded *list; /* ascending by row */
	size_t n, room;
	bool streams; /* there are some among them */
};

/* Room for one more. */
static enum err grow(struct loading *l)
{
	size_t room = l->room == 0 ? 64 : l->room * 2;
	struct loaded *list;

	if (l->n < l->room)
		return OK;
	list = reallocarray(l->list, room, sizeof(*list));
	if (list == NULL)
		return ERR_NOMEM;
	l->list = list;
	l->room = room;
	return OK;
}

static enum err on_live_stream(void *arg, const struct stream *s)
{
	struct loading *l = arg;
	enum err rc = grow(l);

	if (rc != OK)
		return rc;
	l->list[l->n++] = (struct loaded){ s->row, s->packed };
	l->streams = true;
	return l->to->on_stream == NULL ? OK : l->to->on_stream(l->to->arg, s);
}

static enum err on_live_execution(void *arg, sqlite3_stmt *row)
{
	struct loading *l = arg;
	struct sqlite_row r = { 0 };
	enum err rc = grow(l);

	if (rc != OK)
		return rc;
	rc = sqlite_read_execution(row, true, &r);
	if (rc == OK)
		rc = sqlite_text(row, sqlite3_column_count(row) - 1, &r.e.note,
		    &r.e.note_len);
	if (rc == ERR_CORRUPT)
		rc = sqlite_broken_row(l->d, row);
	if (rc == OK)
		rc = sqlite_read_request(l->d, &r.e);
	if (rc == OK) {
		l->list[l->n++] = (struct loaded){ r.e.row, r.packed };
		rc = l->to->on_execution(l->to->arg, &r.e, r.packed);
	}
	execution_fini(&r.e);
	return rc;
}

static int by_row(const void *key, const void *item)
{
	int64_t row = *(const int64_t *)key;
	const struct loaded *l = item;

	return row < l->row ? -1 : row > l->row;
}

static int by_rows(const void *a, const void *b)
{
	return by_row(&((const struct loaded *)a)->row, b);
}

/* What lives was mostly made in a row: then its number is its place. */
static struct loaded *loaded_of(const struct loading *l, int64_t row)
{
	uint64_t guess = l->n == 0 ? 0 : (uint64_t)(row - l->list[0].row);

	if (guess < l->n && l->list[guess].row == row)
		return &l->list[guess];
	return l->n == 0
		   ? NULL
		   : bsearch(&row, l->list, l->n, sizeof(*l->list), by_row);
}

static enum err on_live_chunk(void *arg, const struct sqlite_live_chunk *c)
{
	struct loading *l = arg;
	struct loaded *of = loaded_of(l, c->row);

	/* Dead: it belongs to nobody, or a segment has it. */
	if (of == NULL || c->c.index < of->next)
		return OK;
	if (c->c.index != of->next)
		return sqlite_corrupt(l->d, "a live log has a gap");
	of->next++;
	return l->to->on_chunk(l->to->arg, c->row, c->seq, &c->c);
}

enum err sqlite_live_load(
    struct engine_db *db, const struct engine_live *to, int64_t *ret_last)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct loading l = { .d = d, .to = to };
	enum err rc;

	rc = sqlite_each(
	    d, SQL_LIVE_EXECUTIONS, SQL_NOTHING, on_live_execution, &l);
	if (rc == OK)
		rc = sqlite_stream_live(d, &l, on_live_stream);
	if (l.streams)
		qsort(l.list, l.n, sizeof(*l.list), by_rows);
	if (rc == OK)
		rc = sqlite_live_each(d, on_live_chunk, &l);
	if (rc == OK)
		*ret_last = d->next_seq - 1;
	free(l.list);
	return rc;
}
