#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_internal.h"
#include "server/credential.h"
#include "server/suggest.h"

#define LINE_BYTES 4096
#define MAX_WORDS 128
/* inih cuts longer names and sections in silence. */
#define NAME_BYTES 48
#define MAX_SECTIONS 16

static const char upstream_prefix[] = "upstream ";
static const char model_prefix[] = "model ";
static const char retain_prefix[] = "retain ";
/* Of these there may be many, each with a name. */
static const char *const named[] = { "upstream", "model", "retain" };
#define N_NAMED (sizeof(named) / sizeof(named[0]))
static const char *const upstream_keys[] = { "dialect", "base_url", "key",
	"key_file", "key_env", "model", "any_model", "prefill", "prices",
	"background", "header" };
#define N_UPSTREAM_KEYS (sizeof(upstream_keys) / sizeof(upstream_keys[0]))

struct reading {
	const char *path;
	FILE *file;
	unsigned line; /* the one read last, from 1 */
	enum err err;  /* the first that happened */
	struct why *why;
	struct option_set *options;
	struct config *config;
};

static void fail(struct reading *r, enum err err, const char *text)
{
	if (r->err)
		return;
	r->err = err;
	err_why(r->why, "%s:%u: %s", r->path, r->line, text);
}

/* The sections of the option table, each once. Returns how many. */
static size_t sections(
    const struct option_set *options, char (*dst)[NAME_BYTES])
{
	const struct option_spec *spec;
	size_t n = 0, k;

	for (size_t i = 0; (spec = option_at(options, i)); i++) {
		size_t len = spec->key ? strcspn(spec->key, ".") : 0;

		for (k = 0; k < n; k++)
			if (strlen(dst[k]) == len &&
			    strncmp(dst[k], spec->key, len) == 0)
				break;
		if (len && k == n && n < MAX_SECTIONS - N_NAMED)
			snprintf(
			    dst[n++], NAME_BYTES, "%.*s", (int)len, spec->key);
	}
	for (k = 0; k < N_NAMED; k++)
		snprintf(dst[n++], NAME_BYTES, "%s", named[k]);
	return n;
}

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* "[upstream NAME]", "[model NAME]", "[retain NAME]". False: none of them. */
static bool on_named_section(struct reading *r, const char *name)
{
	struct why why = { "" };
	char where[512];
	enum err err;

	snprintf(where, sizeof(where), "%s:%u", r->path, r->line);
	if (starts(name, upstream_prefix)) {
		struct config_upstream *u;

		err = config_upstream_add(r->config,
		    name + sizeof(upstream_prefix) - 1, where, &u, &why);
	} else if (starts(name, model_prefix)) {
		err = config_model_add(
		    r->config, name + sizeof(model_prefix) - 1, where, &why);
	} else if (starts(name, retain_prefix)) {
		err = config_retain_add(
		    r->config, name + sizeof(retain_prefix) - 1, where, &why);
	} else {
		return false;
	}
	if (err)
		fail(r, err, why.text);
	return true;
}

static void on_section(struct reading *r, const char *name)
{
	char names[MAX_SECTIONS][NAME_BYTES], text[256];
	const char *words[MAX_SECTIONS], *near;
	size_t n;

	if (strlen(name) >= NAME_BYTES) {
		fail(r, ERR_INPUT, "the section's name is too long");
		return;
	}
	if (on_named_section(r, name))
		return;
	n = sections(r->options, names);
	for (size_t i = 0; i < n; i++) {
		words[i] = names[i];
		if (strcmp(name, names[i]) == 0 && i < n - N_NAMED)
			return;
	}
	near = suggest_nearest(name, words, n);
	if (near && strcmp(near, name) == 0)
		snprintf(text, sizeof(text), "%s %s wants a name: [%s NAME]",
		    strchr("aeiou", *near) ? "an" : "a", near, near);
	else if (near)
		snprintf(text, sizeof(text),
		    "unknown section [%.*s]; did you mean [%s]?", NAME_BYTES,
		    name, near);
	else
		snprintf(text, sizeof(text), "unknown section [%.*s]",
		    NAME_BYTES, name);
	fail(r, ERR_INPUT, text);
}

/*
 * One line for inih, without the blanks in front: it would take an indented
 * line for more of the value above.
 */
static char *read_line(char *dst, int room, void *arg)
{
	struct reading *r = arg;
	char line[LINE_BYTES], section[LINE_BYTES];
	char *start = line;
	size_t end;

	if (r->err || !fgets(line, sizeof(line), r->file)) {
		if (!r->err && ferror(r->file))
			fail(r, ERR_INPUT, strerror(errno));
		return NULL;
	}
	r->line++;
	if (r->line == 1 && strncmp(start, "\xef\xbb\xbf", 3) == 0)
		start += 3;
	start += strspn(start, " \t");
	end = strcspn(start, "\r\n");
	if (strlen(line) == sizeof(line) - 1 || (int)end + 3 > room) {
		fail(r, ERR_INPUT, "the line is too long");
		return NULL;
	}
	if (!start[end] && !feof(r->file)) {
		fail(r, ERR_INPUT, "the line has a NUL in it");
		return NULL;
	}
	start[end] = '\0';
	if (*start == '[' && strchr(start, ']')) {
		snprintf(section, sizeof(section), "%s", start + 1);
		*strchr(section, ']') = '\0';
		on_section(r, section);
		if (r->err)
			return NULL;
	}
	snprintf(dst, (size_t)room, "%s\n", start);
	return dst;
}

/* Takes the secret of ${u} by whichever of the three ways. */
static enum err upstream_key(struct config_upstream *u, const char *key,
    const char *value, struct why *why)
{
	const char *secret = value;
	char path[4096];

	if (u->key) {
		err_why(why, "only one of key, key_file and key_env");
		return ERR_INPUT;
	}
	if (strcmp(key, "key_file") == 0)
		return option_read_secret(value, &u->key, why);
	if (strcmp(key, "key_env") == 0) {
		secret = getenv(value);
		if (!secret || !*secret) {
			if (credential_path(value, path, sizeof(path)))
				return option_read_secret(path, &u->key, why);
			err_why(why,
			    "key_env: %s is not in the environment, nor a "
			    "credential",
			    value);
			return ERR_INPUT;
		}
	}
	u->key = strdup(secret);
	return u->key ? OK : ERR_NOMEM;
}

static enum err yes_or_no(
    const char *key, const char *value, bool *ret, struct why *why)
{
	bool yes = strcmp(value, "yes") == 0 || strcmp(value, "true") == 0;

	if (!yes && strcmp(value, "no") != 0 && strcmp(value, "false") != 0) {
		err_why(why, "%s must be yes or no", key);
		return ERR_INPUT;
	}
	*ret = yes;
	return OK;
}

/* May its models have any name? */
static enum err upstream_any_model(
    struct config_upstream *u, const char *value, struct why *why)
{
	enum err err = yes_or_no("any_model", value, &u->any_model, why);

	u->any_model_said = err == OK;
	return err;
}

/* May its answers go on without us? */
static enum err upstream_background(
    struct config_upstream *u, const char *value, struct why *why)
{
	bool yes = true;
	enum err err = yes_or_no("background", value, &yes, why);

	u->foreground = !yes;
	return err;
}

static enum err upstream_line(struct config_upstream *u, const char *key,
    const char *value, struct why *why)
{
	const char *near;
	char **to;

	if (strncmp(key, "key", 3) == 0 &&
	    (!key[3] || !strcmp(key, "key_file") || !strcmp(key, "key_env")))
		return upstream_key(u, key, value, why);
	if (strcmp(key, "any_model") == 0)
		return upstream_any_model(u, value, why);
	if (strcmp(key, "background") == 0)
		return upstream_background(u, value, why);
	if (strcmp(key, "header") == 0)
		return config_header_add(u, value, why);
	to = strcmp(key, "dialect") == 0    ? &u->dialect
	     : strcmp(key, "base_url") == 0 ? &u->base_url
	     : strcmp(key, "model") == 0    ? &u->model
	     : strcmp(key, "prefill") == 0  ? &u->prefill
	     : strcmp(key, "prices") == 0   ? &u->prices
					    : NULL;
	if (!to) {
		near = suggest_nearest(key, upstream_keys, N_UPSTREAM_KEYS);
		err_why(why, "unknown key \"%s\" in [upstream %s]%s%s%s", key,
		    u->name, near ? "; did you mean \"" : "", near ? near : "",
		    near ? "\"?" : "");
		return ERR_INPUT;
	}
	if (*to) {
		err_why(why, "\"%s\" is given twice", key);
		return ERR_INPUT;
	}
	*to = strdup(value);
	return *to ? OK : ERR_NOMEM;
}

/* What "lisen" in [server] may have meant. */
static void unknown_key(const struct reading *r, const char *section,
    const char *key, char *dst, size_t room)
{
	const char *words[MAX_WORDS], *elsewhere = NULL, *near;
	const struct option_spec *spec;
	size_t n = 0, len = strlen(section);

	for (size_t i = 0; (spec = option_at(r->options, i)); i++) {
		const char *dot = spec->key ? strchr(spec->key, '.') : NULL;

		if (!dot)
			continue;
		if (strcmp(dot + 1, key) == 0)
			elsewhere = spec->key;
		if ((size_t)(dot - spec->key) == len && n < MAX_WORDS &&
		    strncmp(spec->key, section, len) == 0)
			words[n++] = dot + 1;
	}
	near = suggest_nearest(key, words, n);
	if (elsewhere)
		snprintf(dst, room,
		    "unknown key \"%s\" in [%s]; it belongs in [%.*s]", key,
		    section, (int)strcspn(elsewhere, "."), elsewhere);
	else if (near)
		snprintf(dst, room,
		    "unknown key \"%s\" in [%s]; did you mean \"%s\"?", key,
		    section, near);
	else
		snprintf(dst, room, "unknown key \"%s\" in [%s]", key, section);
}

static int on_value(
    void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;
	struct why why = { "" };
	char text[256];
	enum err err;
	size_t len;

	if (r->err)
		return 0;
	if (!*section) {
		fail(r, ERR_INPUT,
		    "a key before the first [section]: begin with [server]");
		return 0;
	}
	len = strlen(value);
	if (len > 1 && strchr("\"'", value[0]) && value[len - 1] == value[0]) {
		snprintf(text, sizeof(text),
		    "write the value of %.64s without "
		    "quotes",
		    key);
		fail(r, ERR_INPUT, text);
		return 0;
	}
	if (starts(section, model_prefix))
		err = config_model_line(
		    &r->config->models[r->config->n_models - 1], key, value,
		    &why);
	else if (starts(section, upstream_prefix))
		err = upstream_line(
		    &r->config->upstreams[r->config->n_upstreams - 1], key,
		    value, &why);
	else if (starts(section, retain_prefix))
		err = config_retain_line(r->config, key, value, &why);
	else
		err = option_take_line(
		    r->options, section, key, value, r->path, r->line, &why);
	if (err == ERR_NOT_FOUND) {
		unknown_key(r, section, key, text, sizeof(text));
		fail(r, ERR_INPUT, text);
	} else if (err) {
		fail(r, err, why.text);
	}
	return err == OK;
}

enum err config_read_file(const char *path, struct option_set *options,
    struct config *c, struct why *why)
{
	struct reading r = {
		.path = path, .why = why, .options = options, .config = c
	};
	int rc;

	r.file = fopen(path, "re");
	if (!r.file) {
		err_why(why, "cannot read the config file %s: %s", path,
		    strerror(errno));
		return ERR_INPUT;
	}
	ini_max_line = LINE_BYTES;
	rc = ini_parse_stream(read_line, &r, on_value, &r);
	fclose(r.file);
	if (!r.err && rc > 0) {
		r.line = (unsigned)rc;
		fail(&r, ERR_INPUT,
		    "neither a [section], a comment, nor key = value");
	}
	if (!r.err && rc < 0)
		return ERR_NOMEM;
	return r.err;
}
