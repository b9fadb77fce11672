/*
 * A process that prunes is killed at any moment, again and again. Afterwards
 * each execution is whole or gone, what was answered stays so, a check finds
 * nothing, and what had begun is finished by the next process.
 *
 * SPOOL_KILLS says how often (12); the seed is printed, and SPOOL_SEED repeats
 * it.
 */
#include "tests/unit/store/support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "store/check.h"

#define MAX_SEEN 20000
#define LONGEST 60
#define AT_ONCE 40

enum fate {
	WANTED,	 /* nothing was done to it */
	ENDED,	 /* its end was answered */
	ASKED,	 /* to be deleted; no answer yet */
	DELETED, /* answered */
};

/* Of one execution, in memory that outlives the process. */
struct seen {
	struct id id;
	uint32_t n; /* chunks before its end */
	bool payload_only;
	atomic_int fate;
};

struct record {
	struct seen seen[MAX_SEEN];
	atomic_size_t n;
	atomic_uint prunes; /* answered by this process */
};

struct habits {
	uint32_t most_chunks;
	uint32_t huge_chunks; /* of one in forty */
	size_t cache_bytes;
};

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % sides;
}

static void make_some(struct store *store, struct record *record,
    const struct habits *habits, uint64_t *seed)
{
	size_t from = atomic_load(&record->n);
	struct job job;

	if (from + AT_ONCE > MAX_SEEN)
		_exit(3);
	job_init(&job, WRITE_BATCH);
	for (size_t i = from; i < from + AT_ONCE; i++) {
		struct seen *s = &record->seen[i];

		s->id = create(store, "ada");
		s->n = i == from ? habits->huge_chunks
				 : dice(seed, habits->most_chunks);
		add_start(&job.write.u.batch, &s->id);
		add_texts(&job.write.u.batch, &s->id, 0, s->n, LONGEST);
		add_end(&job.write.u.batch, &s->id);
		atomic_store(&record->n, i + 1);
	}
	assert_int_equal(job_run(&job, store), OK);
	for (size_t i = from; i < from + AT_ONCE; i++)
		atomic_store(&record->seen[i].fate, ENDED);
	job_fini(&job);
}

/* Up to ${most} that have ended, of any age, whole or their payload. */
static uint32_t choose(struct record *record, uint32_t most, bool payload_only,
    uint64_t *seed, size_t *ret)
{
	size_t n = atomic_load(&record->n);
	uint32_t k = 0;

	for (uint32_t tries = 0; tries < 4 * most && k < most; tries++) {
		size_t i = dice(seed, (uint32_t)n);
		struct seen *s = &record->seen[i];

		if (atomic_load(&s->fate) != ENDED)
			continue;
		s->payload_only = payload_only;
		atomic_store(&s->fate, ASKED);
		ret[k++] = i;
	}
	return k;
}

static void live(struct record *record, const struct habits *habits,
    struct place *place, uint64_t seed)
{
	place->options.cache_bytes = habits->cache_bytes;
	place_open(place);
	make_some(place->store, record, habits, &seed);
	for (;;) {
		bool payload_only = dice(&seed, 3) == 0;
		struct id id[AT_ONCE];
		size_t at[AT_ONCE];
		struct job job;
		uint32_t n;

		n = choose(record, AT_ONCE, payload_only, &seed, at);
		for (uint32_t i = 0; i < n; i++)
			id[i] = record->seen[at[i]].id;
		job_init(&job, WRITE_PRUNE);
		job.write.u.prune.ids = id;
		job.write.u.prune.n = n;
		job.write.u.prune.payload_only = payload_only;
		job_post(&job, place->store);
		/* Beside it, so that their transactions mingle. */
		make_some(place->store, record, habits, &seed);
		assert_int_equal(job_wait(&job), OK);
		assert_int_equal(job.write.u.prune.gone.executions, n);
		job_fini(&job);
		for (uint32_t i = 0; i < n; i++)
			atomic_store(&record->seen[at[i]].fate, DELETED);
		atomic_fetch_add(&record->prunes, n > 0);
	}
}

static void on_finding(void *arg, const struct check_finding *f)
{
	(void)arg;
	fail_msg("%s: %s", check_kind_name(f->kind), f->what.text);
}

static struct check_counts checked(const char *url)
{
	const struct check_options o = { .on_finding = on_finding };
	struct check_counts counts;
	struct check *c = NULL;
	bool done = false;

	assert_int_equal(check_open_alone(url, &o, &c, NULL), OK);
	while (!done)
		assert_int_equal(check_step(c, &done), OK);
	check_counts(c, &counts);
	check_close(c);
	return counts;
}

/* All of ${s} is there: every chunk, and the end. */
static void expect_whole(struct query *q, struct seen *s)
{
	struct page_query pq = { 0, 1000, PAGE_MAX_BYTES };
	struct page p;

	page_init(&p);
	do {
		assert_int_equal(query_page(q, &s->id, "ada", &pq, &p), OK);
		expect_texts(&p, pq.from, LONGEST);
		pq.from = page_next(&p);
	} while (p.n > 0);
	assert_true(execution_ended(p.status));
	assert_int_equal(pq.from, s->n + 1);
	page_fini(&p);
}

/* Gone, as far as it was asked; true when it is. */
static bool is_gone(struct query *q, struct seen *s)
{
	struct page_query pq = { 0, 1, 1 };
	struct query_gone gone;
	struct execution e = { 0 };
	struct page p;
	enum err rc;

	page_init(&p);
	rc = query_page(q, &s->id, "ada", &pq, &p);
	page_fini(&p);
	if (rc == OK)
		return false;
	assert_int_equal(rc, ERR_GONE);
	assert_int_equal(query_gone(q, &s->id, "ada", &gone), OK);
	assert_int_equal(gone.payload_only, s->payload_only);
	rc = query_execution(q, &s->id, "ada", &e);
	assert_int_equal(rc, s->payload_only ? OK : ERR_GONE);
	if (rc == OK)
		assert_int_equal(e.next_index, s->n + 1);
	execution_fini(&e);
	return true;
}

/* End what the process left unended, so that it does not add up. */
static void end_all(struct store *store, struct record *record)
{
	struct execution **list;
	struct job job;
	size_t n;

	assert_int_equal(store_unfinished(store, &list, &n), OK);
	job_init(&job, WRITE_BATCH);
	for (size_t i = 0; i < n; i++) {
		add_end(&job.write.u.batch, &list[i]->id);
		execution_free(list[i]);
	}
	free(list);
	assert_int_equal(job_run(&job, store), OK);
	job_fini(&job);
	(void)record;
}

static void until_clean(struct store *store)
{
	struct store_stats now;

	do {
		usleep(1000);
		store_stats(store, &now);
	} while (now.cleaning);
}

static void look_at(struct query *q, struct seen *s)
{
	switch ((enum fate)atomic_load(&s->fate)) {
	case WANTED: break;
	case ENDED: expect_whole(q, s); break;
	case ASKED:
		if (is_gone(q, s)) {
			atomic_store(&s->fate, DELETED);
		} else {
			expect_whole(q, s);
			atomic_store(&s->fate, ENDED);
		}
		break;
	case DELETED: assert_true(is_gone(q, s)); break;
	}
}

static void compare(struct record *record, struct place *place, size_t from)
{
	size_t n = atomic_load(&record->n);
	struct check_counts counts;
	struct query *q;

	checked(place->url);
	place_open(place);
	assert_int_equal(query_open(place->store, &q), OK);
	/* What was asked can be any; of the rest what is new. */
	for (size_t i = 0; i < n; i++)
		if (i >= from || atomic_load(&record->seen[i].fate) == ASKED)
			look_at(q, &record->seen[i]);
	end_all(place->store, record);
	until_clean(place->store);
	query_close(q);
	place_close(place);
	counts = checked(place->url);
	assert_int_equal(counts.trash, 0);
	assert_int_equal(counts.stray_segments, 0);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void kill_and_compare(const struct habits *habits)
{
	uint64_t kills = number_from("SPOOL_KILLS", 12);
	uint64_t seed = number_from("SPOOL_SEED", (uint64_t)clock_wall_ms());
	size_t done = 0, deleted = 0;
	struct record *record;
	struct place place;

	print_message("seed %llu\n", (unsigned long long)seed);
	record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(record != MAP_FAILED);
	place_init(&place);
	for (uint64_t i = 0; i < kills; i++) {
		struct timespec nap = { 0 };
		int status;
		pid_t pid;

		atomic_store(&record->prunes, 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			live(record, habits, &place, seed + i);
			_exit(4);
		}
		while (atomic_load(&record->prunes) < 2 &&
		       waitpid(pid, &status, WNOHANG) == 0)
			usleep(500);
		nap.tv_nsec = 1000000 + dice(&seed, 60000) * 1000;
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("the child ended by itself: %d", status);
		/* All at last, between them what is new. */
		compare(record, &place, i + 1 < kills ? done : 0);
		done = atomic_load(&record->n);
	}
	for (size_t i = 0; i < atomic_load(&record->n); i++)
		deleted += atomic_load(&record->seen[i].fate) == DELETED;
	print_message("%zu executions, %zu deleted, each whole or gone\n",
	    (size_t)atomic_load(&record->n), deleted);
	assert_true(deleted > 0);
	place_fini(&place);
	munmap(record, sizeof(*record));
}

static void a_kill_leaves_each_whole_or_gone(void **state)
{
	static const struct habits habits = {
		.most_chunks = 30, .huge_chunks = 100, .cache_bytes = 1 << 20
	};

	(void)state;
	kill_and_compare(&habits);
}

static void so_does_one_while_large_ones_are_dropped(void **state)
{
	static const struct habits habits = {
		.most_chunks = 300, .huge_chunks = 20000, .cache_bytes = 1
	};

	(void)state;
	kill_and_compare(&habits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_leaves_each_whole_or_gone),
		cmocka_unit_test(so_does_one_while_large_ones_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
