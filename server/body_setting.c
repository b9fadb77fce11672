/* The members that creations and prompts share: one table. */
#include <string.h>

#include "server/body_internal.h"
#include "store/request.h"

struct setting {
	const char *name;
	const char *as; /* its name in a stored request */
	enum err (*take)(const struct setting *s, const json_t *v, json_t **ret,
	    struct problem *p);
	double min, max;
};

static enum err keep(const json_t *v, json_t **ret, struct problem *p)
{
	*ret = json_deep_copy(v);
	return *ret ? OK : body_nomem(p);
}

/* Would a byte of it end a header, or a line of a log? NUL is one. */
static bool has_control(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return true;
	return false;
}

static enum err take_model(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	if (!json_is_string(v) ||
	    json_string_length(v) > REQUEST_MAX_MODEL_BYTES ||
	    has_control(json_string_value(v), json_string_length(v)))
		return body_refuse(p, s->name,
		    "%s must be a string of at most %d bytes without control "
		    "characters",
		    s->name, REQUEST_MAX_MODEL_BYTES);
	return keep(v, ret, p);
}

static enum err take_int(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	const char *names[] = { s->name, NULL };
	json_t *o = json_pack("{s:O}", s->name, v);
	int64_t n = 0;
	enum err e;

	if (!o)
		return body_nomem(p);
	e = body_int(o, names, (int64_t)s->min, (int64_t)s->max, &n, p);
	json_decref(o);
	if (e != OK)
		return e;
	*ret = json_integer(n);
	return *ret ? OK : body_nomem(p);
}

static enum err take_number(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	if (!json_is_number(v) || !(json_number_value(v) >= s->min) ||
	    !(json_number_value(v) <= s->max))
		return body_refuse(p, s->name,
		    "%s must be a number from %g to %g", s->name, s->min,
		    s->max);
	return keep(v, ret, p);
}

static enum err take_bool(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	if (!json_is_boolean(v))
		return body_refuse(
		    p, s->name, "%s must be true or false", s->name);
	return keep(v, ret, p);
}

static enum err take_object(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	if (!json_is_object(v))
		return body_refuse(p, s->name, "%s must be an object", s->name);
	return keep(v, ret, p);
}

static enum err take_stop(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	const json_t *item;
	bool good;
	size_t i;

	if (json_is_string(v) && json_string_length(v) > 0) {
		*ret = json_pack("[O]", v);
		return *ret ? OK : body_nomem(p);
	}
	good = json_is_array(v) && json_array_size(v) >= 1 &&
	       json_array_size(v) <= 8;
	json_array_foreach(v, i, item) good =
	    good && json_is_string(item) && json_string_length(item) > 0;
	if (!good)
		return body_refuse(p, s->name,
		    "%s must be a string, or a list of 1 to 8 strings, none "
		    "of them empty",
		    s->name);
	return keep(v, ret, p);
}

static enum err take_tools(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	(void)s;
	return body_tools(v, ret, p);
}

static enum err take_tool_choice(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	(void)s;
	return body_tool_choice(v, ret, p);
}

/* Is ${v} the string ${word}, with nothing behind a NUL? */
static bool is_word(const json_t *v, const char *word)
{
	return json_is_string(v) && strlen(word) == json_string_length(v) &&
	       memcmp(json_string_value(v), word, strlen(word)) == 0;
}

static enum err take_format(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	const json_t *type = json_object_get(v, "type");
	const json_t *schema = json_object_get(v, "json_schema");

	if (is_word(type, "text") || is_word(type, "json_object"))
		return keep(v, ret, p);
	if (is_word(type, "json_schema") && json_is_object(schema))
		return keep(v, ret, p);
	return body_refuse(p, s->name,
	    "%s must be {\"type\": \"text\" or \"json_object\"}, or {\"type\": "
	    "\"json_schema\", \"json_schema\": {…}}",
	    s->name);
}

static enum err take_effort(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	static const char *const words[] = { "none", "minimal", "low", "medium",
		"high", "xhigh", "max" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(v, words[i]))
			return keep(v, ret, p);
	return body_refuse(p, s->name,
	    "%s must be none, minimal, low, medium, high, xhigh or max",
	    s->name);
}

static enum err take_interrupt(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	static const char *const words[] = { "fail", "restart", "continue",
		"auto" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (is_word(v, words[i]))
			return keep(v, ret, p);
	return body_refuse(
	    p, s->name, "%s must be fail, restart, continue or auto", s->name);
}

/* {"attempts"?, "base_ms"?, "max_ms"?} */
static enum err take_retry(
    const struct setting *s, const json_t *v, json_t **ret, struct problem *p)
{
	static const struct {
		const char *name;
		int64_t min, max;
	} members[] = { { "attempts", 1, 10 }, { "base_ms", 0, 60000 },
		{ "max_ms", 0, 60000 } };
	static const char *const known[] = { "attempts", "base_ms", "max_ms" };
	json_t *out, *member;
	const char *key;

	if (!json_is_object(v))
		return body_refuse(p, s->name,
		    "%s must be an object with attempts, base_ms, max_ms",
		    s->name);
	out = json_object();
	if (!out)
		return body_nomem(p);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *names[] = { members[i].name, NULL };
		int64_t n = -1;
		enum err e =
		    body_int(v, names, members[i].min, members[i].max, &n, p);

		if (e == OK && n >= 0 &&
		    json_object_set_new(out, members[i].name, json_integer(n)))
			e = body_nomem(p);
		if (e != OK) {
			json_decref(out);
			return e;
		}
	}
	json_object_foreach((json_t *)(uintptr_t)v, key, member)
	{
		size_t i = 0;

		while (i < 3 && strcmp(known[i], key) != 0)
			i++;
		if (i < 3)
			continue;
		json_decref(out);
		return body_unknown(p, "retry", key, known, 3);
	}
	*ret = out;
	return OK;
}

#define MOST 2147483647.0
#define EXACT 9007199254740992.0

static const struct setting settings[] = {
	{ "model", "model", take_model, 0, 0 },
	{ "max_output_tokens", "max_output_tokens", take_int, 1, MOST },
	{ "max_tokens", "max_output_tokens", take_int, 1, MOST },
	{ "max_completion_tokens", "max_output_tokens", take_int, 1, MOST },
	{ "temperature", "temperature", take_number, 0, 2 },
	{ "top_p", "top_p", take_number, 0, 1 },
	{ "presence_penalty", "presence_penalty", take_number, -2, 2 },
	{ "frequency_penalty", "frequency_penalty", take_number, -2, 2 },
	{ "stop", "stop", take_stop, 0, 0 },
	{ "seed", "seed", take_int, -EXACT, EXACT },
	{ "tools", "tools", take_tools, 0, 0 },
	{ "tool_choice", "tool_choice", take_tool_choice, 0, 0 },
	{ "parallel_tool_calls", "parallel_tool_calls", take_bool, 0, 0 },
	{ "response_format", "response_format", take_format, 0, 0 },
	{ "reasoning_effort", "reasoning_effort", take_effort, 0, 0 },
	{ "stream", "stream", take_bool, 0, 0 },
	{ "metadata", "metadata", take_object, 0, 0 },
	{ "extra", "extra", take_object, 0, 0 },
	{ "on_interrupt", "on_interrupt", take_interrupt, 0, 0 },
	{ "retry", "retry", take_retry, 0, 0 },
};
#define N_SETTINGS (sizeof(settings) / sizeof(settings[0]))

enum err body_setting(
    json_t *out, const char *name, const json_t *v, struct problem *p)
{
	for (size_t i = 0; i < N_SETTINGS; i++) {
		const struct setting *s = &settings[i];
		json_t *taken = NULL;
		enum err e;

		if (strcmp(s->name, name) != 0)
			continue;
		if (json_is_null(v))
			return OK;
		e = s->take(s, v, &taken, p);
		if (e != OK)
			return e;
		if (json_object_get(out, s->as)) {
			json_decref(taken);
			return body_refuse(p, name,
			    "%s is said twice, by another name too", s->as);
		}
		if (json_object_set_new(out, s->as, taken) != 0)
			return body_nomem(p);
		return OK;
	}
	return ERR_NOT_FOUND;
}

const char *const *body_settings(size_t *ret_n)
{
	static const char *const names[] = { "model", "max_output_tokens",
		"max_tokens", "max_completion_tokens", "temperature", "top_p",
		"presence_penalty", "frequency_penalty", "stop", "seed",
		"tools", "tool_choice", "parallel_tool_calls",
		"response_format", "reasoning_effort", "stream", "metadata",
		"extra", "on_interrupt", "retry", "prompt", "system",
		"messages", "promptId", "prompt_id", "inputs", "useRag",
		"use_rag", "owner", "template" };

	*ret_n = sizeof(names) / sizeof(names[0]);
	return names;
}
