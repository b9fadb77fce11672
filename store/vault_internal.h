/*
 * vault_internal: how the vault is filled and kept in step.
 *
 * Used by: the writer (after its commit), store.c (at open).
 */
#ifndef STORE_VAULT_INTERNAL_H
#define STORE_VAULT_INTERNAL_H

#include <pthread.h>

#include "store/vault.h"

struct vault {
	/* Whenever the lock is free: keys are in order, no two the same's. */
	pthread_rwlock_t lock;
	struct provider_key *keys;
	size_t n, room;
};

void vault_init(struct vault *v);
void vault_fini(struct vault *v);

/* Room for ${n} more. Fails: ERR_NOMEM, nothing changed. */
MUST_CHECK enum err vault_reserve(struct vault *v, size_t n);

/* In place of what there was for the same; room was reserved. */
void vault_put(struct vault *v, const struct provider_key *k);
void vault_drop(struct vault *v, const char *owner, const char *upstream);

#endif
