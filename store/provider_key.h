/*
 * provider_key: an owner's key for a provider, as it is kept: sealed.
 *
 * Used by: the vault, the writer, engines; whoever sets and opens them.
 * Thread: the owner's.
 */
#ifndef STORE_PROVIDER_KEY_H
#define STORE_PROVIDER_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/seal.h"
#include "store/key.h"

/* A key is no longer than this; an upstream's name, with its NUL. */
#define PROVIDER_KEY_MAX_BYTES 1024
#define PROVIDER_KEY_UPSTREAM_BYTES 65
/* Both names, with words. */
#define PROVIDER_KEY_CONTEXT_BYTES 192

struct provider_key {
	char owner[KEY_NAME_BYTES];
	char upstream[PROVIDER_KEY_UPSTREAM_BYTES];
	char hint[8]; /* its last four characters, for people */
	int64_t created_ms;
	uint8_t sealed[PROVIDER_KEY_MAX_BYTES + SEAL_EXTRA_BYTES];
	size_t sealed_len;
};

/*
 * Seal ${len} bytes of ${secret} as the key of ${k}'s owner for its upstream,
 * and fill in its hint. Fails: ERR_LIMIT (it is longer than
 * PROVIDER_KEY_MAX_BYTES), ERR_NOMEM.
 */
MUST_CHECK enum err provider_key_seal(struct provider_key *k,
    const struct seal *seal, const char *secret, size_t len);

/*
 * Gives: *${ret}, the key, for digest_wipe() and free(). *${ret_old}: as in
 * seal_open(). Fails: as it does.
 */
MUST_CHECK enum err provider_key_open(const struct provider_key *k,
    const struct seal *seal, char **ret, bool *ret_old);

#endif
