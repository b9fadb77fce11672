#include "store/tally.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/jsonscan.h"

void tally_row_fini(struct tally_row *r)
{
	if (r == NULL)
		return;
	free(r->key);
	r->key = NULL;
}

int64_t tally_day(int64_t ms)
{
	return ms / TALLY_DAY_MS - (ms % TALLY_DAY_MS < 0);
}

static void take_tokens(struct jsonscan_slice v, int64_t *ret)
{
	int64_t n;

	if (jsonscan_int(v, &n) == OK && n >= 0 && n <= TALLY_MAX_TOKENS)
		*ret = n;
}

/* A decimal of digits and a point, in ${v}, times 10^12; what is finer is cut. */
static void take_money(struct jsonscan_slice v, int64_t *ret)
{
	int64_t n = 0;
	int places = -1; /* behind the point; -1: before it */

	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] == '.' && places < 0) {
			places = 0;
			continue;
		}
		if (v.p[i] < '0' || v.p[i] > '9')
			return;
		if (places == 12)
			continue;
		n = n * 10 + (v.p[i] - '0');
		places += places >= 0;
		if (n > TALLY_MAX_PUSD)
			return;
	}
	for (int i = places < 0 ? 0 : places; i < 12; i++) {
		n *= 10;
		if (n > TALLY_MAX_PUSD)
			return;
	}
	*ret = n;
}

static void take_usage(
    struct jsonscan s, struct jsonscan_slice usage, struct tally *ret)
{
	struct jsonscan_slice name, v;

	jsonscan_into(&s, usage);
	if (jsonscan_open(&s, '{') != OK)
		return;
	while (
	    jsonscan_member(&s, &name) == OK && jsonscan_value(&s, &v) == OK) {
		if (jsonscan_is(name, "input_tokens"))
			take_tokens(v, &ret->input_tokens);
		else if (jsonscan_is(name, "output_tokens"))
			take_tokens(v, &ret->output_tokens);
		else if (jsonscan_is(name, "cached_input_tokens"))
			take_tokens(v, &ret->cached_tokens);
		else if (jsonscan_is(name, "reasoning_tokens"))
			take_tokens(v, &ret->reasoning_tokens);
	}
}

void tally_read(const char *metadata, size_t len, struct tally *ret)
{
	struct jsonscan_slice name, v;
	struct jsonscan s;

	*ret = (struct tally){ -1, -1, -1, -1, -1 };
	jsonscan_init(&s, metadata, len);
	if (jsonscan_open(&s, '{') != OK)
		return;
	while (
	    jsonscan_member(&s, &name) == OK && jsonscan_value(&s, &v) == OK) {
		if (jsonscan_is(name, "usage"))
			take_usage(s, v, ret);
		else if (jsonscan_is(name, "cost_usd"))
			take_money(v, &ret->cost_pusd);
	}
}
