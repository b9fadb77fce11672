#include "tests/unit/store/support.h"

#include <semaphore.h>

static int setup(void **state)
{
	struct place *p = malloc(sizeof(*p));

	place_init(p);
	place_open(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

static struct page page_at(
    struct store *store, const struct id *id, uint64_t from)
{
	struct page_query q = { from, PAGE_MAX_CHUNKS, PAGE_MAX_BYTES };
	struct page p;

	page_init(&p);
	assert_int_equal(tail_page(store, id, NULL, &q, &p), OK);
	return p;
}

/* Keeps the writer busy, so that what is posted meanwhile shares a commit. */
struct hold {
	struct write write;
	sem_t reached, go;
};

static void hold_here(struct write *w)
{
	struct hold *hold = (struct hold *)(void *)w;

	sem_post(&hold->reached);
	sem_wait(&hold->go);
}

static void hold_start(struct hold *hold, struct store *store)
{
	*hold = (struct hold){ 0 };
	sem_init(&hold->reached, 0, 0);
	sem_init(&hold->go, 0, 0);
	hold->write.kind = WRITE_BATCH;
	hold->write.on_done = hold_here;
	batch_init(&hold->write.u.batch, 100);
	assert_int_equal(writer_post(store, &hold->write), OK);
	sem_wait(&hold->reached);
}

static void a_created_execution_is_in_the_tail(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct page page = page_at(p->store, &id, 0);

	assert_int_equal(page.status, EXECUTION_QUEUED);
	assert_int_equal(page.total, 0);
	assert_int_equal(page.attempt, 0);
	page_fini(&page);
}

static void chunks_get_dense_indices_and_one_end(void **state)
{
	struct place *p = *state;
	struct id a = create(p->store, "ada"), b = create(p->store, "ada");
	struct page_cursor at = { 0 };
	struct page page;
	struct chunk c;
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_start(&job.write.u.batch, &a);
	add_start(&job.write.u.batch, &b);
	for (uint64_t i = 0; i < 50; i++) {
		add_texts(&job.write.u.batch, &b, i, 1, 30);
		add_texts(&job.write.u.batch, &a, i, 1, 30);
	}
	assert_int_equal(job_run(&job, p->store), OK);
	page = page_at(p->store, &a, 0);
	assert_int_equal(page.status, EXECUTION_STREAMING);
	assert_int_equal(page.total, 50);
	assert_int_equal(page.attempt, 1);
	expect_texts(&page, 0, 30);
	page_fini(&page);

	batch_fini(&job.write.u.batch);
	add_texts(&job.write.u.batch, &b, 50, 1, 30);
	add_end(&job.write.u.batch, &b);
	add_end(&job.write.u.batch, &b); /* late: dropped */
	add_texts(&job.write.u.batch, &b, 51, 1, 30);
	assert_int_equal(job_run(&job, p->store), OK);
	batch_fini(&job.write.u.batch);
	add_texts(&job.write.u.batch, &b, 51, 1, 30);
	add_start(&job.write.u.batch, &b);
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);

	page = page_at(p->store, &b, 0);
	assert_int_equal(page.status, EXECUTION_COMPLETED);
	assert_int_equal(page.total, 52);
	expect_texts(&page, 0, 30);
	for (int i = 0; i < 52; i++)
		assert_true(page_each(&page, &at, &c));
	assert_int_equal(c.kind, CHUNK_END);
	assert_int_equal(page.metadata.len, strlen(END_METADATA));
	assert_memory_equal(
	    page.metadata.data, END_METADATA, page.metadata.len);
	page_fini(&page);
}

static void records_for_nobody_are_dropped(void **state)
{
	struct place *p = *state;
	struct id nobody = id_new();
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_start(&job.write.u.batch, &nobody);
	add_texts(&job.write.u.batch, &nobody, 0, 3, 30);
	add_end(&job.write.u.batch, &nobody);
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
}

static void an_idempotency_key_makes_one_execution(void **state)
{
	struct place *p = *state;
	struct job job[5];
	struct hold hold;
	struct id first;

	/* Three in one transaction, then one later; then another's. */
	hold_start(&hold, p->store);
	for (int i = 0; i < 5; i++) {
		job_init(&job[i], WRITE_CREATE);
		job[i].write.u.create.execution =
		    some_execution(i == 4 ? "bob" : "ada", "key",
			i == 2 ? "other body" : "body");
	}
	first = job[0].write.u.create.execution->id;
	for (int i = 0; i < 3; i++)
		job_post(&job[i], p->store);
	sem_post(&hold.go);
	assert_int_equal(job_wait(&job[0]), OK);
	assert_int_equal(job_wait(&job[1]), OK);
	assert_int_equal(job_wait(&job[2]), ERR_CONFLICT);
	assert_int_equal(job_run(&job[3], p->store), OK);
	assert_int_equal(job_run(&job[4], p->store), OK);
	assert_false(job[0].write.u.create.existed);
	assert_true(job[1].write.u.create.existed);
	assert_true(job[3].write.u.create.existed);
	assert_false(job[4].write.u.create.existed);
	assert_true(id_equal(&job[1].write.u.create.execution->id, &first));
	assert_true(id_equal(&job[3].write.u.create.execution->id, &first));
	assert_false(id_equal(&job[4].write.u.create.execution->id, &first));
	for (int i = 0; i < 5; i++)
		job_fini(&job[i]);
}

static void asking_for_an_earlier_one_alone_makes_none(void **state)
{
	struct place *p = *state;
	struct job job[3];

	for (int i = 0; i < 3; i++) {
		job_init(&job[i], WRITE_CREATE);
		job[i].write.u.create.execution =
		    some_execution("ada", "key", "body");
		job[i].write.u.create.only_existing = i != 1;
	}
	assert_int_equal(job_run(&job[0], p->store), ERR_NOT_FOUND);
	assert_int_equal(job_run(&job[1], p->store), OK);
	assert_int_equal(job_run(&job[2], p->store), OK);
	assert_false(job[1].write.u.create.existed);
	assert_true(job[2].write.u.create.existed);
	assert_true(id_equal(&job[2].write.u.create.execution->id,
	    &job[1].write.u.create.execution->id));
	for (int i = 0; i < 3; i++)
		job_fini(&job[i]);
}

static enum err delete (
    struct store *store, const struct id *id, const char *owner) {
	struct job job; enum err rc;

	job_init(&job, WRITE_DELETE);
	job.write.u.remove.id = *id;
	snprintf(job.write.u.remove.owner, KEY_NAME_BYTES, "%s", owner);
	rc = job_run(&job, store);
	job_fini(&job);
	return rc;
}

static struct id ended(struct store *store)
{
	struct id id = create(store, "ada");
	struct job job;

	job_init(&job, WRITE_BATCH);
	add_texts(&job.write.u.batch, &id, 0, 3, 30);
	add_end(&job.write.u.batch, &id);
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
	return id;
}

static void only_ones_own_ended_execution_can_be_deleted(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada"), nobody = id_new();
	struct page_query q = { 0, 1, 100 };
	struct query *query;
	struct page page;
	struct job job;

	assert_int_equal(delete (p->store, &nobody, ""), ERR_NOT_FOUND);
	assert_int_equal(delete (p->store, &id, "bob"), ERR_NOT_FOUND);
	assert_int_equal(delete (p->store, &id, "ada"), ERR_CONFLICT);
	job_init(&job, WRITE_BATCH);
	add_texts(&job.write.u.batch, &id, 0, 3, 30);
	add_end(&job.write.u.batch, &id);
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	assert_int_equal(delete (p->store, &id, "bob"), ERR_NOT_FOUND);
	assert_int_equal(delete (p->store, &id, ""), OK);
	assert_int_equal(delete (p->store, &id, ""), ERR_GONE);
	assert_int_equal(delete (p->store, &id, "ada"), ERR_GONE);
	assert_int_equal(delete (p->store, &id, "bob"), ERR_NOT_FOUND);
	page_init(&page);
	assert_int_equal(query_open(p->store, &query), OK);
	assert_int_equal(query_page(query, &id, NULL, &q, &page), ERR_GONE);
	assert_int_equal(
	    query_page(query, &id, "bob", &q, &page), ERR_NOT_FOUND);
	query_close(query);
	page_fini(&page);
}

static void prompts_count_their_versions(void **state)
{
	struct place *p = *state;
	struct prompt got = { 0 };
	struct query *query;
	struct job job;

	for (uint32_t i = 1; i <= 2; i++) {
		job_init(&job, WRITE_PROMPT_ADD);
		job.write.u.prompt_add = (struct prompt){ .owner = "ada",
			.name = "hello",
			.body = "{}",
			.body_len = 2,
			.created_ms = 5 };
		assert_int_equal(job_run(&job, p->store), OK);
		assert_int_equal(job.write.u.prompt_add.version, i);
		job_fini(&job);
	}
	assert_int_equal(query_open(p->store, &query), OK);
	assert_int_equal(query_prompt(query, "ada", "hello", 0, &got), OK);
	assert_int_equal(got.version, 2);
	prompt_fini(&got);
	job_init(&job, WRITE_PROMPT_DELETE);
	strcpy(job.write.u.prompt_delete.owner, "ada");
	strcpy(job.write.u.prompt_delete.name, "hello");
	assert_int_equal(job_run(&job, p->store), OK);
	assert_int_equal(job_run(&job, p->store), ERR_NOT_FOUND);
	assert_int_equal(
	    query_prompt(query, "ada", "hello", 0, &got), ERR_NOT_FOUND);
	job_fini(&job);
	query_close(query);
}

static void count_done(struct write *w)
{
	struct job *job = (struct job *)(void *)w;

	job->done = true;
}

static void closing_commits_and_answers_everything(void **state)
{
	struct place *p = *state;
	struct job job[40];
	struct id id = create(p->store, "ada");
	struct page page;

	for (int i = 0; i < 40; i++) {
		job_init(&job[i], WRITE_BATCH);
		job[i].write.on_done = count_done;
		add_texts(&job[i].write.u.batch, &id, (uint64_t)i * 10, 10, 30);
		job_post(&job[i], p->store);
	}
	place_close(p);
	for (int i = 0; i < 40; i++) {
		assert_true(job[i].done);
		assert_int_equal(job[i].write.result, OK);
		job_fini(&job[i]);
	}
	place_open(p);
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 400);
	expect_texts(&page, 0, 30);
	page_fini(&page);
}

static void a_full_mailbox_refuses_all_but_batches(void **state)
{
	struct place *p = *state;
	struct job first, second, batch;
	struct hold hold;

	place_close(p);
	p->options.backlog_bytes = 1000;
	place_open(p);
	hold_start(&hold, p->store);
	job_init(&first, WRITE_CREATE);
	job_init(&second, WRITE_CREATE);
	job_init(&batch, WRITE_BATCH);
	first.write.mail.bytes = 900;
	second.write.mail.bytes = 900;
	batch.write.mail.bytes = 900;
	first.write.u.create.execution = some_execution("ada", NULL, "x");
	second.write.u.create.execution = some_execution("ada", NULL, "x");
	job_post(&first, p->store);
	assert_int_equal(writer_post(p->store, &second.write), ERR_LIMIT);
	job_post(&batch, p->store);
	assert_true(writer_backlog(p->store) >= 1800);
	sem_post(&hold.go);
	assert_int_equal(job_wait(&first), OK);
	assert_int_equal(job_wait(&batch), OK);
	job_fini(&first);
	job_fini(&second);
	job_fini(&batch);
}

/* --- an engine that fails when it is told to; all else is the real one --- */

static struct engine faulty;
static const struct engine *sound;
static atomic_int append_says, commit_says, commits_failed;
/* A file without which a commit does as it should; NULL: none. */
static _Atomic(const char *) until_gone;

static enum err append_or_fail(struct engine_db *db, const struct execution *e,
    const struct chunk *c, int64_t *ret_seq)
{
	enum err rc = (enum err)atomic_load(&append_says);

	if (rc == OK)
		return sound->chunk_append(db, e, c, ret_seq);
	err_why(&db->why, "told to fail");
	return rc;
}

static enum err commit_or_fail(struct engine_db *db)
{
	enum err rc = (enum err)atomic_load(&commit_says);
	const char *file = atomic_load(&until_gone);

	if (rc == OK || (file != NULL && access(file, F_OK) != 0))
		return sound->commit(db);
	sound->rollback(db);
	err_why(&db->why, "told to fail");
	atomic_fetch_add(&commits_failed, 1);
	return rc;
}

static void make_faulty(struct store *store)
{
	sound = store->engine;
	faulty = *sound;
	faulty.chunk_append = append_or_fail;
	faulty.commit = commit_or_fail;
	atomic_store(&append_says, OK);
	atomic_store(&commit_says, OK);
	atomic_store(&commits_failed, 0);
	atomic_store(&until_gone, NULL);
	swap_engine(store, &faulty);
}

static void a_full_disk_refuses_creations_and_keeps_batches(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct job batch[3], creation;
	struct page page;

	make_faulty(p->store);
	atomic_store(&append_says, ERR_FULL);
	for (uint64_t i = 0; i < 3; i++) {
		job_init(&batch[i], WRITE_BATCH);
		add_texts(&batch[i].write.u.batch, &id, i * 5, 5, 30);
		job_post(&batch[i], p->store);
	}
	/* With a batch in front it is refused, and so is the next at once. */
	for (int i = 0; i < 2; i++) {
		job_init(&creation, WRITE_CREATE);
		creation.write.u.create.execution =
		    some_execution("ada", NULL, "x");
		assert_int_equal(job_run(&creation, p->store), ERR_FULL);
		assert_int_equal(creation.write.u.create.execution->row, 0);
		job_fini(&creation);
	}
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 0);
	page_fini(&page);
	atomic_store(&append_says, OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(job_wait(&batch[i]), OK);
		job_fini(&batch[i]);
	}
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 15);
	expect_texts(&page, 0, 30);
	page_fini(&page);
	create(p->store, "ada");
	assert_int_equal(writer_backlog(p->store), 0);
}

static void below_the_reserve_nothing_new_is_taken(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct store_room room;
	struct job job;

	store_room(p->store, &room);
	assert_true(room.disk_bytes > 0);
	assert_false(room.low);
	assert_true(room.free_bytes >= room.reserve_bytes);
	place_close(p);
	p->options.reserve_bytes = UINT64_MAX / 2;
	place_open(p);
	store_room(p->store, &room);
	assert_true(room.low);
	assert_true(room.reserve_bytes == UINT64_MAX / 2);

	job_init(&job, WRITE_CREATE);
	job.write.u.create.execution = some_execution("ada", NULL, "x");
	assert_int_equal(writer_post(p->store, &job.write), ERR_FULL);
	job_fini(&job);
	job_init(&job, WRITE_PROMPT_ADD);
	assert_int_equal(writer_post(p->store, &job.write), ERR_FULL);
	job_fini(&job);
	job_init(&job, WRITE_KEY_ADD);
	assert_int_equal(writer_post(p->store, &job.write), ERR_FULL);
	job_fini(&job);
	/* What runs goes on, ends, and may be removed. */
	job_init(&job, WRITE_BATCH);
	add_texts(&job.write.u.batch, &id, 0, 5, 30);
	add_end(&job.write.u.batch, &id);
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	job_init(&job, WRITE_DELETE);
	job.write.u.remove.id = id;
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
}

static void room_is_set_aside_and_given_to_what_waits_at_the_stop(void **state)
{
	struct place *p = *state;
	struct id id;
	char name[128];
	struct job batch;

	snprintf(name, sizeof(name), "%s-reserve", p->url);
	while (access(name, F_OK) != 0)
		usleep(10000);
	id = create(p->store, "ada");
	make_faulty(p->store);
	atomic_store(&commit_says, ERR_FULL);
	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	job_post(&batch, p->store);
	while (writer_full_ms(p->store) == 0)
		usleep(1000);
	assert_false(writer_may_begin(p->store));
	assert_int_equal(access(name, F_OK), 0);
	place_close(p);
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(batch.write.result, ERR_STOPPED);
	job_fini(&batch);
}

static void a_delete_without_room_is_given_what_is_set_aside(void **state)
{
	struct place *p = *state;
	struct id id = ended(p->store);
	char name[128];

	snprintf(name, sizeof(name), "%s-reserve", p->url);
	while (access(name, F_OK) != 0)
		usleep(10000);
	make_faulty(p->store);
	atomic_store(&until_gone, name);
	atomic_store(&commit_says, ERR_FULL);
	assert_int_equal(delete (p->store, &id, ""), OK);
	assert_int_equal(delete (p->store, &id, ""), ERR_GONE);
	assert_int_equal(access(name, F_OK), -1);
}

static void a_delete_passes_batches_that_wait_for_room(void **state)
{
	struct place *p = *state;
	struct id old = ended(p->store), id = create(p->store, "ada");
	struct job batch;

	make_faulty(p->store);
	atomic_store(&append_says, ERR_FULL);
	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	job_post(&batch, p->store);
	while (writer_full_ms(p->store) == 0)
		usleep(1000);
	assert_int_equal(delete (p->store, &old, ""), OK);
	assert_int_equal(delete (p->store, &id, ""), ERR_CONFLICT);
	assert_int_not_equal(writer_full_ms(p->store), 0);
	assert_false(batch.done);
	atomic_store(&append_says, OK);
	assert_int_equal(job_wait(&batch), OK);
	job_fini(&batch);
}

static void a_sync_waits_for_what_was_posted_but_not_for_room(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct page page;
	struct job batch;

	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	job_post(&batch, p->store);
	assert_int_equal(writer_sync(p->store), OK);
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 5);
	page_fini(&page);
	assert_int_equal(job_wait(&batch), OK);
	batch_fini(&batch.write.u.batch);

	make_faulty(p->store);
	atomic_store(&commit_says, ERR_FULL);
	add_texts(&batch.write.u.batch, &id, 5, 5, 30);
	job_post(&batch, p->store);
	assert_int_equal(writer_sync(p->store), ERR_FULL);
	atomic_store(&commit_says, OK);
	assert_int_equal(job_wait(&batch), OK);
	job_fini(&batch);
}

static void a_strangers_lock_is_waited_out(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct page page;
	struct job batch;

	make_faulty(p->store);
	atomic_store(&commit_says, ERR_BUSY);
	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	job_post(&batch, p->store);
	while (atomic_load(&commits_failed) < 2)
		usleep(1000);
	assert_int_equal(store_failed(p->store, NULL), OK);
	atomic_store(&commit_says, OK);
	assert_int_equal(job_wait(&batch), OK);
	page = page_at(p->store, &id, 0);
	expect_texts(&page, 0, 30);
	assert_int_equal(page.total, 5);
	page_fini(&page);
	job_fini(&batch);
}

static void a_chunk_beyond_all_bounds_is_dropped_alone(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	size_t len = WRITER_MAX_CHUNK_BYTES + 1;
	char *big = calloc(1, len);
	struct page page;
	struct job batch;

	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 1, 30);
	add_text(&batch.write.u.batch, &id, big, len);
	add_end(&batch.write.u.batch, &id);
	assert_int_equal(job_run(&batch, p->store), ERR_LIMIT);
	assert_true(batch.write.why.text[0] != '\0');
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 2);
	assert_int_equal(page.status, EXECUTION_COMPLETED);
	page_fini(&page);
	job_fini(&batch);
	free(big);
}

static void a_full_disk_at_the_stop_answers_stopped(void **state)
{
	struct place *p = *state;
	struct id id = create(p->store, "ada");
	struct job batch;

	make_faulty(p->store);
	atomic_store(&commit_says, ERR_FULL);
	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	job_post(&batch, p->store);
	place_close(p);
	assert_true(batch.done);
	assert_int_equal(batch.write.result, ERR_STOPPED);
	job_fini(&batch);
}

static atomic_int n_failed;

static void on_failed(void *arg, const struct why *why)
{
	(void)arg;
	assert_string_equal(why->text, "told to fail");
	atomic_fetch_add(&n_failed, 1);
}

static void woken(void *arg, uint64_t number)
{
	(void)number;
	sem_post(arg);
}

static void an_io_error_stops_the_store_for_good(void **state)
{
	struct place *p = *state;
	struct waiter w = { .wake = woken };
	struct why why;
	struct page page;
	struct job batch;
	struct id id;
	sem_t sem;

	place_close(p);
	p->options.on_failed = on_failed;
	place_open(p);
	id = create(p->store, "ada");
	make_faulty(p->store);
	sem_init(&sem, 0, 0);
	w.arg = &sem;
	assert_int_equal(tail_wait(p->store, &id, NULL, 0, &w), OK);
	atomic_store(&commit_says, ERR_IO);
	job_init(&batch, WRITE_BATCH);
	add_texts(&batch.write.u.batch, &id, 0, 5, 30);
	assert_int_equal(job_run(&batch, p->store), ERR_IO);
	assert_string_equal(batch.write.why.text, "told to fail");
	sem_wait(&sem);
	assert_int_equal(atomic_load(&n_failed), 1);
	assert_int_equal(store_failed(p->store, &why), ERR_IO);
	assert_string_equal(why.text, "told to fail");
	assert_int_equal(writer_post(p->store, &batch.write), ERR_IO);
	page = page_at(p->store, &id, 0);
	assert_int_equal(page.total, 0);
	page_fini(&page);
	/* What will never come is not waited for. */
	assert_int_equal(tail_wait(p->store, &id, NULL, 0, &w), ERR_IO);
	assert_int_equal(sem_trywait(&sem), -1);
	job_fini(&batch);
}

/* --- many readers --- */

#define N_LOGS 8
#define N_CHUNKS 400

struct crowd {
	struct store *store;
	struct id id[N_LOGS];
};

struct reader {
	struct crowd *crowd;
	pthread_t thread;
	sem_t sem;
	size_t at;
};

/* Follow one log to its end; every chunk must be the one that was meant. */
static void *follow(void *arg)
{
	struct reader *r = arg;
	struct store *store = r->crowd->store;
	const struct id *id = &r->crowd->id[r->at];
	struct page_query q = { 0, 7, PAGE_MAX_BYTES };
	struct waiter w = { .wake = woken, .arg = &r->sem };
	enum execution_status status = EXECUTION_QUEUED;
	uint64_t total = 0;
	struct page p;

	page_init(&p);
	do {
		enum err rc;

		assert_int_equal(tail_page(store, id, "ada", &q, &p), OK);
		assert_true(p.total >= total);
		assert_true(p.status >= status);
		total = p.total;
		status = p.status;
		expect_texts(&p, q.from, 30);
		q.from = page_next(&p);
		if (p.n > 0 || page_final(&p))
			continue;
		rc = tail_wait(store, id, "ada", q.from, &w);
		if (rc == OK && r->at % 3 == 0) {
			tail_forget(store, &w);
			while (sem_trywait(&r->sem) == 0)
				;
		} else if (rc == OK) {
			sem_wait(&r->sem);
		} else {
			assert_int_equal(rc, ERR_CONFLICT);
		}
	} while (!page_final(&p));
	assert_int_equal(q.from, N_CHUNKS + 1);
	/* What was seen never changes: once more from the start. */
	q = (struct page_query){ 0, PAGE_MAX_CHUNKS, PAGE_MAX_BYTES };
	assert_int_equal(tail_page(store, id, "ada", &q, &p), OK);
	expect_texts(&p, 0, 30);
	page_fini(&p);
	return NULL;
}

static void readers_see_dense_immutable_logs_while_they_grow(void **state)
{
	struct place *p = *state;
	struct crowd crowd = { .store = p->store };
	struct reader reader[2 * N_LOGS];
	struct job job;

	for (size_t i = 0; i < N_LOGS; i++)
		crowd.id[i] = create(p->store, "ada");
	for (size_t i = 0; i < 2 * N_LOGS; i++) {
		reader[i].crowd = &crowd;
		reader[i].at = i % N_LOGS;
		sem_init(&reader[i].sem, 0, 0);
		pthread_create(&reader[i].thread, NULL, follow, &reader[i]);
	}
	for (uint64_t at = 0; at < N_CHUNKS; at += 4) {
		job_init(&job, WRITE_BATCH);
		for (size_t i = 0; i < N_LOGS; i++)
			add_texts(&job.write.u.batch, &crowd.id[i], at, 4, 30);
		if (at + 4 == N_CHUNKS)
			for (size_t i = 0; i < N_LOGS; i++)
				add_end(&job.write.u.batch, &crowd.id[i]);
		assert_int_equal(job_run(&job, p->store), OK);
		job_fini(&job);
	}
	for (size_t i = 0; i < 2 * N_LOGS; i++)
		pthread_join(reader[i].thread, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_created_execution_is_in_the_tail),
		TEST(chunks_get_dense_indices_and_one_end),
		TEST(records_for_nobody_are_dropped),
		TEST(an_idempotency_key_makes_one_execution),
		TEST(asking_for_an_earlier_one_alone_makes_none),
		TEST(only_ones_own_ended_execution_can_be_deleted),
		TEST(prompts_count_their_versions),
		TEST(closing_commits_and_answers_everything),
		TEST(a_full_mailbox_refuses_all_but_batches),
		TEST(a_full_disk_refuses_creations_and_keeps_batches),
		TEST(a_strangers_lock_is_waited_out),
		TEST(a_chunk_beyond_all_bounds_is_dropped_alone),
		TEST(a_full_disk_at_the_stop_answers_stopped),
		TEST(below_the_reserve_nothing_new_is_taken),
		TEST(a_delete_without_room_is_given_what_is_set_aside),
		TEST(a_delete_passes_batches_that_wait_for_room),
		TEST(a_sync_waits_for_what_was_posted_but_not_for_room),
		TEST(room_is_set_aside_and_given_to_what_waits_at_the_stop),
		TEST(an_io_error_stops_the_store_for_good),
		TEST(readers_see_dense_immutable_logs_while_they_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
