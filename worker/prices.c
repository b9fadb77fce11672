#include "worker/prices.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "worker/prices_file.h"
#include "worker/upstreams.h"

#define MAX_KEY_BYTES 1024

struct row {
	char *id;
	struct price price;
};

/* By id. */
struct sheet {
	struct row *row;
	size_t n;
};

struct prices {
	const struct upstreams *upstreams;
	struct sheet file;
	pthread_mutex_t lock; /* of the lists alone */
	struct sheet *list;   /* as many as upstreams */
	size_t n;
};

static void sheet_fini(struct sheet *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->row[i].id);
	free(s->row);
	*s = (struct sheet){ 0 };
}

static int by_id(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* What is priced of ${list}. Fails: ERR_NOMEM. */
static enum err sheet_make(const struct results_models *list, struct sheet *ret)
{
	struct sheet s = { .row = calloc(list->n + 1, sizeof(*s.row)) };

	if (s.row == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct results_model *m = &list->models[i];

		if (!m->has_prices || m->price_pusd[PRICE_PROMPT] < 0 ||
		    m->price_pusd[PRICE_COMPLETION] < 0)
			continue;
		s.row[s.n].id = strdup(m->id);
		if (s.row[s.n].id == NULL) {
			sheet_fini(&s);
			return ERR_NOMEM;
		}
		memcpy(s.row[s.n++].price.pusd, m->price_pusd,
		    sizeof(m->price_pusd));
	}
	if (s.n > 0)
		qsort(s.row, s.n, sizeof(*s.row), by_id);
	*ret = s;
	return OK;
}

static bool sheet_find(const struct sheet *s, const char *id, struct price *ret)
{
	const struct row key = { .id = (char *)(uintptr_t)id };
	const struct row *found =
	    s->n == 0 ? NULL
		      : bsearch(&key, s->row, s->n, sizeof(*s->row), by_id);

	if (found != NULL)
		*ret = found->price;
	return found != NULL;
}

/* What the upstream called ${name}, ${len} long, lists of ${model}. */
static bool list_find(struct prices *p, const char *name, size_t len,
    const char *model, struct price *ret)
{
	const struct upstream_entry *e;
	bool found = false;

	for (size_t i = 0; (e = upstreams_at(p->upstreams, i)) != NULL; i++) {
		if (strlen(e->name) != len || memcmp(e->name, name, len) != 0)
			continue;
		pthread_mutex_lock(&p->lock);
		found = sheet_find(&p->list[i], model, ret);
		pthread_mutex_unlock(&p->lock);
		break;
	}
	return found;
}

/* As another one's, whom the configuration names. */
static bool mapped_find(
    struct prices *p, const char *prefix, const char *model, struct price *ret)
{
	char key[MAX_KEY_BYTES];
	size_t len = strcspn(prefix, "/");

	if (strcmp(prefix, "none") == 0 ||
	    snprintf(key, sizeof(key), "%s/%s", prefix, model) >=
		(int)sizeof(key))
		return false;
	return sheet_find(&p->file, key, ret) ||
	       list_find(p, prefix, len, key + len + 1, ret);
}

bool prices_find(struct prices *p, const char *target, struct price *ret)
{
	const char *slash = strchr(target, '/');
	const struct upstream_entry *e;

	if (slash == NULL)
		return false;
	if (sheet_find(&p->file, target, ret))
		return true;
	e = upstreams_find(p->upstreams, target, (size_t)(slash - target));
	if (e == NULL)
		return false;
	if (e->prices != NULL)
		return mapped_find(p, e->prices, slash + 1, ret);
	return list_find(p, e->name, strlen(e->name), slash + 1, ret);
}

bool prices_put(struct prices *p, size_t i, const struct results_models *list)
{
	struct sheet s = { 0 }, old;
	bool any;

	if (sheet_make(list, &s) != OK)
		return false;
	any = s.n > 0;
	pthread_mutex_lock(&p->lock);
	old = p->list[i];
	p->list[i] = s;
	pthread_mutex_unlock(&p->lock);
	sheet_fini(&old);
	return any;
}

enum err prices_new(const struct upstreams *u, const char *path,
    struct prices **ret, struct why *why)
{
	struct prices *p = calloc(1, sizeof(*p));
	struct results_models list = { 0 };
	enum err rc = ERR_NOMEM;

	if (p == NULL)
		return ERR_NOMEM;
	ASSERT(pthread_mutex_init(&p->lock, NULL) == 0);
	p->upstreams = u;
	while (upstreams_at(u, p->n) != NULL)
		p->n++;
	p->list = calloc(p->n + 1, sizeof(*p->list));
	if (p->list == NULL)
		goto out;
	rc = path == NULL ? OK : prices_file_read(path, &list, why);
	if (rc == OK && path != NULL)
		rc = sheet_make(&list, &p->file);
	if (rc != OK)
		goto out;
	*ret = p;
	p = NULL;
out:
	results_models_fini(&list);
	prices_free(p);
	return rc;
}

void prices_free(struct prices *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; p->list != NULL && i < p->n; i++)
		sheet_fini(&p->list[i]);
	free(p->list);
	sheet_fini(&p->file);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* --- what it comes to --- */

/* Add ${n} times ${each}, where both are said; false: it is too much. */
static bool add(int64_t *sum, int64_t n, int64_t each)
{
	int64_t product;

	return n <= 0 || each <= 0 ||
	       (!__builtin_mul_overflow(n, each, &product) &&
		   !__builtin_add_overflow(*sum, product, sum));
}

static int64_t or_nothing(int64_t n)
{
	return n > 0 ? n : 0;
}

int64_t prices_cost(const struct price *price, const struct dialect_usage *u)
{
	const int64_t *each = price->pusd;
	int64_t cached = or_nothing(u->cached_input_tokens);
	int64_t written = or_nothing(u->cache_write_tokens);
	int64_t thought = or_nothing(u->reasoning_tokens);
	int64_t in = or_nothing(u->input_tokens) - cached - written;
	int64_t out = or_nothing(u->output_tokens);
	int64_t sum = 0, read_each = each[PRICE_INPUT_CACHE_READ];
	int64_t write_each = each[PRICE_INPUT_CACHE_WRITE];

	if (read_each < 0)
		read_each = each[PRICE_PROMPT];
	if (write_each < 0)
		write_each = each[PRICE_PROMPT];
	if (each[PRICE_INTERNAL_REASONING] <= 0 || thought > out)
		thought = 0;
	return add(&sum, in, each[PRICE_PROMPT]) &&
		       add(&sum, cached, read_each) &&
		       add(&sum, written, write_each) &&
		       add(&sum, out - thought, each[PRICE_COMPLETION]) &&
		       add(&sum, thought, each[PRICE_INTERNAL_REASONING]) &&
		       add(&sum, 1, each[PRICE_REQUEST])
		   ? sum
		   : -1;
}
