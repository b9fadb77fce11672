#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/body.h"
#include "server/body_internal.h"
#include "server/suggest.h"
#include "store/base/spare.h"
#include "store/request.h"

enum err body_refuse(struct problem *p, const char *field, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	problem_set(p, PROBLEM_INVALID_ARGUMENT, field, "%s", text);
	return ERR_INPUT;
}

enum err body_nomem(struct problem *p)
{
	problem_from_err(p, ERR_NOMEM, NULL);
	return ERR_NOMEM;
}

enum err body_unknown(struct problem *p, const char *where, const char *name,
    const char *const *known, size_t n_known)
{
	const char *near = strlen(name) <= SUGGEST_MAX_WORD
			       ? suggest_nearest(name, known, n_known)
			       : NULL;
	char field[128];

	(void)snprintf(field, sizeof(field), "%s%s%.64s", where,
	    where[0] ? "." : "", name);
	/* A name that is known elsewhere is no help here. */
	if (near && strcmp(near, name) != 0)
		return body_refuse(p, field,
		    "%s is not known here; did you mean %s?", field, near);
	return body_refuse(p, field, "%s is not known here", field);
}

enum err body_only(const json_t *o, const char *where, const char *const *known,
    size_t n, struct problem *p)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)o, key, v)
	{
		size_t i = 0;

		while (i < n && strcmp(known[i], key) != 0)
			i++;
		if (i == n)
			return body_unknown(p, where, key, known, n);
	}
	return OK;
}

/* Levels of nesting before any tree is built; strings are stepped over. */
static bool too_deep(const char *s, size_t len)
{
	int depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				in_string = false;
			continue;
		}
		if (s[i] == '"')
			in_string = true;
		else if (s[i] == '{' || s[i] == '[')
			depth++;
		else if (s[i] == '}' || s[i] == ']')
			depth--;
		if (depth > REQUEST_MAX_DEPTH)
			return true;
	}
	return false;
}

enum err body_parse(
    const char *text, size_t len, struct json_t **ret, struct problem *p)
{
	json_error_t why;
	json_t *root;
	bool whole;

	if (len == 0) {
		problem_set(p, PROBLEM_BAD_JSON, NULL,
		    "the body is empty; a JSON object is expected");
		return ERR_INPUT;
	}
	if (memchr(text, '\0', len)) {
		problem_set(p, PROBLEM_BAD_JSON, NULL,
		    "the body holds a NUL byte, which JSON does not");
		return ERR_INPUT;
	}
	if (too_deep(text, len)) {
		problem_set(p, PROBLEM_BAD_JSON, NULL,
		    "the body is nested deeper than %d levels",
		    REQUEST_MAX_DEPTH);
		return ERR_INPUT;
	}
	if (spare_begin(len) != OK)
		return body_nomem(p);
	root = json_loadb(
	    text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
	whole = spare_whole();
	if (!whole)
		json_decref(root);
	spare_end();
	if (!whole)
		return body_nomem(p);
	/* Without memory jansson often says nothing. */
	if (!root && (why.text[0] == '\0' ||
			 json_error_code(&why) == json_error_out_of_memory))
		return body_nomem(p);
	if (!root) {
		/* What is near the fault may be a secret: only its place. */
		char *near = strstr(why.text, " near ");

		if (near)
			*near = '\0';
		problem_set(p, PROBLEM_BAD_JSON, NULL, "line %d column %d: %s",
		    why.line, why.column, why.text);
		return ERR_INPUT;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		problem_set(p, PROBLEM_BAD_JSON, NULL,
		    "the body must be a JSON object");
		return ERR_INPUT;
	}
	*ret = root;
	return OK;
}

json_t *body_member(const json_t *o, const char *const *names)
{
	for (; *names; names++) {
		json_t *v = json_object_get(o, *names);

		if (v && !json_is_null(v))
			return v;
	}
	return NULL;
}

enum err body_text(const json_t *o, const char *const *names, const char **ret,
    struct problem *p)
{
	json_t *v = body_member(o, names);

	if (!v)
		return OK;
	if (!json_is_string(v))
		return body_refuse(
		    p, names[0], "%s must be a string", names[0]);
	if (strlen(json_string_value(v)) != json_string_length(v))
		return body_refuse(
		    p, names[0], "%s must not hold a NUL", names[0]);
	*ret = json_string_value(v);
	return OK;
}

enum err body_int(const json_t *o, const char *const *names, int64_t min,
    int64_t max, int64_t *ret, struct problem *p)
{
	json_t *v = body_member(o, names);
	int64_t n;

	if (!v)
		return OK;
	/* JavaScript's 3.0 arrives as 3, Python's as 3.0. */
	if (json_is_real(v) && json_real_value(v) >= -9e15 &&
	    json_real_value(v) <= 9e15 &&
	    (double)(int64_t)json_real_value(v) == json_real_value(v))
		n = (int64_t)json_real_value(v);
	else if (json_is_integer(v))
		n = json_integer_value(v);
	else
		return body_refuse(
		    p, names[0], "%s must be a whole number", names[0]);
	if (n < min || n > max)
		return body_refuse(p, names[0], "%s must be from %lld to %lld",
		    names[0], (long long)min, (long long)max);
	*ret = n;
	return OK;
}

char *body_dump(const json_t *v, size_t *ret_len)
{
	char *text = json_dumps(
	    v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

	if (text && ret_len)
		*ret_len = strlen(text);
	return text;
}
