/* An owner's key for a provider. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "store/provider_key.h"

/* A header's value: no blanks, no control characters. */
static bool fit(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= PROVIDER_KEY_MAX_BYTES;
}

enum err body_provider_key(const char *body, size_t len, char *owner,
    char **ret_secret, struct problem *p)
{
	static const char *const known[] = { "key", "owner" };
	static const char *const key_names[] = { "key", NULL };
	static const char *const owner_names[] = { "owner", NULL };
	const char *text = "", *name = "";
	json_t *root = NULL;
	enum err e;

	e = body_parse(body, len, &root, p);
	if (e == OK)
		e = body_only(root, "", known, 2, p);
	if (e == OK)
		e = body_text(root, owner_names, &name, p);
	if (e == OK && strlen(name) >= KEY_NAME_BYTES)
		e = body_refuse(p, "owner", "owner must be at most %d bytes",
		    KEY_NAME_BYTES - 1);
	if (e == OK)
		e = body_text(root, key_names, &text, p);
	if (e == OK && !fit(text))
		e = body_refuse(p, "key",
		    "key must be 1 to %d visible ASCII characters without "
		    "blanks",
		    PROVIDER_KEY_MAX_BYTES);
	if (e == OK) {
		(void)snprintf(owner, KEY_NAME_BYTES, "%s", name);
		*ret_secret = strdup(text);
		e = *ret_secret ? OK : ERR_NOMEM;
		if (e != OK)
			problem_from_err(p, e, NULL);
	}
	if (*text)
		digest_wipe((char *)(uintptr_t)text, strlen(text));
	json_decref(root);
	return e;
}
