/*
 * auth: who asks: a bearer key in, a principal out. Fails closed.
 *
 * Used by: service, before any handler.
 * Thread: any; the keyring answers from memory.
 */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "server/problem.h"
#include "store/base/err.h"
#include "store/base/id.h"
#include "store/key.h"

struct principal {
	char owner[KEY_NAME_BYTES];
	unsigned scopes;	    /* KEY_… */
	struct id key;		    /* all zero: no key was needed */
	uint8_t hash[DIGEST_BYTES]; /* of its secret */
	char label[KEY_NAME_BYTES]; /* the key's */
	/* A ticket's: good for this execution alone (ticket.h). */
	bool bound;
	struct id execution;
};

/*
 * The secret in the Authorization header's or X-API-Key's value (NULL:
 * absent), lent. Authorization counts when both are there.
 * Fails: ERR_NOT_FOUND when neither is there, ERR_INPUT when it is not one
 * bearer key.
 */
MUST_CHECK enum err auth_secret(const char *authorization,
    const char *x_api_key, const char **ret, size_t *ret_len);

/* How a secret's hash becomes a key: keyring_find(), or a test's. */
typedef enum err auth_find_fn(
    void *arg, const uint8_t hash[DIGEST_BYTES], struct key *ret);

/*
 * Fails: ERR_DENIED and the problem (unauthenticated, always the same words
 * for a key that is unknown, expired or revoked); *ret untouched.
 */
MUST_CHECK enum err auth_check(const char *authorization, const char *x_api_key,
    auth_find_fn *find, void *arg, struct principal *ret, struct problem *p);

/*
 * Is the key behind ${who} still in use? For what was opened with it long ago.
 * Fails: ERR_DENIED.
 */
MUST_CHECK enum err auth_again(
    const struct principal *who, auth_find_fn *find, void *arg);

/* The principal when no keys are required: admin of owner "local". */
void auth_local(struct principal *ret);

/* Does ${who} have one of ${scopes}? Admin has all. 0: anybody. */
bool auth_may(const struct principal *who, unsigned scopes);

/* What to bind in questions: NULL for admin, else the owner. */
const char *auth_filter(const struct principal *who);

#endif
