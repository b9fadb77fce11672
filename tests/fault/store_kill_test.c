/*
 * A process that serves from a store is killed at any moment, again and again.
 * Whatever a reader ever saw must be there afterwards, byte for byte; logs are
 * dense, what had ended has not changed, and the rest is reported.
 *
 * What readers saw is kept in memory that outlives them. KILLS says how
 * often (30, 1000 under SOAK=1); the seed is printed, and SEED repeats it.
 */
#include "tests/unit/store/support.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#define N_LIVE 20
#define N_READERS 3
#define MAX_SEEN 50000

/* Of one execution: what its client knows. */
struct seen {
	struct id id;
	atomic_bool created; /* its creation was answered */
	atomic_uint_fast64_t total;
	atomic_int status;
};

/* Shared with the child. */
struct record {
	struct seen seen[MAX_SEEN];
	atomic_size_t n;
	atomic_bool running;
};

/* How a child behaves. */
struct habits {
	uint32_t most_chunks; /* of one execution */
	size_t longest;	      /* chunk, in bytes */
	uint32_t per_batch;   /* chunks, at most */
	size_t cache_bytes;
};

struct child {
	struct record *record;
	const struct habits *habits;
	struct store *store;
	size_t at[N_LIVE]; /* their places in record->seen */
	uint64_t next[N_LIVE];
	uint64_t seed;	      /* the writing thread's */
	uint64_t reader_seed; /* never changes */
};

static uint32_t dice(uint64_t *seed, uint32_t sides)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % sides;
}

static void raise_to(atomic_uint_fast64_t *at, uint64_t value)
{
	uint64_t now = atomic_load(at);

	while (now < value && !atomic_compare_exchange_weak(at, &now, value))
		;
}

static void saw(struct seen *s, const struct page *p)
{
	int now = atomic_load(&s->status);

	raise_to(&s->total, page_next(p));
	/* The end is seen only by who has read up to it. */
	if (execution_ended(p->status) && !page_final(p))
		return;
	while (now < (int)p->status &&
	       !atomic_compare_exchange_weak(&s->status, &now, (int)p->status))
		;
}

/* Read some log from some index on, from memory or disk. */
static void *read_for_ever(void *arg)
{
	struct child *c = arg;
	uint64_t seed = c->reader_seed ^ (uint64_t)(uintptr_t)&seed;
	struct query *query;
	struct page page;

	page_init(&page);
	assert_int_equal(query_open(c->store, &query), OK);
	for (;;) {
		size_t n = atomic_load(&c->record->n);
		size_t i = n - 1 - dice(&seed, n < 40 ? (uint32_t)n : 40);
		struct seen *s = &c->record->seen[i];
		struct page_query q = { 0, 1 + dice(&seed, 50),
			PAGE_MAX_BYTES };
		uint64_t total = atomic_load(&s->total);

		if (!atomic_load(&s->created)) {
			sched_yield();
			continue;
		}
		if (total > 0 && dice(&seed, 4) > 0)
			q.from = dice(&seed, (uint32_t)total + 1);
		assert_int_equal(
		    query_page(query, &s->id, "ada", &q, &page), OK);
		expect_texts(&page, q.from, c->habits->longest);
		if (page.n > 0)
			saw(s, &page);
	}
	return NULL;
}

static void new_execution(struct child *c, size_t slot)
{
	size_t i = atomic_load(&c->record->n);
	struct seen *s = &c->record->seen[i];
	struct job job;

	if (i == MAX_SEEN)
		_exit(3);
	job_init(&job, WRITE_CREATE);
	job.write.u.create.execution = some_execution("ada", NULL, "x");
	s->id = job.write.u.create.execution->id;
	atomic_store(&c->record->n, i + 1);
	assert_int_equal(job_run(&job, c->store), OK);
	atomic_store(&s->created, true);
	job_fini(&job);
	c->at[slot] = i;
	c->next[slot] = 0;
}

/* Go on with what an earlier process left, as recovery does. */
static void adopt(struct child *c, size_t *slot)
{
	struct execution **list;
	struct tail_head head;
	size_t n, at;

	assert_int_equal(store_unfinished(c->store, &list, &n), OK);
	for (size_t i = 0; i < n; i++) {
		for (at = atomic_load(&c->record->n); at > 0; at--)
			if (id_equal(&c->record->seen[at - 1].id, &list[i]->id))
				break;
		assert_true(at > 0 && *slot < N_LIVE);
		atomic_store(&c->record->seen[at - 1].created, true);
		assert_int_equal(
		    tail_head(c->store, &list[i]->id, NULL, &head), OK);
		c->at[*slot] = at - 1;
		c->next[(*slot)++] = head.total;
		execution_free(list[i]);
	}
	free(list);
}

static void write_for_ever(struct child *c)
{
	for (;;) {
		struct batch *b;
		struct job job;
		bool over[N_LIVE] = { false };

		job_init(&job, WRITE_BATCH);
		b = &job.write.u.batch;
		for (int i = 0; i < 8; i++) {
			size_t slot = dice(&c->seed, N_LIVE);
			struct id *id = &c->record->seen[c->at[slot]].id;
			uint32_t n = 1 + dice(&c->seed, c->habits->per_batch);

			if (over[slot])
				continue;
			if (c->next[slot] == 0)
				add_start(b, id);
			add_texts(b, id, c->next[slot], n, c->habits->longest);
			c->next[slot] += n;
			over[slot] = c->next[slot] >
				     dice(&c->seed, c->habits->most_chunks);
			if (over[slot])
				add_end(b, id);
		}
		assert_int_equal(job_run(&job, c->store), OK);
		job_fini(&job);
		for (size_t i = 0; i < N_LIVE; i++)
			if (over[i])
				new_execution(c, i);
		atomic_store(&c->record->running, true);
	}
}

static void live(struct record *record, const struct habits *habits,
    struct place *place, uint64_t seed)
{
	struct child c = { .record = record,
		.habits = habits,
		.seed = seed,
		.reader_seed = seed };
	pthread_t thread;
	size_t slot = 0;

	place->options.cache_bytes = habits->cache_bytes;
	place_open(place);
	c.store = place->store;
	adopt(&c, &slot);
	while (slot < N_LIVE)
		new_execution(&c, slot++);
	for (int i = 0; i < N_READERS; i++)
		assert_int_equal(
		    pthread_create(&thread, NULL, read_for_ever, &c), 0);
	write_for_ever(&c);
}

/* Read all of ${s}; it must be what was seen of it, or more. */
static enum execution_status verify(
    struct query *q, struct seen *s, size_t longest)
{
	struct page_query pq = { 0, 1000, PAGE_MAX_BYTES };
	uint64_t total = atomic_load(&s->total);
	enum execution_status was =
	    (enum execution_status)atomic_load(&s->status);
	enum execution_status status;
	struct page p;

	page_init(&p);
	do {
		assert_int_equal(query_page(q, &s->id, "ada", &pq, &p), OK);
		expect_texts(&p, pq.from, longest);
		pq.from = page_next(&p);
	} while (p.n > 0);
	assert_int_equal(pq.from, p.total);
	assert_true(p.total >= total);
	assert_true(p.status >= was);
	if (execution_ended(was)) {
		assert_int_equal(p.status, was);
		assert_int_equal(p.total, total);
		assert_int_equal(p.metadata.len, strlen(END_METADATA));
	}
	status = p.status;
	page_fini(&p);
	return status;
}

/* Reopen and compare with the record, from execution ${from} on. */
static void compare(struct record *record, const struct habits *habits,
    struct place *place, size_t from)
{
	size_t n = atomic_load(&record->n), n_list, n_live = 0;
	struct execution **list;
	struct query *q;

	place_open(place);
	assert_int_equal(store_unfinished(place->store, &list, &n_list), OK);
	assert_int_equal(query_open(place->store, &q), OK);
	for (size_t i = from; i < n; i++) {
		struct seen *s = &record->seen[i];
		struct execution e = { 0 };
		enum err rc = query_execution(q, &s->id, NULL, &e);

		execution_fini(&e);
		if (rc == ERR_NOT_FOUND) {
			/* Killed before it was answered. */
			assert_false(atomic_load(&s->created));
			continue;
		}
		assert_int_equal(rc, OK);
		if (!execution_ended(verify(q, s, habits->longest))) {
			size_t k = 0;

			while (k < n_list && !id_equal(&list[k]->id, &s->id))
				k++;
			assert_true(k < n_list);
			n_live++;
		}
	}
	assert_true(from > 0 || n_live == n_list);
	for (size_t i = 0; i < n_list; i++)
		execution_free(list[i]);
	free(list);
	query_close(q);
	place_close(place);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

static void kill_and_compare(const struct habits *habits)
{
	bool soak = number_from("SOAK", 0) == 1;
	uint64_t kills = number_from("KILLS", soak ? 1000 : 30);
	uint64_t seed = number_from("SEED", (uint64_t)clock_wall_ms());
	size_t chunks = 0, done = 0;
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

		atomic_store(&record->running, false);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			live(record, habits, &place, seed + i);
			_exit(4);
		}
		while (!atomic_load(&record->running) &&
		       waitpid(pid, &status, WNOHANG) == 0)
			usleep(500);
		nap.tv_nsec = 1000000 + dice(&seed, 60000) * 1000;
		nanosleep(&nap, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			fail_msg("the child ended by itself: %d", status);
		/* All at first and at last, between them what is new. */
		compare(record, habits, &place, i + 1 < kills ? done : 0);
		done = atomic_load(&record->n);
		done = done > 200 ? done - 200 : 0;
	}
	for (size_t i = 0; i < atomic_load(&record->n); i++)
		chunks += atomic_load(&record->seen[i].total);
	print_message("%zu executions, %zu chunks seen, none lost\n",
	    (size_t)atomic_load(&record->n), chunks);
	assert_true(chunks > 0);
	place_fini(&place);
	munmap(record, sizeof(*record));
}

static void a_kill_takes_back_nothing_that_was_seen(void **state)
{
	static const struct habits habits = { .most_chunks = 4000,
		.longest = 60,
		.per_batch = 30,
		.cache_bytes = 1 << 20 };

	(void)state;
	kill_and_compare(&habits);
}

static void nor_does_a_kill_while_ended_logs_are_packed(void **state)
{
	static const struct habits habits = { .most_chunks = 20,
		.longest = 40,
		.per_batch = 10,
		.cache_bytes = 1 };

	(void)state;
	kill_and_compare(&habits);
}

static void nor_does_a_kill_while_live_logs_are_packed(void **state)
{
	static const struct habits habits = { .most_chunks = 3000,
		.longest = 9000,
		.per_batch = 8,
		.cache_bytes = 1 };

	(void)state;
	kill_and_compare(&habits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kill_takes_back_nothing_that_was_seen),
		cmocka_unit_test(nor_does_a_kill_while_ended_logs_are_packed),
		cmocka_unit_test(nor_does_a_kill_while_live_logs_are_packed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
