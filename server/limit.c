#include "server/limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "store/base/log.h"

#define BUCKETS 4096
/* How many stored executions one question looks at. */
#define SWEEP 64

struct open {
	struct id id;
	bool stored;
};

struct holder {
	struct id key;
	double tokens;
	int64_t filled_ms;
	struct open *open;
	unsigned n_open, cap_open;
	unsigned sweep; /* where the next sweep begins */
	SLIST_ENTRY(holder) link;
};
SLIST_HEAD(holders, holder);

struct limit {
	struct limit_options o;
	/* Whenever it is free: n_holders is the sum over the lists. */
	pthread_mutex_t lock;
	struct holders buckets[BUCKETS];
	unsigned n_holders;
};

enum err limit_new(const struct limit_options *options, struct limit **ret)
{
	struct limit *l = calloc(1, sizeof(*l));

	if (!l)
		return ERR_NOMEM;
	l->o = *options;
	ASSERT(pthread_mutex_init(&l->lock, NULL) == 0);
	for (unsigned i = 0; i < BUCKETS; i++)
		SLIST_INIT(&l->buckets[i]);
	*ret = l;
	return OK;
}

static void holder_free(struct holder *h)
{
	free(h->open);
	free(h);
}

void limit_free(struct limit *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		while (!SLIST_EMPTY(&l->buckets[i])) {
			struct holder *h = SLIST_FIRST(&l->buckets[i]);

			SLIST_REMOVE_HEAD(&l->buckets[i], link);
			holder_free(h);
		}
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static struct holders *list_of(struct limit *l, const struct id *key)
{
	return &l->buckets[id_hash(key) % BUCKETS];
}

static struct holder *find(struct limit *l, const struct id *key)
{
	struct holder *h;

	SLIST_FOREACH(h, list_of(l, key), link)
	if (id_equal(&h->key, key))
		return h;
	return NULL;
}

/* The key's holder, a new one if need be; NULL without memory. */
static struct holder *take(struct limit *l, const struct id *key, int64_t now)
{
	struct holders *list = list_of(l, key);
	struct holder *h = find(l, key), *first = SLIST_FIRST(list);

	if (h)
		return h;
	/* Full: the first of this list that holds nothing makes room. */
	if (l->n_holders >= LIMIT_MAX_KEYS) {
		if (!first || first->n_open > 0)
			return NULL;
		SLIST_REMOVE_HEAD(list, link);
		holder_free(first);
		l->n_holders--;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->key = *key;
	h->tokens = 2.0 * l->o.rate_per_s;
	h->filled_ms = now;
	SLIST_INSERT_HEAD(list, h, link);
	l->n_holders++;
	return h;
}

enum err limit_request(
    struct limit *l, const struct id *key, int64_t now_ms, int64_t *ret_wait_ms)
{
	double rate = l->o.rate_per_s, most = 2.0 * rate;
	struct holder *h;
	enum err e = OK;

	pthread_mutex_lock(&l->lock);
	h = take(l, key, now_ms);
	if (!h) {
		*ret_wait_ms = 1000;
		e = ERR_LIMIT;
		goto out;
	}
	if (now_ms > h->filled_ms) {
		h->tokens += (double)(now_ms - h->filled_ms) * rate / 1000.0;
		if (h->tokens > most)
			h->tokens = most;
		h->filled_ms = now_ms;
	}
	if (h->tokens < 1.0) {
		*ret_wait_ms = (int64_t)((1.0 - h->tokens) * 1000.0 / rate) + 1;
		e = ERR_LIMIT;
		goto out;
	}
	h->tokens -= 1.0;
out:
	pthread_mutex_unlock(&l->lock);
	return e;
}

static void forget(struct holder *h, const struct id *execution)
{
	for (unsigned i = 0; i < h->n_open; i++)
		if (id_equal(&h->open[i].id, execution)) {
			h->open[i] = h->open[--h->n_open];
			return;
		}
}

/* Up to ${most} stored executions of the key, going round from call to call. */
static unsigned look(
    struct limit *l, const struct id *key, unsigned most, struct id *ids)
{
	struct holder *h;
	unsigned n = 0;

	pthread_mutex_lock(&l->lock);
	h = find(l, key);
	for (unsigned i = 0; h && i < h->n_open && n < most; i++) {
		if (++h->sweep >= h->n_open)
			h->sweep = 0;
		if (h->open[h->sweep].stored)
			ids[n++] = h->open[h->sweep].id;
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}

/* Forget those of the ${most} looked at that have ended. */
static void sweep(struct limit *l, const struct id *key, unsigned most)
{
	struct id ids[SWEEP];
	unsigned n = look(l, key, most, ids);

	for (unsigned i = 0; i < n; i++) {
		struct holder *h;

		if (l->o.is_open(l->o.arg, &ids[i]))
			continue;
		pthread_mutex_lock(&l->lock);
		h = find(l, key);
		if (h)
			forget(h, &ids[i]);
		pthread_mutex_unlock(&l->lock);
	}
}

static enum err add(struct limit *l, struct holder *h, const struct id *id)
{
	if (h->n_open >= l->o.max_open)
		return ERR_LIMIT;
	if (h->n_open == h->cap_open) {
		unsigned cap = h->cap_open ? h->cap_open * 2 : 8;
		struct open *open = realloc(h->open, cap * sizeof(*open));

		if (!open)
			return ERR_NOMEM;
		h->open = open;
		h->cap_open = cap;
	}
	h->open[h->n_open++] = (struct open){ *id, false };
	return OK;
}

enum err limit_open(
    struct limit *l, const struct id *key, const struct id *execution)
{
	enum err e = ERR_LIMIT;

	/* A few each time keep the list short; all before one is refused. */
	for (unsigned seen = 0; e == ERR_LIMIT && seen <= l->o.max_open;) {
		struct holder *h;

		sweep(l, key, seen == 0 ? 8 : SWEEP);
		seen += seen == 0 ? 1 : SWEEP;
		pthread_mutex_lock(&l->lock);
		h = take(l, key, 0);
		e = h ? add(l, h, execution) : ERR_NOMEM;
		pthread_mutex_unlock(&l->lock);
	}
	return e;
}

void limit_opened(struct limit *l, const struct id *key,
    const struct id *execution, bool stored)
{
	struct holder *h;

	pthread_mutex_lock(&l->lock);
	h = find(l, key);
	if (h && !stored)
		forget(h, execution);
	for (unsigned i = 0; h && stored && i < h->n_open; i++)
		if (id_equal(&h->open[i].id, execution))
			h->open[i].stored = true;
	pthread_mutex_unlock(&l->lock);
}
