#include "store/keyring.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/keyring_internal.h"
#include "store/store_internal.h"

void keyring_init(struct keyring *k)
{
	*k = (struct keyring){ 0 };
	ASSERT(pthread_rwlock_init(&k->lock, NULL) == 0);
}

void keyring_fini(struct keyring *k)
{
	free(k->keys);
	free(k->slot);
	pthread_rwlock_destroy(&k->lock);
}

/* The slot of ${hash}, or the empty one where it belongs. Lock held. */
static uint32_t *find(struct keyring *k, const uint8_t *hash)
{
	size_t i;

	memcpy(&i, hash, sizeof(i));
	for (;; i++) {
		uint32_t *slot = &k->slot[i & (k->n_slots - 1)];

		if (*slot == 0 ||
		    digest_equal(k->keys[*slot - 1].hash, hash, DIGEST_BYTES))
			return slot;
	}
}

enum err keyring_reserve(struct keyring *k, size_t n)
{
	size_t want = k->n + n, room = 16;
	uint32_t *slot;
	struct key *keys;
	enum err rc = ERR_NOMEM;

	if (want <= k->room)
		return OK;
	while (room < want)
		room *= 2;
	slot = calloc(2 * room, sizeof(*slot));
	if (slot == NULL)
		return ERR_NOMEM;
	pthread_rwlock_wrlock(&k->lock);
	keys = realloc(k->keys, room * sizeof(*keys));
	if (keys != NULL) {
		uint32_t *old = k->slot;

		k->keys = keys;
		k->room = room;
		k->slot = slot;
		k->n_slots = 2 * room;
		for (size_t i = 0; i < k->n; i++)
			*find(k, keys[i].hash) = (uint32_t)i + 1;
		slot = old;
		rc = OK;
	}
	pthread_rwlock_unlock(&k->lock);
	free(slot);
	return rc;
}

void keyring_add(struct keyring *k, const struct key *key)
{
	uint32_t *slot;

	ASSERT(k->n < k->room);
	pthread_rwlock_wrlock(&k->lock);
	slot = find(k, key->hash);
	ASSERT(*slot == 0);
	k->keys[k->n++] = *key;
	*slot = (uint32_t)k->n;
	pthread_rwlock_unlock(&k->lock);
}

void keyring_revoke(struct keyring *k, const struct id *id, int64_t ms)
{
	pthread_rwlock_wrlock(&k->lock);
	for (size_t i = 0; i < k->n; i++)
		if (id_equal(&k->keys[i].id, id) && k->keys[i].revoked_ms == 0)
			k->keys[i].revoked_ms = ms;
	pthread_rwlock_unlock(&k->lock);
}

enum err keyring_find(
    struct store *store, const uint8_t hash[DIGEST_BYTES], struct key *ret)
{
	struct keyring *k = &store->keyring;
	int64_t now = clock_wall_ms();
	enum err rc = ERR_NOT_FOUND;
	const struct key *key;
	uint32_t at;

	pthread_rwlock_rdlock(&k->lock);
	at = k->n == 0 ? 0 : *find(k, hash);
	if (at != 0) {
		key = &k->keys[at - 1];
		if (key->revoked_ms == 0 &&
		    (key->expires_ms == 0 || key->expires_ms > now)) {
			*ret = *key;
			rc = OK;
		}
	}
	pthread_rwlock_unlock(&k->lock);
	return rc;
}

static int by_age(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->created_ms != y->created_ms)
		return x->created_ms < y->created_ms ? -1 : 1;
	return memcmp(x->id.byte, y->id.byte, sizeof(x->id.byte));
}

enum err keyring_list(
    struct store *store, const char *owner, struct key **ret, size_t *ret_n)
{
	struct keyring *k = &store->keyring;
	struct key *list;
	size_t n = 0;

	pthread_rwlock_rdlock(&k->lock);
	list = malloc((k->n + 1) * sizeof(*list));
	for (size_t i = 0; list != NULL && i < k->n; i++)
		if (owner == NULL || strcmp(k->keys[i].owner, owner) == 0)
			list[n++] = k->keys[i];
	pthread_rwlock_unlock(&k->lock);
	if (list == NULL)
		return ERR_NOMEM;
	qsort(list, n, sizeof(*list), by_age);
	*ret = list;
	*ret_n = n;
	return OK;
}
