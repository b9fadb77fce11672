/* Records that a disk kept wrong: the SQLite driver's sums of them. */
#include "tests/contract/engine_fixture.h"

#include "store/sqlite_internal.h"

#define META                                                  \
	"{\"usage\":{\"input_tokens\":7,\"output_tokens\":8," \
	"\"cost_usd\":0.5},\"finish_reason\":\"stop\",\"timings\":{}}"

static void sql(struct fixture *f, const char *text)
{
	char *message = NULL;

	if (sqlite3_exec(((struct sqlite_db *)f->w)->db, text, NULL, NULL,
		&message) != SQLITE_OK)
		fail_msg("%s: %s", text, message);
}

/* An execution with all that a record may have, ended and packed. */
static struct execution whole(struct fixture *f)
{
	static char owner[] = "ann", model[] = "m", prompt[] = "greet@1",
		    key[] = "once", request[] = "{\"messages\":[]}";
	struct execution e = { .id = id_new(),
		.owner = owner,
		.model = model,
		.prompt = prompt,
		.idempotency_key = key,
		.request_hash = { 1, 2, 3 },
		.created_ms = 1000000,
		.request = request,
		.request_len = sizeof(request) - 1 };
	const struct engine_end end = { .status = EXECUTION_FAILED,
		.finished_ms = 1000900,
		.first_chunk_ms = 1000100,
		.next_index = 1,
		.metadata = META,
		.metadata_len = sizeof(META) - 1,
		.error_code = "rate_limited" };
	struct chunk c = { .kind = CHUNK_END, .meta = "{}", .meta_len = 2 };
	struct engine_segment s = { .n = 1 };
	struct buf raw;

	buf_init(&raw, 1000);
	chunk_pack(&raw, &c, 0);
	s.payload = raw.data;
	s.payload_len = s.raw_len = raw.len;
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_insert(f->w, &e));
	assert_ok(OF(f->w)->execution_start(f->w, &e, "sim/m", 1, 1000001));
	assert_ok(OF(f->w)->execution_start(f->w, &e, "sim/n", 2, 1000002));
	assert_ok(OF(f->w)->execution_end(f->w, &e, &end));
	assert_ok(OF(f->w)->segment_put(f->w, &e, &s));
	assert_ok(OF(f->w)->commit(f->w));
	buf_fini(&raw);
	return e;
}

static enum err get(struct fixture *f, const struct execution *e)
{
	struct execution got = { 0 };
	enum err rc = OF(f->w)->execution_get(f->w, &e->id, NULL, &got);

	execution_fini(&got);
	return rc;
}

static enum err page(struct fixture *f, const struct execution *e)
{
	struct page_query q = { 0, 10, 1000 };
	struct page p;
	enum err rc;

	page_init(&p);
	rc = OF(f->w)->chunk_page(f->w, &e->id, NULL, &q, &p);
	page_fini(&p);
	return rc;
}

static enum err list(struct fixture *f)
{
	const struct query_filter any = { .status = -1, .limit = 1 };
	struct execution got = { 0 };
	uint32_t n;
	enum err rc = OF(f->w)->execution_list(f->w, &any, false, &got, &n);

	execution_fini(&got);
	return rc;
}

/* --- what a look tells --- */

struct sight {
	uint32_t executions, requests, names, damaged;
};

static enum err see_execution(void *arg, const struct engine_seen_execution *e)
{
	struct sight *s = arg;

	s->executions++;
	s->damaged += !e->holds;
	return OK;
}

static enum err see_request(void *arg, const struct engine_seen_request *r)
{
	struct sight *s = arg;

	s->requests++;
	s->damaged += !r->holds;
	return OK;
}

static enum err see_name(void *arg, int64_t row, const char *name, bool holds)
{
	struct sight *s = arg;

	(void)row;
	(void)name;
	s->names++;
	s->damaged += !holds;
	return OK;
}

static struct sight look(struct fixture *f)
{
	struct sight s = { 0 };
	const struct engine_seen to = { .on_execution = see_execution,
		.on_request = see_request,
		.on_name = see_name,
		.arg = &s };

	assert_ok(OF(f->r)->seen_executions(f->r, 0, 100, &to));
	assert_ok(OF(f->r)->seen_requests(f->r, 0, 100, 1 << 20, &to));
	assert_ok(OF(f->r)->seen_keys(f->r, 0, 100, &to));
	assert_ok(OF(f->r)->seen_prompts(f->r, 0, 100, &to));
	return s;
}

/* --- facts --- */

static void each_column_of_a_record_matters(void **state)
{
	static const char *const edits[] = {
		"owner = 'bnn'",
		"status = 4",
		"model = 'n'",
		"target = 'sim/m'",
		"target = NULL",
		"prompt = 'greet@3'",
		"created_ms = created_ms + 1",
		"started_ms = started_ms + 1",
		"first_chunk_ms = 0",
		"finished_ms = finished_ms | 1 << 40",
		"next_index = 2",
		"attempts = 3",
		"error_code = 'rate_limiteD'",
		"idempotency_key = NULL",
		"request_hash = x'00'",
		"input_tokens = 6",
		"output_tokens = NULL",
		"cached_tokens = 0",
		"reasoning_tokens = 0",
		"cost_pusd = 1",
		"payload_deleted_ms = 1",
		"note = '{}'",
		"sum = sum + 1",
		"metadata = replace(metadata, 'stop', 'stoP')",
		"metadata = CAST(replace(metadata, '\"usage\"', "
		"'\"usage' || char(1)) AS TEXT)",
	};
	struct fixture *f = *state;
	struct execution e = whole(f);
	char text[200];

	assert_ok(get(f, &e));
	assert_ok(page(f, &e));
	assert_ok(list(f));
	assert_int_equal(look(f).damaged, 0);
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		sql(f, "SAVEPOINT before");
		snprintf(
		    text, sizeof(text), "UPDATE executions SET %s", edits[i]);
		sql(f, text);
		if (get(f, &e) != ERR_CORRUPT || page(f, &e) != ERR_CORRUPT ||
		    list(f) != ERR_CORRUPT)
			fail_msg("not noticed: %s", edits[i]);
		assert_non_null(strstr(f->w->why.text, "is damaged"));
		sql(f, "ROLLBACK TO before; RELEASE before");
	}
	/* What is only ours to ask may change by itself. */
	sql(f, "UPDATE executions SET bytes = 1, node = 7, epoch = 9");
	assert_ok(get(f, &e));
	assert_int_equal(look(f).executions, 1);
	assert_int_equal(look(f).damaged, 0);
}

static void what_was_damaged_stays_so_whatever_is_written(void **state)
{
	struct fixture *f = *state;
	struct execution e = whole(f);
	struct execution_brief b;

	sql(f, "UPDATE executions SET model = 'n'");
	assert_int_equal(look(f).damaged, 1);
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->payload_delete(f->w, e.row, 5));
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(get(f, &e), ERR_CORRUPT);
	assert_int_equal(look(f).damaged, 1);
	/* It can be found and deleted. */
	assert_ok(OF(f->w)->execution_brief(f->w, &e.id, NULL, &b));
	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->execution_delete(f->w, e.row, 6));
	assert_ok(OF(f->w)->commit(f->w));
	assert_int_equal(get(f, &e), ERR_GONE);
}

static void every_write_keeps_the_sum(void **state)
{
	struct fixture *f = *state;
	struct execution e = whole(f);

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->payload_delete(f->w, e.row, 5));
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(get(f, &e));
	assert_int_equal(page(f, &e), ERR_GONE);
	assert_int_equal(look(f).damaged, 0);
}

static void a_changed_request_is_corruption(void **state)
{
	struct fixture *f = *state;
	struct execution e = whole(f);

	sql(f, "UPDATE requests SET request = replace(request, '[', '{')");
	assert_int_equal(get(f, &e), ERR_CORRUPT);
	assert_non_null(strstr(f->w->why.text, "the request of"));
	/* Its answer is not. */
	assert_ok(page(f, &e));
	assert_ok(list(f));
	assert_int_equal(look(f).damaged, 1);
}

static enum err count_key(void *arg, const struct key *k)
{
	(void)k;
	++*(uint32_t *)arg;
	return OK;
}

static void a_changed_key_opens_nothing(void **state)
{
	static const char *const edits[] = { "label = 'x'", "owner = 'x'",
		"hint = 'x'", "scopes = scopes | 4", "hash = zeroblob(32)",
		"created_ms = 2", "expires_ms = expires_ms + 1",
		"revoked_ms = 0" };
	struct fixture *f = *state;
	struct key k = { .id = id_new(),
		.label = "l",
		.owner = "ann",
		.hint = "h",
		.scopes = 1,
		.hash = { 7 },
		.created_ms = 1,
		.expires_ms = 9 };
	struct key other = { .id = id_new(), .hash = { 8 } };
	uint32_t n, damaged;
	char text[200];

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->key_insert(f->w, &k));
	assert_ok(OF(f->w)->key_insert(f->w, &other));
	assert_ok(OF(f->w)->key_revoke(f->w, &k.id, NULL, 77));
	assert_ok(OF(f->w)->commit(f->w));
	for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
		sql(f, "SAVEPOINT before");
		snprintf(text, sizeof(text), "UPDATE keys SET %s WHERE id = 1",
		    edits[i]);
		sql(f, text);
		n = damaged = 0;
		assert_ok(OF(f->w)->keys_load(f->w, &n, count_key, &damaged));
		if (n != 1 || damaged != 1)
			fail_msg("not noticed: %s", edits[i]);
		sql(f, "ROLLBACK TO before; RELEASE before");
	}
	n = damaged = 0;
	assert_ok(OF(f->w)->keys_load(f->w, &n, count_key, &damaged));
	assert_int_equal(n, 2);
	assert_int_equal(damaged, 0);
	assert_int_equal(look(f).names, 2);
	assert_int_equal(look(f).damaged, 0);
	sql(f, "UPDATE keys SET scopes = 7 WHERE id = 2");
	assert_int_equal(look(f).damaged, 1);
}

static void a_changed_prompt_is_corruption(void **state)
{
	static char owner[] = "ann", name[] = "greet", body[] = "Hi {{name}}";
	struct fixture *f = *state;
	struct prompt p = { .owner = owner,
		.name = name,
		.body = body,
		.body_len = sizeof(body) - 1,
		.created_ms = 1 };
	struct prompt got = { 0 };
	uint32_t n;

	assert_ok(OF(f->w)->begin(f->w));
	assert_ok(OF(f->w)->prompt_insert(f->w, &p));
	assert_ok(OF(f->w)->commit(f->w));
	assert_ok(OF(f->r)->prompt_get(f->r, owner, name, 0, &got));
	prompt_fini(&got);
	assert_int_equal(look(f).damaged, 0);
	sql(f, "UPDATE prompts SET body = 'Hi {{nbme}}'");
	assert_int_equal(
	    OF(f->r)->prompt_get(f->r, owner, name, 0, &got), ERR_CORRUPT);
	assert_int_equal(
	    OF(f->r)->prompt_list(f->r, owner, NULL, 1, &got, &n), ERR_CORRUPT);
	assert_int_equal(look(f).names, 1);
	assert_int_equal(look(f).damaged, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_column_of_a_record_matters),
		T(what_was_damaged_stays_so_whatever_is_written),
		T(every_write_keeps_the_sum),
		T(a_changed_request_is_corruption),
		T(a_changed_key_opens_nothing),
		T(a_changed_prompt_is_corruption),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
