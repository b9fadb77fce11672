#include "worker/usage.h"

#include <stdio.h>
#include <string.h>

#include "worker/answer.h"
#include "worker/decimal.h"
#include "worker/json_in.h"

int64_t usage_count(const json_t *object, const char *key)
{
	int64_t n;

	if (!json_in_int(json_object_get(object, key), &n) || n < 0)
		return -1;
	return n;
}

double usage_amount(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);
	double d = json_is_number(v) ? json_number_value(v) : -1;

	return d >= 0 ? d : -1;
}

int64_t usage_pusd(const json_t *object, const char *key)
{
	double usd = usage_amount(object, key);
	char text[40];
	int64_t pusd;

	/* 15 digits give back what was written. */
	snprintf(text, sizeof(text), "%.15g", usd);
	if (!decimal_parse(text, strlen(text), 12, DECIMAL_HALF_EVEN, &pusd))
		return -1;
	return pusd < 0 ? -1 : pusd;
}

int64_t usage_sum(int64_t a, int64_t b)
{
	return a > INT64_MAX - b ? INT64_MAX : a + b;
}

void usage_openai(const json_t *object, struct dialect_usage *usage)
{
	const json_t *in = json_object_get(object, "prompt_tokens_details");
	const json_t *out =
	    json_object_get(object, "completion_tokens_details");
	struct dialect_usage u = answer_usage_none();

	u.input_tokens = usage_count(object, "prompt_tokens");
	u.output_tokens = usage_count(object, "completion_tokens");
	if (u.input_tokens < 0 && u.output_tokens < 0)
		return;
	u.reasoning_tokens = usage_count(out, "reasoning_tokens");
	u.cached_input_tokens = usage_count(in, "cached_tokens");
	u.cache_write_tokens = usage_count(in, "cache_write_tokens");
	u.cost_pusd = usage_pusd(object, "cost");
	*usage = u;
}
