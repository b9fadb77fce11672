#include "store/sqlite_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Not known is NULL. */
static struct sqlite_value known(int64_t v)
{
	if (v < 0)
		return (struct sqlite_value){ .kind = SQL_IS_NULL };
	return (struct sqlite_value){ .kind = SQL_IS_INT, .number = v };
}

enum err sqlite_usage_settle(struct sqlite_db *d, int64_t row,
    const char *metadata, size_t len, int64_t finished_ms, bool counted)
{
	struct tally t;
	enum err rc;

	tally_read(metadata, len, &t);
	rc = sqlite_run(d, SQL_EXECUTION_USED,
	    SQL_WITH(SQL_INT(row), known(t.input_tokens),
		known(t.output_tokens), known(t.cached_tokens),
		known(t.reasoning_tokens), known(t.cost_pusd)),
	    NULL);
	if (rc == OK && !counted)
		rc = sqlite_run(d, SQL_USAGE_ADD,
		    SQL_WITH(SQL_INT(row), SQL_INT(tally_day(finished_ms))),
		    NULL);
	return rc;
}

/* --- reading sums --- */

/* The columns of USAGE_SUMS in sqlite_sql.c. */
enum {
	C_KEY,
	C_COMPLETED,
	C_FAILED,
	C_CANCELLED,
	C_ATTEMPTS,
	C_PRICED,
	C_INPUT,
	C_OUTPUT,
	C_CACHED,
	C_REASONING,
	C_COST_HIGH, /* in millions of pico-dollars … */
	C_COST_LOW,  /* … and the rest of them */
};

struct summing {
	const struct tally_filter *f;
	struct tally_row *list;
	uint32_t n;
};

static int64_t sum_of(sqlite3_stmt *row, int column)
{
	return sqlite3_column_type(row, column) == SQLITE_NULL
		   ? -1
		   : sqlite3_column_int64(row, column);
}

static int64_t cost_of(sqlite3_stmt *row)
{
	int64_t high = sum_of(row, C_COST_HIGH), low = sum_of(row, C_COST_LOW);
	int64_t v;

	if (high < 0 || low < 0)
		return -1;
	if (__builtin_mul_overflow(high, 1000000, &v) ||
	    __builtin_add_overflow(v, low, &v))
		return INT64_MAX;
	return v;
}

static enum err on_sum(void *arg, sqlite3_stmt *row)
{
	struct summing *s = arg;
	struct tally_row *r = &s->list[s->n];

	*r = (struct tally_row){
		.completed = (uint64_t)sqlite3_column_int64(row, C_COMPLETED),
		.failed = (uint64_t)sqlite3_column_int64(row, C_FAILED),
		.cancelled = (uint64_t)sqlite3_column_int64(row, C_CANCELLED),
		.attempts = (uint64_t)sqlite3_column_int64(row, C_ATTEMPTS),
		.priced = (uint64_t)sqlite3_column_int64(row, C_PRICED),
		.sum = { .input_tokens = sum_of(row, C_INPUT),
		    .output_tokens = sum_of(row, C_OUTPUT),
		    .cached_tokens = sum_of(row, C_CACHED),
		    .reasoning_tokens = sum_of(row, C_REASONING),
		    .cost_pusd = cost_of(row) },
	};
	if (s->f->by == TALLY_BY_DAY)
		r->day = sqlite3_column_int64(row, C_KEY);
	else if (s->f->by != TALLY_IN_ALL &&
		 sqlite_text(row, C_KEY, &r->key, NULL) != OK)
		return ERR_NOMEM;
	s->n++;
	return s->n == s->f->limit ? SQLITE_ENOUGH : OK;
}

enum err sqlite_usage_list(struct engine_db *db, const struct tally_filter *f,
    struct tally_row *ret, uint32_t *ret_n)
{
	static const enum sqlite_sql questions[] = {
		[TALLY_BY_DAY] = SQL_USAGE_BY_DAY,
		[TALLY_BY_OWNER] = SQL_USAGE_BY_OWNER,
		[TALLY_BY_TARGET] = SQL_USAGE_BY_TARGET,
		[TALLY_IN_ALL] = SQL_USAGE_IN_ALL,
	};
	struct sqlite_db *d = (struct sqlite_db *)db;
	struct summing s = { .f = f, .list = ret };
	struct sqlite_value after = SQL_TEXT(f->after);
	size_t n = f->by == TALLY_IN_ALL ? 3 : 5;
	enum err rc;

	if (f->by == TALLY_BY_DAY && f->after != NULL)
		after =
		    (struct sqlite_value)SQL_INT(strtoll(f->after, NULL, 10));
	rc = sqlite_each(d, questions[f->by],
	    (const struct sqlite_value[]){ SQL_INT(f->first_day),
		SQL_INT(f->end_day), SQL_TEXT(f->owner), after,
		SQL_INT(f->limit) },
	    n, on_sum, &s);
	if (rc == OK)
		*ret_n = s.n;
	else
		while (s.n > 0)
			tally_row_fini(&ret[--s.n]);
	return rc;
}
