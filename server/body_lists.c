/* Keys to be made, and many polls at once. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "store/page.h"

/* "run,read" or ["run", "read"] */
static enum err read_scopes(const json_t *v, unsigned *ret, struct problem *p)
{
	char text[128] = "";
	size_t used = 0, i;
	const json_t *item;
	struct why why = { "" };

	if (json_is_string(v))
		(void)snprintf(text, sizeof(text), "%s", json_string_value(v));
	json_array_foreach(v, i, item)
	{
		if (!json_is_string(item) || used + 40 > sizeof(text))
			break;
		used += (size_t)snprintf(text + used, sizeof(text) - used,
		    "%s%.30s", used ? "," : "", json_string_value(item));
	}
	if (!text[0])
		return body_refuse(p, "scopes",
		    "scopes must be a list of run, read and admin");
	if (key_scopes_parse(text, ret, &why) != OK)
		return body_refuse(p, "scopes", "%s", why.text);
	return OK;
}

static enum err read_name(
    const json_t *root, const char *name, char *dst, struct problem *p)
{
	const char *names[] = { name, NULL }, *text = "";

	if (body_text(root, names, &text, p) != OK)
		return ERR_INPUT;
	if (strlen(text) >= KEY_NAME_BYTES)
		return body_refuse(p, name, "%s must be at most %d bytes", name,
		    KEY_NAME_BYTES - 1);
	(void)snprintf(dst, KEY_NAME_BYTES, "%s", text);
	return OK;
}

enum err body_key(const char *text, size_t len, int64_t now_ms, struct key *ret,
    struct problem *p)
{
	static const char *const known[] = { "label", "owner", "scopes",
		"expires_in_s" };
	static const char *const expires[] = { "expires_in_s", NULL };
	struct key k = { .created_ms = now_ms };
	json_t *root = NULL;
	int64_t in_s = 0;
	enum err e;

	e = body_parse(text, len, &root, p);
	if (e == OK)
		e = body_only(root, "", known, 4, p);
	if (e == OK)
		e = read_name(root, "label", k.label, p);
	if (e == OK)
		e = read_name(root, "owner", k.owner, p);
	if (e == OK)
		e = read_scopes(json_object_get(root, "scopes"), &k.scopes, p);
	if (e == OK)
		e = body_int(root, expires, 1, 3153600000, &in_s, p);
	if (e == OK) {
		if (in_s > 0)
			k.expires_ms = now_ms + in_s * 1000;
		*ret = k;
	}
	json_decref(root);
	return e;
}

static enum err read_poll(
    const json_t *item, size_t i, struct body_poll *ret, struct problem *p)
{
	static const char *const id_names[] = { "execution_id", "executionId",
		NULL };
	static const char *const from_names[] = { "fromIndex", "from_index",
		NULL };
	static const char *const known[] = { "execution_id", "executionId",
		"fromIndex", "from_index" };
	char where[48];
	const char *text = NULL;
	int64_t from = 0;

	(void)snprintf(where, sizeof(where), "executions[%zu]", i);
	if (!json_is_object(item))
		return body_refuse(p, where,
		    "%s must be {\"execution_id\", \"fromIndex\"}", where);
	if (body_only(item, where, known, 4, p) != OK ||
	    body_text(item, id_names, &text, p) != OK ||
	    body_int(item, from_names, 0, INT64_MAX, &from, p) != OK)
		return ERR_INPUT;
	if (!text)
		return body_refuse(
		    p, where, "%s.execution_id must be a string", where);
	(void)snprintf(ret->name[i], ID_TEXT, "%s", text);
	/* A cut name must stay text: what is no id is only shown as ASCII. */
	for (char *c = ret->name[i]; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			*c = '?';
	ret->valid[i] = id_parse(text, strlen(text), &ret->id[i]) == OK;
	ret->from[i] = (uint64_t)from;
	return OK;
}

enum err body_poll(
    const char *text, size_t len, struct body_poll *ret, struct problem *p)
{
	static const char *const known[] = { "executions", "wait_ms", "waitMs",
		"limit" };
	static const char *const wait_names[] = { "wait_ms", "waitMs", NULL };
	static const char *const limit_names[] = { "limit", NULL };
	json_t *root = NULL, *list;
	const json_t *item;
	int64_t limit = 0;
	size_t i;
	enum err e;

	memset(ret, 0, sizeof(*ret));
	e = body_parse(text, len, &root, p);
	if (e == OK)
		e = body_only(root, "", known, 4, p);
	if (e == OK)
		e = body_int(
		    root, wait_names, 0, BODY_MAX_WAIT_MS, &ret->wait_ms, p);
	if (e == OK)
		e = body_int(root, limit_names, 1, PAGE_MAX_CHUNKS, &limit, p);
	if (e != OK)
		goto out;
	ret->limit = (uint32_t)limit;
	list = json_object_get(root, "executions");
	if (!json_is_array(list) || json_array_size(list) == 0 ||
	    json_array_size(list) > BODY_MAX_POLLS) {
		e = body_refuse(p, "executions",
		    "executions must be a list of 1 to %d", BODY_MAX_POLLS);
		goto out;
	}
	json_array_foreach(list, i, item)
	{
		e = read_poll(item, i, ret, p);
		if (e != OK)
			goto out;
	}
	ret->n = json_array_size(list);
out:
	json_decref(root);
	return e;
}

/* Letters, digits and ".-_", not hidden. */
static bool name_is_plain(const char *name)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";

	return name[0] && name[0] != '.' && strlen(name) < BODY_BACKUP_BYTES &&
	       strspn(name, plain) == strlen(name);
}

enum err body_backup(const char *text, size_t len,
    char ret_name[BODY_BACKUP_BYTES], struct problem *p)
{
	static const char *const known[] = { "name" };
	json_t *root = NULL;
	const json_t *given;
	const char *said;
	enum err e = OK;

	if (len > 0)
		e = body_parse(text, len, &root, p);
	if (e == OK && root)
		e = body_only(root, "", known, 1, p);
	if (e != OK)
		goto out;
	given = json_object_get(root, "name");
	said = json_string_value(given);
	if (given && (!said || strlen(said) != json_string_length(given) ||
			 !name_is_plain(said)))
		e = body_refuse(p, "name",
		    "name is of 1 to %d letters, digits and .-_ and does not "
		    "begin with a dot",
		    BODY_BACKUP_BYTES - 1);
	else
		(void)snprintf(
		    ret_name, BODY_BACKUP_BYTES, "%s", given ? said : "");
out:
	json_decref(root);
	return e;
}
