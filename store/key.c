#include "store/key.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	unsigned bit;
} scopes[] = {
	{ "run", KEY_RUN },
	{ "read", KEY_READ },
	{ "admin", KEY_ADMIN },
};
#define N_SCOPES (sizeof(scopes) / sizeof(scopes[0]))

enum err key_scopes_parse(const char *text, unsigned *ret, struct why *why)
{
	unsigned bits = 0;
	const char *p = text;

	for (;;) {
		size_t len = strcspn(p, ","), i;

		for (i = 0; i < N_SCOPES; i++)
			if (strlen(scopes[i].name) == len &&
			    memcmp(scopes[i].name, p, len) == 0)
				break;
		if (i == N_SCOPES) {
			err_why(why,
			    "\"%.*s\" is no scope; use run, read or admin, "
			    "separated by commas",
			    (int)(len > 40 ? 40 : len), p);
			return ERR_INPUT;
		}
		bits |= scopes[i].bit;
		if (p[len] == '\0')
			break;
		p += len + 1;
	}
	*ret = bits;
	return OK;
}

void key_scopes_text(unsigned bits, char *dst, size_t room)
{
	size_t n = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < N_SCOPES; i++)
		if (bits & scopes[i].bit && n < room)
			n += (size_t)snprintf(dst + n, room - n, "%s%s",
			    n ? "," : "", scopes[i].name);
}

void key_secret_new(char *dst)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint8_t random[33] = { 0 };
	char *p = dst;

	id_random(random, 32);
	memcpy(p, "spool_", 6);
	p += 6;
	for (size_t i = 0; i < 43; i++) {
		size_t bit = i * 6, byte = bit / 8;
		unsigned two = (unsigned)random[byte] << 8 | random[byte + 1];

		*p++ = digits[two >> (10 - bit % 8) & 63];
	}
	*p = '\0';
	digest_wipe(random, sizeof(random));
}

void key_secret_set(struct key *k, const char *secret)
{
	digest_sha256(secret, strlen(secret), k->hash);
	snprintf(k->hint, sizeof(k->hint), "%.10s…", secret);
}
