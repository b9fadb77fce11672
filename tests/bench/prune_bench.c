/*
 * What writers notice while a store is cleaned. A store full of ended
 * executions is made; then streams write to it, each a chunk at a time, and
 * every wait for a commit is measured: first while nothing else happens, then
 * while the oldest are pruned, their payload is dropped and the file shrinks.
 *
 * The disk decides most of it, so its own latency is printed beside.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/query.h"
#include "store/store.h"
#include "store/writer.h"
#include "tests/bench/process.h"
#include "tests/bench/stored.h"

#define MAX_STREAMS 1000
#define MAX_WAITS ((size_t)4 << 20)

static struct {
	char dir[200];
	uint64_t pruned, kept; /* chunks */
	uint32_t chunks;       /* of an execution */
	size_t streams;
	double rate; /* chunks a second of a stream */
	double seconds;
	bool payload_only, normal;
} options = { .pruned = 1000000,
	.kept = 1000000,
	.chunks = 50,
	.streams = 100,
	.rate = 50,
	.seconds = 5 };

/* A chunk on its way. */
struct sent {
	struct write write; /* first */
	int64_t at_ns;
};

/* The waits of each window; the writer's thread adds to the last one. */
#define WINDOWS 3

struct window {
	float *ms;
	atomic_size_t n;
};

static struct {
	struct window window[WINDOWS];
	atomic_size_t at;
	atomic_size_t under_way;
	atomic_bool stop;
	struct store *store;
	struct id id[MAX_STREAMS];
} waits;

static void on_written(struct write *w)
{
	struct sent *s = (struct sent *)(void *)w;
	struct window *in = &waits.window[atomic_load(&waits.at)];
	size_t i = atomic_fetch_add(&in->n, 1);

	if (w->result != OK)
		die("a chunk was refused: %s", w->why.text);
	if (i < MAX_WAITS)
		in->ms[i] = (float)(clock_mono_ns() - s->at_ns) / 1e6f;
	batch_fini(&w->u.batch);
	free(s);
	atomic_fetch_sub(&waits.under_way, 1);
}

static void send_chunk(const struct id *id)
{
	static const char text[] = " a token of thirty bytes or so";
	const struct chunk c = { .attempt = 1,
		.kind = CHUNK_TEXT,
		.ts_ms = clock_wall_ms(),
		.content = text,
		.content_len = sizeof(text) - 1 };
	struct sent *s = calloc(1, sizeof(*s));

	if (s == NULL)
		die("no memory");
	s->write.kind = WRITE_BATCH;
	s->write.on_done = on_written;
	s->write.mail.bytes = 256;
	batch_init(&s->write.u.batch, 4096);
	batch_chunk(&s->write.u.batch, id, &c);
	s->at_ns = clock_mono_ns();
	atomic_fetch_add(&waits.under_way, 1);
	if (writer_post(waits.store, &s->write) != OK)
		die("the writer took no more");
}

static void nap_ms(double ms)
{
	struct timespec t = { (time_t)(ms / 1e3),
		(long)(ms * 1e6) % 1000000000 };

	nanosleep(&t, NULL);
}

/* Each stream in its turn, evenly over the time. */
static void *stream_for_ever(void *arg)
{
	double gap_ns = 1e9 / (options.rate * (double)options.streams);
	int64_t from = clock_mono_ns();
	uint64_t n = 0;

	(void)arg;
	while (!atomic_load(&waits.stop)) {
		uint64_t due =
		    (uint64_t)((double)(clock_mono_ns() - from) / gap_ns);

		for (; n < due; n++)
			send_chunk(&waits.id[n % options.streams]);
		nap_ms(0.5);
	}
	return NULL;
}

/* --- asking and waiting --- */

struct asked {
	struct write write; /* first */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done;
};

static void on_asked(struct write *w)
{
	struct asked *a = (struct asked *)(void *)w;

	pthread_mutex_lock(&a->lock);
	a->done = true;
	pthread_cond_signal(&a->cond);
	pthread_mutex_unlock(&a->lock);
}

static void ask(struct asked *a)
{
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->cond, NULL);
	a->write.on_done = on_asked;
	a->write.mail.bytes = 256;
	if (writer_post(waits.store, &a->write) != OK)
		die("the writer took no more");
	pthread_mutex_lock(&a->lock);
	while (!a->done)
		pthread_cond_wait(&a->cond, &a->lock);
	pthread_mutex_unlock(&a->lock);
	if (a->write.result != OK)
		die("refused: %s", a->write.why.text);
}

static struct id create(void)
{
	struct asked a = { .write.kind = WRITE_CREATE };
	struct execution *e = execution_new();
	struct id id = id_new();

	if (e == NULL)
		die("no memory");
	e->id = id;
	e->owner = strdup("streams");
	e->model = strdup("simulated");
	e->request = strdup("{\"messages\":[]}");
	e->request_len = strlen(e->request);
	e->created_ms = clock_wall_ms();
	a.write.u.create.execution = e;
	ask(&a);
	execution_free(e);
	return id;
}

/* --- what is measured --- */

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

static double quantile(float *ms, size_t n, double q)
{
	size_t i = (size_t)(q * (double)n);

	if (n == 0)
		return 0;
	qsort(ms, n, sizeof(*ms), by_size);
	return ms[i < n ? i : n - 1];
}

static void measure_sync(void)
{
	static char page[4096];
	char path[300];
	float ms[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sync", options.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t i = 0; i < 300; i++) {
		int64_t from = clock_mono_ns();

		if (pwrite(fd, page, sizeof(page), (off_t)(i * 4096)) !=
			sizeof(page) ||
		    fdatasync(fd) != 0)
			die("cannot write in %s", options.dir);
		ms[i] = (float)(clock_mono_ns() - from) / 1e6f;
	}
	close(fd);
	unlink(path);
	printf("fdatasync of 4 KiB: p50 %.2f ms, p99 %.2f ms, max %.2f ms\n",
	    quantile(ms, 300, 0.5), quantile(ms, 300, 0.99),
	    quantile(ms, 300, 1));
}

/* Say what the waits of a window were that is over. */
static double say_waits(const char *what, struct window *of, double seconds)
{
	size_t n = atomic_load(&of->n);
	double p99;

	n = n < MAX_WAITS ? n : MAX_WAITS;
	p99 = quantile(of->ms, n, 0.99);
	printf("  %s, %.1f s: %zu waits, p50 %.2f ms, p99 %.2f ms, "
	       "p99.9 %.2f ms, max %.2f ms\n",
	    what, seconds, n, quantile(of->ms, n, 0.5), p99,
	    quantile(of->ms, n, 0.999), quantile(of->ms, n, 1));
	return p99;
}

static double size_mb(const char *path, const char *suffix)
{
	char name[300];
	struct stat st;

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &st) == 0 ? (double)st.st_size / 1048576 : 0;
}

/* The largest WAL, looked at every few milliseconds. */
struct watch {
	const char *path;
	double wal_mb;
	atomic_bool stop;
};

static void *watch_for_ever(void *arg)
{
	struct watch *w = arg;

	while (!atomic_load(&w->stop)) {
		double mb = size_mb(w->path, "-wal");

		if (mb > w->wal_mb)
			w->wal_mb = mb;
		nap_ms(5);
	}
	return NULL;
}

/* Prune the oldest ${n} executions, as many at once as may be. */
static void prune(uint64_t n)
{
	static struct execution_brief list[WRITE_PRUNE_MAX];
	static struct id id[WRITE_PRUNE_MAX];
	struct query_filter f = {
		.owner = "bench", .status = -1, .oldest_first = true
	};
	struct query *q;
	struct id last;

	if (query_open(waits.store, &q) != OK)
		die("no query");
	while (n > 0) {
		struct asked a = { .write.kind = WRITE_PRUNE };
		uint32_t k = 0;

		f.limit = n < WRITE_PRUNE_MAX ? (uint32_t)n : WRITE_PRUNE_MAX;
		if (query_walk(q, &f, list, &k) != OK || k == 0)
			die("there is nothing to prune");
		for (uint32_t i = 0; i < k; i++)
			id[i] = list[i].id;
		last = id[k - 1];
		f.after = &last;
		a.write.u.prune.ids = id;
		a.write.u.prune.n = k;
		a.write.u.prune.payload_only = options.payload_only;
		ask(&a);
		if (a.write.u.prune.gone.executions != k)
			die("not all were pruned");
		n -= k;
	}
	query_close(q);
}

/* What making the store left to write must not be taken for its use. */
static void settle_disk(void)
{
	int fd = open(options.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd) != 0)
		die("cannot sync %s", options.dir);
	close(fd);
}

static void await_clean(void)
{
	struct store_stats now;

	do {
		nap_ms(20);
		store_stats(waits.store, &now);
	} while (now.cleaning);
}

static void measure(
    const char *what, uint64_t n, uint64_t kept, uint32_t chunks)
{
	struct store_options o = { .durability = options.normal ? STORE_NORMAL
								: STORE_FULL };
	struct watch watch = { 0 };
	pthread_t streams, watcher;
	struct why why = { "" };
	double before, quiet, seconds;
	char path[300];
	int64_t from, pruned;

	(void)snprintf(path, sizeof(path), "%s/prune.db", options.dir);
	stored_make(path, n + kept, chunks);
	o.url = watch.path = path;
	settle_disk();
	if (store_open(&o, &waits.store, &why) != OK)
		die("%s: %s", path, why.text);
	await_clean();
	before = size_mb(path, "");
	printf("%s: %llu of %llu executions of %u chunks go; %.1f MB\n", what,
	    (unsigned long long)n, (unsigned long long)(n + kept), chunks,
	    before);
	for (size_t i = 0; i < options.streams; i++)
		waits.id[i] = create();
	atomic_store(&waits.stop, false);
	for (size_t i = 0; i < WINDOWS; i++)
		atomic_store(&waits.window[i].n, 0);
	atomic_store(&waits.at, 0);
	pthread_create(&watcher, NULL, watch_for_ever, &watch);
	pthread_create(&streams, NULL, stream_for_ever, NULL);
	nap_ms(options.seconds * 1e3);
	atomic_store(&waits.at, 1);
	from = clock_mono_ns();
	prune(n);
	atomic_store(&waits.at, 2);
	pruned = clock_mono_ns();
	await_clean();
	seconds = (double)(clock_mono_ns() - from) / 1e9;
	atomic_store(&waits.stop, true);
	atomic_store(&watch.stop, true);
	pthread_join(streams, NULL);
	pthread_join(watcher, NULL);
	while (atomic_load(&waits.under_way) > 0)
		nap_ms(1);
	quiet = say_waits("alone", &waits.window[0], options.seconds);
	say_waits(
	    "records go", &waits.window[1], (double)(pruned - from) / 1e9);
	printf("  p99 is %.1f times that alone\n",
	    say_waits("payload goes, file shrinks", &waits.window[2],
		seconds - (double)(pruned - from) / 1e9) /
		quiet);
	nap_ms(500); /* the file gets shorter when the WAL is copied back */
	printf("  %.1f s in all, %.0f chunks/s; WAL at most %.1f MB; file "
	       "%.1f MB, then %.1f MB\n",
	    seconds, (double)(n * chunks) / seconds, watch.wal_mb, before,
	    size_mb(path, ""));
	store_close(waits.store);
	unlink(path);
	(void)snprintf(path, sizeof(path), "%s/prune.db.lock", options.dir);
	unlink(path);
}

/* --- */

static const char help[] =
    "usage: prune_bench [options]\n"
    "  -d DIR      where stores are made: on the disk to be measured [/var/tmp]\n"
    "  -n CHUNKS   that go [1000000]\n"
    "  -k CHUNKS   that stay [1000000]\n"
    "  -c CHUNKS   of each small execution [50]\n"
    "  -w STREAMS  that write meanwhile [100]\n"
    "  -r RATE     chunks a second of each [50]\n"
    "  -s SECONDS  of the window without a prune [5]\n"
    "  -P          prune the payload alone\n"
    "  -N          durability normal, not full\n";

static void read_options(int argc, char **argv)
{
	const char *dir = "/var/tmp";
	int c;

	while ((c = getopt(argc, argv, "d:n:k:c:w:r:s:PNh")) != -1) {
		switch (c) {
		case 'd': dir = optarg; break;
		case 'n': options.pruned = strtoull(optarg, NULL, 10); break;
		case 'k': options.kept = strtoull(optarg, NULL, 10); break;
		case 'c': options.chunks = (uint32_t)atol(optarg); break;
		case 'w': options.streams = (size_t)atol(optarg); break;
		case 'r': options.rate = atof(optarg); break;
		case 's': options.seconds = atof(optarg); break;
		case 'P': options.payload_only = true; break;
		case 'N': options.normal = true; break;
		default:
			fputs(help, c == 'h' ? stdout : stderr);
			exit(c != 'h');
		}
	}
	if (options.chunks == 0 || options.streams == 0 ||
	    options.streams > MAX_STREAMS || options.pruned < options.chunks)
		die("these numbers make no store; -h helps");
	(void)snprintf(
	    options.dir, sizeof(options.dir), "%s/prune-bench-XXXXXX", dir);
	if (mkdtemp(options.dir) == NULL)
		die("cannot make a directory in %s", dir);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	read_options(argc, argv);
	for (size_t i = 0; i < WINDOWS; i++) {
		waits.window[i].ms = malloc(MAX_WAITS * sizeof(float));
		if (waits.window[i].ms == NULL)
			die("no memory");
	}
	measure_sync();
	measure("many small", options.pruned / options.chunks,
	    options.kept / options.chunks, options.chunks);
	measure("one huge", 1, options.kept / options.pruned,
	    (uint32_t)options.pruned);
	for (size_t i = 0; i < WINDOWS; i++)
		free(waits.window[i].ms);
	return rmdir(options.dir) == 0 ? 0 : 1;
}
