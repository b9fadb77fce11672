/*
 * REST: what executions used, summed up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/service_internal.h"
#include "server/write_execution.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/query.h"

#define DEFAULT_LIMIT 100
#define MAX_LIMIT 1000
#define ANSWER_MAX_BYTES ((size_t)16 << 20)
/* The longest target, and what marks a cursor. */
#define AFTER_BYTES 1100
/* The year 9999. */
#define LAST_DAY INT64_C(3000000)

static const char *const by_names[] = { [TALLY_BY_DAY] = "day",
	[TALLY_BY_OWNER] = "owner",
	[TALLY_BY_TARGET] = "target" };

struct usage_job {
	struct read_job job;
	struct tally_filter f;
	char owner[KEY_NAME_BYTES];
	char after[AFTER_BYTES];
	struct buf body;
};

/* --- writing --- */

static void count(struct buf *b, const char *key, int64_t v)
{
	jsonout_key(b, key);
	if (v < 0)
		jsonout_null(b);
	else
		jsonout_int(b, v);
}

/* Exact: a number of dollars with the digits that it has. */
static void money(struct buf *b, const char *key, int64_t pusd)
{
	char text[48];
	size_t len;

	jsonout_key(b, key);
	if (pusd < 0) {
		jsonout_null(b);
		return;
	}
	(void)snprintf(text, sizeof(text), "%" PRId64 ".%012" PRId64,
	    pusd / TALLY_USD, pusd % TALLY_USD);
	len = strlen(text);
	while (text[len - 1] == '0' && text[len - 2] != '.')
		len--;
	jsonout_raw(b, text, len);
}

static void sums(struct buf *b, const struct tally_row *r)
{
	jsonout_member_int(b, "executions",
	    (int64_t)(r->completed + r->failed + r->cancelled));
	jsonout_member_int(b, "completed", (int64_t)r->completed);
	jsonout_member_int(b, "failed", (int64_t)r->failed);
	jsonout_member_int(b, "cancelled", (int64_t)r->cancelled);
	jsonout_member_int(b, "attempts", (int64_t)r->attempts);
	count(b, "input_tokens", r->sum.input_tokens);
	count(b, "output_tokens", r->sum.output_tokens);
	count(b, "cached_input_tokens", r->sum.cached_tokens);
	count(b, "reasoning_tokens", r->sum.reasoning_tokens);
	money(b, "cost_usd", r->sum.cost_pusd);
	count(b, "cost_pusd", r->sum.cost_pusd);
	jsonout_member_int(b, "priced", (int64_t)r->priced);
}

static void day_text(int64_t day, char dst[CLOCK_TEXT])
{
	clock_text(day * TALLY_DAY_MS, dst);
	dst[strlen("2026-01-02")] = '\0';
}

static void row(struct buf *b, enum tally_by by, const struct tally_row *r)
{
	char day[CLOCK_TEXT];

	jsonout_object(b);
	if (by == TALLY_BY_DAY) {
		day_text(r->day, day);
		jsonout_member(b, "day", day);
	} else {
		/* No target served those that ended before. */
		jsonout_member(b, by_names[by], r->key[0] ? r->key : NULL);
	}
	sums(b, r);
	jsonout_object_end(b);
}

/* A mark in front: a key may be empty. */
static void write_next(
    struct buf *b, enum tally_by by, const struct tally_row *last)
{
	char text[AFTER_BYTES];

	if (by == TALLY_BY_DAY)
		(void)snprintf(text, sizeof(text), ":%" PRId64, last->day);
	else
		(void)snprintf(text, sizeof(text), ":%s", last->key);
	jsonout_member(b, "next", text);
}

/* --- asking --- */

static enum err write_page_of(
    struct usage_job *j, struct query *q, struct tally_row *list)
{
	const struct tally_filter *f = &j->f;
	struct buf *b = &j->body;
	uint32_t n = 0;
	enum err e = query_usage(q, f, list, &n);

	if (e != OK)
		return e;
	jsonout_member(b, "by", by_names[f->by]);
	jsonout_key(b, "usage");
	jsonout_array(b);
	for (uint32_t i = 0; i < n; i++)
		row(b, f->by, &list[i]);
	jsonout_array_end(b);
	if (n == f->limit)
		write_next(b, f->by, &list[n - 1]);
	else
		jsonout_member(b, "next", NULL);
	for (uint32_t i = 0; i < n; i++)
		tally_row_fini(&list[i]);
	return OK;
}

static enum err write_total(struct usage_job *j, struct query *q)
{
	struct tally_filter f = j->f;
	struct tally_row all = { 0 };
	uint32_t n = 0;
	enum err e;

	f.by = TALLY_IN_ALL;
	f.after = NULL;
	f.limit = 1;
	e = query_usage(q, &f, &all, &n);
	if (e != OK)
		return e;
	jsonout_key(&j->body, "total");
	jsonout_object(&j->body);
	sums(&j->body, &all);
	jsonout_object_end(&j->body);
	return OK;
}

static void usage_run(struct read_job *job, struct query *q)
{
	struct usage_job *j = (struct usage_job *)job;
	struct tally_row *list = calloc(j->f.limit, sizeof(*list));
	enum err e = list ? OK : ERR_NOMEM;

	jsonout_object(&j->body);
	if (e == OK)
		e = write_page_of(j, q, list);
	if (e == OK)
		e = write_total(j, q);
	jsonout_object_end(&j->body);
	free(list);
	job->result = e == OK ? buf_state(&j->body) : e;
}

static void usage_done(struct read_job *job, struct call *call)
{
	struct usage_job *j = (struct usage_job *)job;

	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	http_reply_header(call->x, "Cache-Control", "no-store");
	call_reply_json(call, 200, &j->body);
}

static void usage_drop(struct read_job *job)
{
	struct usage_job *j = (struct usage_job *)job;

	buf_fini(&j->body);
	free(j);
}

/* Fails: answered already. */
static enum err read_by(struct call *call, enum tally_by *ret)
{
	char text[16];

	if (call_text(call, "by", text, sizeof(text)) != OK)
		return ERR_INPUT;
	*ret = TALLY_BY_DAY;
	if (!text[0])
		return OK;
	for (int by = 0; by < TALLY_IN_ALL; by++)
		if (!strcmp(text, by_names[by])) {
			*ret = (enum tally_by)by;
			return OK;
		}
	call_refuse(call, PROBLEM_INVALID_ARGUMENT, "by",
	    "by must be day, owner or target");
	return ERR_INPUT;
}

/* Whole days: that of since, and up to that of until. */
static enum err read_days(struct call *call, struct tally_filter *f)
{
	int64_t since_ms = 0, until_ms = 0;

	if (call_time(call, "since", &since_ms) != OK ||
	    call_time(call, "until", &until_ms) != OK)
		return ERR_INPUT;
	f->first_day = tally_day(since_ms);
	f->end_day = until_ms > 0 ? tally_day(until_ms - 1) + 1 : LAST_DAY;
	return OK;
}

static enum err read_filter(struct call *call, struct usage_job *j)
{
	static const char *const limit_names[] = { "limit", NULL };
	int64_t limit = DEFAULT_LIMIT;

	if (write_execution_owner(call, j->owner, &j->f.owner) != OK ||
	    read_by(call, &j->f.by) != OK || read_days(call, &j->f) != OK ||
	    call_number(call, limit_names, 1, MAX_LIMIT, &limit) != OK ||
	    call_text(call, "after", j->after, sizeof(j->after)) != OK)
		return ERR_INPUT;
	j->f.limit = (uint32_t)limit;
	if (!j->after[0])
		return OK;
	if (j->after[0] != ':') {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "after",
		    "after must be what next said");
		return ERR_INPUT;
	}
	j->f.after = j->after + 1;
	return OK;
}

void front_rest_usage(struct call *call)
{
	struct usage_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&j->body, ANSWER_MAX_BYTES);
	j->job.run = usage_run;
	j->job.done = usage_done;
	j->job.drop = usage_drop;
	if (read_filter(call, j) != OK) {
		usage_drop(&j->job);
		return;
	}
	(void)read_pool_ask(call, &j->job);
}
