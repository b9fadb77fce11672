#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_internal.h"
#include "server/suggest.h"

#define MAX_NAME_BYTES 32

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > MAX_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~' ||
		    strchr("/,\"\\", name[i]))
			return false;
	return true;
}

enum err config_model_add(
    struct config *c, const char *name, const char *where, struct why *why)
{
	struct config_model *m;

	if (!name_ok(name)) {
		err_why(why,
		    "\"%s\" cannot name a model: 1 to %d visible characters, "
		    "none of them / , \" or \\",
		    name, MAX_NAME_BYTES);
		return ERR_INPUT;
	}
	for (size_t i = 0; i < c->n_models; i++)
		if (strcmp(c->models[i].name, name) == 0) {
			err_why(why,
			    "[model %s] is there twice; the first is at %s",
			    name, c->models[i].where);
			return ERR_INPUT;
		}
	if (c->n_models == CONFIG_MAX_MODELS) {
		err_why(why, "more than %d models", CONFIG_MAX_MODELS);
		return ERR_INPUT;
	}
	m = &c->models[c->n_models];
	memset(m, 0, sizeof(*m));
	m->name = strdup(name);
	if (!m->name)
		return ERR_NOMEM;
	snprintf(m->where, sizeof(m->where), "%s", where);
	c->n_models++;
	return OK;
}

void config_model_fini(struct config_model *m)
{
	free(m->name);
	for (size_t i = 0; i < m->n_targets; i++)
		free(m->targets[i]);
	memset(m, 0, sizeof(*m));
}

/* One of "a/x, b/y". */
static enum err add_target(
    struct config_model *m, const char *text, size_t len, struct why *why)
{
	while (len > 0 && strchr(" \t", text[len - 1]))
		len--;
	if (len == 0) {
		err_why(why,
		    "targets has an empty place: write UPSTREAM/MODEL, "
		    "UPSTREAM/MODEL");
		return ERR_INPUT;
	}
	if (m->n_targets == CONFIG_MAX_TARGETS) {
		err_why(why, "more than %d targets", CONFIG_MAX_TARGETS);
		return ERR_INPUT;
	}
	m->targets[m->n_targets] = strndup(text, len);
	if (!m->targets[m->n_targets])
		return ERR_NOMEM;
	m->n_targets++;
	return OK;
}

enum err config_model_line(
    struct config_model *m, const char *key, const char *value, struct why *why)
{
	enum err err = OK;

	if (strcmp(key, "targets") != 0) {
		err_why(why, "unknown key \"%s\" in [model %s]; it has targets",
		    key, m->name);
		return ERR_INPUT;
	}
	if (m->n_targets) {
		err_why(why, "\"targets\" is given twice");
		return ERR_INPUT;
	}
	for (;;) {
		size_t len;

		value += strspn(value, " \t");
		len = strcspn(value, ",");
		err = add_target(m, value, len, why);
		if (err || !value[len])
			return err;
		value += len + 1;
	}
}

/* All that can stand before a slash. */
static size_t upstream_names(
    const struct config *c, const char *words[CONFIG_MAX_UPSTREAMS + 1])
{
	size_t n = 0;

	for (; n < c->n_upstreams; n++)
		words[n] = c->upstreams[n].name;
	if (c->demo)
		words[n++] = "sim";
	return n;
}

/* Does ${target} begin with an upstream's name, and name a model? */
static enum err check_target(
    const struct config *c, const char *target, struct why *why)
{
	const char *words[CONFIG_MAX_UPSTREAMS + 1], *near;
	size_t n = upstream_names(c, words), len = strcspn(target, "/");
	char name[64];

	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) != len || strncmp(words[i], target, len))
			continue;
		/* The demo's has a model of its own. */
		if (strlen(target) > len + 1 || i >= c->n_upstreams ||
		    c->upstreams[i].model)
			return OK;
		err_why(why,
		    "target \"%s\" names no model, and upstream %s has none of "
		    "its own",
		    target, words[i]);
		return ERR_INPUT;
	}
	snprintf(
	    name, sizeof(name), "%.*s", (int)(len < 63 ? len : 63), target);
	near = suggest_nearest(name, words, n);
	err_why(why, "target \"%s\": no upstream is called \"%s\"%s%s%s",
	    target, name, near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return ERR_INPUT;
}

enum err config_model_check(
    const struct config *c, const struct config_model *m, struct why *why)
{
	if (!m->n_targets) {
		err_why(why,
		    "[model %s] has no targets: write targets = "
		    "UPSTREAM/MODEL, UPSTREAM/MODEL",
		    m->name);
		return ERR_INPUT;
	}
	for (size_t i = 0; i < m->n_targets; i++) {
		enum err err = check_target(c, m->targets[i], why);

		if (err)
			return err;
	}
	return OK;
}

enum err config_model_check_default(const struct config *c, struct why *why)
{
	const char *words[CONFIG_MAX_MODELS], *near;
	struct why detail = { "" };
	size_t n = 0;
	enum err err;

	if (!c->default_model)
		return OK;
	for (; n < c->n_models; n++) {
		words[n] = c->models[n].name;
		if (strcmp(words[n], c->default_model) == 0)
			return OK;
	}
	if (strchr(c->default_model, '/')) {
		err = check_target(c, c->default_model, &detail);
		if (err)
			err_why(why, "%s: %s",
			    option_where(c->options, "default-model"),
			    detail.text);
		return err;
	}
	near = suggest_nearest(c->default_model, words, n);
	err_why(why,
	    "%s: there is no [model %s]%s%s%s; write one, or UPSTREAM/MODEL",
	    option_where(c->options, "default-model"), c->default_model,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return ERR_INPUT;
}
