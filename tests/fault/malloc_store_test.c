/*
 * The store without memory: opened, written, packed, read, recovered, checked.
 */
#include "store/base/clock.h"
#include "store/base/thread.h"
#include "store/check.h"
#include "store/query.h"
#include "store/store_internal.h"
#include "tests/fault/try_all.h"

struct attempt {
	struct write write; /* first */
	bool done;
};

static void on_done(struct write *w)
{
	((struct attempt *)(void *)w)->done = true;
}

/* Post and wait; the clock goes on, so that what is put off comes. */
static enum err carry_out(struct store *store, struct attempt *a)
{
	enum err rc;

	a->write.on_done = on_done;
	a->write.mail.bytes = 100;
	rc = writer_post(store, &a->write);
	if (rc != OK)
		return rc;
	for (int i = 0; i < 8 && !a->done; i++) {
		clock_hold(1700000000000, clock_mono_ms() + 300);
		writer_turn(&store->writer, 0);
	}
	/* A batch that waits for memory is answered by the end of the store. */
	return a->done ? a->write.result : ERR_NOMEM;
}

static void fill_batch(struct batch *b, uint8_t number)
{
	struct id id = { { 1, number } };
	char text[700];
	struct chunk c = {
		.attempt = 1, .ts_ms = 1700000000001, .content = text
	};

	batch_init(b, 1 << 20);
	batch_start(
	    b, &id, &(struct batch_start){ 1, 1700000000001, "u/m", 3 });
	for (size_t i = 0; i < 40; i++) {
		memset(text, (int)('a' + i % 26), sizeof(text));
		c.content_len = i % 4 == 0 ? sizeof(text) : i % 13;
		batch_chunk(b, &id, &c);
	}
	batch_end(b, &id,
	    &(struct batch_end){ .status = EXECUTION_COMPLETED,
		.chunk = { .attempt = 1,
		    .kind = CHUNK_END,
		    .ts_ms = 1700000000002,
		    .content = "",
		    .meta = "{\"status\":\"completed\"}",
		    .meta_len = 22 },
		.metadata = "{\"status\":\"completed\"}",
		.metadata_len = 22,
		.error_code = "" });
}

static enum err read_back(struct store *store, uint8_t number)
{
	struct page_query q = { 3, 10, 100000 };
	struct id id = { { 1, number } };
	struct execution e = { 0 }, list[4] = { 0 };
	struct query *query = NULL;
	uint32_t n = 0;
	struct page p;
	enum err rc;

	page_init(&p);
	rc = query_open(store, &query);
	if (rc == OK)
		rc = query_page(query, &id, "ann", &q, &p);
	if (rc == OK)
		rc = query_execution(query, &id, NULL, &e);
	if (rc == OK)
		rc = query_list(query,
		    &(struct query_filter){ .status = -1, .limit = 4 }, true,
		    list, &n);
	if (rc == OK)
		ASSERT(p.n == 10 && n >= 1);
	page_fini(&p);
	execution_fini(&e);
	for (uint32_t i = 0; i < n; i++)
		execution_fini(&list[i]);
	query_close(query);
	return rc;
}

/* Create, answer, pack, read, delete; what was answered is true afterwards. */
struct store_try {
	struct attempt create, batch, remove, prompt, key;
	enum err created, answered, removed;
};

static enum err use_store(struct store_try *t, struct store *store)
{
	unsigned whose = scarcity_pause();
	enum err rc;

	t->create.write.kind = WRITE_CREATE;
	t->create.write.u.create.execution = record(1);
	t->batch.write.kind = WRITE_BATCH;
	fill_batch(&t->batch.write.u.batch, 1);
	t->remove.write.kind = WRITE_DELETE;
	t->remove.write.u.remove.id = (struct id){ { 1, 1 } };
	t->prompt.write.kind = WRITE_PROMPT_ADD;
	t->prompt.write.u.prompt_add.owner = strdup("ann");
	t->prompt.write.u.prompt_add.name = strdup("p");
	t->prompt.write.u.prompt_add.body = strdup("{}");
	t->key.write.kind = WRITE_KEY_ADD;
	t->key.write.u.key_add = (struct key){
		.id = { { 7 } }, .owner = "ann", .label = "l", .hint = "h"
	};
	scarcity_resume(whose);

	rc = t->created = carry_out(store, &t->create);
	if (rc == OK)
		rc = t->answered = carry_out(store, &t->batch);
	if (rc == OK)
		rc = read_back(store, 1);
	/* Packed, and evicted: read from the disk. */
	for (int i = 0; i < 4; i++) {
		clock_hold(1700000000000, clock_mono_ms() + 1100);
		writer_turn(&store->writer, 0);
	}
	if (rc == OK)
		rc = read_back(store, 1);
	if (rc == OK)
		rc = carry_out(store, &t->prompt);
	if (rc == OK)
		rc = carry_out(store, &t->key);
	return rc;
}

/* With plenty of memory: is what was answered there? Then clean up. */
static void look_back(struct store_try *t)
{
	unsigned whose = scarcity_pause();
	struct store_options options = { .url = url, .cache_bytes = 1 };
	struct id id = { { 1, 1 } };
	struct store *store = NULL;
	struct query *query = NULL;
	struct execution e = { 0 };
	enum err rc;

	ASSERT(store_open(&options, &store, NULL) == OK);
	ASSERT(query_open(store, &query) == OK);
	rc = query_execution(query, &id, NULL, &e);
	ASSERT(rc == OK || (rc == ERR_NOT_FOUND && t->created != OK));
	if (t->answered == OK)
		ASSERT(e.status == EXECUTION_COMPLETED && e.next_index == 41);
	execution_fini(&e);
	query_close(query);
	store_close(store);
	scarcity_resume(whose);
}

static enum err a_store(void *arg)
{
	struct store_options options = { .url = url, .cache_bytes = 1 };
	struct store_try t = { .created = ERR_NOMEM, .answered = ERR_NOMEM };
	struct store *store = NULL;
	enum err rc;

	clock_hold(1700000000000, 1000);
	rc = store_open(&options, &store, NULL);
	if (rc == OK)
		rc = use_store(&t, store);
	store_close(store);
	execution_free(t.create.write.u.create.execution);
	batch_fini(&t.batch.write.u.batch);
	prompt_fini(&t.prompt.write.u.prompt_add);
	if (arg == NULL || rc != OK)
		look_back(&t);
	remove_place();
	return rc;
}

static void a_store_without_memory_says_so(void **state)
{
	(void)state;
	thread_hold(true);
	try_all("a store: ours", SCARCITY_OURS, a_store, NULL);
	try_all("a store: SQLite's", SCARCITY_SQLITE, a_store, NULL);
	thread_hold(false);
	clock_hold(0, -1);
}

/* Want of memory is no damage. */
static void on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("check finds %s: %s", check_kind_name(f->kind), f->what.text);
}

/* What a dead process left, and a check of it. */
static enum err a_recovery(void *arg)
{
	struct store_options options = { .url = url };
	struct check_options look = { .quick = true, .on_finding = on_finding };
	struct execution **left = NULL;
	struct store *store = NULL;
	struct check *check = NULL;
	bool done = false;
	size_t n = 0;
	enum err rc;

	(void)arg;
	clock_hold(1700000000000, 1000);
	rc = store_open(&options, &store, NULL);
	if (rc == OK)
		rc = store_unfinished(store, &left, &n);
	for (size_t i = 0; i < n; i++)
		execution_free(left[i]);
	free(left);
	if (rc == OK)
		rc = check_open(store, &look, &check, NULL);
	while (rc == OK && !done)
		rc = check_step(check, &done);
	check_close(check);
	store_close(store);
	return rc;
}

static void so_does_a_recovery(void **state)
{
	struct store_options options = { .url = url };
	struct attempt create = { .write.kind = WRITE_CREATE };
	struct store *store = NULL;

	(void)state;
	thread_hold(true);
	clock_hold(1700000000000, 1000);
	ASSERT(store_open(&options, &store, NULL) == OK);
	for (uint8_t i = 1; i < 5; i++) {
		struct attempt batch = { .write.kind = WRITE_BATCH };

		create.write.u.create.execution = record(i);
		create.done = false;
		ASSERT(carry_out(store, &create) == OK);
		execution_free(create.write.u.create.execution);
		fill_batch(&batch.write.u.batch, i);
		if (i < 3)
			ASSERT(carry_out(store, &batch) == OK);
		batch_fini(&batch.write.u.batch);
	}
	store_close(store);
	try_all("a recovery: ours", SCARCITY_OURS, a_recovery, NULL);
	try_all("a recovery: SQLite's", SCARCITY_SQLITE, a_recovery, NULL);
	remove_place();
	thread_hold(false);
	clock_hold(0, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_without_memory_says_so),
		cmocka_unit_test(so_does_a_recovery),
	};

	return TRY_GROUP(tests);
}
