/*
 * The questions of store/engine.h about deleting, asked of the engine that a
 * path names: tombstones, trash, payloads, the walk, the audit.
 */
#include "tests/contract/engine_fixture.h"

#define REQUEST "{\"model\":\"m\"}"
#define METADATA "{\"usage\":1}"
#define SEGMENT_BYTES 2000
/* What it takes, with its sum. */
#define STORED_BYTES (SEGMENT_BYTES + 4)

/* An execution with ${segments} segments of a row each, ended if ${ends}. */
static struct execution stored(struct fixture *f, const char *owner,
    const char *key, uint32_t segments, bool ends)
{
	static char request[] = REQUEST, model[] = "m";
	static char payload[SEGMENT_BYTES];
	struct execution e = { .id = id_new(),
		.owner = (char *)(uintptr_t)owner,
		.model = model,
		.created_ms = 1000000,
		.request = request,
		.request_len = strlen(request),
		.idempotency_key = (char *)(uintptr_t)key,
		.request_hash = { 7 } };
	const struct engine_end end = { .status = EXECUTION_COMPLETED,
		.finished_ms = 2000000,
		.next_index = segments,
		.metadata = METADATA,
		.metadata_len = strlen(METADATA) };

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	if (ends)
		assert_ok(OF(f->w)->execution_end(f->w, &e, &end));
	for (uint32_t i = 0; i < segments; i++) {
		struct engine_segment s = { .first = i,
			.n = 1,
			.payload = payload,
			.payload_len = sizeof(payload),
			.raw_len = sizeof(payload) };

		assert_ok(OF(f->w)->segment_put(f->w, &e, &s));
	}
	assert_ok(OF(f->w)->commit(f->w));
	return e;
}

static enum err delete_at(
    struct fixture *f, const struct execution *e, bool payload, int64_t ms)
{
	enum err rc;

	assert_ok(OF(f->w)->begin(f->w));
	rc = payload ? OF(f->w)->payload_delete(f->w, e->row, ms)
		     : OF(f->w)->execution_delete(f->w, e->row, ms);
	if (rc == OK)
		assert_ok(OF(f->w)->commit(f->w));
	else
		OF(f->w)->rollback(f->w);
	return rc;
}

/* One step; true when there is more. */
static bool drop(
    struct fixture *f, uint32_t limit, size_t max_bytes, size_t *ret_bytes)
{
	bool left = true;

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(
	    OF(f->w)->trash_drop(f->w, limit, max_bytes, ret_bytes, &left));
	assert_ok(OF(f->w)->commit(f->w));
	return left;
}

/* What lies in the store of the payloads, whoever has it. */
struct sight {
	uint32_t segments, owned, trashed, requests, known, trash, held;
	uint32_t tombstones, there;
};

static enum err see_segment(void *arg, const struct engine_seen_segment *seg)
{
	struct sight *s = arg;

	s->segments++;
	s->owned += seg->owned;
	s->trashed += seg->trashed;
	return OK;
}

static enum err see_request(void *arg, const struct engine_seen_request *r)
{
	struct sight *s = arg;

	assert_true(r->holds);
	s->requests++;
	s->known += r->owned || r->trashed;
	return OK;
}

static enum err see_trash(void *arg, int64_t row, bool owned)
{
	struct sight *s = arg;

	(void)row;
	s->trash++;
	s->held += owned;
	return OK;
}

static enum err see_tombstone(void *arg, const struct id *id, bool there)
{
	struct sight *s = arg;

	(void)id;
	s->tombstones++;
	s->there += there;
	return OK;
}

static struct sight look(struct fixture *f)
{
	static const struct id none;
	struct sight s = { 0 };
	const struct engine_seen to = { .on_segment = see_segment,
		.on_request = see_request,
		.on_trash = see_trash,
		.on_tombstone = see_tombstone,
		.arg = &s };

	assert_ok(OF(f->r)->seen_segments(
	    f->r, 1, 0, INT64_MAX, (size_t)1 << 30, &to));
	assert_ok(OF(f->r)->seen_requests(f->r, 0, 1000, 1 << 20, &to));
	assert_ok(OF(f->r)->seen_trash(f->r, 0, 1000, &to));
	assert_ok(OF(f->r)->seen_tombstones(f->r, &none, 1000, &to));
	return s;
}

/* --- deleting whole --- */

static void a_tombstone_tells_its_owner_and_nobody_else(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann", NULL, 1, true), got = { 0 };
	struct page_query q = { 0, 10, 1000 };
	struct page page;
	int64_t ms = 0;

	assert_ok(delete_at(f, &e, false, 77));
	page_init(&page);
	for (int i = 0; i < 2; i++) {
		const char *owner = i == 0 ? "ann" : NULL;

		assert_int_equal(
		    OF(f->r)->execution_get(f->r, &e.id, owner, &got),
		    ERR_GONE);
		assert_int_equal(
		    OF(f->r)->chunk_page(f->r, &e.id, owner, &q, &page),
		    ERR_GONE);
		ms = 0;
		assert_ok(OF(f->r)->tombstone_get(f->r, &e.id, owner, &ms));
		assert_int_equal(ms, 77);
	}
	assert_int_equal(
	    OF(f->r)->execution_get(f->r, &e.id, "bob", &got), ERR_NOT_FOUND);
	assert_int_equal(
	    OF(f->r)->chunk_page(f->r, &e.id, "bob", &q, &page), ERR_NOT_FOUND);
	assert_int_equal(
	    OF(f->r)->tombstone_get(f->r, &e.id, "bob", &ms), ERR_NOT_FOUND);
	page_fini(&page);
	assert_int_equal(delete_at(f, &e, false, 78), ERR_NOT_FOUND);
}

static void a_deleted_ones_idempotency_key_is_free(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann", "key", 0, true), got = { 0 };

	assert_ok(OF(f->w)->execution_by_key(f->w, "ann", "key", &got));
	assert_ok(delete_at(f, &e, false, 5));
	assert_int_equal(OF(f->w)->execution_by_key(f->w, "ann", "key", &got),
	    ERR_NOT_FOUND);
	stored(f, "ann", "key", 0, true);
}

static void what_is_brought_back_has_no_tombstone(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann", NULL, 1, true), got = { 0 };

	assert_ok(delete_at(f, &e, false, 5));
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, "ann", &got));
	execution_fini(&got);
	assert_int_equal(look(f).tombstones, 0);
}

static void old_tombstones_are_dropped_a_few_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct execution e[7], got = { 0 };
	uint32_t n = 0;

	for (int i = 0; i < 7; i++) {
		e[i] = stored(f, "ann", NULL, 0, true);
		assert_ok(delete_at(f, &e[i], false, 100 - i));
	}
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->tombstones_drop(f->w, 100, 4, &n));
	assert_int_equal(n, 4);
	assert_ok(OF(f->w)->tombstones_drop(f->w, 100, 4, &n));
	assert_int_equal(n, 2);
	assert_ok(OF(f->w)->tombstones_drop(f->w, 100, 4, &n));
	assert_int_equal(n, 0);
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(look(f).tombstones, 1);
	assert_int_equal(
	    OF(f->r)->execution_get(f->r, &e[0].id, NULL, &got), ERR_GONE);
	assert_int_equal(
	    OF(f->r)->execution_get(f->r, &e[1].id, NULL, &got), ERR_NOT_FOUND);
}

/* --- the payload alone --- */

static void a_record_outlives_its_payload(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann", "key", 3, true), got = { 0 };
	struct execution live = stored(f, "ann", NULL, 0, false);
	struct query_filter q = { .owner = "ann", .status = -1, .limit = 8 };
	struct page_query pq = { 0, 10, 1000 };
	struct execution list[8];
	struct page page;
	uint32_t n = 0;
	size_t bytes;

	assert_int_equal(delete_at(f, &live, true, 7), ERR_CONFLICT);
	assert_ok(delete_at(f, &e, true, 7));
	assert_int_equal(delete_at(f, &e, true, 8), ERR_CONFLICT);
	while (drop(f, 1, 1, &bytes))
		;
	page_init(&page);
	assert_int_equal(
	    OF(f->r)->chunk_page(f->r, &e.id, "ann", &pq, &page), ERR_GONE);
	assert_non_null(strstr(f->r->why.text, "deleted"));
	assert_int_equal(OF(f->r)->chunk_page(f->r, &e.id, "bob", &pq, &page),
	    ERR_NOT_FOUND);
	page_fini(&page);
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, "ann", &got));
	assert_null(got.request);
	assert_string_equal(got.metadata, METADATA);
	assert_int_equal(got.status, EXECUTION_COMPLETED);
	assert_int_equal(got.next_index, 3);
	assert_int_equal(got.payload_deleted_ms, 7);
	assert_int_equal(got.bytes, strlen(METADATA));
	execution_fini(&got);
	assert_ok(OF(f->w)->execution_by_key(f->w, "ann", "key", &got));
	assert_ok(OF(f->r)->execution_list(f->r, &q, false, list, &n));
	assert_int_equal(n, 2);
	assert_int_equal(list[1].payload_deleted_ms, 7);
	while (n > 0)
		execution_fini(&list[--n]);
	/* And it can go whole afterwards, out of the trash or in it. */
	assert_ok(delete_at(f, &e, false, 9));
	while (drop(f, 1, 1, &bytes))
		;
	assert_int_equal(look(f).requests, 1);
	assert_int_equal(look(f).segments, 0);
	assert_int_equal(look(f).trash, 0);
}

/* --- trash --- */

static void trash_goes_in_small_steps_and_takes_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct execution huge = stored(f, "ann", NULL, 50, true);
	struct execution kept = stored(f, "ann", NULL, 5, true);
	struct execution small = stored(f, "ann", NULL, 1, true);
	size_t bytes, all = 0;
	uint32_t steps = 1;
	struct sight s;

	assert_false(drop(f, 10, 1000, &bytes));
	assert_int_equal(bytes, 0);
	assert_ok(delete_at(f, &huge, false, 5));
	assert_ok(delete_at(f, &small, true, 5));
	s = look(f);
	assert_int_equal(s.segments, 56);
	assert_int_equal(s.owned, 5);
	assert_int_equal(s.trashed, 51);
	assert_int_equal(s.requests, 3);
	assert_int_equal(s.known, 3);
	assert_int_equal(s.trash, 2);
	assert_int_equal(s.held, 0);
	for (; drop(f, 10, (size_t)5 * STORED_BYTES, &bytes); steps++) {
		assert_true(bytes > 0 && bytes <= 5 * STORED_BYTES);
		all += bytes;
		/* Steps outlive a restart. */
		close_both(f);
		open_both(f);
	}
	assert_int_equal(all + bytes, 51 * STORED_BYTES + 2 * strlen(REQUEST));
	assert_true(steps >= 10 && steps <= 12);
	s = look(f);
	assert_int_equal(s.segments, 5);
	assert_int_equal(s.owned, 5);
	assert_int_equal(s.requests, 1);
	assert_int_equal(s.trash, 0);
	assert_int_equal(s.tombstones, 1);
	(void)kept;
}

static void a_step_takes_a_bounded_number_of_executions(void **state)
{
	struct fixture *f = *state;
	size_t bytes;

	for (int i = 0; i < 7; i++) {
		struct execution e = stored(f, "ann", NULL, 0, true);

		assert_ok(delete_at(f, &e, false, 5));
	}
	assert_true(drop(f, 3, 1 << 20, &bytes));
	assert_int_equal(look(f).trash, 4);
	assert_true(drop(f, 3, 1 << 20, &bytes));
	assert_false(drop(f, 3, 1 << 20, &bytes));
	assert_int_equal(look(f).trash, 0);
}

/* --- bytes, and the walk --- */

static void stored_bytes_are_counted(void **state)
{
	struct fixture *f = *state;
	struct execution e = stored(f, "ann", NULL, 3, true), got = { 0 };
	struct execution live = stored(f, "ann", NULL, 0, false);
	struct execution_brief b = { 0 };

	assert_ok(OF(f->r)->execution_brief(f->r, &e.id, "ann", &b));
	assert_int_equal(
	    b.bytes, strlen(REQUEST) + strlen(METADATA) + 3 * SEGMENT_BYTES);
	assert_int_equal(b.chunks, 3);
	assert_int_equal(b.finished_ms, 2000000);
	assert_string_equal(b.owner, "ann");
	assert_ok(OF(f->r)->execution_get(f->r, &e.id, NULL, &got));
	assert_int_equal(got.bytes, b.bytes);
	execution_fini(&got);
	assert_ok(OF(f->r)->execution_brief(f->r, &live.id, NULL, &b));
	assert_int_equal(b.bytes, strlen(REQUEST));
	assert_int_equal(
	    OF(f->r)->execution_brief(f->r, &e.id, "bob", &b), ERR_NOT_FOUND);
}

static void the_walk_passes_over_what_lives(void **state)
{
	struct fixture *f = *state;
	struct execution e[9];
	struct execution_brief b[9];
	struct query_filter q = { .status = -1, .limit = 2 };
	uint32_t n = 0, all = 0;

	for (int i = 0; i < 9; i++)
		e[i] = stored(f, i < 6 ? "ann" : "bob", NULL, 0, i % 3 != 0);
	for (int asc = 0; asc < 2; asc++) {
		struct id last = { { 0 } };

		q.oldest_first = asc;
		q.after = NULL;
		for (all = 0; q.after == NULL || n == 2; all += n) {
			assert_ok(OF(f->r)->execution_walk(f->r, &q, b, &n));
			for (uint32_t i = 0; i < n; i++) {
				uint32_t k = all + i, at = k / 2 * 3 + k % 2;

				at++;
				assert_true(id_equal(
				    &b[i].id, &e[asc ? at : 9 - at].id));
			}
			if (n > 0)
				last = b[n - 1].id;
			q.after = &last;
		}
		assert_int_equal(all, 6);
	}
	q = (struct query_filter){
		.owner = "bob", .status = EXECUTION_COMPLETED, .limit = 9
	};
	assert_ok(OF(f->r)->execution_walk(f->r, &q, b, &n));
	assert_int_equal(n, 2);
	q.status = EXECUTION_FAILED;
	assert_ok(OF(f->r)->execution_walk(f->r, &q, b, &n));
	assert_int_equal(n, 0);
	q.status = EXECUTION_QUEUED;
	assert_ok(OF(f->r)->execution_walk(f->r, &q, b, &n));
	assert_int_equal(n, 0);
}

/* --- the audit --- */

static void put(struct fixture *f, const struct audit *a,
    const struct audit_counts *gone, int64_t ms)
{
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->audit_put(f->w, a, gone, ms));
	assert_ok(OF(f->w)->commit(f->w));
}

static void writes_of_one_operation_share_a_row(void **state)
{
	struct fixture *f = *state;
	struct audit prune = { .operation = id_new(),
		.actor = "ann's key",
		.action = "prune",
		.subject = "older than 30d",
		.detail = "{\"status\":\"failed\"}" };
	struct audit key = { .operation = id_new(),
		.actor = "offline",
		.action = "key.revoke",
		.subject = "k" };
	struct audit_entry got[3];
	uint32_t n = 0;

	put(f, &prune, &(struct audit_counts){ 500, 10, 1000 }, 5);
	put(f, &key, &(struct audit_counts){ 0 }, 6);
	put(f, &prune, &(struct audit_counts){ 20, 3, 7 }, 9);
	assert_ok(OF(f->r)->audit_list(f->r, 0, 3, got, &n));
	assert_int_equal(n, 2);
	assert_string_equal(got[0].what.action, "key.revoke");
	assert_string_equal(got[0].what.detail, "");
	assert_int_equal(got[0].gone.executions, 0);
	assert_string_equal(got[1].what.actor, prune.actor);
	assert_string_equal(got[1].what.subject, prune.subject);
	assert_string_equal(got[1].what.detail, prune.detail);
	assert_true(id_equal(&got[1].what.operation, &prune.operation));
	assert_int_equal(got[1].at_ms, 5);
	assert_int_equal(got[1].last_ms, 9);
	assert_int_equal(got[1].gone.executions, 520);
	assert_int_equal(got[1].gone.chunks, 13);
	assert_int_equal(got[1].gone.bytes, 1007);
	assert_ok(OF(f->r)->audit_list(f->r, got[0].number, 3, got, &n));
	assert_int_equal(n, 1);
	assert_string_equal(got[0].what.action, "prune");
	assert_ok(OF(f->r)->audit_list(f->r, got[0].number, 3, got, &n));
	assert_int_equal(n, 0);
}

static void the_audit_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct audit a = { .actor = "x", .action = "y" };
	struct audit_entry got;
	uint32_t n = 0;

	assert_ok(OF(f->w)->begin(f->w));
	for (int i = 0; i < AUDIT_ROWS + 5; i++) {
		memcpy(a.operation.byte, &i, sizeof(i));
		assert_ok(OF(f->w)->audit_put(
		    f->w, &a, &(struct audit_counts){ 0 }, i));
	}
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->audit_list(f->r, 0, 1, &got, &n));
	assert_int_equal(got.at_ms, AUDIT_ROWS + 4);
	assert_ok(OF(f->r)->audit_list(
	    f->r, got.number - AUDIT_ROWS + 2, 1, &got, &n));
	assert_int_equal(n, 1);
	assert_int_equal(got.at_ms, 5);
	assert_ok(OF(f->r)->audit_list(f->r, got.number, 1, &got, &n));
	assert_int_equal(n, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_tombstone_tells_its_owner_and_nobody_else),
		T(a_deleted_ones_idempotency_key_is_free),
		T(what_is_brought_back_has_no_tombstone),
		T(old_tombstones_are_dropped_a_few_at_a_time),
		T(a_record_outlives_its_payload),
		T(trash_goes_in_small_steps_and_takes_nothing_else),
		T(a_step_takes_a_bounded_number_of_executions),
		T(stored_bytes_are_counted),
		T(the_walk_passes_over_what_lives),
		T(writes_of_one_operation_share_a_row),
		T(the_audit_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
