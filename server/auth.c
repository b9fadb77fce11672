#include "server/auth.h"

#include <string.h>
#include <strings.h>

#include "store/base/digest.h"

#define SECRET_MAX_BYTES 512

static bool secret_char(char c)
{
	return c > ' ' && c < 0x7f && c != ',' && c != '"' && c != ';';
}

enum err auth_secret(const char *authorization, const char *x_api_key,
    const char **ret, size_t *ret_len)
{
	const char *p = authorization ? authorization : x_api_key;
	size_t len;

	if (!p)
		return ERR_NOT_FOUND;
	if (authorization) {
		if (strncasecmp(p, "Bearer ", 7) != 0)
			return ERR_INPUT;
		p += 7;
		p += strspn(p, " ");
	}
	/* Two headers arrive joined by ", ": no secret holds either byte. */
	for (len = 0; p[len]; len++)
		if (!secret_char(p[len]))
			return ERR_INPUT;
	if (len == 0 || len > SECRET_MAX_BYTES)
		return ERR_INPUT;
	*ret = p;
	*ret_len = len;
	return OK;
}

enum err auth_check(const char *authorization, const char *x_api_key,
    auth_find_fn *find, void *arg, struct principal *ret, struct problem *p)
{
	uint8_t hash[DIGEST_BYTES];
	struct key key = { 0 };
	const char *secret;
	size_t len;
	enum err e;

	e = auth_secret(authorization, x_api_key, &secret, &len);
	if (e == ERR_NOT_FOUND) {
		problem_set(p, PROBLEM_UNAUTHENTICATED, NULL,
		    "send a key: Authorization: Bearer spool_…");
		return ERR_DENIED;
	}
	if (e == OK) {
		digest_sha256(secret, len, hash);
		e = find(arg, hash, &key);
	}
	if (e != OK || key.owner[0] == '\0' ||
	    !digest_equal(key.hash, hash, sizeof(hash))) {
		problem_set(p, PROBLEM_UNAUTHENTICATED, NULL,
		    "the key is not one that is in use here");
		return ERR_DENIED;
	}
	*ret = (struct principal){ .scopes = key.scopes, .key = key.id };
	memcpy(ret->hash, hash, sizeof(ret->hash));
	memcpy(ret->owner, key.owner, sizeof(ret->owner));
	memcpy(ret->label, key.label, sizeof(ret->label));
	return OK;
}

enum err auth_again(const struct principal *who, auth_find_fn *find, void *arg)
{
	static const struct id none;
	struct key key;

	if (id_equal(&who->key, &none))
		return OK;
	return find(arg, who->hash, &key) == OK ? OK : ERR_DENIED;
}

void auth_local(struct principal *ret)
{
	*ret = (struct principal){ .owner = "local",
		.scopes = KEY_RUN | KEY_READ | KEY_ADMIN };
}

bool auth_may(const struct principal *who, unsigned scopes)
{
	return scopes == 0 || (who->scopes & (scopes | KEY_ADMIN)) != 0;
}

const char *auth_filter(const struct principal *who)
{
	return who->scopes & KEY_ADMIN ? NULL : who->owner;
}
