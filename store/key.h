/*
 * key: an API key as it is remembered: never the secret, only its SHA-256.
 *
 * Used by: auth (finds them), the CLI and REST (make, list, revoke them).
 * Thread: keyring_* any; a struct key belongs to its holder.
 * Promises: a key that was revoked or has expired is never found.
 */
#ifndef STORE_KEY_H
#define STORE_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/digest.h"
#include "store/base/err.h"
#include "store/base/id.h"

/* Scopes are bits; the numbers are stored. */
#define KEY_RUN 1u   /* create and cancel executions */
#define KEY_READ 2u  /* read executions and prompts */
#define KEY_ADMIN 4u /* everything, of everybody; no rate limits */

#define KEY_NAME_BYTES 64 /* label and owner, with their NUL */
#define KEY_SECRET_TEXT \
	56 /* "spool_" + 43 base64url characters + NUL, rounded up */

struct key {
	struct id id;
	char label[KEY_NAME_BYTES]; /* for people */
	char owner[KEY_NAME_BYTES]; /* whose executions it makes and sees */
	char hint[16]; /* the secret's first characters, for people */
	unsigned scopes;
	uint8_t hash[DIGEST_BYTES]; /* SHA-256 of the whole secret */
	int64_t created_ms;
	int64_t expires_ms; /* 0: never */
	int64_t revoked_ms; /* 0: not */
};

/* "run,read,admin" to bits and back. Fails: ERR_INPUT and says which word. */
MUST_CHECK enum err key_scopes_parse(
    const char *text, unsigned *ret, struct why *why);
void key_scopes_text(unsigned scopes, char *dst, size_t room);

/* A new secret, 256 random bits, into ${dst} (KEY_SECRET_TEXT bytes). */
void key_secret_new(char *dst);

/*
 * Fill hash and hint of ${k} from ${secret}. The caller wipes the secret.
 */
void key_secret_set(struct key *k, const char *secret);

#endif
