/*
 * load: many keep-alive connections, each with one request under way.
 *
 * Used by: the benchmark.     Thread: one; load_run() blocks.
 * Promises: an answer that is not 2xx, or a connection that breaks, ends the
 * program: a benchmark of errors measures nothing.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"

#define LOAD_MAX_CONNECTIONS 1024

struct load {
	int port;
	size_t connections;
	/*
	 * Append the next request of connection ${i}, whole, to ${out}; false:
	 * it has none, ever.
	 */
	bool (*next)(void *arg, size_t i, struct buf *out);
	/* The answer's body, NUL-terminated; may be NULL. */
	void (*on_answer)(void *arg, size_t i, const char *body, size_t len);
	void *arg;
	double seconds; /* stop asking then; 0: when nobody has a request */

	uint64_t answers; /* what was counted */
	uint64_t elapsed_ns;
};

/* Ask until there is nothing to ask or the time is over. */
void load_run(struct load *l);

/* One GET on a connection of its own; true when it was answered with 200. */
bool load_get(int port, const char *path);

#endif
