#include "tests/bench/stored.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/base/clock.h"
#include "store/store.h"
#include "store/writer.h"
#include "tests/bench/process.h"

#define AT_ONCE 2000
#define BATCH_BYTES ((size_t)32 << 20)

/* Writes under way. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t cond;
	size_t n;
} waiting = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void on_done(struct write *w)
{
	if (w->result != OK)
		die("the store refused: %s", w->why.text);
	pthread_mutex_lock(&waiting.lock);
	waiting.n--;
	pthread_cond_signal(&waiting.cond);
	pthread_mutex_unlock(&waiting.lock);
	if (w->kind == WRITE_CREATE)
		execution_free(w->u.create.execution);
	else
		batch_fini(&w->u.batch);
	free(w);
}

static void post(struct store *store, struct write *w)
{
	w->on_done = on_done;
	w->mail.bytes = 256;
	pthread_mutex_lock(&waiting.lock);
	waiting.n++;
	pthread_mutex_unlock(&waiting.lock);
	if (writer_post(store, w) != OK)
		die("the writer took no more");
}

static void await_all(void)
{
	pthread_mutex_lock(&waiting.lock);
	while (waiting.n > 0)
		pthread_cond_wait(&waiting.cond, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
}

static struct write *write_new(enum write_kind kind)
{
	struct write *w = calloc(1, sizeof(*w));

	if (w == NULL)
		die("no memory");
	w->kind = kind;
	return w;
}

static struct id create(struct store *store)
{
	struct write *w = write_new(WRITE_CREATE);
	struct execution *e = execution_new();
	struct id id = id_new();

	if (e == NULL)
		die("no memory");
	e->id = id;
	e->owner = strdup("bench");
	e->model = strdup("simulated");
	e->request = strdup("{\"messages\":[]}");
	e->request_len = strlen(e->request);
	e->created_ms = clock_wall_ms();
	w->u.create.execution = e;
	post(store, w);
	return id;
}

static void answer(struct batch *b, const struct id *id, uint32_t chunks)
{
	static const char text[] = " a token of thirty bytes or so",
			  meta[] = "{\"finish_reason\":\"stop\"}";
	struct chunk c = { .attempt = 1,
		.kind = CHUNK_TEXT,
		.ts_ms = clock_wall_ms(),
		.content = text,
		.content_len = sizeof(text) - 1 };
	struct batch_end end = { .status = EXECUTION_COMPLETED,
		.chunk = { .attempt = 1,
		    .kind = CHUNK_END,
		    .ts_ms = c.ts_ms,
		    .meta = meta,
		    .meta_len = sizeof(meta) - 1 },
		.metadata = meta,
		.metadata_len = sizeof(meta) - 1,
		.error_code = "" };

	batch_start(
	    b, id, &(struct batch_start){ 1, c.ts_ms, "openai/simulated", 16 });
	for (uint32_t i = 0; i < chunks; i++)
		batch_chunk(b, id, &c);
	batch_end(b, id, &end);
}

/* Packing goes on behind the last answer: until this process does nothing. */
static void await_rest(void)
{
	const struct timespec moment = { 0, 400000000 };
	clock_t before, now = clock();

	do {
		before = now;
		nanosleep(&moment, NULL);
		now = clock();
	} while (now - before > CLOCKS_PER_SEC / 100);
}

void stored_make(const char *path, uint64_t n, uint32_t chunks)
{
	struct store_options o = { .url = path, .durability = STORE_NORMAL };
	struct store *store;
	struct why why = { "" };

	if (store_open(&o, &store, &why) != OK)
		die("%s: %s", path, why.text);
	for (uint64_t i = 0; i < n; i += AT_ONCE) {
		uint64_t k = n - i < AT_ONCE ? n - i : AT_ONCE;
		struct write *w = write_new(WRITE_BATCH);

		batch_init(&w->u.batch, BATCH_BYTES);
		for (uint64_t j = 0; j < k; j++) {
			struct id id = create(store);

			answer(&w->u.batch, &id, chunks);
		}
		await_all();
		post(store, w);
		await_all();
	}
	await_rest();
	store_close(store);
}
