#include "server/reseal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/vault.h"
#include "store/writer.h"

struct job {
	struct write write; /* first */
	struct provider_key key;
};

static void on_done(struct write *w)
{
	if (w->result != OK)
		log_error("vault", "key not sealed anew", "err=%s",
		    err_name(w->result));
	free(w);
}

/* Store ${k} with its secret closed by the new key. */
static enum err put(struct store *store, const struct seal *seal,
    const struct provider_key *k, const char *secret)
{
	struct job *j = calloc(1, sizeof(*j));
	enum err err;

	if (!j)
		return ERR_NOMEM;
	j->key = *k;
	j->write.kind = WRITE_PROVIDER_KEY_PUT;
	j->write.mail.bytes = sizeof(*j);
	j->write.on_done = on_done;
	j->write.u.provider_key = &j->key;
	err = provider_key_seal(&j->key, seal, secret, strlen(secret));
	if (!err)
		err = writer_post(store, &j->write);
	if (err)
		free(j);
	return err;
}

enum err reseal_all(
    struct store *store, const struct seal *seal, struct why *why)
{
	struct provider_key *keys = NULL;
	size_t n = 0, done = 0, lost = 0;
	enum err err;

	err = vault_list(store, NULL, &keys, &n);
	for (size_t i = 0; !err && i < n; i++) {
		char *secret = NULL;
		bool old = false;
		enum err e = provider_key_open(&keys[i], seal, &secret, &old);

		lost += e == ERR_DENIED || e == ERR_CORRUPT;
		if (!e && old) {
			err = put(store, seal, &keys[i], secret);
			done++;
		}
		if (secret)
			digest_wipe(secret, strlen(secret));
		free(secret);
	}
	free(keys);
	if (!err && done > 0)
		err = writer_sync(store);
	/* What the old key sealed is opened by it next time, too. */
	if (err == ERR_FULL || err == ERR_LIMIT) {
		log_warn("vault", "not all keys sealed anew", "err=%s",
		    err_name(err));
		err = OK;
	}
	if (err)
		err_why(why, "owners' keys cannot be sealed anew: %s",
		    err_name(err));
	if (!err && done > 0)
		log_info("vault", "keys sealed anew", "n=%zu", done);
	if (lost > 0)
		log_warn("vault", "keys that this key file does not open",
		    "n=%zu", lost);
	return err;
}
