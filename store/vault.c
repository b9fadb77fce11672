#include "store/vault.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"
#include "store/vault_internal.h"

void vault_init(struct vault *v)
{
	*v = (struct vault){ 0 };
	ASSERT(pthread_rwlock_init(&v->lock, NULL) == 0);
}

void vault_fini(struct vault *v)
{
	free(v->keys);
	pthread_rwlock_destroy(&v->lock);
}

/* Where it is, or belongs. Lock held. */
static size_t place(
    const struct vault *v, const char *owner, const char *upstream, bool *found)
{
	size_t low = 0, high = v->n;

	*found = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct provider_key *k = &v->keys[mid];
		int cmp = strcmp(k->owner, owner);

		if (cmp == 0)
			cmp = strcmp(k->upstream, upstream);
		if (cmp == 0) {
			*found = true;
			return mid;
		}
		if (cmp < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

enum err vault_reserve(struct vault *v, size_t n)
{
	size_t room = v->room < 8 ? 8 : v->room;
	struct provider_key *keys;

	if (v->n + n <= v->room)
		return OK;
	while (room < v->n + n)
		room *= 2;
	pthread_rwlock_wrlock(&v->lock);
	keys = realloc(v->keys, room * sizeof(*keys));
	if (keys != NULL) {
		v->keys = keys;
		v->room = room;
	}
	pthread_rwlock_unlock(&v->lock);
	return keys == NULL ? ERR_NOMEM : OK;
}

void vault_put(struct vault *v, const struct provider_key *k)
{
	bool found;
	size_t i;

	pthread_rwlock_wrlock(&v->lock);
	i = place(v, k->owner, k->upstream, &found);
	if (!found) {
		ASSERT(v->n < v->room);
		memmove(&v->keys[i + 1], &v->keys[i],
		    (v->n - i) * sizeof(*v->keys));
		v->n++;
	}
	v->keys[i] = *k;
	pthread_rwlock_unlock(&v->lock);
}

void vault_drop(struct vault *v, const char *owner, const char *upstream)
{
	bool found;
	size_t i;

	pthread_rwlock_wrlock(&v->lock);
	i = place(v, owner, upstream, &found);
	if (found) {
		v->n--;
		memmove(&v->keys[i], &v->keys[i + 1],
		    (v->n - i) * sizeof(*v->keys));
	}
	pthread_rwlock_unlock(&v->lock);
}

enum err vault_find(struct store *store, const char *owner,
    const char *upstream, struct provider_key *ret)
{
	struct vault *v = &store->vault;
	bool found;
	size_t i;

	pthread_rwlock_rdlock(&v->lock);
	i = place(v, owner, upstream, &found);
	if (found)
		*ret = v->keys[i];
	pthread_rwlock_unlock(&v->lock);
	return found ? OK : ERR_NOT_FOUND;
}

enum err vault_list(struct store *store, const char *owner,
    struct provider_key **ret, size_t *ret_n)
{
	struct vault *v = &store->vault;
	struct provider_key *list;
	size_t n = 0;

	pthread_rwlock_rdlock(&v->lock);
	list = malloc((v->n + 1) * sizeof(*list));
	for (size_t i = 0; list != NULL && i < v->n; i++)
		if (owner == NULL || strcmp(v->keys[i].owner, owner) == 0)
			list[n++] = v->keys[i];
	pthread_rwlock_unlock(&v->lock);
	if (list == NULL)
		return ERR_NOMEM;
	*ret = list;
	*ret_n = n;
	return OK;
}
