#include "server/body_ws.h"

#include <stdlib.h>
#include <string.h>

#include "server/body_internal.h"

static const struct {
	const char *name;
	enum body_ws_type type;
	const char *members[7]; /* beside type and id; NULL: any */
} types[] = {
	{ "start", BODY_WS_START,
	    { "request", "subscribe", "from", "after", "on_disconnect",
		"idempotency_key" } },
	{ "subscribe", BODY_WS_SUBSCRIBE,
	    { "execution_id", "from", "after", "on_disconnect" } },
	{ "unsubscribe", BODY_WS_UNSUBSCRIBE, { "execution_id" } },
	{ "cancel", BODY_WS_CANCEL, { "execution_id" } },
	{ "ping", BODY_WS_PING, { NULL } },
	{ "stream_start", BODY_WS_QUERY, { NULL } },
};
#define N_TYPES (sizeof(types) / sizeof(types[0]))

/* A short string or a whole number, as JSON text. */
static enum err read_tag(
    const json_t *root, const char *name, char *dst, struct problem *p)
{
	const json_t *v = json_object_get(root, name);
	enum err e = OK;
	char *text;
	size_t len;

	if (!v || json_is_null(v))
		return OK;
	if (!json_is_string(v) && !json_is_integer(v))
		return body_refuse(
		    p, name, "%s must be a string or a whole number", name);
	text = body_dump(v, &len);
	if (!text)
		return body_nomem(p);
	if (len < BODY_WS_TAG)
		memcpy(dst, text, len + 1);
	else
		e = body_refuse(p, name, "%s is longer than %d bytes", name,
		    BODY_WS_TAG - 3);
	free(text);
	return e;
}

/* *${ret} is a place in types. */
static enum err read_type(const json_t *root, size_t *ret, struct problem *p)
{
	const json_t *v = json_object_get(root, "type");
	const char *text = json_string_value(v);

	/* The older shape may leave its only type out. */
	if (!v && json_object_get(root, "query"))
		text = "stream_start";
	for (size_t i = 0; text && i < N_TYPES; i++)
		if (strcmp(types[i].name, text) == 0) {
			*ret = i;
			return OK;
		}
	return body_refuse(p, "type",
	    "type must be one of start, subscribe, unsubscribe, cancel and "
	    "ping (or stream_start)");
}

static enum err check_members(
    const json_t *root, size_t type, struct problem *p)
{
	const char *known[9] = { "type", "id" };
	size_t n = 2;

	if (types[type].type == BODY_WS_QUERY)
		return OK;
	for (const char *const *m = types[type].members; *m; m++)
		known[n++] = *m;
	return body_only(root, "", known, n, p);
}

static enum err read_execution(
    const json_t *root, struct id *ret, struct problem *p)
{
	const json_t *v = json_object_get(root, "execution_id");
	const char *text = json_string_value(v);

	if (text && id_parse(text, json_string_length(v), ret) == OK)
		return OK;
	return body_refuse(p, "execution_id",
	    "execution_id must be the id of an execution, a UUID");
}

/* "from" is the first index wanted, "after" the last one known. */
static enum err read_from(const json_t *root, uint64_t *ret, struct problem *p)
{
	static const char *const froms[] = { "from", NULL };
	static const char *const afters[] = { "after", NULL };
	int64_t from = 0, after = -1;
	enum err e;

	if (body_member(root, froms) && body_member(root, afters))
		return body_refuse(p, "after",
		    "send from (the first index wanted) or after (the last one "
		    "known), not both");
	e = body_int(root, froms, 0, INT64_MAX - 1, &from, p);
	if (e == OK)
		e = body_int(root, afters, -1, INT64_MAX - 2, &after, p);
	if (e == OK)
		*ret = (uint64_t)(after >= 0 ? after + 1 : from);
	return e;
}

static enum err read_disconnect(
    const json_t *root, struct body_ws *w, struct problem *p)
{
	static const char *const names[] = { "on_disconnect", NULL };
	const char *text = "continue";

	if (body_text(root, names, &text, p) != OK)
		return ERR_INPUT;
	w->cancel_if_gone = strcmp(text, "cancel") == 0;
	if (!w->cancel_if_gone && strcmp(text, "continue") != 0)
		return body_refuse(p, "on_disconnect",
		    "on_disconnect must be continue or cancel");
	if (w->cancel_if_gone && !w->follow)
		return body_refuse(p, "on_disconnect",
		    "on_disconnect: cancel needs the subscription");
	return OK;
}

static enum err hash(
    const json_t *v, uint8_t dst[DIGEST_BYTES], struct problem *p)
{
	size_t len;
	char *text = body_dump(v, &len);

	if (!text)
		return body_nomem(p);
	digest_sha256(text, len, dst);
	free(text);
	return OK;
}

static enum err read_start(
    const json_t *root, struct body_ws *w, struct problem *p)
{
	static const char *const keys[] = { "idempotency_key", NULL };
	const json_t *request = json_object_get(root, "request");
	const json_t *follow = json_object_get(root, "subscribe");
	const char *key = "";
	enum err e;

	if (follow && !json_is_boolean(follow))
		return body_refuse(
		    p, "subscribe", "subscribe must be true or false");
	w->follow = !json_is_false(follow);
	if (body_text(root, keys, &key, p) != OK)
		return ERR_INPUT;
	if (strlen(key) >= sizeof(w->idempotency_key))
		return body_refuse(p, keys[0], "%s is longer than %zu bytes",
		    keys[0], sizeof(w->idempotency_key) - 1);
	memcpy(w->idempotency_key, key, strlen(key) + 1);
	if (!json_is_object(request))
		return body_refuse(p, "request",
		    "request must be an object: what POST /v1/executions "
		    "takes");
	e = read_from(root, &w->from, p);
	if (e == OK)
		e = read_disconnect(root, w, p);
	if (e == OK)
		e = hash(request, w->hash, p);
	return e == OK ? body_create(request, &w->create, p) : e;
}

/* Its clients append what they are told, and know of nothing else. */
static enum err read_query(
    const json_t *root, struct body_ws *w, struct problem *p)
{
	const json_t *query = json_object_get(root, "query");
	const json_t *model = json_object_get(root, "model");
	json_t *request;
	enum err e;

	if (!json_is_string(query) || json_string_length(query) == 0)
		return body_refuse(
		    p, "query", "query must be a string that is not empty");
	request = json_pack("{s:O,s:O*}", "prompt", query, "model", model);
	if (!request)
		return body_nomem(p);
	w->follow = true;
	w->query = body_dump(query, NULL);
	e = w->query ? OK : body_nomem(p);
	if (e == OK)
		e = hash(request, w->hash, p);
	if (e == OK)
		e = body_create(request, &w->create, p);
	json_decref(request);
	return e;
}

static enum err read_message(
    const json_t *root, struct body_ws *w, struct problem *p)
{
	size_t i = 0;
	enum err e = read_type(root, &i, p);
	enum err tag;

	w->type = e == OK ? types[i].type : BODY_WS_PING;
	tag = read_tag(
	    root, w->type == BODY_WS_QUERY ? "session_id" : "id", w->tag, p);
	if (e == OK)
		e = tag;
	if (e == OK)
		e = check_members(root, i, p);
	if (e != OK)
		return e;
	switch (w->type) {
	case BODY_WS_START: return read_start(root, w, p);
	case BODY_WS_QUERY: return read_query(root, w, p);
	case BODY_WS_PING: return OK;
	case BODY_WS_SUBSCRIBE:
		w->follow = true;
		e = read_from(root, &w->from, p);
		if (e == OK)
			e = read_disconnect(root, w, p);
		break;
	case BODY_WS_UNSUBSCRIBE:
	case BODY_WS_CANCEL: break;
	}
	return e == OK ? read_execution(root, &w->execution, p) : e;
}

enum err body_ws(
    const char *text, size_t len, struct body_ws *ret, struct problem *p)
{
	json_t *root = NULL;
	enum err e;

	*ret = (struct body_ws){ .type = BODY_WS_PING };
	e = body_parse(text, len, &root, p);
	if (e == OK)
		e = read_message(root, ret, p);
	if (e != OK)
		body_ws_fini(ret);
	json_decref(root);
	return e;
}

void body_ws_fini(struct body_ws *w)
{
	body_create_fini(&w->create);
	free(w->query);
	w->query = NULL;
}
