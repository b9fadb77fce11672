/*
 * try_all: what has to happen when memory is short: every allocation fails, the
 * first, the second … until all is done without a failure; once, and with all
 * that follow. An error comes back, nothing leaks (the leak sanitizer looks),
 * nothing crashes, and what was answered is so.
 *
 * A few dozen points of each scenario by default, all with SOAK=1; POINTS says
 * how many. One panic is documented (worker/README.md) and not asked for here:
 * a run's batch that cannot be written whole.
 *
 * Used by: malloc_*_test.c.
 */
#ifndef TESTS_FAULT_TRY_ALL_H
#define TESTS_FAULT_TRY_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "store/base/err.h"
#include "store/base/log.h"
#include "store/execution.h"
#include "tests/fault/scarcity.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#define POINTS 25
#elif defined(__SANITIZE_THREAD__)
#define POINTS 3
#else
#define POINTS 60
#endif

/* Where a store may lie. */
static char place[80], url[100];

/* What is tried. OK: it was done. */
typedef enum err scenario_fn(void *arg);

static inline uint64_t points(void)
{
	const char *n = getenv("POINTS"), *soak = getenv("SOAK");

	if (n != NULL && *n != '\0')
		return strtoull(n, NULL, 10);
	return soak != NULL && *soak == '1' ? UINT64_MAX : POINTS;
}

static inline void look_for_leaks(const char *what)
{
#if defined(__SANITIZE_ADDRESS__)
	if (__lsan_do_recoverable_leak_check() != 0)
		fail_msg("%s leaks", what);
#else
	(void)what;
#endif
}

/* Fails only by want of memory. */
static inline void expect(
    enum err rc, unsigned failed, const char *what, uint64_t at)
{
	if (rc == OK || (failed != 0 && rc == ERR_NOMEM))
		return;
	fail_msg("%s, allocation %llu: %s", what, (unsigned long long)at,
	    err_name(rc));
}

/* Try ${run} with each of ${whose} allocations failing, or with many of them. */
static inline void try_all(
    const char *what, unsigned whose, scenario_fn *run, void *arg)
{
	uint64_t n, most = points(), tried = 0;

	/* Caches that stay are filled by the first time. */
	expect(run(arg), 0, what, 0);
	scarcity_begin(whose, 0, false);
	expect(run(arg), 0, what, 0);
	scarcity_end();
	n = atomic_load(&scarcity.n);
	for (int for_good = 0; for_good < 2; for_good++)
		for (uint64_t i = 0; i < n && i < most; i++) {
			uint64_t at = n <= most ? i : i * n / most;
			enum err rc;

			scarcity_begin(whose, at + 1, for_good == 1);
			rc = run(arg);
			expect(rc, scarcity_end() ? whose : 0, what, at + 1);
			tried++;
		}
	/* And all is well afterwards. */
	expect(run(arg), 0, what, 0);
	look_for_leaks(what);
	if (getenv("VERBOSE") != NULL)
		print_message("%s: %llu of 2 x %llu\n", what,
		    (unsigned long long)tried, (unsigned long long)n);
}

/* --- what several of them need --- */

static inline struct execution *record(uint8_t number)
{
	struct execution *e = execution_new();

	*e = (struct execution){ .id = { { 1, number } },
		.owner = strdup("ann"),
		.model = strdup("m"),
		.request = strdup("{}"),
		.request_len = 2,
		.idempotency_key = strdup("k"),
		.created_ms = 1700000000000 };
	e->idempotency_key[0] = (char)('a' + number);
	return e;
}

static inline void remove_place(void)
{
	static const char *const parts[] = { "", "-wal", "-shm", ".lock" };
	char name[120];

	for (size_t i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "%s%s", url, parts[i]);
		unlink(name);
	}
}

/* Run ${tests}, in a place of its own. */
#define TRY_GROUP(tests) \
	(try_begin() ? try_end(cmocka_run_group_tests(tests, NULL, NULL)) : 1)

static inline bool try_begin(void)
{
	struct stat st;

	/* Nothing here is about disks: memory is faster. */
	snprintf(place, sizeof(place), "%s/spool-malloc-XXXXXX",
	    stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(place) == NULL)
		return false;
	snprintf(url, sizeof(url), "%s/m.db", place);
	log_setup(LOG_ERROR, LOG_LOGFMT);
	scarcity_hook();
	return true;
}

static inline int try_end(int rc)
{
	rmdir(place);
	return rc;
}

#endif
