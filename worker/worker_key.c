#include "worker/worker_key.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"
#include "store/execution.h"
#include "store/vault.h"
#include "worker/scan.h"
#include "worker/upstreams.h"

struct worker_key {
	char *upstream;
	char *text;
};

/* "NAME=KEY" where NAME is an upstream; else all of it is the key. */
static const struct upstream_entry *split(
    const struct upstreams *u, const char *text, const char **ret_key)
{
	const char *equals = strchr(text, '=');
	const struct upstream_entry *e = NULL;

	if (equals != NULL)
		e = upstreams_find(u, text, (size_t)(equals - text));
	*ret_key = e == NULL ? text : equals + 1;
	return e;
}

/* NAME=KEY it must be; a key may only end with = (base64). */
static bool names_nobody(const char *text)
{
	const char *equals = strchr(text, '=');

	return equals != NULL && equals[strspn(equals, "=")] != '\0';
}

static bool asks(
    const struct upstreams_route *route, const struct upstream_entry *e)
{
	for (size_t i = 0; i < route->n; i++)
		if (route->at[i].upstream == e)
			return true;
	return false;
}

enum err worker_key_parse(const struct upstreams *u, const char *model,
    const char *text, struct worker_key **ret, struct why *why)
{
	const struct upstream_entry *e;
	struct upstreams_route route;
	struct worker_key *k;
	const char *key;
	enum err rc = upstreams_resolve(u, model, &route, why);

	if (rc != OK)
		return rc;
	e = split(u, text, &key);
	/* Else a name that was mistyped would send it to another provider. */
	if (e == NULL && names_nobody(text)) {
		err_why(why,
		    "what stands before = is the name of no upstream: write "
		    "KEY or UPSTREAM=KEY");
		return ERR_INPUT;
	}
	if (!upstreams_key_ok(key)) {
		err_why(why,
		    "the provider's key is empty, too long or has blanks in "
		    "it: write KEY or UPSTREAM=KEY");
		return ERR_INPUT;
	}
	if (e != NULL && !asks(&route, e)) {
		err_why(why,
		    "the provider's key is for upstream \"%s\", which this "
		    "model does not ask",
		    e->name);
		return ERR_INPUT;
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return ERR_NOMEM;
	k->upstream = strdup(e == NULL ? route.at[0].upstream->name : e->name);
	k->text = strdup(key);
	if (k->upstream == NULL || k->text == NULL) {
		worker_key_free(k);
		return ERR_NOMEM;
	}
	*ret = k;
	return OK;
}

void worker_key_free(struct worker_key *k)
{
	if (k == NULL)
		return;
	if (k->text != NULL)
		digest_wipe(k->text, strlen(k->text));
	free(k->text);
	free(k->upstream);
	free(k);
}

const char *worker_key_upstream(const struct worker_key *k)
{
	return k->upstream;
}

const char *worker_key_for(const struct worker_key *k, const char *upstream)
{
	return k != NULL && strcmp(k->upstream, upstream) == 0 ? k->text : NULL;
}

enum err worker_key_of_owner(struct store *store, const struct seal *seal,
    const char *owner, const char *upstream, char **ret)
{
	struct provider_key k;
	bool old;
	enum err rc = ERR_NOT_FOUND;

	if (store != NULL && seal != NULL && owner != NULL)
		rc = vault_find(store, owner, upstream, &k);
	return rc == OK ? provider_key_open(&k, seal, ret, &old) : rc;
}

bool worker_key_was_with(const struct execution *e)
{
	struct scan_value v;

	return e->request != NULL &&
	       scan_member(e->request, e->request_len, WORKER_KEY_MEMBER, &v);
}
