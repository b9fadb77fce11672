/* Which answers a response goes on from or refers to; what is known of them. */
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/body_responses_internal.h"
#include "store/base/spare.h"

bool body_responses_is(const json_t *v, const char *word)
{
	return json_is_string(v) && strcmp(json_string_value(v), word) == 0;
}

json_t *body_responses_get(const json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);

	return json_is_null(v) ? NULL : v;
}

json_t *body_responses_load(const char *text, size_t len)
{
	json_t *v;

	if (spare_begin(len) != OK)
		return NULL;
	v = json_loadb(text, len, JSON_ALLOW_NUL, NULL);
	if (!spare_whole()) {
		json_decref(v);
		v = NULL;
	}
	spare_end();
	return v;
}

bool body_responses_id(const json_t *v, const char *prefix, struct id *ret)
{
	const char *s = json_string_value(v);
	size_t n = prefix ? strlen(prefix) : 0;

	if (!s)
		return false;
	if (prefix && strncmp(s, prefix, n) == 0)
		s += n;
	else if (!prefix && strchr(s, '_'))
		s = strchr(s, '_') + 1;
	n = strcspn(s, "_");
	return id_parse(s, n, ret) == OK;
}

static enum err past_add(
    struct body_past *past, const struct id *id, struct problem *p)
{
	for (size_t i = 0; i < past->n; i++)
		if (memcmp(&past->id[i], id, sizeof(*id)) == 0)
			return OK;
	if (past->n == BODY_RESPONSES_PAST)
		return body_refuse(p, "input",
		    "input refers to more than %d responses; send their items "
		    "themselves, or previous_response_id",
		    BODY_RESPONSES_PAST);
	past->id[past->n++] = *id;
	return OK;
}

enum err body_responses_past(
    const struct json_t *root, struct body_past *ret, struct problem *p)
{
	const json_t *previous =
	    body_responses_get(root, "previous_response_id");
	const json_t *input = json_object_get(root, "input"), *item;
	struct id id;
	size_t i;

	*ret = (struct body_past){ 0 };
	if (previous) {
		if (!body_responses_id(previous, "resp_", &id))
			return body_refuse(p, "previous_response_id",
			    "previous_response_id must be a response's id "
			    "(resp_…) or an execution_id");
		ret->previous = true;
		ret->id[ret->n++] = id;
	}
	json_array_foreach(input, i, item)
	{
		char field[64];

		if (!body_responses_is(
			json_object_get(item, "type"), "item_reference"))
			continue;
		(void)snprintf(field, sizeof(field), "input[%zu]", i);
		if (!body_responses_id(json_object_get(item, "id"), NULL, &id))
			return body_refuse(p, field,
			    "%s.id is not of an item that this server gave",
			    field);
		if (past_add(ret, &id, p) != OK)
			return ERR_INPUT;
	}
	return OK;
}

enum err body_responses_note(struct json_t *past, const struct id *id,
    const char *request, size_t request_len, const char *output,
    size_t output_len)
{
	char name[ID_TEXT];
	json_t *asked, *answer, *both;
	enum err e = OK;

	id_text(id, name);
	asked = body_responses_load(
	    request ? request : "{}", request ? request_len : 2);
	answer = body_responses_load(output, output_len);
	both = asked && answer ? json_object() : NULL;
	if (!both || json_object_set(both, "request", asked) != 0 ||
	    json_object_set(both, "output", answer) != 0 ||
	    json_object_set(past, name, both) != 0)
		e = ERR_NOMEM;
	json_decref(asked);
	json_decref(answer);
	json_decref(both);
	return e;
}
