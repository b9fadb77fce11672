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

static uint32_t dice(uint32_t sides)
{
	static uint64_t seed = 1;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % sides;
}

/* About thirty bytes of words that compress as words do. */
static size_t words(char dst[64])
{
	static char word[1000][10];
	size_t len = 0;

	while (word[999][0] == '\0')
		for (size_t i = 0; i < 1000; i++)
			for (size_t k = 0; k < 3 + i % 6; k++)
				word[i][k] = (char)('a' + dice(26));
	while (len < 24) {
		const char *w = word[dice(30) * dice(34)];

		dst[len++] = ' ';
		for (; *w != '\0'; w++)
			dst[len++] = *w;
	}
	return len;
}

/* A batch so far, written when it is large. */
static struct batch *room(struct store *store, struct write **w)
{
	if (*w != NULL && (*w)->u.batch.bytes.len < BATCH_BYTES / 2)
		return &(*w)->u.batch;
	if (*w != NULL) {
		post(store, *w);
		await_all();
	}
	*w = write_new(WRITE_BATCH);
	batch_init(&(*w)->u.batch, BATCH_BYTES);
	return &(*w)->u.batch;
}

static void answer(
    struct store *store, struct write **w, const struct id *id, uint32_t chunks)
{
	static const char meta[] = "{\"finish_reason\":\"stop\"}";
	char text[64];
	struct chunk c = { .attempt = 1,
		.kind = CHUNK_TEXT,
		.ts_ms = clock_wall_ms(),
		.content = text };
	struct batch_end end = { .status = EXECUTION_COMPLETED,
		.chunk = { .attempt = 1,
		    .kind = CHUNK_END,
		    .ts_ms = c.ts_ms,
		    .meta = meta,
		    .meta_len = sizeof(meta) - 1 },
		.metadata = meta,
		.metadata_len = sizeof(meta) - 1,
		.error_code = "" };

	batch_start(room(store, w), id,
	    &(struct batch_start){ 1, c.ts_ms, "openai/simulated", 16 });
	for (uint32_t i = 0; i < chunks; i++) {
		c.content_len = words(text);
		batch_chunk(room(store, w), id, &c);
	}
	batch_end(room(store, w), id, &end);
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
	static struct id id[AT_ONCE];

	if (store_open(&o, &store, &why) != OK)
		die("%s: %s", path, why.text);
	for (uint64_t i = 0; i < n; i += AT_ONCE) {
		uint64_t k = n - i < AT_ONCE ? n - i : AT_ONCE;
		struct write *w = NULL;

		for (uint64_t j = 0; j < k; j++)
			id[j] = create(store);
		await_all();
		for (uint64_t j = 0; j < k; j++)
			answer(store, &w, &id[j], chunks);
		post(store, w);
		await_all();
	}
	await_rest();
	store_close(store);
}
