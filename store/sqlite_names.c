#include "store/sqlite_internal.h"

#include <stdio.h>
#include <string.h>

enum err sqlite_key_insert(struct engine_db *db, const struct key *k)
{
	return sqlite_run((struct sqlite_db *)db, SQL_KEY_INSERT,
	    SQL_WITH(SQL_ID(&k->id), SQL_TEXT(k->label), SQL_TEXT(k->owner),
		SQL_TEXT(k->hint), SQL_INT(k->scopes),
		SQL_BLOB(k->hash, DIGEST_BYTES), SQL_INT(k->created_ms),
		SQL_INT(k->expires_ms), SQL_INT(k->revoked_ms)),
	    NULL);
}

enum err sqlite_key_revoke(struct engine_db *db, const struct id *id,
    const char *owner, int64_t revoked_ms)
{
	int changed = 0;
	enum err rc;

	rc = sqlite_run((struct sqlite_db *)db, SQL_KEY_REVOKE,
	    SQL_WITH(SQL_ID(id), SQL_TEXT(owner), SQL_INT(revoked_ms)),
	    &changed);
	return rc == OK && changed == 0 ? ERR_NOT_FOUND : rc;
}

struct keys {
	struct sqlite_db *d;
	enum err (*on_key)(void *arg, const struct key *k);
	void *arg;
	uint32_t damaged;
};

static void copy_name(char *dst, size_t room, sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	snprintf(dst, room, "%s", text == NULL ? "" : (const char *)text);
}

static enum err on_key_row(void *arg, sqlite3_stmt *row)
{
	struct keys *to = arg;
	struct key k = { 0 };

	/* Whose it was, and what it may, nobody knows: it opens nothing. */
	if (sqlite3_column_bytes(row, 0) != sizeof(k.id.byte) ||
	    sqlite3_column_bytes(row, 5) != DIGEST_BYTES ||
	    sqlite3_column_int(row, 9) == 0) {
		to->damaged++;
		return OK;
	}
	memcpy(k.id.byte, sqlite3_column_blob(row, 0), sizeof(k.id.byte));
	copy_name(k.label, sizeof(k.label), row, 1);
	copy_name(k.owner, sizeof(k.owner), row, 2);
	copy_name(k.hint, sizeof(k.hint), row, 3);
	k.scopes = (unsigned)sqlite3_column_int64(row, 4);
	memcpy(k.hash, sqlite3_column_blob(row, 5), DIGEST_BYTES);
	k.created_ms = sqlite3_column_int64(row, 6);
	k.expires_ms = sqlite3_column_int64(row, 7);
	k.revoked_ms = sqlite3_column_int64(row, 8);
	return to->on_key(to->arg, &k);
}

enum err sqlite_keys_load(struct engine_db *db, void *arg,
    enum err (*on_key)(void *arg, const struct key *k), uint32_t *ret_damaged)
{
	struct keys to = {
		.d = (struct sqlite_db *)db, .on_key = on_key, .arg = arg
	};

	enum err rc = sqlite_each(to.d, SQL_KEYS, SQL_NOTHING, on_key_row, &to);

	if (rc == OK)
		*ret_damaged = to.damaged;
	return rc;
}

static enum err on_version(void *arg, sqlite3_stmt *row)
{
	uint32_t *last = arg;

	*last = (uint32_t)sqlite3_column_int64(row, 0);
	return OK;
}

enum err sqlite_prompt_insert(struct engine_db *db, struct prompt *p)
{
	struct sqlite_db *d = (struct sqlite_db *)db;
	uint32_t last = 0;
	enum err rc;

	rc = sqlite_one(d, SQL_PROMPT_VERSION,
	    SQL_WITH(SQL_TEXT(p->owner), SQL_TEXT(p->name)), on_version, &last);
	if (rc != OK && rc != ERR_NOT_FOUND)
		return rc;
	rc = sqlite_run(d, SQL_PROMPT_INSERT,
	    SQL_WITH(SQL_TEXT(p->owner), SQL_TEXT(p->name), SQL_INT(last + 1),
		SQL_INT(p->created_ms), SQL_CHARS(p->body, p->body_len)),
	    NULL);
	if (rc == OK)
		p->version = last + 1;
	return rc;
}

enum err sqlite_prompt_delete(
    struct engine_db *db, const char *owner, const char *name)
{
	int changed = 0;
	enum err rc;

	rc = sqlite_run((struct sqlite_db *)db, SQL_PROMPT_DELETE,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(name)), &changed);
	return rc == OK && changed == 0 ? ERR_NOT_FOUND : rc;
}

static enum err read_prompt(
    struct sqlite_db *d, sqlite3_stmt *row, struct prompt *ret)
{
	struct prompt p = { .version = (uint32_t)sqlite3_column_int64(row, 2),
		.created_ms = sqlite3_column_int64(row, 4) };
	enum err rc;

	if (sqlite3_column_int(row, 5) == 0)
		return sqlite_corrupt(
		    d, "a prompt is damaged; spool check says more");
	rc = sqlite_text(row, 0, &p.owner, NULL);
	if (rc == OK)
		rc = sqlite_text(row, 1, &p.name, NULL);
	if (rc == OK)
		rc = sqlite_text(row, 3, &p.body, &p.body_len);
	if (rc == OK)
		*ret = p;
	else
		prompt_fini(&p);
	return rc;
}

struct prompts {
	struct sqlite_db *d;
	struct prompt *list;
	uint32_t n, limit;
};

static enum err on_prompts(void *arg, sqlite3_stmt *row)
{
	struct prompts *to = arg;
	enum err rc;

	if (to->n == to->limit)
		return SQLITE_ENOUGH;
	rc = read_prompt(to->d, row, &to->list[to->n]);
	if (rc == OK)
		to->n++;
	return rc;
}

enum err sqlite_prompt_get(struct engine_db *db, const char *owner,
    const char *name, uint32_t version, struct prompt *ret)
{
	struct prompts to = { (struct sqlite_db *)db, ret, 0, 1 };

	return sqlite_one(to.d, SQL_PROMPT_GET,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(name), SQL_INT(version)),
	    on_prompts, &to);
}

enum err sqlite_prompt_list(struct engine_db *db, const char *owner,
    const char *after, uint32_t limit, struct prompt *ret, uint32_t *ret_n)
{
	struct prompts to = { (struct sqlite_db *)db, ret, 0, limit };
	enum err rc;

	rc = sqlite_each(to.d, SQL_PROMPT_LIST,
	    SQL_WITH(SQL_TEXT(owner), SQL_TEXT(after == NULL ? "" : after),
		SQL_INT(limit)),
	    on_prompts, &to);
	if (rc == OK)
		*ret_n = to.n;
	else
		while (to.n > 0)
			prompt_fini(&ret[--to.n]);
	return rc;
}
