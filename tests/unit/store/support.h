/*
 * support: a store in a directory of its own, and writes that are waited for.
 *
 * Used by: the tests of the store.
 */
#ifndef TESTS_STORE_SUPPORT_H
#define TESTS_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/clock.h"
#include "store/query.h"
#include "store/store.h"
#include "store/store_internal.h"
#include "store/tail.h"
#include "store/writer.h"

/* A directory that is gone when the test is. */
struct place {
	char dir[64];
	char url[96];
	struct store_options options;
	struct store *store;
};

static inline void place_init(struct place *p)
{
	*p = (struct place){ .dir = "/tmp/spool-test-XXXXXX" };
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->url, sizeof(p->url), "%s/spool.db", p->dir);
	p->options.url = p->url;
}

static inline void place_open(struct place *p)
{
	struct why why = { "" };
	enum err rc = store_open(&p->options, &p->store, &why);

	if (rc != OK)
		fail_msg("store_open: %s: %s", err_name(rc), why.text);
}

static inline void place_close(struct place *p)
{
	store_close(p->store);
	p->store = NULL;
}

static inline void place_fini(struct place *p)
{
	char command[128];

	place_close(p);
	snprintf(command, sizeof(command), "rm -rf %s", p->dir);
	assert_int_equal(system(command), 0);
}

/* A write that somebody waits for. */
struct job {
	struct write write; /* first */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static inline void job_done(struct write *w)
{
	struct job *job = (struct job *)(void *)w;

	pthread_mutex_lock(&job->lock);
	job->done = true;
	pthread_cond_signal(&job->cond);
	pthread_mutex_unlock(&job->lock);
}

static inline void job_init(struct job *job, enum write_kind kind)
{
	memset(job, 0, sizeof(*job));
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->cond, NULL);
	job->write.kind = kind;
	job->write.on_done = job_done;
	job->write.mail.bytes = 100;
	if (kind == WRITE_BATCH)
		batch_init(&job->write.u.batch, (size_t)64 << 20);
}

static inline enum err job_wait(struct job *job)
{
	pthread_mutex_lock(&job->lock);
	while (!job->done)
		pthread_cond_wait(&job->cond, &job->lock);
	pthread_mutex_unlock(&job->lock);
	return job->write.result;
}

/* Give ${store} another engine, on the writer's thread, which asks it. */
struct swap {
	struct job job; /* first */
	struct store *store;
	const struct engine *engine;
};

static inline void swap_here(struct write *w)
{
	struct swap *s = (struct swap *)(void *)w;

	s->store->engine = s->engine;
	job_done(w);
}

static inline void swap_engine(struct store *store, const struct engine *engine)
{
	struct swap s = { .store = store, .engine = engine };

	job_init(&s.job, WRITE_BATCH);
	s.job.write.on_done = swap_here;
	assert_int_equal(writer_post(store, &s.job.write), OK);
	assert_int_equal(job_wait(&s.job), OK);
}

static inline void job_post(struct job *job, struct store *store)
{
	job->done = false;
	assert_int_equal(writer_post(store, &job->write), OK);
}

static inline enum err job_run(struct job *job, struct store *store)
{
	job_post(job, store);
	return job_wait(job);
}

static inline void job_fini(struct job *job)
{
	if (job->write.kind == WRITE_BATCH)
		batch_fini(&job->write.u.batch);
	if (job->write.kind == WRITE_CREATE)
		execution_free(job->write.u.create.execution);
	pthread_mutex_destroy(&job->lock);
	pthread_cond_destroy(&job->cond);
}

/* An execution to be stored; ${key} may be NULL. */
static inline struct execution *some_execution(
    const char *owner, const char *key, const char *body)
{
	struct execution *e = execution_new();

	e->id = id_new();
	e->owner = strdup(owner);
	e->model = strdup("demo");
	e->request = strdup("{\"messages\":[]}");
	e->request_len = strlen(e->request);
	e->created_ms = clock_wall_ms();
	if (key != NULL)
		e->idempotency_key = strdup(key);
	digest_sha256(body, strlen(body), e->request_hash);
	return e;
}

static inline struct id create(struct store *store, const char *owner)
{
	struct job job;
	struct id id;

	job_init(&job, WRITE_CREATE);
	job.write.u.create.execution = some_execution(owner, NULL, "x");
	id = job.write.u.create.execution->id;
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
	return id;
}

static inline void add_start(struct batch *b, const struct id *id)
{
	struct batch_start start = { 1, 1700000000000, "demo/echo", 9 };

	batch_start(b, id, &start);
}

static inline void add_text(
    struct batch *b, const struct id *id, const char *text, size_t len)
{
	struct chunk c = { .attempt = 1,
		.kind = CHUNK_TEXT,
		.ts_ms = 1700000000001,
		.content = text,
		.content_len = len };

	batch_chunk(b, id, &c);
}

#define END_METADATA "{\"finish_reason\":\"stop\"}"

static inline void add_end(struct batch *b, const struct id *id)
{
	struct batch_end end = { .status = EXECUTION_COMPLETED,
		.chunk = { .attempt = 1,
		    .kind = CHUNK_END,
		    .ts_ms = 1700000000002,
		    .meta = "{\"status\":\"completed\"}",
		    .meta_len = 22 },
		.metadata = END_METADATA,
		.metadata_len = strlen(END_METADATA),
		.error_code = "",
		.error_code_len = 0 };

	batch_end(b, id, &end);
}

/* What chunk ${index} of ${id} says in tests that compare. */
static inline size_t text_of(
    const struct id *id, uint64_t index, size_t longest, char *dst)
{
	uint64_t x = id_hash(id) ^ (index + 1) * 0x9e3779b97f4a7c15u;
	size_t len = (size_t)(x >> 33) % longest + 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		dst[i] = (char)('a' + (x >> 60));
	}
	return len;
}

/* Chunks [from, from + n) of ${id}, as text_of() has them. */
static inline void add_texts(struct batch *b, const struct id *id,
    uint64_t from, uint32_t n, size_t longest)
{
	char *text = malloc(longest);

	for (uint64_t i = from; i < from + n; i++)
		add_text(b, id, text, text_of(id, i, longest, text));
	free(text);
}

/* The page must be the dense continuation at ${from}, with text_of() inside. */
static inline void expect_texts(
    const struct page *p, uint64_t from, size_t longest)
{
	char *text = malloc(longest);
	struct page_cursor at = { 0 };
	struct chunk c;

	assert_int_equal(p->first, from);
	while (page_each(p, &at, &c)) {
		size_t len = text_of(&p->id, from, longest, text);

		assert_int_equal(c.index, from);
		from++;
		if (c.kind == CHUNK_END) {
			assert_true(execution_ended(p->status));
			assert_int_equal(from, p->total);
			continue;
		}
		assert_int_equal(c.content_len, len);
		assert_memory_equal(c.content, text, len);
	}
	assert_true(from <= p->total || p->n == 0);
	free(text);
}

#endif
