#include "server/option.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/credential.h"
#include "server/option_internal.h"
#include "server/suggest.h"
#include "store/base/digest.h"
#include "store/base/log.h"

static void value_clear(struct option_value *v)
{
	for (size_t i = 0; i < v->n; i++) {
		digest_wipe(v->text[i], strlen(v->text[i]));
		free(v->text[i]);
		v->text[i] = NULL;
	}
	v->n = 0;
}

static size_t count(const struct option_spec *const *tables)
{
	size_t n = 0;

	for (size_t t = 0; tables[t]; t++)
		for (size_t i = 0; tables[t][i].name; i++)
			n++;
	return n;
}

enum err option_set_new(
    const struct option_spec *const *tables, struct option_set **ret)
{
	struct option_set *set;
	struct why why = { "" };
	size_t n = 0;

	set = calloc(1, sizeof(*set));
	if (!set)
		return ERR_NOMEM;
	set->values = calloc(count(tables) + 1, sizeof(*set->values));
	if (!set->values)
		goto nomem;
	for (size_t t = 0; tables[t]; t++)
		for (size_t i = 0; tables[t][i].name; i++)
			set->values[n++].spec = &tables[t][i];
	set->n = n;
	for (size_t i = 0; i < n; i++) {
		const struct option_spec *spec = set->values[i].spec;
		enum err err;

		if (!spec->fallback)
			continue;
		err = option_put(&set->values[i], spec->fallback,
		    OPTION_FROM_DEFAULT, "default", &why);
		if (err == ERR_NOMEM)
			goto nomem;
		ASSERT(err == OK);
	}
	*ret = set;
	return OK;
nomem:
	option_set_free(set);
	return ERR_NOMEM;
}

void option_set_free(struct option_set *set)
{
	if (!set)
		return;
	if (set->values)
		for (size_t i = 0; i < set->n; i++)
			value_clear(&set->values[i]);
	free(set->values);
	free(set);
}

/* --- taking values --- */

static enum err check_bounds(
    const struct option_spec *spec, double v, const char *text, struct why *why)
{
	double max = spec->max ? (double)spec->max : (double)INT64_MAX;

	if (v >= (double)spec->min && v <= max)
		return OK;
	if (spec->kind == OPTION_INT || spec->kind == OPTION_NUMBER) {
		if (spec->max)
			err_why(why, "\"%s\" is not between %lld and %lld",
			    text, (long long)spec->min, (long long)spec->max);
		else
			err_why(why, "\"%s\" is less than %lld", text,
			    (long long)spec->min);
	} else {
		err_why(
		    why, "\"%s\" is too %s", text, v > max ? "large" : "small");
	}
	return ERR_INPUT;
}

static enum err check_word(
    const struct option_spec *spec, const char *text, struct why *why)
{
	char all[256] = "";
	const char *near;
	size_t n = 0, used = 0;

	for (; spec->words[n]; n++) {
		if (strcmp(spec->words[n], text) == 0)
			return OK;
		if (used < sizeof(all))
			used += (size_t)snprintf(all + used, sizeof(all) - used,
			    "%s%s", n ? ", " : "", spec->words[n]);
	}
	near = suggest_nearest(text, spec->words, n);
	if (near)
		err_why(why, "\"%s\" is not one of %s; did you mean \"%s\"?",
		    text, all, near);
	else
		err_why(why, "\"%s\" is not one of %s", text, all);
	return ERR_INPUT;
}

/* Is ${text} fit for ${v}? Sets the parsed number beside it. */
static enum err check(struct option_value *v, const char *text, struct why *why)
{
	const struct option_spec *spec = v->spec;
	enum err err = OK;
	double number = 0;
	int64_t i = 0;
	bool b = false;

	if (strlen(text) > OPTION_MAX_VALUE) {
		err_why(why, "the value is too long");
		return ERR_INPUT;
	}
	switch (spec->kind) {
	case OPTION_BOOL:
		err = option_parse_bool(text, &b, why);
		i = b;
		break;
	case OPTION_INT: err = option_parse_int(text, &i, why); break;
	case OPTION_SIZE: err = option_parse_size(text, &i, why); break;
	case OPTION_DURATION: err = option_parse_duration(text, &i, why); break;
	case OPTION_NUMBER:
		err = option_parse_number(text, &number, why);
		break;
	case OPTION_ENUM: err = check_word(spec, text, why); break;
	case OPTION_STRING:
	case OPTION_LIST:
	case OPTION_SECRET: break;
	}
	if (err)
		return err;
	if (spec->kind == OPTION_INT || spec->kind == OPTION_SIZE ||
	    spec->kind == OPTION_DURATION)
		number = (double)i;
	if (spec->kind != OPTION_BOOL) {
		err = check_bounds(spec, number, text, why);
		if (err)
			return err;
	}
	v->integer = i;
	v->number = number;
	return OK;
}

static enum err push(
    struct option_value *v, const char *text, size_t len, struct why *why)
{
	char *copy;

	if (v->n == OPTION_MAX_LIST) {
		err_why(why, "more than %d values", OPTION_MAX_LIST);
		return ERR_INPUT;
	}
	copy = strndup(text, len);
	if (!copy)
		return ERR_NOMEM;
	v->text[v->n++] = copy;
	return OK;
}

/* Commas part a list everywhere but on the command line. */
static enum err push_all(struct option_value *v, const char *text,
    enum option_origin origin, struct why *why)
{
	enum err err = OK;

	if (v->spec->kind != OPTION_LIST || origin == OPTION_FROM_FLAG)
		return push(v, text, strlen(text), why);
	while (*text && !err) {
		size_t len;

		text += strspn(text, ", \t");
		len = strcspn(text, ",");
		while (len && strchr(" \t", text[len - 1]))
			len--;
		if (len)
			err = push(v, text, len, why);
		text += len;
		text += strspn(text, " \t");
	}
	return err;
}

enum err option_put(struct option_value *v, const char *text,
    enum option_origin origin, const char *where, struct why *why)
{
	bool more = v->spec->kind == OPTION_LIST && v->origin == origin &&
		    origin != OPTION_FROM_DEFAULT;
	int64_t integer = v->integer;
	double number = v->number;
	enum err err;

	err = check(v, text, why);
	if (err)
		return err;
	if (v->n && v->origin > origin) {
		v->integer = integer;
		v->number = number;
		return OK;
	}
	if (!more)
		value_clear(v);
	err = push_all(v, text, origin, why);
	if (err)
		return err;
	v->origin = origin;
	snprintf(v->where, sizeof(v->where), "%s", where);
	return OK;
}

enum err option_put_secret_file(struct option_value *v, const char *path,
    enum option_origin origin, const char *where, struct why *why)
{
	char *secret = NULL;
	enum err err;

	if (v->n && v->origin > origin)
		return OK;
	err = option_read_secret(path, &secret, why);
	if (err)
		return err;
	err = option_put(v, secret, origin, where, why);
	digest_wipe(secret, strlen(secret));
	free(secret);
	return err;
}

static enum err take_variable(
    struct option_value *v, const char *variable, bool is_path, struct why *why)
{
	const char *text = getenv(variable);
	struct why detail = { "" };
	char where[96];
	enum err err;

	if (!text || !*text)
		return OK;
	snprintf(where, sizeof(where), "environment %s", variable);
	err = is_path ? option_put_secret_file(
			    v, text, OPTION_FROM_ENV, where, &detail)
		      : option_put(v, text, OPTION_FROM_ENV, where, &detail);
	if (err)
		err_why(
		    why, "%s in the environment: %s", variable, detail.text);
	return err;
}

/* It stands for the variable; one that is set beats it. */
static enum err take_credential(struct option_value *v, struct why *why)
{
	char path[4096], where[OPTION_WHERE_BYTES];
	struct why detail = { "" };
	enum err err;

	if (!credential_path(v->spec->env, path, sizeof(path)))
		return OK;
	snprintf(
	    where, sizeof(where), "credential %.200s", strrchr(path, '/') + 1);
	err = option_put_secret_file(v, path, OPTION_FROM_ENV, where, &detail);
	if (err)
		err_why(why, "%s: %s", where, detail.text);
	return err;
}

enum err option_take_env(struct option_set *set, struct why *why)
{
	for (size_t i = 0; i < set->n; i++) {
		struct option_value *v = &set->values[i];
		char file[96];
		enum err err;

		if (!v->spec->env)
			continue;
		if (v->spec->kind == OPTION_SECRET) {
			err = take_credential(v, why);
			if (err)
				return err;
			snprintf(file, sizeof(file), "%s_FILE", v->spec->env);
			err = take_variable(v, file, true, why);
			if (err)
				return err;
		}
		err = take_variable(v, v->spec->env, false, why);
		if (err)
			return err;
	}
	return OK;
}

enum err option_take_line(struct option_set *set, const char *section,
    const char *key, const char *value, const char *file, unsigned line,
    struct why *why)
{
	char full[128], as_file[136], where[OPTION_WHERE_BYTES];

	snprintf(full, sizeof(full), "%s.%s", section, key);
	snprintf(where, sizeof(where), "%s:%u", file, line);
	for (size_t i = 0; i < set->n; i++) {
		struct option_value *v = &set->values[i];
		struct why detail = { "" };
		bool is_path = false;
		enum err err;

		if (!v->spec->key)
			continue;
		snprintf(as_file, sizeof(as_file), "%s_file", v->spec->key);
		if (v->spec->kind == OPTION_SECRET)
			is_path = strcmp(full, as_file) == 0;
		if (!is_path && strcmp(full, v->spec->key) != 0)
			continue;
		if (v->line && v->spec->kind != OPTION_LIST) {
			err_why(why,
			    "\"%s\" is given twice; the first is in line %u",
			    key, v->line);
			return ERR_INPUT;
		}
		v->line = line;
		err = is_path ? option_put_secret_file(
				    v, value, OPTION_FROM_FILE, where, &detail)
			      : option_put(
				    v, value, OPTION_FROM_FILE, where, &detail);
		if (err)
			err_why(why, "%s: %s", key, detail.text);
		return err;
	}
	return ERR_NOT_FOUND;
}

/* --- giving values --- */

static const struct option_value *find(
    const struct option_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++)
		if (strcmp(set->values[i].spec->name, name) == 0)
			return &set->values[i];
	return NULL;
}

static const struct option_value *get(
    const struct option_set *set, const char *name)
{
	const struct option_value *v = find(set, name);

	ASSERT(v != NULL);
	return v;
}

const char *option_text(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	ASSERT(v->spec->kind == OPTION_STRING || v->spec->kind == OPTION_ENUM ||
	       v->spec->kind == OPTION_SECRET);
	return v->n ? v->text[0] : NULL;
}

bool option_bool(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	ASSERT(v->spec->kind == OPTION_BOOL);
	return v->n && v->integer;
}

int64_t option_int(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	ASSERT(v->spec->kind == OPTION_INT || v->spec->kind == OPTION_SIZE ||
	       v->spec->kind == OPTION_DURATION);
	return v->n ? v->integer : 0;
}

double option_number(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	ASSERT(v->spec->kind == OPTION_NUMBER);
	return v->n ? v->number : 0;
}

const char *const *option_list(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	ASSERT(v->spec->kind == OPTION_LIST);
	return (const char *const *)v->text;
}

bool option_has(const struct option_set *set, const char *name)
{
	return find(set, name) != NULL;
}

enum option_origin option_origin(const struct option_set *set, const char *name)
{
	return get(set, name)->origin;
}

const char *option_where(const struct option_set *set, const char *name)
{
	const struct option_value *v = get(set, name);

	return v->n ? v->where : "not set";
}

const struct option_spec *option_at(const struct option_set *set, size_t i)
{
	return i < set->n ? set->values[i].spec : NULL;
}

void option_show(
    const struct option_set *set, const char *name, char *dst, size_t room)
{
	const struct option_value *v = get(set, name);
	size_t used = 0;

	dst[0] = '\0';
	if (v->spec->kind == OPTION_SECRET) {
		snprintf(dst, room, "%s", v->n ? "(set)" : "");
		return;
	}
	if (v->spec->kind == OPTION_BOOL) {
		snprintf(
		    dst, room, "%s", v->n && v->integer ? "true" : "false");
		return;
	}
	for (size_t i = 0; i < v->n && used < room; i++)
		used += (size_t)snprintf(
		    dst + used, room - used, "%s%s", i ? ", " : "", v->text[i]);
}
