/* Owners' keys for providers, sealed. */
#include <stdio.h>
#include <string.h>

#include "store/sqlite_internal.h"

enum err sqlite_provider_key_put(
    struct engine_db *db, const struct provider_key *k)
{
	return sqlite_run((struct sqlite_db *)db, SQL_PROVIDER_KEY_PUT,
	    SQL_WITH(SQL_TEXT(k->owner), SQL_TEXT(k->upstream),
		SQL_TEXT(k->hint), SQL_INT(k->created_ms),
		SQL_BLOB(k->sealed, k->sealed_len)),
	    NULL);
}

enum err sqlite_provider_key_delete(
    struct engine_db *db, const char *owner, const char *upstream)
{
	int changed = 0;
	enum err rc;

	rc = sqlite_run((struct sqlite_db *)db, SQL_PROVIDER_KEY_DELETE,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(upstream)), &changed);
	return rc == OK && changed == 0 ? ERR_NOT_FOUND : rc;
}

struct loading {
	enum err (*on_key)(void *arg, const struct provider_key *k);
	void *arg;
};

static void copy_text(char *dst, size_t room, sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	snprintf(dst, room, "%s", text == NULL ? "" : (const char *)text);
}

static enum err on_row(void *arg, sqlite3_stmt *row)
{
	size_t len = (size_t)sqlite3_column_bytes(row, 4);
	struct provider_key k = { .sealed_len = len };
	struct loading *to = arg;

	/* It opens nothing; its owner sets another. */
	if (len == 0 || len > sizeof(k.sealed))
		return OK;
	copy_text(k.owner, sizeof(k.owner), row, 0);
	copy_text(k.upstream, sizeof(k.upstream), row, 1);
	copy_text(k.hint, sizeof(k.hint), row, 2);
	k.created_ms = sqlite3_column_int64(row, 3);
	memcpy(k.sealed, sqlite3_column_blob(row, 4), len);
	return to->on_key(to->arg, &k);
}

enum err sqlite_provider_keys_load(struct engine_db *db, void *arg,
    enum err (*on_key)(void *arg, const struct provider_key *k))
{
	struct loading to = { .on_key = on_key, .arg = arg };

	return sqlite_each((struct sqlite_db *)db, SQL_PROVIDER_KEYS,
	    SQL_NOTHING, on_row, &to);
}
