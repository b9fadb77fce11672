/*
 * The questions of store/engine.h, asked of every engine. A new engine adds a
 * line to drivers[].
 */
#include <sys/wait.h>

#include <zstd.h>

#include "tests/contract/engine_fixture.h"

/* --- making and comparing --- */

/* A record whose strings are literals: never execution_fini()ed. */
static struct execution make_execution(const char *owner, const char *key)
{
	static char request[] = "{\"model\":\"m\"}", model[] = "m";

	return (struct execution){ .id = id_new(),
		.owner = (char *)(uintptr_t)owner,
		.model = model,
		.created_ms = 1000000,
		.request = request,
		.request_len = strlen(request),
		.idempotency_key = (char *)(uintptr_t)key,
		.request_hash = { 7, 8, 9 } };
}

static struct execution stored(struct fixture *f, const char *owner)
{
	struct execution e = make_execution(owner, NULL);

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	assert_ok(OF(f->w)->commit(f->w));
	assert_true(e.row > 0);
	return e;
}

static struct chunk make_chunk(uint64_t index, const char *text)
{
	return (struct chunk){ .index = index,
		.attempt = 1,
		.kind = CHUNK_TEXT,
		.ts_ms = 1000000 + (int64_t)index * 20,
		.content = text,
		.content_len = strlen(text) };
}

/* Chunks [from, to) of ${e}: "c0", "c1", … in one commit. */
static int64_t append(
    struct fixture *f, const struct execution *e, uint64_t from, uint64_t to)
{
	int64_t seq = 0, last = 0;

	assert_ok(OF(f->w)->begin(f->w));
	for (uint64_t i = from; i < to; i++) {
		char text[32];
		struct chunk c;

		snprintf(text, sizeof(text), "c%llu", (unsigned long long)i);
		c = make_chunk(i, text);
		assert_ok(OF(f->w)->chunk_append(f->w, e, &c, &seq));
		assert_true(seq > last);
		last = seq;
	}
	assert_ok(OF(f->w)->commit(f->w));
	return last;
}

static void finish(struct fixture *f, const struct execution *e, uint64_t n)
{
	const struct engine_end end = { .status = EXECUTION_COMPLETED,
		.finished_ms = 2000000,
		.first_chunk_ms = 1000020,
		.next_index = n,
		.metadata = "{\"usage\":1}",
		.metadata_len = 11 };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_end(f->w, e, &end));
	assert_ok(OF(f->w)->commit(f->w));
}

/* Put [first, first + n) into one segment. */
static enum err pack(struct fixture *f, const struct execution *e,
    uint64_t first, uint32_t n, uint32_t codec)
{
	struct engine_segment s = { .first = first, .n = n, .codec = codec };
	char *small = NULL;
	struct buf raw;
	enum err rc;

	buf_init(&raw, 1 << 20);
	for (uint64_t i = first; i < first + n; i++) {
		char text[32];
		struct chunk c;

		snprintf(text, sizeof(text), "c%llu", (unsigned long long)i);
		c = make_chunk(i, text);
		chunk_pack(&raw, &c, e->created_ms);
	}
	assert_ok(buf_state(&raw));
	s.payload = raw.data;
	s.payload_len = s.raw_len = raw.len;
	if (codec == 1) {
		size_t room = ZSTD_compressBound(raw.len);

		small = malloc(room);
		s.payload = small;
		s.payload_len =
		    ZSTD_compress(small, room, raw.data, raw.len, 3);
	}
	assert_ok(OF(f->w)->begin(f->w));
	rc = OF(f->w)->segment_put(f->w, e, &s);
	if (rc == OK)
		assert_ok(OF(f->w)->commit(f->w));
	else
		OF(f->w)->rollback(f->w);
	free(small);
	buf_fini(&raw);
	return rc;
}

static uint32_t drop(struct fixture *f, int64_t before, uint32_t limit)
{
	uint32_t n = 0;

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->chunks_drop(f->w, before, limit, &n));
	assert_ok(OF(f->w)->commit(f->w));
	return n;
}

/* Read everything from ${from}, page by page; assert it is c<from>… */
static uint64_t read_all(struct fixture *f, const struct execution *e,
    uint64_t from, uint32_t limit, size_t max_bytes)
{
	uint64_t next = from;

	for (;;) {
		struct page_query q = { next, limit, max_bytes };
		struct page_cursor at = { 0 };
		struct page page;
		struct chunk c;

		page_init(&page);
		assert_ok(
		    OF(f->r)->chunk_page(f->r, &e->id, e->owner, &q, &page));
		assert_int_equal(page.first, next);
		assert_int_equal(page.created_ms, e->created_ms);
		assert_true(page.n <= limit);
		assert_true(page.n <= 1 || page.records.len <= max_bytes);
		while (page_each(&page, &at, &c)) {
			char text[32];

			snprintf(text, sizeof(text), "c%llu",
			    (unsigned long long)next);
			assert_int_equal(c.index, next);
			assert_int_equal(c.ts_ms, 1000000 + (int64_t)next * 20);
			assert_int_equal(c.content_len, strlen(text));
			assert_memory_equal(c.content, text, c.content_len);
			next++;
		}
		from = page.n;
		page_fini(&page);
		if (from == 0)
			return next;
	}
}

/* What live_load() gave. */
struct loaded {
	struct id id[16];
	uint64_t packed[16];
	int64_t row[16];
	size_t n;
	uint64_t chunks, first_index;
	int64_t last_seq, chunk_row;
	char request[64], note[64];
};

static enum err on_execution(
    void *arg, const struct execution *e, uint64_t packed)
{
	struct loaded *l = arg;

	assert_true(l->n < 16);
	l->id[l->n] = e->id;
	l->packed[l->n] = packed;
	l->row[l->n++] = e->row;
	snprintf(l->request, sizeof(l->request), "%s", e->request);
	snprintf(l->note, sizeof(l->note), "%.*s", (int)e->note_len,
	    e->note == NULL ? "" : e->note);
	return OK;
}

static enum err on_chunk(
    void *arg, int64_t row, int64_t seq, const struct chunk *c)
{
	struct loaded *l = arg;

	assert_true(seq > l->last_seq);
	l->last_seq = seq;
	l->chunk_row = row;
	if (l->chunks++ == 0)
		l->first_index = c->index;
	return OK;
}

static struct loaded load(struct fixture *f)
{
	struct loaded l = { 0 };
	const struct engine_live to = { on_execution, on_chunk, &l };
	int64_t last = -1;

	assert_ok(OF(f->w)->live_load(f->w, &to, &last));
	return l;
}

/* --- finding and opening --- */

static void an_unknown_url_is_refused_with_the_known_ones(void **state)
{
	const struct engine *engine = NULL;
	struct why why = { "" };

	(void)state;
	assert_int_equal(engine_find("mongodb://x", &engine, &why), ERR_INPUT);
	assert_null(engine);
	assert_non_null(strstr(why.text, "sqlite:"));
}

static void a_second_opener_in_this_process_is_refused(void **state)
{
	struct fixture *f = *state;
	struct engine_db *second = NULL;
	struct why why = { "" };

	assert_int_equal(f->engine->open(&f->options, &second, &why), ERR_BUSY);
	assert_null(second);
}

static void another_process_is_refused_and_told_who_holds_it(void **state)
{
	struct fixture *f = *state;
	char pid[32];
	int status;
	pid_t child;

	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct engine_db *db = NULL;
		struct why why = { "" };
		enum err rc = f->engine->open(&f->options, &db, &why);

		_exit(rc == ERR_BUSY && strstr(why.text, pid) != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void a_closed_store_opens_again_with_all_it_held(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");

	append(f, &e, 0, 40);
	close_both(f);
	open_both(f);
	assert_int_equal(read_all(f, &e, 0, 7, 1 << 20), 40);
}

/* --- executions --- */

static void what_is_inserted_is_read_back_whole(void **state)
{
	struct fixture *f = *state;
	struct execution e = make_execution("ann", "k1"), got = { 0 };
	char prompt[] = "p@3";

	e.prompt = prompt;
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, "ann", &got));
	assert_true(id_equal(&got.id, &e.id));
	assert_int_equal(got.row, e.row);
	assert_int_equal(got.status, EXECUTION_QUEUED);
	assert_string_equal(got.owner, "ann");
	assert_string_equal(got.model, "m");
	assert_string_equal(got.prompt, "p@3");
	assert_null(got.target);
	assert_null(got.metadata);
	assert_null(got.error_code);
	assert_string_equal(got.idempotency_key, "k1");
	assert_string_equal(got.request, e.request);
	assert_int_equal(got.request_len, e.request_len);
	assert_int_equal(got.created_ms, 1000000);
	assert_memory_equal(got.request_hash, e.request_hash, DIGEST_BYTES);
	execution_fini(&got);
}

static void anothers_execution_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), got = { 0 };
	struct page_query q = { 0, 10, 1000 };
	struct page page;

	page_init(&page);
	assert_int_equal(
	    OF(f->r)->execution_get(f->r, &e.id, "bob", &got), ERR_NOT_FOUND);
	assert_int_equal(
	    OF(f->r)->chunk_page(f->r, &e.id, "bob", &q, &page), ERR_NOT_FOUND);
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, NULL, &got));
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, NULL, &q, &page));
	assert_int_equal(page.n, 0);
	execution_fini(&got);
	page_fini(&page);
}

static void a_used_idempotency_key_conflicts_and_spoils_nothing(void **state)
{
	struct fixture *f = *state;
	struct execution a = make_execution("ann", "k"),
			 b = make_execution("ann", "k"),
			 c = make_execution("bob", "k"), got = { 0 };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &a));
	assert_int_equal(OF(f->w)->execution_insert(f->w, &b), ERR_CONFLICT);
	assert_int_equal(b.row, 0);
	assert_ok(OF(f->w)->execution_by_key(f->w, "ann", "k", &got));
	assert_true(id_equal(&got.id, &a.id));
	assert_int_equal(got.row, a.row);
	assert_int_equal(got.status, EXECUTION_QUEUED);
	assert_memory_equal(got.request_hash, a.request_hash, DIGEST_BYTES);
	assert_ok(OF(f->w)->execution_insert(f->w, &c));
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(OF(f->w)->execution_by_key(f->w, "ann", "other", &got),
	    ERR_NOT_FOUND);
	assert_ok(OF(f->r)->execution_get(f->r, &c.id, "bob", &got));
	execution_fini(&got);
}

static void a_note_is_given_back_until_the_end(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");

	assert_string_equal(load(f).note, "");
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_note(f->w, &e, "{\"a\":1}", 7));
	assert_ok(OF(f->w)->execution_note(f->w, &e, "{\"b\":22}", 8));
	assert_ok(OF(f->w)->commit(f->w));
	assert_string_equal(load(f).note, "{\"b\":22}");
	finish(f, &e, 5);
	assert_string_equal(load(f).note, "");
	assert_ok(OF(f->w)->begin(f->w));
	assert_int_equal(
	    OF(f->w)->execution_note(f->w, &e, "late", 4), ERR_CONFLICT);
	assert_ok(OF(f->w)->commit(f->w));
}

static void an_ended_execution_never_changes(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), got = { 0 };
	const struct engine_end again = { .status = EXECUTION_FAILED,
		.error_code = "late" };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_start(f->w, &e, "up/m", 1, 1000001));
	assert_ok(OF(f->w)->execution_start(f->w, &e, "up/n", 2, 1000002));
	assert_ok(OF(f->w)->commit(f->w));
	finish(f, &e, 5);
	assert_ok(OF(f->w)->begin(f->w));
	assert_int_equal(
	    OF(f->w)->execution_end(f->w, &e, &again), ERR_CONFLICT);
	assert_int_equal(
	    OF(f->w)->execution_start(f->w, &e, "x", 3, 9), ERR_CONFLICT);
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, "ann", &got));
	assert_int_equal(got.status, EXECUTION_COMPLETED);
	assert_string_equal(got.target, "up/n");
	assert_int_equal(got.attempts, 2);
	assert_int_equal(got.started_ms, 1000001);
	assert_int_equal(got.first_chunk_ms, 1000020);
	assert_int_equal(got.finished_ms, 2000000);
	assert_int_equal(got.next_index, 5);
	assert_string_equal(got.metadata, "{\"usage\":1}");
	assert_null(got.error_code);
	execution_fini(&got);
}

static void a_rolled_back_execution_was_never_there(void **state)
{
	struct fixture *f = *state;
	struct execution e = make_execution("ann", NULL), got = { 0 };
	int64_t seq;
	struct chunk c = make_chunk(0, "gone");

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	assert_ok(OF(f->w)->chunk_append(f->w, &e, &c, &seq));
	OF(f->w)->rollback(f->w);
	assert_int_equal(
	    OF(f->w)->execution_get(f->w, &e.id, NULL, &got), ERR_NOT_FOUND);
	assert_int_equal(load(f).chunks, 0);
	/* The next one is whole. */
	e = stored(f, "ann");
	append(f, &e, 0, 3);
	assert_int_equal(load(f).chunks, 3);
}

static void a_deleted_execution_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), other = stored(f, "ann"),
			 got = { 0 }, next;
	struct page_query q = { 0, 10, 1000 };
	struct page page;

	append(f, &e, 0, 30);
	append(f, &other, 0, 30);
	finish(f, &e, 30);
	finish(f, &other, 30);
	assert_ok(pack(f, &e, 0, 20, 0));
	assert_ok(pack(f, &other, 0, 20, 0));
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_delete(f->w, e.row, 5));
	assert_int_equal(
	    OF(f->w)->execution_delete(f->w, e.row, 5), ERR_NOT_FOUND);
	assert_ok(OF(f->w)->commit(f->w));
	page_init(&page);
	assert_int_equal(
	    OF(f->r)->execution_get(f->r, &e.id, NULL, &got), ERR_GONE);
	assert_int_equal(
	    OF(f->r)->chunk_page(f->r, &e.id, NULL, &q, &page), ERR_GONE);
	page_fini(&page);
	assert_int_equal(read_all(f, &other, 0, 100, 1 << 20), 30);

	/* Its live rows are nobody's, also after a restart. */
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_delete(f->w, other.row, 5));
	assert_ok(OF(f->w)->commit(f->w));
	close_both(f);
	open_both(f);
	next = stored(f, "ann");
	assert_true(next.row > other.row);
	assert_int_equal(load(f).chunks, 0);
	assert_int_equal(read_all(f, &next, 0, 100, 1 << 20), 0);
}

static void a_deleted_payload_is_not_read_while_it_waits_in_the_trash(
    void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), got = { 0 };
	struct query_filter q = { .status = -1, .limit = 1 };
	uint32_t n = 0;

	append(f, &e, 0, 3);
	finish(f, &e, 3);
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->payload_delete(f->w, e.row, 5));
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, NULL, &got));
	assert_null(got.request);
	assert_string_equal(got.metadata, "{\"usage\":1}");
	assert_int_equal(got.payload_deleted_ms, 5);
	execution_fini(&got);
	assert_ok(OF(f->r)->execution_list(f->r, &q, true, &got, &n));
	assert_int_equal(n, 1);
	assert_null(got.request);
	execution_fini(&got);
}

/* --- lists --- */

static uint32_t list(
    struct fixture *f, const struct query_filter *q, struct execution *ret)
{
	uint32_t n = 99;

	assert_ok(OF(f->r)->execution_list(f->r, q, false, ret, &n));
	return n;
}

static void clear(struct execution *list, uint32_t n)
{
	while (n > 0)
		execution_fini(&list[--n]);
}

static void a_list_is_newest_first_and_goes_on_at_the_cursor(void **state)
{
	struct fixture *f = *state;
	struct execution e[7], got[8];
	struct query_filter q = { .owner = "ann", .status = -1, .limit = 3 };
	uint32_t n;

	for (int i = 0; i < 7; i++)
		e[i] = stored(f, i == 3 ? "bob" : "ann");
	n = list(f, &q, got);
	assert_int_equal(n, 3);
	for (int i = 0; i < 3; i++)
		assert_true(id_equal(&got[i].id, &e[6 - i].id));
	assert_null(got[0].request);
	clear(got, n);
	q.after = &e[4].id;
	n = list(f, &q, got);
	assert_int_equal(n, 3);
	assert_true(id_equal(&got[0].id, &e[2].id));
	assert_true(id_equal(&got[2].id, &e[0].id));
	clear(got, n);
	q.after = &e[0].id;
	assert_int_equal(list(f, &q, got), 0);

	q = (struct query_filter){ .status = -1,
		.limit = 8,
		.oldest_first = true,
		.after = &e[1].id };
	n = list(f, &q, got);
	assert_int_equal(n, 5);
	assert_true(id_equal(&got[0].id, &e[2].id));
	assert_string_equal(got[1].owner, "bob");
	clear(got, n);
}

static void a_list_by_status_holds_only_that_status(void **state)
{
	struct fixture *f = *state;
	struct execution e[6], got[8];
	struct query_filter q = { .status = EXECUTION_COMPLETED, .limit = 8 };
	uint32_t n;

	for (int i = 0; i < 6; i++)
		e[i] = stored(f, i < 3 ? "ann" : "bob");
	finish(f, &e[1], 0);
	finish(f, &e[4], 0);
	for (int asc = 0; asc < 2; asc++) {
		q.oldest_first = asc;
		q.owner = NULL;
		n = list(f, &q, got);
		assert_int_equal(n, 2);
		assert_true(id_equal(&got[asc].id, &e[4].id));
		clear(got, n);
		q.owner = "ann";
		n = list(f, &q, got);
		assert_int_equal(n, 1);
		assert_true(id_equal(&got[0].id, &e[1].id));
		clear(got, n);
	}
}

static void a_list_by_time_takes_from_since_until_before_until(void **state)
{
	struct fixture *f = *state;
	struct execution got[8];
	struct query_filter q = { .owner = "ann", .status = -1, .limit = 8 };
	int64_t now = 0;
	uint32_t n;

	assert_ok(OF(f->w)->begin(f->w));
	for (int i = 0; i < 5; i++) {
		struct execution e = make_execution("ann", NULL);

		if (now == 0)
			for (int k = 0; k < 6; k++)
				now = now << 8 | e.id.byte[k];
		e.created_ms = now + i * 10;
		assert_ok(OF(f->w)->execution_insert(f->w, &e));
	}
	assert_ok(OF(f->w)->commit(f->w));
	q.since_ms = now + 10;
	q.until_ms = now + 30;
	n = list(f, &q, got);
	assert_int_equal(n, 2);
	assert_int_equal(got[0].created_ms, now + 20);
	assert_int_equal(got[1].created_ms, now + 10);
	clear(got, n);
	q.until_ms = 0;
	n = list(f, &q, got);
	assert_int_equal(n, 4);
	clear(got, n);
	q.until_ms = 1000; /* 1970 */
	q.since_ms = 0;
	assert_int_equal(list(f, &q, got), 0);
}

static void a_whole_list_has_request_and_metadata(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), got[2];
	struct query_filter q = { .owner = "ann", .status = -1, .limit = 2 };
	uint32_t n = 0;

	finish(f, &e, 0);
	assert_ok(OF(f->r)->execution_list(f->r, &q, true, got, &n));
	assert_int_equal(n, 1);
	assert_string_equal(got[0].request, e.request);
	assert_string_equal(got[0].metadata, "{\"usage\":1}");
	clear(got, n);
}

/* --- chunks --- */

static void live_rows_come_back_as_they_were(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	struct page_query q = { 0, 100, 1 << 20 };
	struct page_cursor at = { 0 };
	const struct chunk in[] = {
		{ .attempt = 1,
		    .kind = CHUNK_TEXT,
		    .ts_ms = 1000005,
		    .content = "a\0b",
		    .content_len = 3 },
		{ .attempt = 1,
		    .kind = CHUNK_REASONING,
		    .ts_ms = 999000,
		    .meta = "{\"text\":\"t\"}",
		    .meta_len = 12 },
		{ .attempt = 300, .kind = CHUNK_RESET, .ts_ms = 5000000000000 },
		{ .attempt = 300,
		    .kind = CHUNK_TEXT,
		    .ts_ms = 1,
		    .content = "x",
		    .content_len = 1,
		    .meta = "{}",
		    .meta_len = 2 },
		{ .attempt = 300,
		    .kind = CHUNK_END,
		    .ts_ms = -5,
		    .meta = "{\"s\":1}",
		    .meta_len = 7 },
	};
	struct page page;
	struct chunk c;
	int64_t seq;

	assert_ok(OF(f->w)->begin(f->w));
	for (size_t i = 0; i < 5; i++) {
		c = in[i];
		c.index = i;
		assert_ok(OF(f->w)->chunk_append(f->w, &e, &c, &seq));
	}
	assert_ok(OF(f->w)->commit(f->w));
	page_init(&page);
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, "ann", &q, &page));
	assert_int_equal(page.n, 5);
	assert_int_equal(page.total, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_true(page_each(&page, &at, &c));
		assert_int_equal(c.index, i);
		assert_int_equal(c.attempt, in[i].attempt);
		assert_int_equal(c.kind, in[i].kind);
		assert_int_equal(c.ts_ms, in[i].ts_ms);
		assert_int_equal(c.content_len, in[i].content_len);
		assert_int_equal(c.meta_len, in[i].meta_len);
		if (c.content_len > 0)
			assert_memory_equal(
			    c.content, in[i].content, c.content_len);
		if (c.meta_len > 0)
			assert_memory_equal(c.meta, in[i].meta, c.meta_len);
	}
	page_fini(&page);
}

static void a_chunk_of_a_megabyte_is_kept(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	size_t len = 1 << 20;
	char *big = malloc(len);
	struct chunk c = { .attempt = 1, .content = big, .content_len = len };
	struct page_query q = { 1, 5, 1000 };
	struct page page;
	struct page_cursor at = { 0 };
	int64_t seq;

	memset(big, 'x', len);
	append(f, &e, 0, 1);
	assert_ok(OF(f->w)->begin(f->w));
	c.index = 1;
	assert_ok(OF(f->w)->chunk_append(f->w, &e, &c, &seq));
	assert_ok(OF(f->w)->commit(f->w));
	append(f, &e, 2, 3);
	page_init(&page);
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, "ann", &q, &page));
	assert_int_equal(page.n, 1); /* one always fits */
	assert_true(page_each(&page, &at, &c));
	assert_int_equal(c.content_len, len);
	assert_memory_equal(c.content, big, len);
	page_fini(&page);
	free(big);
}

static void a_log_beyond_its_ceiling_is_refused(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	struct chunk c = make_chunk((uint64_t)1 << 24, "x");
	int64_t seq;

	assert_ok(OF(f->w)->begin(f->w));
	assert_int_equal(OF(f->w)->chunk_append(f->w, &e, &c, &seq), ERR_LIMIT);
	OF(f->w)->rollback(f->w);
}

static void interleaved_logs_stay_apart(void **state)
{
	struct fixture *f = *state;
	struct execution e[3];
	int64_t seq;

	for (int i = 0; i < 3; i++)
		e[i] = stored(f, "ann");
	assert_ok(OF(f->w)->begin(f->w));
	for (uint64_t k = 0; k < 300; k++) {
		char text[16];
		struct chunk c;

		snprintf(text, sizeof(text), "c%d", (int)(k / 3));
		c = make_chunk(k / 3, text);
		assert_ok(OF(f->w)->chunk_append(f->w, &e[k % 3], &c, &seq));
	}
	assert_ok(OF(f->w)->commit(f->w));
	for (int i = 0; i < 3; i++)
		assert_int_equal(read_all(f, &e[i], 0, 1000, 1 << 20), 100);
	assert_int_equal(load(f).chunks, 300);
}

static void segments_and_live_rows_read_as_one_log(void **state)
{
	struct fixture *f = *state;

	for (uint32_t codec = 0; codec < 2; codec++) {
		struct execution e = stored(f, "ann");

		append(f, &e, 0, 100);
		assert_ok(pack(f, &e, 0, 30, codec));
		assert_ok(pack(f, &e, 30, 1, codec));
		assert_ok(pack(f, &e, 31, 40, codec));
		for (uint64_t from = 0; from <= 101; from++)
			assert_int_equal(read_all(f, &e, from, 9, 60),
			    from < 100 ? 100 : from);
		finish(f, &e, 100);
		assert_int_equal(read_all(f, &e, 0, 10000, 1 << 20), 100);
		assert_ok(pack(f, &e, 71, 29, codec));
		assert_int_equal(read_all(f, &e, 0, 10000, 1 << 20), 100);
	}
}

static void a_page_of_an_ended_log_says_so(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	struct page_query q = { 8, 100, 1 << 20 };
	struct page page;

	page_init(&page);
	append(f, &e, 0, 10);
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, "ann", &q, &page));
	assert_int_equal(page.status, EXECUTION_QUEUED);
	assert_int_equal(page.total, 10);
	assert_false(page_final(&page));
	assert_int_equal(page.metadata.len, 0);
	finish(f, &e, 10);
	assert_ok(pack(f, &e, 0, 10, 1));
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, "ann", &q, &page));
	assert_int_equal(page.n, 2);
	assert_int_equal(page.total, 10);
	assert_true(page_final(&page));
	assert_int_equal(page.metadata.len, 11);
	q.from = 12;
	assert_ok(OF(f->r)->chunk_page(f->r, &e.id, "ann", &q, &page));
	assert_int_equal(page.n, 0);
	assert_int_equal(page.first, 12);
	assert_true(page_final(&page));
	page_fini(&page);
}

static void a_segment_that_leaves_a_gap_is_refused(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");

	append(f, &e, 0, 20);
	assert_int_equal(pack(f, &e, 5, 5, 0), ERR_CONFLICT);
	assert_ok(pack(f, &e, 0, 10, 0));
	assert_int_equal(pack(f, &e, 5, 10, 0), ERR_CONFLICT);
	assert_int_equal(read_all(f, &e, 0, 100, 1 << 20), 20);
}

static void the_first_segment_keeps_the_time_of_the_first_chunk(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), got = { 0 };
	struct engine_segment s = {
		.n = 5, .payload = "lent", .payload_len = 4, .raw_len = 4
	};

	append(f, &e, 0, 20);
	for (s.first = 0; s.first < 15; s.first += 5) {
		s.first_chunk_ms = s.first == 0 ? 0 : 1000 + (int64_t)s.first;
		assert_ok(f->engine->begin(f->w));
		assert_ok(f->engine->segment_put(f->w, &e, &s));
		assert_ok(f->engine->commit(f->w));
		assert_ok(f->engine->execution_get(f->r, &e.id, NULL, &got));
		assert_true(got.first_chunk_ms == (s.first == 0 ? 0 : 1005));
		execution_fini(&got);
		got = (struct execution){ 0 };
	}
}

static void a_packed_prefix_is_dropped_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct execution a = stored(f, "ann"), b = stored(f, "ann");
	int64_t last_a, last_b;
	uint32_t n, sum = 0;

	last_a = append(f, &a, 0, 500);
	last_b = append(f, &b, 0, 200);
	finish(f, &a, 500);
	assert_ok(pack(f, &a, 0, 500, 1));
	while ((n = drop(f, last_a + 1, 100)) > 0) {
		assert_true(n <= 100);
		sum += n;
	}
	assert_int_equal(sum, 500);
	assert_int_equal(read_all(f, &a, 0, 1000, 1 << 20), 500);
	assert_int_equal(read_all(f, &b, 0, 1000, 1 << 20), 200);
	/* Sequence numbers never come back, even when all rows are gone. */
	finish(f, &b, 200);
	assert_ok(pack(f, &b, 0, 200, 0));
	while (drop(f, last_b + 1, 1000) > 0)
		;
	close_both(f);
	open_both(f);
	a = stored(f, "ann");
	assert_true(append(f, &a, 0, 1) > last_b);
}

static void recovery_reads_back_what_is_live_and_no_more(void **state)
{
	struct fixture *f = *state;
	struct execution done = stored(f, "ann"), half = stored(f, "ann"),
			 live = stored(f, "ann"), queued = stored(f, "ann");
	struct loaded l;

	append(f, &done, 0, 50);
	append(f, &half, 0, 50);
	append(f, &live, 0, 50);
	finish(f, &done, 50);
	assert_ok(pack(f, &done, 0, 50, 1));
	finish(f, &half, 50);
	assert_ok(pack(f, &half, 0, 20, 1));
	assert_ok(pack(f, &live, 0, 10, 0));
	close_both(f);
	open_both(f);
	l = load(f);
	assert_int_equal(l.n, 3);
	assert_true(id_equal(&l.id[0], &half.id));
	assert_int_equal(l.packed[0], 20);
	assert_true(id_equal(&l.id[1], &live.id));
	assert_int_equal(l.packed[1], 10);
	assert_true(id_equal(&l.id[2], &queued.id));
	assert_int_equal(l.chunks, 30 + 40);
	assert_int_equal(l.first_index, 20);
	assert_int_equal(l.chunk_row, live.row);
	assert_string_equal(l.request, queued.request);
}

/* --- keys and prompts --- */

static struct key make_key(const char *owner, uint8_t mark)
{
	struct key k = { .id = id_new(),
		.label = "laptop",
		.hint = "spool_abcd",
		.scopes = KEY_RUN | KEY_READ,
		.hash = { mark },
		.created_ms = 5,
		.expires_ms = 6 };

	snprintf(k.owner, sizeof(k.owner), "%s", owner);
	return k;
}

struct keys {
	struct key k[8];
	size_t n;
};

static enum err on_key(void *arg, const struct key *k)
{
	struct keys *to = arg;

	to->k[to->n++] = *k;
	return OK;
}

static void keys_are_kept_and_revoked_by_their_owner(void **state)
{
	uint32_t damaged = 9;
	struct fixture *f = *state;
	struct key a = make_key("ann", 1), b = make_key("bob", 2),
		   same_hash = make_key("bob", 1), same_id = make_key("x", 9);
	struct keys got = { 0 };

	same_id.id = a.id;
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->key_insert(f->w, &a));
	assert_ok(OF(f->w)->key_insert(f->w, &b));
	assert_int_equal(OF(f->w)->key_insert(f->w, &same_hash), ERR_CONFLICT);
	assert_int_equal(OF(f->w)->key_insert(f->w, &same_id), ERR_CONFLICT);
	assert_int_equal(
	    OF(f->w)->key_revoke(f->w, &a.id, "bob", 77), ERR_NOT_FOUND);
	assert_ok(OF(f->w)->key_revoke(f->w, &a.id, "ann", 77));
	assert_ok(OF(f->w)->key_revoke(f->w, &a.id, NULL, 78));
	assert_int_equal(
	    OF(f->w)->key_revoke(f->w, &same_hash.id, NULL, 7), ERR_NOT_FOUND);
	assert_ok(OF(f->w)->commit(f->w));
	close_both(f);
	open_both(f);
	assert_ok(OF(f->w)->keys_load(f->w, &got, on_key, &damaged));
	assert_int_equal(damaged, 0);
	assert_int_equal(got.n, 2);
	a.revoked_ms = 77; /* the first time counts */
	assert_memory_equal(&got.k[0].id, &a.id, sizeof(a.id));
	assert_string_equal(got.k[0].label, "laptop");
	assert_string_equal(got.k[0].owner, "ann");
	assert_string_equal(got.k[0].hint, "spool_abcd");
	assert_memory_equal(got.k[0].hash, a.hash, DIGEST_BYTES);
	assert_int_equal(got.k[0].scopes, KEY_RUN | KEY_READ);
	assert_int_equal(got.k[0].created_ms, 5);
	assert_int_equal(got.k[0].expires_ms, 6);
	assert_int_equal(got.k[0].revoked_ms, 77);
	assert_int_equal(got.k[1].revoked_ms, 0);
}

static uint32_t add_prompt(
    struct fixture *f, const char *owner, const char *name, const char *body)
{
	struct prompt p = { .owner = (char *)(uintptr_t)owner,
		.name = (char *)(uintptr_t)name,
		.body = (char *)(uintptr_t)body,
		.body_len = strlen(body),
		.created_ms = 9 };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->prompt_insert(f->w, &p));
	assert_ok(OF(f->w)->commit(f->w));
	return p.version;
}

static void prompts_count_their_versions(void **state)
{
	struct fixture *f = *state;
	struct prompt p = { 0 }, all[4];
	uint32_t n = 0;

	assert_int_equal(add_prompt(f, "ann", "b", "{\"v\":1}"), 1);
	assert_int_equal(add_prompt(f, "ann", "b", "{\"v\":2}"), 2);
	assert_int_equal(add_prompt(f, "ann", "a", "{}"), 1);
	assert_int_equal(add_prompt(f, "ann", "c", "{}"), 1);
	assert_int_equal(add_prompt(f, "bob", "b", "{\"bob\":1}"), 1);
	assert_ok(OF(f->r)->prompt_get(f->r, "ann", "b", 0, &p));
	assert_int_equal(p.version, 2);
	assert_string_equal(p.body, "{\"v\":2}");
	assert_int_equal(p.body_len, 7);
	assert_int_equal(p.created_ms, 9);
	prompt_fini(&p);
	assert_ok(OF(f->r)->prompt_get(f->r, "ann", "b", 1, &p));
	assert_string_equal(p.body, "{\"v\":1}");
	prompt_fini(&p);
	assert_int_equal(
	    OF(f->r)->prompt_get(f->r, "ann", "b", 3, &p), ERR_NOT_FOUND);
	assert_int_equal(
	    OF(f->r)->prompt_get(f->r, "bob", "c", 0, &p), ERR_NOT_FOUND);

	assert_ok(OF(f->r)->prompt_list(f->r, "ann", NULL, 2, all, &n));
	assert_int_equal(n, 2);
	assert_string_equal(all[0].name, "a");
	assert_string_equal(all[1].name, "b");
	assert_int_equal(all[1].version, 2);
	prompt_fini(&all[0]);
	prompt_fini(&all[1]);
	assert_ok(OF(f->r)->prompt_list(f->r, "ann", "b", 2, all, &n));
	assert_int_equal(n, 1);
	assert_string_equal(all[0].name, "c");
	prompt_fini(&all[0]);

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->prompt_delete(f->w, "ann", "b"));
	assert_int_equal(
	    OF(f->w)->prompt_delete(f->w, "ann", "b"), ERR_NOT_FOUND);
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(
	    OF(f->r)->prompt_get(f->r, "ann", "b", 0, &p), ERR_NOT_FOUND);
	assert_ok(OF(f->r)->prompt_get(f->r, "bob", "b", 0, &p));
	prompt_fini(&p);
}

/* --- keeping house --- */

static void the_log_of_changes_stays_small(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	struct engine_stats stats;
	uint64_t index = 0;

	for (int i = 0; i < 400; i++) {
		append(f, &e, index, index + 1000);
		index += 1000;
		assert_ok(OF(f->w)->tidy(f->w));
	}
	OF(f->w)->stats(f->w, &stats);
	assert_true(stats.db_bytes > 2 << 20);
	assert_true(stats.wal_bytes < 8 << 20);
}

/* --- what a check asks --- */

/* What was seen, in order. */
struct sight {
	int64_t rows[8];
	uint64_t first[8], index[64];
	int64_t n_chunks[8];
	size_t n_executions, n_segments, n_live;
};

static enum err see_execution(void *arg, const struct engine_seen_execution *e)
{
	struct sight *s = arg;

	assert_true(s->n_executions < 8);
	assert_true(e->has_request);
	s->rows[s->n_executions++] = e->row;
	return OK;
}

static enum err see_segment(void *arg, const struct engine_seen_segment *seg)
{
	struct sight *s = arg;

	assert_true(s->n_segments < 8);
	assert_non_null(seg->raw);
	s->first[s->n_segments] = seg->first;
	s->n_chunks[s->n_segments++] = seg->n;
	return OK;
}

static enum err see_chunk(void *arg, int64_t row, const struct chunk *c)
{
	struct sight *s = arg;

	assert_true(row > 0 && s->n_live < 64);
	s->index[s->n_live++] = c->index;
	return OK;
}

static enum err see_damage(void *arg, const char *what)
{
	(void)arg;
	fail_msg("%s", what);
	return ERR_CORRUPT;
}

static struct engine_seen seeing(struct sight *s)
{
	return (struct engine_seen){ .on_execution = see_execution,
		.on_segment = see_segment,
		.on_chunk = see_chunk,
		.on_damage = see_damage,
		.arg = s };
}

static void executions_are_seen_in_steps(void **state)
{
	struct fixture *f = *state;
	struct execution e[3];
	struct sight s = { 0 };
	const struct engine_seen to = seeing(&s);

	for (int i = 0; i < 3; i++)
		e[i] = stored(f, "ann");
	assert_ok(OF(f->r)->seen_executions(f->r, 0, 2, &to));
	assert_int_equal(s.n_executions, 2);
	assert_ok(OF(f->r)->seen_executions(f->r, s.rows[1], 2, &to));
	assert_ok(OF(f->r)->seen_executions(f->r, s.rows[2], 2, &to));
	assert_int_equal(s.n_executions, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(s.rows[i], e[i].row);
}

static void segments_are_seen_in_steps_and_within_rows(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann"), other = stored(f, "bob");
	struct sight s = { 0 };
	const struct engine_seen to = seeing(&s);

	append(f, &e, 0, 30);
	append(f, &other, 0, 5);
	assert_ok(pack(f, &e, 0, 10, 0));
	assert_ok(pack(f, &e, 10, 20, 1));
	assert_ok(pack(f, &other, 0, 5, 1));
	assert_ok(OF(f->r)->seen_segments(f->r, e.row, 0, e.row, 1, &to));
	assert_int_equal(s.n_segments, 1);
	assert_ok(OF(f->r)->seen_segments(f->r, e.row, 1, e.row, 1 << 20, &to));
	assert_int_equal(s.n_segments, 2);
	assert_int_equal(s.first[1], 10);
	assert_int_equal(s.n_chunks[1], 20);
	assert_ok(
	    OF(f->r)->seen_segments(f->r, e.row, 11, e.row, 1 << 20, &to));
	assert_int_equal(s.n_segments, 2);
	assert_ok(
	    OF(f->r)->seen_segments(f->r, e.row, 0, INT64_MAX, 1 << 20, &to));
	assert_int_equal(s.n_segments, 5);
}

static void live_rows_are_seen_in_steps_to_the_end(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann");
	struct sight s = { 0 };
	const struct engine_seen to = seeing(&s);
	int64_t from = 0, next = -1;
	int steps = 0;

	for (uint64_t i = 0; i < 40; i += 10)
		append(f, &e, i, i + 10);
	for (; next != from; steps++) {
		from = next < 0 ? 0 : next;
		assert_ok(OF(f->r)->seen_chunks(f->r, from, 1, &to, &next));
	}
	assert_int_equal(steps, 5);
	assert_int_equal(s.n_live, 40);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(s.index[i], i);
	/* What comes later is seen by going on. */
	append(f, &e, 40, 41);
	assert_ok(OF(f->r)->seen_chunks(f->r, from, 1 << 20, &to, &next));
	assert_int_equal(s.n_live, 41);
}

static void sound_files_are_seen_without_damage(void **state)
{
	struct fixture *f = *state;
	struct sight s = { 0 };
	const struct engine_seen to = seeing(&s);
	bool looked = false;

	stored(f, "ann");
	assert_ok(OF(f->r)->seen_files(f->r, true, 0, &to, &looked));
	assert_true(looked);
	assert_ok(OF(f->r)->seen_files(f->r, false, 1, &to, &looked));
	assert_false(looked);
}

static void alone_means_that_nobody_has_it_open(void **state)
{
	struct fixture *f = *state;
	struct engine_db *db = NULL, *second = NULL;
	struct store_options none = { .url = "/tmp/engine_test_no_such" };
	struct why why = { "" };

	assert_int_equal(
	    f->engine->open_alone(&f->options, &db, &why), ERR_BUSY);
	close_both(f);
	assert_ok(f->engine->open_alone(&f->options, &db, &why));
	assert_int_equal(f->engine->open(&f->options, &second, &why), ERR_BUSY);
	f->engine->close(db);
	assert_int_equal(
	    f->engine->open_alone(&none, &db, &why), ERR_NOT_FOUND);
	open_both(f);
}

static void room_is_set_aside_more_than_once_and_given_back(void **state)
{
	struct fixture *f = *state;
	struct engine_stats before, after;

	f->engine->stats(f->w, &before);
	assert_ok(f->engine->set_aside(f->w, (uint64_t)8 << 20));
	assert_ok(f->engine->set_aside(f->w, (uint64_t)8 << 20));
	assert_ok(f->engine->set_aside(f->w, 0));
	assert_ok(f->engine->set_aside(f->w, 0));
	f->engine->stats(f->w, &after);
	assert_true(before.disk_bytes == after.disk_bytes);
	assert_true(before.free_bytes <= before.disk_bytes);
	/* No disk is as large. */
	assert_true(f->engine->set_aside(f->w, (uint64_t)1 << 62) != OK);
	assert_ok(f->engine->begin(f->w));
	assert_ok(f->engine->commit(f->w));
}

/* --- nodes --- */

static uint64_t joined(struct fixture *f)
{
	uint64_t epoch = 0;

	assert_ok(f->engine->node_join(f->w, &epoch));
	return epoch;
}

static uint32_t taken(struct fixture *f, uint32_t limit)
{
	uint32_t n = 77;

	assert_ok(f->engine->node_take(f->w, limit, &n));
	return n;
}

static void a_node_that_joins_again_has_a_higher_epoch(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = joined(f);

	assert_true(epoch > 0);
	assert_ok(f->engine->node_renew(f->w, 1000));
	close_both(f);
	open_both(f);
	assert_true(joined(f) > epoch);
	assert_ok(f->engine->node_renew(f->w, 1000));
}

static void what_a_node_left_that_is_gone_is_taken_once(void **state)
{
	struct fixture *f = *state;
	struct execution ended;

	joined(f);
	ended = stored(f, "ann");
	for (int i = 0; i < 5; i++)
		stored(f, "ann");
	append(f, &ended, 0, 3);
	finish(f, &ended, 3);
	assert_int_equal(taken(f, 100), 0); /* they are ours */
	close_both(f);
	open_both(f);
	joined(f);
	assert_int_equal(taken(f, 3), 3);
	assert_int_equal(taken(f, 3), 2);
	assert_int_equal(taken(f, 3), 0);
}

/* Let another process become the node: here, by the removal of the lock. */
static struct engine_db *taker(struct fixture *f)
{
	struct engine_db *db = NULL;
	char lock[160];
	uint64_t epoch;

	snprintf(lock, sizeof(lock), "%s.lock", f->url);
	assert_int_equal(unlink(lock), 0);
	assert_ok(f->engine->open(&f->options, &db, NULL));
	assert_ok(f->engine->node_join(db, &epoch));
	return db;
}

static void what_a_zombie_writes_is_not_stored(void **state)
{
	struct fixture *f = *state;
	struct engine_db *other;
	struct execution e, got = { 0 };
	uint32_t n = 0;
	enum err rc;

	joined(f);
	e = stored(f, "ann");
	append(f, &e, 0, 10);
	other = taker(f);
	assert_ok(f->engine->node_take(other, 10, &n));
	assert_int_equal(n, 1);

	assert_int_equal(f->engine->node_renew(f->w, 1000), ERR_CONFLICT);
	rc = f->engine->begin(f->w);
	if (rc == OK)
		rc = f->engine->execution_start(f->w, &e, "up/m", 2, 5);
	if (rc == OK)
		rc = f->engine->commit(f->w);
	assert_int_equal(rc, ERR_CONFLICT);
	assert_true(f->w->why.text[0] != '\0');

	assert_ok(f->engine->node_renew(other, 1000));
	assert_ok(f->engine->begin(other));
	assert_ok(f->engine->execution_start(other, &e, "up/m", 3, 5));
	assert_ok(f->engine->commit(other));
	assert_ok(f->engine->execution_get(f->r, &e.id, NULL, &got));
	assert_int_equal(got.attempts, 3);
	execution_fini(&got);
	f->engine->close(f->w);
	f->w = other;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unknown_url_is_refused_with_the_known_ones),
		T(a_second_opener_in_this_process_is_refused),
		T(another_process_is_refused_and_told_who_holds_it),
		T(a_closed_store_opens_again_with_all_it_held),
		T(what_is_inserted_is_read_back_whole),
		T(anothers_execution_is_not_found),
		T(a_used_idempotency_key_conflicts_and_spoils_nothing),
		T(a_note_is_given_back_until_the_end),
		T(an_ended_execution_never_changes),
		T(a_rolled_back_execution_was_never_there),
		T(a_deleted_execution_leaves_nothing_behind),
		T(a_deleted_payload_is_not_read_while_it_waits_in_the_trash),
		T(a_list_is_newest_first_and_goes_on_at_the_cursor),
		T(a_list_by_status_holds_only_that_status),
		T(a_list_by_time_takes_from_since_until_before_until),
		T(a_whole_list_has_request_and_metadata),
		T(live_rows_come_back_as_they_were),
		T(a_chunk_of_a_megabyte_is_kept),
		T(a_log_beyond_its_ceiling_is_refused),
		T(interleaved_logs_stay_apart),
		T(segments_and_live_rows_read_as_one_log),
		T(a_page_of_an_ended_log_says_so),
		T(a_segment_that_leaves_a_gap_is_refused),
		T(the_first_segment_keeps_the_time_of_the_first_chunk),
		T(a_packed_prefix_is_dropped_and_nothing_else),
		T(recovery_reads_back_what_is_live_and_no_more),
		T(keys_are_kept_and_revoked_by_their_owner),
		T(prompts_count_their_versions),
		T(the_log_of_changes_stays_small),
		T(executions_are_seen_in_steps),
		T(segments_are_seen_in_steps_and_within_rows),
		T(live_rows_are_seen_in_steps_to_the_end),
		T(sound_files_are_seen_without_damage),
		T(alone_means_that_nobody_has_it_open),
		T(room_is_set_aside_more_than_once_and_given_back),
		T(a_node_that_joins_again_has_a_higher_epoch),
		T(what_a_node_left_that_is_gone_is_taken_once),
		T(what_a_zombie_writes_is_not_stored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
