#include "store/provider_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A shorter key would be half told by its end. */
#define HINT_FROM_BYTES 12
#define HINT_BYTES 4

/* Names have no line ends in them, so that no two contexts are the same. */
static void context(const struct provider_key *k, char *dst)
{
	(void)snprintf(dst, PROVIDER_KEY_CONTEXT_BYTES,
	    "spool provider key\n%s\n%s", k->owner, k->upstream);
}

enum err provider_key_seal(struct provider_key *k, const struct seal *seal,
    const char *secret, size_t len)
{
	char words[PROVIDER_KEY_CONTEXT_BYTES];
	struct buf b;
	enum err rc;

	if (len > PROVIDER_KEY_MAX_BYTES)
		return ERR_LIMIT;
	context(k, words);
	buf_init(&b, sizeof(k->sealed));
	seal_close(seal, words, secret, len, &b);
	rc = buf_state(&b);
	if (rc == OK) {
		memcpy(k->sealed, b.data, b.len);
		k->sealed_len = b.len;
		k->hint[0] = '\0';
		if (len >= HINT_FROM_BYTES)
			(void)snprintf(k->hint, sizeof(k->hint), "%.*s",
			    HINT_BYTES, secret + len - HINT_BYTES);
	}
	buf_fini(&b);
	return rc;
}

enum err provider_key_open(const struct provider_key *k,
    const struct seal *seal, char **ret, bool *ret_old)
{
	char words[PROVIDER_KEY_CONTEXT_BYTES], *text = NULL;
	struct buf b;
	enum err rc;

	context(k, words);
	/* One piece of memory, which the caller wipes: it is not to grow. */
	buf_init(&b, PROVIDER_KEY_MAX_BYTES + 1);
	if (buf_room(&b, PROVIDER_KEY_MAX_BYTES + 1) == NULL)
		return ERR_NOMEM;
	rc = seal_open(seal, words, k->sealed, k->sealed_len, &b, ret_old);
	if (rc == OK) {
		text = strndup(b.data == NULL ? "" : b.data, b.len);
		rc = text == NULL ? ERR_NOMEM : OK;
	}
	if (b.data != NULL)
		digest_wipe(b.data, b.cap);
	buf_fini(&b);
	if (rc == OK)
		*ret = text;
	return rc;
}
