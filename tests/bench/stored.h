/*
 * stored: a store full of ended executions, made through the writer.
 *
 * Used by: the benchmark.     Thread: the main one.
 */
#ifndef TESTS_BENCH_STORED_H
#define TESTS_BENCH_STORED_H

#include <stdint.h>

/* Make ${path} with ${n} executions of ${chunks} chunks each, all packed. */
void stored_make(const char *path, uint64_t n, uint32_t chunks);

#endif
