/*
 * process: a spool process under measurement, and what it costs.
 *
 * Used by: the benchmark.     Thread: one.
 * Promises: what fails ends the program with a message (die()); every process
 * that was started is killed when the program ends.
 */
#ifndef TESTS_BENCH_PROCESS_H
#define TESTS_BENCH_PROCESS_H

#include <stdint.h>
#include <sys/types.h>

#include "store/base/log.h"

#define PROCESS_MAX_ARGS 24

struct process {
	pid_t pid;
	int port;
	int output; /* its stdout and stderr */
};

_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);

uint64_t process_now_ns(void);

/*
 * Start ${argv} (NULL at the end) with the variables ${env} ("NAME=value",
 * NULL at the end) and wait until it says where it listens.
 */
void process_start(
    struct process *p, const char *const *argv, const char *const *env);
void process_kill(struct process *p);

/* Of the process so far: user and system time; bytes it caused to be written. */
double process_cpu_us(const struct process *p);
uint64_t process_written(const struct process *p);
/* Resident memory now. */
double process_rss_kb(const struct process *p);

#endif
