/*
 * spool_bench: what one server costs and how fast it is, measured from outside:
 * the real binary against the simulated upstream, all on loopback. See
 * tests/bench/README.md for what each line means.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/base/id.h"
#include "tests/bench/load.h"
#include "tests/bench/process.h"
#include "tests/bench/stored.h"

#define KEY "spool-bench-admin-key-0123456789"
#define HEAD "Host: 127.0.0.1\r\nAuthorization: Bearer " KEY "\r\n"
#define MAX_STREAMS 10000
#define MAX_DELAYS (1 << 20)
#define READERS 64
#define POLL_FROM 995
#define RESTARTS 20

/* The command line. */
static struct {
	const char *binary;
	char dir[256];
	double seconds; /* of each window */
	const char *only;
	const char *durability;
	uint64_t stored;
	bool pin;
} options = { .binary = "build/spool",
	.seconds = 4,
	.durability = "full",
	.stored = 100000 };

/* One server with its upstream, on a store of its own. */
struct pair {
	struct process upstream, server;
	char db[300];
};

/* The executions of a pair, and what their readers know. */
struct streams {
	size_t n, created, asked;
	struct {
		char id[ID_TEXT];
		uint64_t total, next;
		bool asked_before;
	} at[MAX_STREAMS];
	uint64_t tokens;     /* of all, when they were last asked */
	double worst_age_ms; /* of the newest token of any, then */
	size_t limit;	     /* of chunks in what is polled */
	uint64_t from;	     /* where it begins */
	size_t bytes;	     /* of the last answer */
	size_t n_delays;
	float delays[MAX_DELAYS]; /* token made to token read, ms */
};
static struct streams streams;

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static double quantile(float *v, size_t n, double q)
{
	if (n == 0)
		return NAN;
	qsort(v, n, sizeof(*v), by_size);
	return (double)v[(size_t)(q * (double)(n - 1))];
}

static void nap(double seconds)
{
	struct timespec t = { (time_t)seconds, (long)(fmod(seconds, 1) * 1e9) };

	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* Servers run on the first core, this program and upstreams on the second. */
static void pin(pid_t pid, int core)
{
	cpu_set_t set;

	if (!options.pin)
		return;
	CPU_ZERO(&set);
	CPU_SET((size_t)core, &set);
	if (sched_setaffinity(pid, sizeof(set), &set) != 0)
		die("cannot pin to core %d", core);
}

/* --- processes --- */

static void server_start(
    struct process *p, const char *db, const char *upstream_url)
{
	const char *argv[] = { options.binary, "serve", "--listen",
		"127.0.0.1:0", "--db", db, "--log-level", "error", "--max-open",
		"100000", "--durability", options.durability, NULL };
	const char *env[] = { "SPOOL_ADMIN_KEY=" KEY, "OPENAI_API_KEY=none",
		"OPENAI_MODEL=sim", upstream_url, NULL };

	process_start(p, argv, env);
}

static void pair_start(struct pair *p, const char *name, long tokens,
    double rate, const char *fault)
{
	char n[32], r[32], url[80];
	const char *argv[] = { options.binary, "upstream", "--listen",
		"127.0.0.1:0", "--stamp", "--first-ms", "0", "--tokens", n,
		"--rate", r, fault == NULL ? NULL : "--fault", fault, "--after",
		n, NULL };
	const char *env[] = { NULL };

	(void)snprintf(n, sizeof(n), "%ld", tokens);
	(void)snprintf(r, sizeof(r), "%g", rate);
	(void)snprintf(p->db, sizeof(p->db), "%s/%s.db", options.dir, name);
	process_start(&p->upstream, argv, env);
	pin(p->upstream.pid, 1);
	(void)snprintf(url, sizeof(url),
	    "OPENAI_BASE_URL=http://127.0.0.1:%d/v1", p->upstream.port);
	server_start(&p->server, p->db, url);
	pin(p->server.pid, 0);
}

static void pair_kill(struct pair *p)
{
	process_kill(&p->server);
	process_kill(&p->upstream);
}

/* --- requests --- */

static bool next_create(void *arg, size_t i, struct buf *out)
{
	static const char body[] = "{\"prompt\":\"measure\"}";

	(void)i;
	(void)arg;
	if (streams.asked == streams.n)
		return false;
	streams.asked++;
	buf_printf(out,
	    "POST /v1/executions HTTP/1.1\r\n" HEAD
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
	    sizeof(body) - 1, body);
	return true;
}

static void on_create(void *arg, size_t i, const char *body, size_t len)
{
	static const char word[] = "\"execution_id\":\"";
	const char *at = strstr(body, word);

	(void)i;
	(void)len;
	(void)arg;
	if (at == NULL)
		die("an execution without an id: %s", body);
	memcpy(streams.at[streams.created++].id, at + sizeof(word) - 1,
	    ID_TEXT - 1);
}

static void create(const struct pair *p, size_t n)
{
	struct load l = { .port = p->server.port,
		.connections = n < 16 ? n : 16,
		.next = next_create,
		.on_answer = on_create };

	memset(&streams, 0, offsetof(struct streams, delays));
	streams.n = n;
	load_run(&l);
}

static void ask_chunks(
    struct buf *out, const char *id, uint64_t from, size_t limit, long wait_ms)
{
	buf_printf(out,
	    "GET /v1/executions/%s/chunks?fromIndex=%" PRIu64
	    "&limit=%zu&wait_ms=%ld HTTP/1.1\r\n" HEAD "\r\n",
	    id, from, limit, wait_ms);
}

static uint64_t total_of(const char *body)
{
	static const char word[] = "\"total_chunks\":";
	const char *at = strstr(body, word);

	return at == NULL ? 0 : strtoull(at + sizeof(word) - 1, NULL, 10);
}

/* The age of each stamped token in a page; returns that of the newest. */
static double ages(const char *body, void (*each)(double ms))
{
	static const char word[] = "\"content\":\"";
	uint64_t now = process_now_ns();
	double age = INFINITY;

	while ((body = strstr(body, word)) != NULL) {
		uint64_t made = strtoull(body += sizeof(word) - 1, NULL, 10);

		if (made == 0 || made > now)
			continue;
		age = (double)(now - made) / 1e6;
		if (each != NULL)
			each(age);
	}
	return age;
}

/* Each stream once: how long is it, and how old is its newest token? */
static bool next_look(void *arg, size_t i, struct buf *out)
{
	uint64_t total;

	(void)i;
	(void)arg;
	if (streams.asked == streams.n)
		return false;
	total = streams.at[streams.asked].total;
	ask_chunks(out, streams.at[streams.asked++].id, total, 1000, 0);
	return true;
}

static void on_look(void *arg, size_t i, const char *body, size_t len)
{
	static const char word[] = "\"execution_id\":\"";
	const char *id = strstr(body, word);
	double age = ages(body, NULL);
	uint64_t total = total_of(body);

	(void)i;
	(void)len;
	(void)arg;
	if (strstr(body, "\"status\":\"failed\"") != NULL)
		die("an execution failed: %s", body);
	streams.tokens += total;
	if (total > 0 && age > streams.worst_age_ms && !isinf(age))
		streams.worst_age_ms = age;
	for (size_t k = 0; id != NULL && k < streams.n; k++)
		if (memcmp(streams.at[k].id, id + sizeof(word) - 1,
			ID_TEXT - 1) == 0)
			streams.at[k].total = streams.at[k].next = total;
}

static void look(const struct pair *p)
{
	struct load l = { .port = p->server.port,
		.connections = 8,
		.next = next_look,
		.on_answer = on_look };

	streams.asked = 0;
	streams.tokens = 0;
	streams.worst_age_ms = 0;
	load_run(&l);
}

/* Long polls: connection i follows stream i. */
static bool next_follow(void *arg, size_t i, struct buf *out)
{
	(void)arg;
	ask_chunks(out, streams.at[i].id, streams.at[i].next, 1000, 10000);
	return true;
}

static void keep_delay(double ms)
{
	if (streams.n_delays < MAX_DELAYS)
		streams.delays[streams.n_delays++] = (float)ms;
}

static void on_follow(void *arg, size_t i, const char *body, size_t len)
{
	(void)len;
	(void)arg;
	/* what waited before the first look is not a delay */
	if (streams.at[i].asked_before)
		(void)ages(body, keep_delay);
	streams.at[i].asked_before = true;
	streams.at[i].next = total_of(body);
}

/* The same poll for ever, spread over the streams. */
static bool next_poll(void *arg, size_t i, struct buf *out)
{
	(void)arg;
	ask_chunks(
	    out, streams.at[i % streams.n].id, streams.from, streams.limit, 0);
	return true;
}

static void on_poll(void *arg, size_t i, const char *body, size_t len)
{
	(void)arg;
	(void)i;
	(void)body;
	streams.bytes = len;
}

/* --- what is measured --- */

static bool wanted(const char *name)
{
	return options.only == NULL || strstr(name, options.only) != NULL;
}

/* What the disk takes for 4 KiB: no durable figure means much without it. */
static void measure_sync(void)
{
	static char block[4096];
	static float ms[300];
	char path[300];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/sync", options.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (size_t i = 0; i < 300; i++) {
		uint64_t start = process_now_ns();

		if (fd < 0 || write(fd, block, sizeof(block)) < 0 ||
		    fdatasync(fd) != 0)
			die("cannot write in %s", options.dir);
		ms[i] = (float)(process_now_ns() - start) / 1e6f;
	}
	close(fd);
	printf("fdatasync of 4 KiB: p50 %.3f ms, p99 %.3f ms\n",
	    quantile(ms, 300, 0.5), quantile(ms, 300, 0.99));
}

static void measure_start_on(const char *db, const char *what)
{
	float ms[9];
	double rss = 0;

	for (size_t i = 0; i < 9; i++) {
		struct process p;
		uint64_t start = process_now_ns();

		server_start(&p, db, "OPENAI_BASE_URL=http://127.0.0.1:1/v1");
		if (!load_get(p.port, "/healthz"))
			die("/healthz was not answered");
		ms[i] = (float)(process_now_ns() - start) / 1e6f;
		rss = process_rss_kb(&p);
		process_kill(&p);
	}
	printf("start on %s: exec to /healthz served %.1f ms (best %.1f); "
	       "idle %.1f MB\n",
	    what, quantile(ms, 9, 0.5), quantile(ms, 9, 0), rss / 1024);
}

static void measure_start(void)
{
	char db[300], what[64];

	(void)snprintf(db, sizeof(db), "%s/empty.db", options.dir);
	measure_start_on(db, "an empty store");
	(void)snprintf(db, sizeof(db), "%s/stored.db", options.dir);
	(void)snprintf(
	    what, sizeof(what), "%" PRIu64 " executions", options.stored);
	stored_make(db, options.stored, 10);
	measure_start_on(db, what);
}

/* Wait until each stream has its first token. */
static void await_tokens(const struct pair *p, uint64_t each)
{
	for (int i = 0; i < 120; i++) {
		bool all = true;

		look(p);
		for (size_t k = 0; k < streams.n; k++)
			all = all && streams.at[k].total >= each;
		if (all)
			return;
		nap(0.5);
	}
	die("the answers did not come");
}

/*
 * Kill a server that takes in ${n} answers, and start it again: everything that
 * was running is settled before it serves.
 */
static void measure_restart(size_t n, double rate)
{
	float ms[RESTARTS], cpu_ms[RESTARTS];
	uint64_t seed = process_now_ns(), start;
	char url[80], wal[310];
	double wal_mb = 0;
	struct stat st;
	struct pair p;

	if (!wanted("restart"))
		return;
	pair_start(&p, "restart", 1000000, rate, NULL);
	(void)snprintf(url, sizeof(url),
	    "OPENAI_BASE_URL=http://127.0.0.1:%d/v1", p.upstream.port);
	(void)snprintf(wal, sizeof(wal), "%s-wal", p.db);
	for (size_t i = 0; i < RESTARTS; i++) {
		create(&p, n);
		await_tokens(&p, 10);
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		nap((double)(seed >> 40) / (1 << 24));
		process_kill(&p.server);
		if (stat(wal, &st) == 0 && (double)st.st_size / 1e6 > wal_mb)
			wal_mb = (double)st.st_size / 1e6;
		start = process_now_ns();
		server_start(&p.server, p.db, url);
		pin(p.server.pid, 0);
		if (!load_get(p.server.port, "/healthz"))
			die("/healthz was not answered");
		ms[i] = (float)(process_now_ns() - start) / 1e6f;
		cpu_ms[i] = (float)process_cpu_us(&p.server) / 1e3f;
	}
	printf(
	    "restart after kill -9 of %zu x %g/s, %d times: exec to /healthz "
	    "served p50 %.0f ms, max %.0f, best %.0f; CPU p50 %.0f ms, max "
	    "%.0f; WAL up to %.1f MB\n",
	    n, rate, RESTARTS, quantile(ms, RESTARTS, 0.5),
	    quantile(ms, RESTARTS, 1), quantile(ms, RESTARTS, 0),
	    quantile(cpu_ms, RESTARTS, 0.5), quantile(cpu_ms, RESTARTS, 1),
	    wal_mb);
	pair_kill(&p);
}

/* How long tokens take from the upstream to a long poll's client. */
static void measure_delay(const struct pair *p)
{
	struct load l = { .port = p->server.port,
		.connections = streams.n < READERS ? streams.n : READERS,
		.next = next_follow,
		.on_answer = on_follow,
		.seconds = options.seconds / 2 };

	load_run(&l);
	printf("  token to long poll, %zu readers: p50 %.2f ms, p99 %.2f ms\n",
	    l.connections, quantile(streams.delays, streams.n_delays, 0.5),
	    quantile(streams.delays, streams.n_delays, 0.99));
}

static void measure_ingest(size_t n, double rate)
{
	double cpu, upstream, written, rss, tokens, seconds;
	uint64_t start;
	struct pair p;
	char name[32];

	(void)snprintf(name, sizeof(name), "ingest-%zux%g", n, rate);
	if (!wanted(name))
		return;
	pair_start(&p, name, (long)(rate * 120), rate, NULL);
	rss = process_rss_kb(&p.server);
	create(&p, n);
	await_tokens(&p, 1);
	nap(1);
	look(&p);
	start = process_now_ns();
	tokens = (double)streams.tokens;
	cpu = process_cpu_us(&p.server);
	upstream = process_cpu_us(&p.upstream);
	written = (double)process_written(&p.server);
	nap(options.seconds);
	cpu = process_cpu_us(&p.server) - cpu;
	upstream = process_cpu_us(&p.upstream) - upstream;
	written = (double)process_written(&p.server) - written;
	rss = process_rss_kb(&p.server) - rss;
	seconds = (double)(process_now_ns() - start) / 1e9;
	look(&p);
	/* the second look came a little later than the window's end */
	tokens = ((double)streams.tokens - tokens) * seconds /
		 ((double)(process_now_ns() - start) / 1e9);
	printf("ingest %zu x %g/s: %.2f CPU us a token (upstream %.2f), "
	       "%.0f of %.0f tokens/s, newest at most %.0f ms old: %s\n"
	       "  written %.0f B a token; %.1f kB a live stream\n",
	    n, rate, cpu / tokens, upstream / tokens, tokens / seconds,
	    (double)n * rate, streams.worst_age_ms,
	    streams.worst_age_ms < 2000 / rate + 100 ? "keeps up"
						     : "FELL BEHIND",
	    written / tokens, rss / (double)n);
	measure_delay(&p);
	pair_kill(&p);
}

/* Whole answers, from the request to the packed log. */
static void measure_life(size_t n, long tokens, double rate)
{
	double cpu, written, all = (double)n * (double)tokens;
	struct stat st;
	struct pair p;

	if (!wanted("life"))
		return;
	pair_start(&p, "life", tokens, rate, NULL);
	written = (double)process_written(&p.server);
	create(&p, n);
	await_tokens(&p, (uint64_t)tokens + 1);
	nap(2); /* it packs, and copies its log of changes back */
	cpu = process_cpu_us(&p.server);
	written = (double)process_written(&p.server) - written;
	if (stat(p.db, &st) != 0)
		die("no %s", p.db);
	printf("life of %zu answers of %ld tokens, %g/s: %.2f CPU us a token, "
	       "looks included; written %.0f B, kept %.1f B a token\n",
	    n, tokens, rate, cpu / all, written / all,
	    (double)st.st_size / all);
	pair_kill(&p);
}

static void measure_poll(const struct pair *p, const char *what, uint64_t from)
{
	struct load l = { .port = p->server.port,
		.connections = 64,
		.next = next_poll,
		.on_answer = on_poll,
		.seconds = options.seconds / 2 };
	double cpu;

	streams.from = from;
	streams.limit = 1000;
	cpu = process_cpu_us(&p->server);
	load_run(&l);
	cpu = process_cpu_us(&p->server) - cpu;
	printf("%s: %.2f CPU us each, %zu bytes, %.0f/s\n", what,
	    cpu / (double)l.answers, streams.bytes,
	    (double)l.answers / ((double)l.elapsed_ns / 1e9));
}

static void measure_polls(void)
{
	struct pair p;

	if (!wanted("polls"))
		return;
	/* an upstream that stalls leaves its answers live */
	pair_start(&p, "live", 1000, 0, "stall");
	create(&p, 16);
	await_tokens(&p, 1000);
	measure_poll(&p, "poll, newest 5 of 1000, live", POLL_FROM);
	measure_poll(&p, "poll, nothing new, live", 1000);
	measure_poll(&p, "catch-up, 1000 chunks, live", 0);
	pair_kill(&p);
	pair_start(&p, "ended", 1000, 0, NULL);
	create(&p, 16);
	await_tokens(&p, 1001);
	measure_poll(&p, "poll, newest 6 of 1001, ended", POLL_FROM);
	measure_poll(&p, "catch-up, 1001 chunks, ended", 0);
	pair_kill(&p);
}

/* --- */

static const char help[] =
    "usage: spool_bench [options]\n"
    "  -b PATH     the binary [build/spool]\n"
    "  -d DIR      where stores are made: on the disk to be measured [/var/tmp]\n"
    "  -s SECONDS  of each window [4]\n"
    "  -o NAME     only phases whose name has this: start, restart, ingest-1000x20, life, polls\n"
    "  -D MODE     durability: full or normal [full]\n"
    "  -n N        executions in the full store [100000]\n"
    "  -p          pin the server to core 0, the rest to core 1\n";

static void read_options(int argc, char **argv)
{
	const char *dir = "/var/tmp";
	int c;

	while ((c = getopt(argc, argv, "b:d:s:o:D:n:ph")) != -1) {
		switch (c) {
		case 'b': options.binary = optarg; break;
		case 'd': dir = optarg; break;
		case 's': options.seconds = atof(optarg); break;
		case 'o': options.only = optarg; break;
		case 'D': options.durability = optarg; break;
		case 'n': options.stored = strtoull(optarg, NULL, 10); break;
		case 'p': options.pin = true; break;
		default:
			fputs(help, c == 'h' ? stdout : stderr);
			exit(c != 'h');
		}
	}
	(void)snprintf(
	    options.dir, sizeof(options.dir), "%s/spool-bench-XXXXXX", dir);
	if (mkdtemp(options.dir) == NULL)
		die("cannot make a directory in %s", dir);
}

int main(int argc, char **argv)
{
	char command[300];

	setvbuf(stdout, NULL, _IOLBF, 0);
	read_options(argc, argv);
	pin(0, 1);
	measure_sync();
	measure_ingest(100, 50);
	measure_ingest(1000, 20);
	measure_life(1000, 100, 20);
	measure_polls();
	if (options.only == NULL || strcmp(options.only, "start") == 0)
		measure_start();
	measure_restart(1000, 20);
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", options.dir);
	return system(command) == 0 ? 0 : 1;
}
