/*
 * keyring_internal: how the keyring is filled and kept in step.
 *
 * Used by: the writer (after its commit), store.c (at open).
 */
#ifndef STORE_KEYRING_INTERNAL_H
#define STORE_KEYRING_INTERNAL_H

#include <pthread.h>

#include "store/keyring.h"

struct keyring {
	/*
	 * Whenever the lock is free: slot is an open hash table over the keys'
	 * hashes, a power of two long, at most half full; 0 is empty, else
	 * 1 + a place in keys.
	 */
	pthread_rwlock_t lock;
	struct key *keys;
	size_t n, room;
	uint32_t *slot;
	size_t n_slots;
};

void keyring_init(struct keyring *k);
void keyring_fini(struct keyring *k);

/* Room for one more, and ${n} beyond. Fails: ERR_NOMEM, nothing changed. */
MUST_CHECK enum err keyring_reserve(struct keyring *k, size_t n);

/* Add a key whose hash is new; room was reserved. */
void keyring_add(struct keyring *k, const struct key *key);

/* Mark a key as revoked at ${ms}, unless it was before. */
void keyring_revoke(struct keyring *k, const struct id *id, int64_t ms);

#endif
