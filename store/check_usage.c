#include "store/check_usage.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"

#define PAGE 100

/* Where ${day} is, or would be. */
static size_t place(const struct check_usage *u, int64_t day)
{
	size_t low = 0, high = u->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (u->day[mid].day < day)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The sums of ${day}, made when they are not there; NULL: no more days. */
static enum err sums_of(
    struct check_usage *u, int64_t day, struct tally_row **ret)
{
	size_t at = place(u, day);
	struct tally_row *list;

	*ret = NULL;
	if (at < u->n && u->day[at].day == day) {
		*ret = &u->day[at];
		return OK;
	}
	if (u->n == CHECK_USAGE_MAX_DAYS)
		return OK;
	if (u->n == u->room) {
		size_t room = u->room == 0 ? 64 : u->room * 2;

		list = reallocarray(u->day, room, sizeof(*list));
		if (list == NULL)
			return ERR_NOMEM;
		u->day = list;
		u->room = room;
	}
	memmove(&u->day[at + 1], &u->day[at], (u->n - at) * sizeof(*u->day));
	u->n++;
	u->day[at] = (struct tally_row){ .day = day };
	*ret = &u->day[at];
	return OK;
}

static void add(int64_t *sum, int64_t v)
{
	if (v > 0 && __builtin_add_overflow(*sum, v, sum))
		*sum = INT64_MAX;
}

enum err check_usage_note(
    struct check_usage *u, const struct engine_seen_execution *e)
{
	struct tally_row *r;
	enum err rc;

	if (e->status < EXECUTION_COMPLETED ||
	    e->status >= EXECUTION_STATUSES || e->finished_ms <= 0)
		return OK;
	rc = sums_of(u, tally_day(e->finished_ms), &r);
	if (rc != OK || r == NULL)
		return rc;
	r->completed += e->status == EXECUTION_COMPLETED;
	r->failed += e->status == EXECUTION_FAILED;
	r->cancelled += e->status == EXECUTION_CANCELLED;
	r->priced += e->used.cost_pusd >= 0;
	add(&r->sum.input_tokens, e->used.input_tokens);
	add(&r->sum.output_tokens, e->used.output_tokens);
	add(&r->sum.cost_pusd, e->used.cost_pusd);
	return OK;
}

/* A day's sum of one owner and target stops at ${most}. */
static bool short_of(int64_t sum, int64_t seen, int64_t most)
{
	return seen > 0 && seen < most && sum < seen;
}

/* Does ${sums} (NULL: none) say less than was ${seen}? */
static bool less(const struct tally_row *sums, const struct tally_row *seen)
{
	const struct tally *a, *b = &seen->sum;

	if (sums == NULL || sums->completed < seen->completed ||
	    sums->failed < seen->failed || sums->cancelled < seen->cancelled ||
	    sums->priced < seen->priced)
		return true;
	a = &sums->sum;
	/* What is not known was seen as 0, and that is not less. */
	return short_of(a->input_tokens, b->input_tokens, TALLY_SUM_TOKENS) ||
	       short_of(a->output_tokens, b->output_tokens, TALLY_SUM_TOKENS) ||
	       short_of(a->cost_pusd, b->cost_pusd, TALLY_SUM_PUSD);
}

static void compare(struct check_usage *u, const struct tally_row *sums,
    uint32_t n, int64_t upto, struct why *ret_what)
{
	uint32_t i = 0;
	char text[CLOCK_TEXT];

	for (; u->next < u->n && u->day[u->next].day < upto; u->next++) {
		const struct tally_row *seen = &u->day[u->next];

		while (i < n && sums[i].day < seen->day)
			i++;
		if (!less(i < n && sums[i].day == seen->day ? &sums[i] : NULL,
			seen) ||
		    ret_what->text[0] != '\0')
			continue;
		clock_text(seen->day * TALLY_DAY_MS, text);
		err_why(ret_what,
		    "the usage of %.10s is less than that of the executions "
		    "that ended then",
		    text);
	}
}

enum err check_usage_step(struct check_usage *u, struct engine_db *db,
    struct why *ret_what, bool *ret_done)
{
	struct tally_row sums[PAGE];
	struct tally_filter f = { .by = TALLY_BY_DAY, .limit = PAGE };
	uint32_t n = 0;
	enum err rc;

	ret_what->text[0] = '\0';
	*ret_done = u->next >= u->n;
	if (*ret_done)
		return OK;
	f.first_day = u->day[u->next].day;
	f.end_day = u->day[u->n - 1].day + 1;
	rc = db->engine->usage_list(db, &f, sums, &n);
	if (rc != OK)
		return rc;
	compare(
	    u, sums, n, n == PAGE ? sums[n - 1].day + 1 : f.end_day, ret_what);
	*ret_done = u->next >= u->n;
	return OK;
}

void check_usage_fini(struct check_usage *u)
{
	free(u->day);
	*u = (struct check_usage){ 0 };
}
