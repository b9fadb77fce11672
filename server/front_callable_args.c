#include "server/front_callable_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body_internal.h"
#include "store/page.h"

#define WRAPPER "type.googleapis.com/google.protobuf."

/* {"@type": "…Int64Value", "value": "123"} → 123; NULL when it is none. */
static json_t *unwrap(const json_t *v, bool *ret_bad)
{
	const char *type = json_string_value(json_object_get(v, "@type"));
	const char *text = json_string_value(json_object_get(v, "value"));
	long long n;
	char *end;

	if (!type || (strcmp(type, WRAPPER "Int64Value") != 0 &&
			 strcmp(type, WRAPPER "UInt64Value") != 0))
		return NULL;
	errno = 0;
	n = text ? strtoll(text, &end, 10) : 0;
	if (!text || end == text || *end || errno) {
		*ret_bad = true;
		return NULL;
	}
	return json_integer(n);
}

/* Decode all wrappers inside ${v}. The parser has bounded the depth. */
static void decode(json_t *v, bool *ret_bad)
{
	const char *key;
	json_t *item, *plain;
	size_t i;
	void *next;

	json_object_foreach_safe(v, next, key, item)
	{
		plain = unwrap(item, ret_bad);
		if (!plain)
			decode(item, ret_bad);
		else if (json_object_set_new(v, key, plain) != 0)
			*ret_bad = true;
	}
	json_array_foreach(v, i, item)
	{
		plain = unwrap(item, ret_bad);
		if (!plain)
			decode(item, ret_bad);
		else if (json_array_set_new(v, i, plain) != 0)
			*ret_bad = true;
	}
}

enum err front_callable_args_data(
    const char *text, size_t len, struct json_t **ret, struct problem *p)
{
	json_t *root = NULL, *data;
	bool bad = false;
	enum err e;

	e = body_parse(text, len, &root, p);
	if (e != OK)
		return e;
	data = json_object_get(root, "data");
	if (!data || json_object_size(root) != 1) {
		e = body_refuse(p, "data",
		    "the body must be {\"data\": {…}} and nothing beside it");
		goto out;
	}
	if (json_is_null(data)) {
		*ret = json_object();
		e = *ret ? OK : body_nomem(p);
		goto out;
	}
	if (!json_is_object(data)) {
		e = body_refuse(p, "data", "data must be an object or null");
		goto out;
	}
	decode(data, &bad);
	if (bad) {
		e = body_refuse(p, "data",
		    "data holds a 64-bit wrapper whose value is not one");
		goto out;
	}
	*ret = json_incref(data);
out:
	json_decref(root);
	return e;
}

enum err front_callable_args_poll(
    const struct json_t *data, struct callable_poll *ret, struct problem *p)
{
	static const char *const id_names[] = { "executionId", "execution_id",
		NULL };
	static const char *const from_names[] = { "fromIndex", "from_index",
		NULL };
	static const char *const wait_names[] = { "wait_ms", "waitMs", NULL };
	static const char *const limit_names[] = { "limit", NULL };
	struct callable_poll poll = { 0 };
	int64_t from = 0, limit = 0;
	const char *text = NULL;

	if (body_text(data, id_names, &text, p) != OK ||
	    body_int(data, from_names, 0, INT64_MAX, &from, p) != OK ||
	    body_int(data, wait_names, 0, BODY_MAX_WAIT_MS, &poll.wait_ms, p) !=
		OK ||
	    body_int(data, limit_names, 1, PAGE_MAX_CHUNKS, &limit, p) != OK)
		return ERR_INPUT;
	if (!text)
		return body_refuse(p, "executionId",
		    "executionId must be the execution_id that the start "
		    "answered");
	/* What is no id names nothing, as an id that is not there. */
	if (id_parse(text, strlen(text), &poll.id) != OK) {
		problem_from_err(p, ERR_NOT_FOUND, NULL);
		return ERR_NOT_FOUND;
	}
	poll.from = (uint64_t)from;
	poll.limit = (uint32_t)limit;
	*ret = poll;
	return OK;
}

void front_callable_args_end(
    const char *metadata, size_t len, struct callable_end *ret)
{
	json_t *root =
	    len ? json_loadb(metadata, len, JSON_ALLOW_NUL, NULL) : NULL;
	const json_t *error = json_object_get(root, "error");
	const json_t *cost = json_object_get(root, "cost_usd");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *text = json_string_value(json_object_get(error, "message"));

	*ret = (struct callable_end){ .cost = -1 };
	ret->tokens = json_integer_value(json_object_get(root, "tokens_used"));
	if (json_is_number(cost))
		ret->cost = json_number_value(cost);
	(void)snprintf(ret->code, sizeof(ret->code), "%s", code ? code : "");
	(void)snprintf(
	    ret->message, sizeof(ret->message), "%s", text ? text : "");
	json_decref(root);
}
