/*
 * Many small worlds, each made of a seed: the core of spool in one thread, with
 * a disk that crashes, fails and fills, upstreams that stall, break and lie,
 * clocks that jump. After each event all that was ever promised must hold.
 *
 * SOAK=1 lives 10,000 worlds, SEEDS says how many otherwise, EVENTS how long
 * each is, JOBS how many at once. SEED=n lives that one alone, TRACE=1 prints
 * its events.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/store_internal.h"
#include "tests/sim/world.h"

#if defined(__SANITIZE_ADDRESS__)
#define SEEDS 60
#define LIE_SEEDS 0
#elif defined(__SANITIZE_THREAD__)
/* There is one thread: it is here to see that it builds. */
#define SEEDS 4
#define LIE_SEEDS 0
#else
#define SEEDS 500
#define LIE_SEEDS 60
#endif
#define SOAK_SEEDS 10000
#define EVENTS 1000
#define MAX_JOBS 16

/* What a child is doing, so that its parent can say it after its death. */
struct progress {
	uint64_t seed;
	uint32_t event;
	bool broken;
	char why[512];
	uint64_t worlds, chunks, crashes, stops, ended, completed;
};

static char directory[] = "/tmp/spool-simulation-XXXXXX";

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL || *text == '\0' ? otherwise
					     : strtoull(text, NULL, 10);
}

static void on_event(void *arg, uint32_t event)
{
	struct progress *p = arg;

	p->event = event;
}

/* One world. False: broken. */
static bool live(
    struct progress *p, uint64_t seed, const struct lie *lie, bool trace)
{
	static struct world w;
	struct world_options o = { .seed = seed,
		.events = (uint32_t)number_from("EVENTS", EVENTS),
		.lie = lie,
		.trace = trace,
		.on_event = on_event,
		.arg = p };

	p->seed = seed;
	p->event = 0;
	if (!world_live(&o, &w)) {
		p->event = w.event;
		p->broken = true;
		memcpy(p->why, w.why.text, sizeof(w.why.text));
		return false;
	}
	p->worlds++;
	p->chunks += w.chunks;
	p->crashes += w.crashes;
	p->stops += w.stops;
	p->ended += w.ended;
	p->completed += w.completed;
	return true;
}

/* A child that lives ${n} worlds from ${first} on, ${step} apart. */
static pid_t begin(struct progress *p, uint64_t first, uint64_t n,
    uint64_t step, const struct lie *lie)
{
	bool trace = number_from("TRACE", 0) != 0;
	char own[sizeof(directory) + 20];
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	/* Each has a place of its own: stores are locked. */
	snprintf(own, sizeof(own), "%s/%d", directory, (int)getpid());
	if (mkdir(own, 0700) != 0)
		_exit(2);
	world_place(own);
	if (lie != NULL) {
		/* What it says of its death is not wanted. */
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(2);
		signal(SIGABRT, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
	}
	for (uint64_t i = 0; i < n; i++)
		if (!live(p, first + i * step, lie, trace))
			_exit(1);
	world_leave();
	exit(0);
}

/* True when it died or found a broken world; says which into ${p}. */
static bool finish(struct progress *p, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (!p->broken)
		snprintf(p->why, sizeof(p->why), "the program died (%s %d)",
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	p->broken = true;
	return true;
}

static struct progress *shared(size_t n)
{
	struct progress *p = mmap(NULL, n * sizeof(*p), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	return p;
}

static void whatever_happens_all_promises_hold(void **state)
{
	uint64_t seeds = number_from("SOAK", 0) != 0 ? SOAK_SEEDS : SEEDS;
	uint64_t one = number_from("SEED", 0), jobs = number_from("JOBS", 2);
	uint64_t first = number_from("FIRST", 1);
	struct progress *p = shared(MAX_JOBS), sum = { 0 };
	pid_t pid[MAX_JOBS];
	bool broken = false;

	(void)state;
	seeds = number_from("SEEDS", seeds);
	jobs = one > 0 || jobs < 1 ? 1 : jobs > MAX_JOBS ? MAX_JOBS : jobs;
	if (one > 0) {
		seeds = 1;
		first = one;
	}
	for (uint64_t i = 0; i < jobs; i++)
		pid[i] = begin(&p[i], first + i, (seeds + jobs - 1 - i) / jobs,
		    jobs, NULL);
	for (uint64_t i = 0; i < jobs; i++) {
		if (finish(&p[i], pid[i])) {
			broken = true;
			print_message("SEED=%llu breaks at event %u: %s\n",
			    (unsigned long long)p[i].seed, p[i].event,
			    p[i].why);
		}
		sum.worlds += p[i].worlds;
		sum.chunks += p[i].chunks;
		sum.crashes += p[i].crashes;
		sum.stops += p[i].stops;
		sum.ended += p[i].ended;
		sum.completed += p[i].completed;
	}
	print_message("%llu worlds: %llu executions (%llu completed), "
		      "%llu chunks, %llu crashes, %llu stops\n",
	    (unsigned long long)sum.worlds, (unsigned long long)sum.ended,
	    (unsigned long long)sum.completed, (unsigned long long)sum.chunks,
	    (unsigned long long)sum.crashes, (unsigned long long)sum.stops);
	munmap(p, MAX_JOBS * sizeof(*p));
	if (broken)
		fail_msg("a promise was broken; SEED=… replays it");
}

static void and_each_lie_is_noticed(void **state)
{
	struct progress *p = shared(1);
	const char *only = getenv("LIE");
	size_t unnoticed = 0;

	(void)state;
	for (size_t i = 0; LIE_SEEDS > 0 && i < world_n_lies; i++) {
		const struct lie *lie = &world_lies[i];

		if (only != NULL && strstr(lie->name, only) == NULL)
			continue;
		*p = (struct progress){ 0 };
		if (finish(p, begin(p, 1, LIE_SEEDS, 1, lie))) {
			print_message("%s: noticed with SEED=%llu at event %u: "
				      "%s\n",
			    lie->name, (unsigned long long)p->seed, p->event,
			    p->why);
			continue;
		}
		print_message("%s: NOT NOTICED\n", lie->name);
		unnoticed++;
	}
	munmap(p, sizeof(*p));
	assert_int_equal(unnoticed, 0);
}

static void a_seed_is_the_same_world_again(void **state)
{
	static struct world w;
	uint64_t fingerprint[8];

	(void)state;
	world_place(directory);
	for (unsigned i = 0; i < 8; i++) {
		struct world_options o = { .seed = 1 + i % 4, .events = 400 };

		if (!world_live(&o, &w))
			fail_msg("%s", w.why.text);
		fingerprint[i] = w.fingerprint;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_true(fingerprint[i] == fingerprint[i + 4]);
	assert_true(fingerprint[0] != fingerprint[1]);
	world_leave();
}

/* Is ${id} there, for whoever asks? */
static bool shows(struct store *store, const struct id *id)
{
	struct page_query q = { 0, 1, 1000 };
	struct page p;
	bool found;

	page_init(&p);
	found = tail_page(store, id, NULL, &q, &p) == OK;
	page_fini(&p);
	return found;
}

static void free_write(struct write *w)
{
	execution_free(w->u.create.execution);
	free(w);
}

/* A creation during which the ${n}th change never reaches the disk. */
static void create_and_die(
    const struct store_options *options, uint32_t n, unsigned fails)
{
	struct write *w = calloc(1, sizeof(*w));
	struct execution *e = execution_new();
	struct store *store = NULL;

	e->id = (struct id){ { 1 } };
	e->owner = strdup("ann");
	e->created_ms = 1;
	w->kind = WRITE_CREATE;
	w->u.create.execution = e;
	w->on_done = free_write;
	assert_int_equal(store_open(options, &store, NULL), OK);
	assert_int_equal(writer_post(store, w), OK);
	if (fails == 0)
		disk_off_after(n);
	else
		disk_fail_after(n, fails, true);
	writer_turn(&store->writer, 0);
	disk_off_now();
	store_close(store);
	disk_process_died();
	disk_mend();
}

/*
 * The log of a process that was killed between its write and its sync is read
 * back whole: the kernel has it. Before anybody sees it the disk must, too.
 */
static void what_a_crash_left_is_durable_before_it_is_shown(void **state)
{
	struct store_options options;
	struct id id = { { 1 } };
	struct store *store = NULL;
	unsigned shown = 0;

	(void)state;
	world_place(directory);
	options = world_store_options();
	for (uint32_t i = 0; i < 24 * 8; i++) {
		bool was;

		world_disk(i);
		create_and_die(&options, 1 + i / 8, i % 2 ? DISK_SYNC : 0);
		assert_int_equal(store_open(&options, &store, NULL), OK);
		was = shows(store, &id);
		shown += was;
		disk_off_now();
		store_close(store);
		disk_power_cut();
		assert_int_equal(store_open(&options, &store, NULL), OK);
		if (was)
			assert_true(shows(store, &id));
		store_close(store);
		disk_end();
	}
	assert_true(shown > 0);
	world_leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_a_crash_left_is_durable_before_it_is_shown),
		cmocka_unit_test(a_seed_is_the_same_world_again),
		cmocka_unit_test(whatever_happens_all_promises_hold),
		cmocka_unit_test(and_each_lie_is_noticed),
	};
	char command[80];
	int rc;

	if (mkdtemp(directory) == NULL)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? rc : 1;
}
