/* What is to be embedded (OpenAI's POST /v1/embeddings). */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "store/request.h"

static enum err check_tokens(
    const json_t *list, const char *field, struct problem *p)
{
	const json_t *v;
	size_t i;

	if (json_array_size(list) == 0)
		return body_refuse(p, field, "%s is empty", field);
	json_array_foreach(
	    list, i, v) if (!json_is_integer(v) ||
			    json_integer_value(v) < 0) return body_refuse(p,
	    field, "%s must be a text, or a list of tokens", field);
	return OK;
}

static enum err check_input(const json_t *list, struct problem *p)
{
	const json_t *v;
	char field[32];
	size_t i;

	if (json_array_size(list) == 0 ||
	    json_array_size(list) > REQUEST_MAX_INPUTS)
		return body_refuse(p, "input",
		    "input must be a text, or a list of 1 to %d texts",
		    REQUEST_MAX_INPUTS);
	json_array_foreach(list, i, v)
	{
		(void)snprintf(field, sizeof(field), "input[%zu]", i);
		if (json_is_string(v) && json_string_length(v) > 0)
			continue;
		if (!json_is_array(v))
			return body_refuse(p, field,
			    "%s must be a text that is not empty", field);
		if (check_tokens(v, field, p) != OK)
			return ERR_INPUT;
	}
	return OK;
}

/* Always a list, as it is stored: one text, or one list of tokens, too. */
static enum err take_input(
    const json_t *root, json_t *members, struct problem *p)
{
	json_t *input = json_object_get(root, "input"), *list;
	bool one =
	    json_is_string(input) || json_is_integer(json_array_get(input, 0));
	enum err e;

	list = one ? json_pack("[O]", input) : json_incref(input);
	if (one && !list)
		return body_nomem(p);
	e = check_input(list, p);
	if (e == OK && json_object_set(members, "input", list) != 0)
		e = body_nomem(p);
	json_decref(list);
	return e;
}

static enum err take_format(
    const json_t *root, bool *ret_base64, struct problem *p)
{
	static const char *const names[] = { "encoding_format", NULL };
	const char *word = "float";

	if (body_text(root, names, &word, p) != OK)
		return ERR_INPUT;
	*ret_base64 = strcmp(word, "base64") == 0;
	if (!*ret_base64 && strcmp(word, "float") != 0)
		return body_refuse(p, "encoding_format",
		    "encoding_format must be float or base64");
	return OK;
}

static enum err take_dimensions(
    const json_t *root, json_t *members, struct problem *p)
{
	static const char *const names[] = { "dimensions", NULL };
	int64_t n = 0;

	if (body_int(root, names, 1, 65536, &n, p) != OK)
		return ERR_INPUT;
	if (n > 0 &&
	    json_object_set_new(members, "dimensions", json_integer(n)) != 0)
		return body_nomem(p);
	return OK;
}

/* What is left: ours, or for upstreams of the same protocol. */
static enum err take_rest(
    const json_t *root, json_t *members, struct problem *p)
{
	static const char *const ours[] = { "model", "metadata", "extra",
		"retry" };
	static const char *const read[] = { "input", "dimensions",
		"encoding_format" };
	json_t *rest = json_object(), *v;
	const char *key;
	enum err e = rest ? OK : body_nomem(p);

	json_object_foreach((json_t *)(uintptr_t)root, key, v)
	{
		bool is_ours = false, is_read = json_is_null(v);

		for (size_t i = 0; i < 4; i++)
			is_ours |= strcmp(ours[i], key) == 0;
		for (size_t i = 0; i < 3; i++)
			is_read |= strcmp(read[i], key) == 0;
		if (e != OK || is_read)
			continue;
		if (is_ours)
			e = body_setting(members, key, v, p);
		else if (json_object_set(rest, key, v) != 0)
			e = body_nomem(p);
	}
	if (e == OK && json_object_size(rest) > 0 &&
	    json_object_set(members, "openai", rest) != 0)
		e = body_nomem(p);
	json_decref(rest);
	return e;
}

enum err body_embeddings(
    const struct json_t *root, struct body_embeddings *ret, struct problem *p)
{
	struct body_embeddings out = { .create.members = json_object() };
	json_t *members = out.create.members;
	enum err e;

	e = members ? take_format(root, &out.base64, p) : body_nomem(p);
	if (e == OK)
		e = take_input(root, members, p);
	if (e == OK)
		e = take_dimensions(root, members, p);
	if (e == OK)
		e = take_rest(root, members, p);
	/* Half of them, and then all, would not be told apart. */
	if (e == OK && body_create_blind(&out.create, true) != OK)
		e = body_nomem(p);
	if (e == OK)
		*ret = out;
	else
		body_create_fini(&out.create);
	return e;
}
