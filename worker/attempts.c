#include "worker/attempts.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/jsonout.h"
#include "store/base/utf8.h"
#include "worker/prices.h"

void attempts_init(struct attempts *a)
{
	*a = (struct attempts){ .sum = {
				    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 } };
}

void attempts_fini(struct attempts *a)
{
	for (uint32_t i = 0; i < a->n; i++) {
		free((char *)(uintptr_t)a->item[i].target);
		free((char *)(uintptr_t)a->item[i].code);
		free((char *)(uintptr_t)a->item[i].message);
	}
	free(a->item);
	attempts_init(a);
}

static char *copy(const char *s, size_t max)
{
	size_t len = strlen(s);

	return strndup(s, len > max ? utf8_cut(s, max) : len);
}

enum err attempts_add(struct attempts *a, const struct attempts_item *item)
{
	char *target = NULL, *code = NULL, *message = NULL;
	struct attempts_item *more;
	enum err rc = ERR_NOMEM;

	if (a->n == ATTEMPTS_MAX)
		return OK;
	target = copy(item->target, 2 * ATTEMPTS_MAX_TEXT);
	if (item->code != NULL)
		code = copy(item->code, ATTEMPTS_MAX_TEXT);
	if (item->message != NULL)
		message = copy(item->message, ATTEMPTS_MAX_TEXT);
	if (target == NULL || (item->code != NULL && code == NULL) ||
	    (item->message != NULL && message == NULL))
		goto out;
	more = realloc(a->item, (a->n + 1) * sizeof(*more));
	if (more == NULL)
		goto out;
	a->item = more;
	more[a->n] = *item;
	more[a->n].target = target;
	more[a->n].code = code;
	more[a->n].message = message;
	a->n++;
	target = code = message = NULL;
	rc = OK;
out:
	free(target);
	free(code);
	free(message);
	return rc;
}

static void add(int64_t *sum, int64_t v)
{
	if (v >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + v;
}

/* What was counted, or else the estimate. */
static void settle(
    struct attempts *a, int64_t *sum, int64_t counted, int64_t estimate)
{
	add(sum, counted >= 0 ? counted : estimate);
	a->counted |= counted >= 0;
	a->estimated |= counted < 0 && estimate > 0;
}

/* What was counted; -1 for what no count can be. */
static int64_t sane(int64_t counted)
{
	return counted > ATTEMPTS_MAX_TOKENS ? -1 : counted;
}

void attempts_take(struct attempts *a, const struct dialect_usage *u,
    int64_t estimated_input, int64_t estimated_output)
{
	struct dialect_usage *sum = &a->sum;

	settle(a, &sum->input_tokens, sane(u->input_tokens), estimated_input);
	settle(
	    a, &sum->output_tokens, sane(u->output_tokens), estimated_output);
	add(&sum->reasoning_tokens, sane(u->reasoning_tokens));
	add(&sum->cached_input_tokens, sane(u->cached_input_tokens));
	add(&sum->cache_write_tokens, sane(u->cache_write_tokens));
}

/* Add to a cost what is known of another one. */
static void pay(struct attempts *a, int64_t pusd)
{
	int64_t before = a->sum.cost_pusd < 0 ? 0 : a->sum.cost_pusd;

	if (!__builtin_add_overflow(before, pusd, &before))
		a->sum.cost_pusd = before;
}

void attempts_pay(struct attempts *a, const struct dialect_usage *told,
    const struct attempts_bill *bill)
{
	struct dialect_usage u = *told;
	int64_t pusd;

	if (u.cost_pusd >= 0) {
		a->paid_told = true;
		pay(a, u.cost_pusd);
		return;
	}
	u.input_tokens = sane(u.input_tokens);
	u.output_tokens = sane(u.output_tokens);
	if (u.input_tokens < 0)
		u.input_tokens = bill->estimated_input;
	if (u.output_tokens < 0)
		u.output_tokens = bill->estimated_output;
	if (u.input_tokens <= 0 && u.output_tokens <= 0)
		return; /* nobody worked */
	pusd = bill->price == NULL ? -1 : prices_cost(bill->price, &u);
	if (pusd < 0) {
		a->unpaid = true;
		return;
	}
	a->paid_priced = true;
	pay(a, pusd);
}

const char *attempts_cost_source(const struct attempts *a)
{
	if (!a->paid_told && !a->paid_priced)
		return "none";
	if (a->unpaid || (a->paid_told && a->paid_priced))
		return "mixed";
	return a->paid_told ? "provider" : "prices";
}

uint32_t attempts_last(const struct attempts *a)
{
	uint32_t last = 0;

	for (uint32_t i = 0; i < a->n; i++)
		if (a->item[i].number > last)
			last = a->item[i].number;
	return last;
}

const char *attempts_source(const struct attempts *a)
{
	if (!a->counted)
		return "estimated";
	return a->estimated ? "mixed" : "provider";
}

static void one(struct buf *b, const struct attempts_item *item)
{
	char when[CLOCK_TEXT];

	jsonout_object(b);
	if (item->number > 0)
		jsonout_member_int(b, "attempt", item->number);
	jsonout_member(b, "target", item->target);
	jsonout_member(b, "status", execution_status_name(item->status));
	if (item->code != NULL)
		jsonout_member(b, "error_code", item->code);
	if (item->message != NULL)
		jsonout_member(b, "message", item->message);
	if (item->http_status > 0)
		jsonout_member_int(b, "http_status", item->http_status);
	if (item->started_ms > 0) {
		clock_text(item->started_ms, when);
		jsonout_member(b, "started_at", when);
	}
	if (item->duration_ms >= 0)
		jsonout_member_int(b, "duration_ms", item->duration_ms);
	jsonout_object_end(b);
}

void attempts_write(struct buf *b, const struct attempts *a)
{
	jsonout_array(b);
	for (uint32_t i = 0; i < a->n; i++)
		one(b, &a->item[i]);
	jsonout_array_end(b);
}
