#include "worker/results_part.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "worker/json_in.h"

enum err results_part_text(const json_t *object, const char *key, char **ret)
{
	struct text t = json_in_member(object, key);

	if (t.len == 0 || memchr(t.s, '\0', t.len) != NULL)
		return OK;
	*ret = strndup(t.s, t.len);
	return *ret == NULL ? ERR_NOMEM : OK;
}

int64_t results_part_time(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));
	struct tm tm = { 0 };
	int hours = 0, minutes = 0;
	char sign = '+';

	if (s == NULL || (s = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return -1;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	if (*s != 'Z' && *s != 'z' &&
	    sscanf(s, "%c%2d:%2d", &sign, &hours, &minutes) != 3)
		return -1;
	hours = hours * 3600 + minutes * 60;
	return (int64_t)timegm(&tm) - (sign == '-' ? -hours : hours);
}

enum err results_part_models(const json_t *data, struct results_models *ret)
{
	if (!json_is_array(data))
		return ERR_UPSTREAM;
	ret->models = calloc(json_array_size(data) + 1, sizeof(*ret->models));
	return ret->models == NULL ? ERR_NOMEM : OK;
}

struct results_model *results_part_model(struct results_models *r)
{
	struct results_model *m = &r->models[r->n++];

	m->context_length = m->max_output_tokens = m->created_s = -1;
	for (int p = 0; p < N_PRICES; p++)
		m->price_pusd[p] = RESULTS_PRICE_ABSENT;
	return m;
}

void results_part_settle(struct results_models *r)
{
	struct results_model *m = &r->models[r->n - 1];

	if (m->id != NULL && m->id[0] != '\0')
		return;
	free(m->id);
	free(m->name);
	free(m->owner);
	*m = (struct results_model){ 0 };
	r->n--;
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

int64_t results_part_dims(const json_t *row)
{
	struct text t = json_in_text(row);
	int64_t n;

	if (json_is_array(row))
		return (int64_t)json_array_size(row);
	if (t.s == NULL)
		return -1;
	n = base64_bytes(t);
	return n < 0 || n % 4 != 0 ? -1 : n / 4;
}

enum err results_part_values(const json_t *row, float *dst, size_t dims)
{
	const json_t *v;
	size_t i;

	if (!json_is_array(row)) {
		base64_floats(json_in_text(row), dst, dims);
		return OK;
	}
	json_array_foreach(row, i, v)
	{
		if (!json_is_number(v))
			return ERR_UPSTREAM;
		dst[i] = (float)json_number_value(v);
	}
	return OK;
}

enum err results_part_rows(
    const json_t *rows, const char *key, struct results_embeddings *ret)
{
	const json_t *entry, *row;
	enum err err = OK;
	int64_t dims;
	size_t i;

	if (!json_is_array(rows))
		return ERR_UPSTREAM;
	json_array_foreach(rows, i, entry)
	{
		row = key == NULL ? entry : json_object_get(entry, key);
		dims = results_part_dims(row);
		if (dims < 0 || (i > 0 && (size_t)dims != ret->dims))
			return ERR_UPSTREAM;
		ret->dims = (size_t)dims;
	}
	ret->n = json_array_size(rows);
	ret->values = calloc(ret->n * ret->dims + 1, sizeof(float));
	if (ret->values == NULL)
		return ERR_NOMEM;
	for (i = 0; i < ret->n && err == OK; i++) {
		entry = json_array_get(rows, i);
		row = key == NULL ? entry : json_object_get(entry, key);
		err = results_part_values(
		    row, ret->values + i * ret->dims, ret->dims);
	}
	return err;
}
