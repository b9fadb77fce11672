#include "server/upstream_kept.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"

struct upstream_kept_list {
	pthread_mutex_t lock;
	/* A ring: ${n} of them, the oldest at ${first}. */
	struct upstream_kept *kept[UPSTREAM_KEPT_MAX];
	size_t first, n, bytes;
};

struct upstream_kept_list *upstream_kept_list_new(void)
{
	struct upstream_kept_list *l = calloc(1, sizeof(*l));

	if (l != NULL)
		pthread_mutex_init(&l->lock, NULL);
	return l;
}

static void forget_oldest(struct upstream_kept_list *l)
{
	struct upstream_kept *k = l->kept[l->first];

	l->first = (l->first + 1) % UPSTREAM_KEPT_MAX;
	l->n--;
	l->bytes -= k->len;
	upstream_kept_drop(k);
}

void upstream_kept_list_free(struct upstream_kept_list *l)
{
	if (l == NULL)
		return;
	while (l->n > 0)
		forget_oldest(l);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

enum err upstream_kept_add(struct upstream_kept_list *l,
    const struct upstream_plan *plan, const char *body, size_t len,
    struct upstream_kept **ret)
{
	struct upstream_kept *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->body = malloc(len);
	if (k == NULL || k->body == NULL) {
		free(k);
		return ERR_NOMEM;
	}
	k->id = id_new();
	k->plan = *plan;
	k->created_s = clock_wall_ms() / 1000;
	k->start_ms = clock_mono_ms() + plan->first_ms;
	memcpy(k->body, body, len);
	k->len = len;
	atomic_init(&k->cancelled_ms, 0);
	atomic_init(&k->holders, 2); /* the list and the caller */
	pthread_mutex_lock(&l->lock);
	while (l->n > 0 && (l->n == UPSTREAM_KEPT_MAX ||
			       len > UPSTREAM_KEPT_BYTES - l->bytes))
		forget_oldest(l);
	l->kept[(l->first + l->n++) % UPSTREAM_KEPT_MAX] = k;
	l->bytes += len;
	pthread_mutex_unlock(&l->lock);
	*ret = k;
	return OK;
}

struct upstream_kept *upstream_kept_find(
    struct upstream_kept_list *l, const struct id *id)
{
	struct upstream_kept *found = NULL;

	pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < l->n && found == NULL; i++) {
		struct upstream_kept *k =
		    l->kept[(l->first + i) % UPSTREAM_KEPT_MAX];

		if (id_equal(&k->id, id))
			found = k;
	}
	if (found != NULL)
		atomic_fetch_add(&found->holders, 1);
	pthread_mutex_unlock(&l->lock);
	return found;
}

void upstream_kept_cancel(struct upstream_kept *k)
{
	int_fast64_t not_yet = 0;

	atomic_compare_exchange_strong(
	    &k->cancelled_ms, &not_yet, clock_mono_ms());
}

void upstream_kept_drop(struct upstream_kept *k)
{
	if (k == NULL || atomic_fetch_sub(&k->holders, 1) > 1)
		return;
	free(k->body);
	free(k);
}
