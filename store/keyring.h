/*
 * keyring: all API keys, mirrored in memory so that asking costs no disk.
 *
 * Used by: auth; the writer keeps it in step, after the commit.
 * Thread: any (a read-write lock, held to copy one key).
 */
#ifndef STORE_KEYRING_H
#define STORE_KEYRING_H

#include <stdint.h>

#include "store/base/err.h"
#include "store/key.h"

struct store;

/*
 * The key whose secret hashes to ${hash}, unless revoked or expired now.
 * Fails: ERR_NOT_FOUND.
 */
MUST_CHECK enum err keyring_find(
    struct store *store, const uint8_t hash[DIGEST_BYTES], struct key *ret);

/*
 * Copies of all keys of ${owner} (NULL: all), oldest first, revoked ones too.
 * Gives: *${ret}, ${*ret_n} long, for free().
 */
MUST_CHECK enum err keyring_list(
    struct store *store, const char *owner, struct key **ret, size_t *ret_n);

#endif
