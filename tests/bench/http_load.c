/*
 * http_load PORT CONNECTIONS SECONDS FILE...: the same requests over and over,
 * on keep-alive connections with one under way on each, for any HTTP server.
 * A FILE has one request as it goes out; connection i begins with file i.
 * Prints one line of JSON: answers, seconds, bytes (of the last body), and how
 * long answers took, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load.h"
#include "tests/bench/process.h"

#define MAX_FILES 256
#define MAX_REQUEST ((size_t)1 << 20)
#define MAX_TIMES ((size_t)4 << 20)

struct asking {
	struct buf file[MAX_FILES];
	size_t n_files;
	size_t turn[LOAD_MAX_CONNECTIONS];
	uint64_t asked_ns[LOAD_MAX_CONNECTIONS];
	size_t bytes;
	float *took_us;
	size_t n_took;
};

static bool next(void *arg, size_t i, struct buf *out)
{
	struct asking *a = arg;
	const struct buf *f = &a->file[(i + a->turn[i]++) % a->n_files];

	buf_add(out, f->data, f->len);
	a->asked_ns[i] = process_now_ns();
	return true;
}

static void on_answer(void *arg, size_t i, const char *body, size_t len)
{
	struct asking *a = arg;

	(void)body;
	a->bytes = len;
	if (a->n_took < MAX_TIMES)
		a->took_us[a->n_took++] =
		    (float)(process_now_ns() - a->asked_ns[i]) / 1000;
}

static void read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		die("cannot read %s", path);
	buf_init(b, MAX_REQUEST);
	do {
		char *room = buf_room(b, 4096);

		if (room == NULL)
			die("%s is too large", path);
		n = fread(room, 1, 4096, f);
		b->len += n;
	} while (n > 0);
	fclose(f);
}

static int by_size(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct asking *a = calloc(1, sizeof(*a));
	struct load l = { .next = next, .on_answer = on_answer, .arg = a };

	if (argc < 5 || argc - 4 > MAX_FILES)
		die("usage: http_load PORT CONNECTIONS SECONDS FILE...");
	if (a == NULL)
		die("no memory");
	a->took_us = malloc(MAX_TIMES * sizeof(*a->took_us));
	l.port = atoi(argv[1]);
	l.connections = strtoul(argv[2], NULL, 10);
	l.seconds = atof(argv[3]);
	if (a->took_us == NULL || l.connections == 0 ||
	    l.connections > LOAD_MAX_CONNECTIONS || l.seconds <= 0)
		die("1 to %d connections, and some seconds",
		    LOAD_MAX_CONNECTIONS);
	for (int i = 4; i < argc; i++)
		read_file(&a->file[a->n_files++], argv[i]);
	load_run(&l);
	if (a->n_took == 0)
		die("no answer");
	qsort(a->took_us, a->n_took, sizeof(*a->took_us), by_size);
	printf("{\"answers\":%llu,\"seconds\":%.3f,\"bytes\":%zu,"
	       "\"p50_us\":%.0f,\"p90_us\":%.0f,\"p99_us\":%.0f,"
	       "\"max_us\":%.0f}\n",
	    (unsigned long long)l.answers, (double)l.elapsed_ns / 1e9, a->bytes,
	    (double)a->took_us[a->n_took / 2],
	    (double)a->took_us[a->n_took * 9 / 10],
	    (double)a->took_us[a->n_took * 99 / 100],
	    (double)a->took_us[a->n_took - 1]);
	return 0;
}
