#include "worker/results_openai.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/json_in.h"
#include "worker/usage.h"

/* Copy a member that is a text; absent, empty or with a NUL inside: NULL. */
static enum err take_text(const json_t *object, const char *key, char **ret)
{
	struct text t = json_in_member(object, key);

	if (t.len == 0 || memchr(t.s, '\0', t.len) != NULL)
		return OK;
	*ret = strndup(t.s, t.len);
	return *ret == NULL ? ERR_NOMEM : OK;
}

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
	err = take_text(entry, "id", &m->id);
	if (err == OK)
		err = take_text(entry, "name", &m->name);
	return err;
}

enum err results_openai_models(const json_t *root, struct results_models *ret)
{
	const json_t *data = json_object_get(root, "data"), *entry;
	struct results_model *m;
	enum err err;
	size_t i;

	if (!json_is_array(data))
		return ERR_UPSTREAM;
	ret->models = calloc(json_array_size(data) + 1, sizeof(*ret->models));
	if (ret->models == NULL)
		return ERR_NOMEM;
	json_array_foreach(data, i, entry)
	{
		m = &ret->models[ret->n++];
		err = take_model(entry, m);
		if (err != OK)
			return err;
		if (m->id == NULL) {
			free(m->name);
			*m = (struct results_model){ 0 };
			ret->n--;
		}
	}
	return take_text(json_object_get(root, "links"), "next", &ret->next);
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

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* How many bytes ${t} stands for, padding or not; -1: it is not base64. */
static int64_t base64_bytes(struct text t)
{
	while (t.len > 0 && t.s[t.len - 1] == '=')
		t.len--;
	for (size_t i = 0; i < t.len; i++)
		if (base64_digit(t.s[i]) < 0)
			return -1;
	return t.len % 4 == 1 ? -1 : (int64_t)(t.len * 3 / 4);
}

/* Little-endian float32 in base64, checked before, to ${dst}. */
static void base64_floats(struct text t, float *dst, size_t n)
{
	uint32_t acc = 0, word = 0;
	unsigned bits = 0, n_bytes = 0;

	for (size_t i = 0; i < t.len && n > 0; i++) {
		if (t.s[i] == '=')
			break;
		acc = acc << 6 | (uint32_t)base64_digit(t.s[i]);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		word |= (acc >> bits & 0xff) << (8 * n_bytes);
		if (++n_bytes == 4) {
			memcpy(dst++, &word, 4);
			word = 0;
			n_bytes = 0;
			n--;
		}
	}
}

/* The number of values in a row; -1: it is none. */
static int64_t row_dims(const json_t *embedding)
{
	struct text t = json_in_text(embedding);
	int64_t n;

	if (json_is_array(embedding))
		return (int64_t)json_array_size(embedding);
	if (t.s == NULL)
		return -1;
	n = base64_bytes(t);
	return n < 0 || n % 4 != 0 ? -1 : n / 4;
}

static enum err row_values(const json_t *embedding, float *dst, size_t dims)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(embedding)) {
		base64_floats(json_in_text(embedding), dst, dims);
		return OK;
	}
	json_array_foreach(embedding, i, v)
	{
		if (!json_is_number(v))
			return ERR_UPSTREAM;
		dst[i] = (float)json_number_value(v);
	}
	return OK;
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
		dims = row_dims(rows[i].embedding);
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
		err = row_values(
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
		err = take_text(root, "model", &ret->model);
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
	err = take_text(d, "id", &ret->id);
	if (err == OK)
		err = take_text(d, "model", &ret->model);
	if (err == OK)
		err = take_text(d, "provider_name", &ret->provider);
	if (err == OK)
		err = take_text(d, "finish_reason", &ret->finish_reason);
	if (err == OK)
		err = take_text(d, "native_finish_reason", &ret->native);
	return err;
}
