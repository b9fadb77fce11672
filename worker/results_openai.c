#include "worker/results_openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/json_in.h"
#include "worker/results_part.h"
#include "worker/usage.h"

/* --- models --- */

static int64_t price(const json_t *v)
{
	struct text t = json_in_text(v);
	char text[40];

	if (t.len > 0)
		return results_pusd(t.s, t.len);
	if (!json_is_number(v))
		return RESULTS_PRICE_UNKNOWN;
	snprintf(text, sizeof(text), "%.15g", json_number_value(v));
	return results_pusd(text, strlen(text));
}

static int64_t context_length(const json_t *entry)
{
	const json_t *meta = json_object_get(entry, "meta");
	int64_t n = usage_count(entry, "context_length");

	if (n < 0)
		n = usage_count(entry, "max_model_len");
	if (n < 0)
		n = usage_count(meta, "n_ctx");
	if (n < 0)
		n = usage_count(meta, "n_ctx_train");
	return n;
}

static enum err take_model(const json_t *entry, struct results_model *m)
{
	const json_t *prices = json_object_get(entry, "pricing"), *v;
	enum err err;

	m->context_length = context_length(entry);
	m->max_output_tokens = usage_count(
	    json_object_get(entry, "top_provider"), "max_completion_tokens");
	m->has_prices = json_is_object(prices);
	for (int p = 0; p < N_PRICES; p++) {
		v = json_object_get(
		    prices, results_price_name((enum results_price)p));
		m->price_pusd[p] = v == NULL ? RESULTS_PRICE_ABSENT : price(v);
	}
	m->created_s = usage_count(entry, "created");
	err = results_part_text(entry, "id", &m->id);
	if (err == OK)
		err = results_part_text(entry, "name", &m->name);
	if (err == OK)
		err = results_part_text(entry, "owned_by", &m->owner);
	return err;
}

enum err results_openai_models(const json_t *root, struct results_models *ret)
{
	const json_t *data = json_object_get(root, "data"), *entry;
	struct results_model *m;
	enum err err;
	size_t i;

	err = results_part_models(data, ret);
	if (err != OK)
		return err;
	json_array_foreach(data, i, entry)
	{
		m = results_part_model(ret);
		err = take_model(entry, m);
		if (err != OK)
			return err;
		results_part_settle(ret);
	}
	return results_part_text(
	    json_object_get(root, "links"), "next", &ret->next);
}

/* --- embeddings --- */

/* A row and where it belongs. */
struct row {
	int64_t index;
	const json_t *embedding;
};

static int by_index(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

static enum err take_rows(
    struct row *rows, const json_t *data, struct results_embeddings *ret)
{
	const json_t *entry;
	int64_t dims = 0;
	enum err err = OK;
	size_t i;

	json_array_foreach(data, i, entry)
	{
		rows[i].index = usage_count(entry, "index");
		if (rows[i].index < 0)
			rows[i].index = (int64_t)i;
		rows[i].embedding = json_object_get(entry, "embedding");
		dims = results_part_dims(rows[i].embedding);
		if (dims < 0 || (i > 0 && (size_t)dims != ret->dims))
			return ERR_UPSTREAM;
		ret->dims = (size_t)dims;
	}
	ret->n = json_array_size(data);
	qsort(rows, ret->n, sizeof(*rows), by_index);
	ret->values = calloc(ret->n * ret->dims + 1, sizeof(float));
	if (ret->values == NULL)
		return ERR_NOMEM;
	for (i = 0; i < ret->n && err == OK; i++)
		err = results_part_values(
		    rows[i].embedding, ret->values + i * ret->dims, ret->dims);
	return err;
}

enum err results_openai_embeddings(
    const json_t *root, struct results_embeddings *ret)
{
	const json_t *data = json_object_get(root, "data");
	struct row *rows;
	enum err err;

	if (!json_is_array(data))
		return ERR_UPSTREAM;
	rows = calloc(json_array_size(data) + 1, sizeof(*rows));
	if (rows == NULL)
		return ERR_NOMEM;
	err = take_rows(rows, data, ret);
	if (err == OK)
		err = results_part_text(root, "model", &ret->model);
	ret->input_tokens =
	    usage_count(json_object_get(root, "usage"), "prompt_tokens");
	free(rows);
	return err;
}

/* --- what an answer cost --- */

static int yes_or_no(const json_t *v)
{
	return json_is_boolean(v) ? json_is_true(v) : -1;
}

enum err results_openai_generation(
    const json_t *root, struct results_generation *ret)
{
	const json_t *d = json_object_get(root, "data");
	enum err err;

	if (!json_is_object(d))
		return ERR_UPSTREAM;
	ret->cost_usd = usage_amount(d, "total_cost");
	ret->input_tokens = usage_count(d, "native_tokens_prompt");
	ret->output_tokens = usage_count(d, "native_tokens_completion");
	ret->reasoning_tokens = usage_count(d, "native_tokens_reasoning");
	ret->cached_input_tokens = usage_count(d, "native_tokens_cached");
	ret->latency_ms = usage_count(d, "latency");
	ret->generation_ms = usage_count(d, "generation_time");
	ret->streamed = yes_or_no(json_object_get(d, "streamed"));
	ret->canceled = yes_or_no(json_object_get(d, "cancelled"));
	err = results_part_text(d, "id", &ret->id);
	if (err == OK)
		err = results_part_text(d, "model", &ret->model);
	if (err == OK)
		err = results_part_text(d, "provider_name", &ret->provider);
	if (err == OK)
		err =
		    results_part_text(d, "finish_reason", &ret->finish_reason);
	if (err == OK)
		err =
		    results_part_text(d, "native_finish_reason", &ret->native);
	return err;
}
