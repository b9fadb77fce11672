/* retention: the two walks agree with the plain definition. */
#include "tests/unit/store/support.h"

#include "store/retention.h"

#define MOST 3000
#define NOW 2000000000000
#define OWNERS 4

/* A store of thin rows, oldest first. */
struct table {
	struct execution_brief row[MOST];
	size_t n;
	size_t asked, longest; /* walks, and the most rows in one */
	size_t rows;	       /* in all */
};

static uint64_t seed;

static uint64_t roll(uint64_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

/* An id that sorts by time, then by ${i}. */
static struct id id_at(int64_t ms, size_t i)
{
	struct id id = { { 0 } };

	for (int k = 0; k < 6; k++)
		id.byte[k] = (uint8_t)((uint64_t)ms >> (8 * (5 - k)));
	id.byte[6] = 0x70;
	for (size_t k = 0; k < 8; k++)
		id.byte[15 - k] = (uint8_t)(i >> (8 * k));
	return id;
}

static bool fits(const struct query_filter *f, const struct execution_brief *e)
{
	if (f->owner != NULL && strcmp(f->owner, e->owner) != 0)
		return false;
	if (f->status >= 0 && f->status != (int)e->status)
		return false;
	if (f->since_ms > 0 && e->created_ms < f->since_ms)
		return false;
	return f->until_ms <= 0 || e->created_ms < f->until_ms;
}

static enum err walk(void *arg, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n)
{
	struct table *t = arg;
	uint32_t n = 0;

	t->asked++;
	assert_true(f->limit > 0 && f->limit <= 1000);
	for (size_t k = 0; k < t->n && n < f->limit; k++) {
		size_t i = f->oldest_first ? k : t->n - 1 - k;
		const struct execution_brief *e = &t->row[i];
		int order = f->after == NULL
				? 0
				: memcmp(e->id.byte, f->after->byte, 16);

		if (f->after != NULL &&
		    (f->oldest_first ? order <= 0 : order >= 0))
			continue;
		if (fits(f, e))
			ret[n++] = *e;
	}
	if (n > t->longest)
		t->longest = n;
	t->rows += n;
	*ret_n = n;
	return OK;
}

static void fill(struct table *t, size_t n)
{
	int64_t at = NOW - 1000000;

	memset(t, 0, sizeof(*t));
	t->n = n;
	for (size_t i = 0; i < n; i++) {
		struct execution_brief *e = &t->row[i];

		at += (int64_t)roll(1000000 / n + 1);
		e->id = id_at(at, i);
		snprintf(e->owner, sizeof(e->owner), "o%d", (int)roll(OWNERS));
		e->status = (enum execution_status)(2 + roll(3));
		e->created_ms = at;
		e->finished_ms = at + (int64_t)roll(5000);
		e->bytes = roll(1000);
		e->chunks = roll(20);
		if (roll(5) == 0)
			e->payload_deleted_ms = e->finished_ms + 1;
	}
}

static struct retention_rule any_rule(void)
{
	return (struct retention_rule){ .age_ms = RETENTION_NO_LIMIT,
		.bytes = RETENTION_NO_LIMIT,
		.count = RETENTION_NO_LIMIT };
}

static struct retention_rule random_rule(size_t n)
{
	struct retention_rule r = any_rule();

	if (roll(2))
		snprintf(r.owner, sizeof(r.owner), "o%d", (int)roll(OWNERS));
	if (roll(2))
		r.statuses = (unsigned)roll(8) << 2;
	if (roll(4) == 0)
		r.since_ms = NOW - (int64_t)roll(1000000);
	if (roll(4) == 0)
		r.until_ms = NOW - (int64_t)roll(1000000);
	if (roll(2))
		r.age_ms = (int64_t)roll(1000000);
	if (roll(2))
		r.bytes = (int64_t)roll(600 * n + 1);
	if (roll(2))
		r.count = (int64_t)roll(n + 2);
	r.all_limits = roll(2);
	r.payload_only = roll(3) == 0;
	return r;
}

/* --- the definition, as plainly as it can be said --- */

static bool naive_about(
    const struct retention_rule *r, const struct execution_brief *e)
{
	return (!r->owner[0] || !strcmp(r->owner, e->owner)) &&
	       (!r->statuses || r->statuses >> e->status & 1) &&
	       e->finished_ms <= NOW && e->created_ms <= NOW &&
	       (!r->since_ms || e->created_ms >= r->since_ms) &&
	       (!r->until_ms || e->created_ms < r->until_ms);
}

static bool naive_beyond(
    const struct table *t, const struct retention_rule *r, size_t i)
{
	const struct execution_brief *e = &t->row[i];
	uint64_t rank = 0, bytes = 0;
	int limits = 0, passed = 0;

	if (!naive_about(r, e))
		return false;
	for (size_t k = i; k < t->n; k++) {
		if (!naive_about(r, &t->row[k]))
			continue;
		bytes += t->row[k].bytes;
		rank += !r->per_owner || !strcmp(t->row[k].owner, e->owner);
	}
	if (r->age_ms >= 0) {
		limits++;
		passed += e->finished_ms + r->age_ms <= NOW;
	}
	if (r->bytes >= 0) {
		limits++;
		passed += bytes > (uint64_t)r->bytes;
	}
	if (r->count >= 0) {
		limits++;
		passed += rank > (uint64_t)r->count;
	}
	return r->all_limits ? passed == limits : passed > 0;
}

/* 0 stays, 1 loses its payload, 2 goes. */
static int naive(const struct table *t, const struct retention_rule *r,
    size_t n_rules, size_t i)
{
	int worst = 0;

	for (size_t k = 0; k < n_rules; k++) {
		int one = !naive_beyond(t, &r[k], i)	 ? 0
			  : !r[k].payload_only		 ? 2
			  : t->row[i].payload_deleted_ms ? 0
							 : 1;

		worst = one > worst ? one : worst;
	}
	return worst;
}

/* --- what it says --- */

static void mark_verdicts(
    const struct table *t, const struct id *ids, uint32_t n, int what, int *ret)
{
	for (uint32_t k = 0; k < n; k++) {
		size_t i = 0;

		while (i < t->n && !id_equal(&t->row[i].id, &ids[k]))
			i++;
		assert_true(i < t->n);
		assert_int_equal(ret[i], 0); /* said once */
		ret[i] = what;
	}
}

/* All steps; with ${hops}, each in a look of its own. */
static void verdicts(struct table *t, const struct retention_rule *rules,
    size_t n, uint32_t max, bool hops, int *ret)
{
	static struct retention_batch b;
	struct retention_mark mark;
	struct retention *r = NULL;
	uint64_t steps = 0;

	memset(ret, 0, sizeof(int) * t->n);
	assert_int_equal(retention_new(rules, n, NOW, NULL, &r), OK);
	do {
		assert_int_equal(retention_step(r, walk, t, max, &b), OK);
		assert_true(b.n_whole + b.n_payload <= max);
		mark_verdicts(t, b.whole, b.n_whole, 2, ret);
		mark_verdicts(t, b.payload, b.n_payload, 1, ret);
		assert_true(++steps < 100000);
		if (hops && retention_mark(r, &mark)) {
			retention_free(r);
			r = NULL;
			assert_int_equal(
			    retention_new(rules, n, NOW + 12345, &mark, &r),
			    OK);
		}
	} while (!b.done);
	retention_free(r);
}

static void agree(struct table *t, const struct retention_rule *rules, size_t n,
    uint32_t max, bool hops)
{
	static int got[MOST];

	verdicts(t, rules, n, max, hops, got);
	for (size_t i = 0; i < t->n; i++)
		if (got[i] != naive(t, rules, n, i))
			fail_msg("row %zu of %zu: got %d, want %d (seed %llu)",
			    i, t->n, got[i], naive(t, rules, n, i),
			    (unsigned long long)seed);
}

static void any_rules_agree_with_the_definition(void **state)
{
	static struct table t;

	(void)state;
	for (uint64_t round = 1; round <= 600; round++) {
		struct retention_rule rules[4];
		size_t n = 1 + roll(4);

		seed = round;
		fill(&t, 1 + roll(60));
		n = 1 + roll(4);
		for (size_t i = 0; i < n; i++)
			rules[i] = random_rule(t.n);
		agree(&t, rules, n, 1 + (uint32_t)roll(RETENTION_BATCH), false);
	}
}

static void one_rule_agrees_over_many_looks_and_owners(void **state)
{
	static struct table t;

	(void)state;
	for (uint64_t round = 1; round <= 600; round++) {
		struct retention_rule rule;

		seed = round * 7919;
		fill(&t, 1 + roll(60));
		rule = random_rule(t.n);
		rule.per_owner = roll(2);
		agree(&t, &rule, 1, 1 + (uint32_t)roll(20), true);
	}
}

static void many_pages_agree(void **state)
{
	static struct table t;

	(void)state;
	for (uint64_t round = 1; round <= 4; round++) {
		struct retention_rule rules[2];

		seed = round * 104729;
		fill(&t, 1100 + roll(500));
		rules[0] = random_rule(t.n);
		rules[1] = random_rule(t.n);
		agree(&t, rules, 2, RETENTION_BATCH, false);
		rules[0].per_owner = true;
		agree(&t, rules, 1, 77, true);
		assert_true(t.longest <= RETENTION_ROWS);
	}
}

static void a_rule_without_limits_keeps_all_or_nothing(void **state)
{
	static struct table t;
	static int got[MOST];
	struct retention_rule rule = any_rule();

	(void)state;
	seed = 5;
	fill(&t, 100);
	verdicts(&t, &rule, 1, 10, false, got);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(got[i], 0);
	rule.all_limits = true;
	verdicts(&t, &rule, 1, 10, false, got);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(got[i], t.row[i].finished_ms <= NOW ? 2 : 0);
}

static void age_alone_reads_no_further_than_it_must(void **state)
{
	static struct table t;
	static struct retention_batch b;
	struct retention_rule rule = any_rule();
	struct retention *r = NULL;

	(void)state;
	seed = 9;
	fill(&t, MOST);
	for (size_t i = 0; i < t.n; i++) {
		t.row[i].created_ms = NOW - 400000000 + (int64_t)i * 100000;
		t.row[i].finished_ms = t.row[i].created_ms;
		t.row[i].id = id_at(t.row[i].created_ms, i);
	}
	rule.age_ms = 399000000; /* eleven of them are as old */
	assert_int_equal(retention_new(&rule, 1, NOW, NULL, &r), OK);
	assert_int_equal(retention_step(r, walk, &t, RETENTION_BATCH, &b), OK);
	assert_int_equal(b.n_whole, 11);
	assert_true(b.done);
	assert_int_equal(t.asked, 1);
	assert_int_equal(b.oldest_ms, t.row[0].created_ms);
	assert_int_equal(b.newest_ms, t.row[10].created_ms);
	retention_free(r);
}

static void an_owner_is_measured_once_and_read_no_further_than_it_must(
    void **state)
{
	static struct table t;
	static int got[MOST];
	struct retention_rule rule = any_rule();

	(void)state;
	seed = 11;
	fill(&t, MOST);
	for (size_t i = 0; i < t.n; i++)
		snprintf(t.row[i].owner, sizeof(t.row[i].owner), "owner-%d",
		    (int)(i % 300));
	rule.count = 4;
	rule.per_owner = true;
	verdicts(&t, &rule, 1, RETENTION_BATCH, false, got);
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(got[i], naive(&t, &rule, 1, i));
	/* Each row once to be judged, and five of each owner. */
	assert_true(t.rows <= MOST + 300 * 5);
}

static enum err broken(void *arg, const struct query_filter *f,
    struct execution_brief *ret, uint32_t *ret_n)
{
	(void)arg;
	(void)f;
	(void)ret;
	(void)ret_n;
	return ERR_IO;
}

static void what_the_walk_fails_with_is_told(void **state)
{
	static struct retention_batch b;
	struct retention_rule rules[RETENTION_MAX_RULES + 1];
	struct retention *r = NULL;

	(void)state;
	for (size_t i = 0; i <= RETENTION_MAX_RULES; i++)
		rules[i] = any_rule();
	assert_int_equal(
	    retention_new(rules, RETENTION_MAX_RULES + 1, NOW, NULL, &r),
	    ERR_INPUT);
	assert_int_equal(retention_new(rules, 0, NOW, NULL, &r), ERR_INPUT);
	rules[1].per_owner = true;
	assert_int_equal(retention_new(rules, 2, NOW, NULL, &r), ERR_INPUT);
	rules[0].count = 3;
	assert_int_equal(retention_new(rules, 1, NOW, NULL, &r), OK);
	assert_int_equal(retention_step(r, broken, NULL, 1, &b), ERR_IO);
	retention_free(r);
	retention_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_rules_agree_with_the_definition),
		cmocka_unit_test(one_rule_agrees_over_many_looks_and_owners),
		cmocka_unit_test(many_pages_agree),
		cmocka_unit_test(a_rule_without_limits_keeps_all_or_nothing),
		cmocka_unit_test(age_alone_reads_no_further_than_it_must),
		cmocka_unit_test(
		    an_owner_is_measured_once_and_read_no_further_than_it_must),
		cmocka_unit_test(what_the_walk_fails_with_is_told),
	};

	return cmocka_run_group_tests_name("retention", tests, NULL, NULL);
}
