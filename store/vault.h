/*
 * vault: all owners' keys for providers, mirrored in memory as they are stored:
 * sealed. Who has no seal (store/base/seal.h) cannot read one.
 *
 * Used by: worker (finds them), server (lists them); the writer keeps it in
 * step, after the commit.          Thread: any (a read-write lock, held to copy).
 */
#ifndef STORE_VAULT_H
#define STORE_VAULT_H

#include "store/provider_key.h"

struct store;

/* ${owner}'s key for ${upstream}. Fails: ERR_NOT_FOUND. */
MUST_CHECK enum err vault_find(struct store *store, const char *owner,
    const char *upstream, struct provider_key *ret);

/*
 * Copies of all keys of ${owner} (NULL: all), by owner and upstream. Gives:
 * *${ret}, ${*ret_n} long, for free(). Fails: ERR_NOMEM.
 */
MUST_CHECK enum err vault_list(struct store *store, const char *owner,
    struct provider_key **ret, size_t *ret_n);

#endif
