#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/upstreams_internal.h"
#include "worker/worker.h"

#define MAX_MODEL_NAME_BYTES 64

/* Add "name, name"; cut when there is no room. */
static void add_name(char *dst, size_t size, const char *name, const char *more)
{
	size_t len = strlen(dst);

	snprintf(
	    dst + len, size - len, "%s%s%s", len == 0 ? "" : ", ", name, more);
}

/* "chat, openai/MODEL (default), local/llama3": all that can be asked for. */
static void list(const struct upstreams *u, char *dst, size_t size)
{
	char name[256];

	dst[0] = '\0';
	for (size_t i = 0; i < u->n_models; i++)
		add_name(dst, size, u->model[i].name, "");
	for (size_t i = 0; i < u->n; i++) {
		const struct upstream_entry *e = &u->entry[i];

		snprintf(name, sizeof(name), "%s/%s", e->name,
		    e->model == NULL ? "MODEL" : e->model);
		add_name(dst, size, name, i == u->standard ? " (default)" : "");
	}
}

static const struct upstreams_model *model_of(
    const struct upstreams *u, const char *name)
{
	for (size_t i = 0; i < u->n_models; i++)
		if (strcmp(u->model[i].name, name) == 0)
			return &u->model[i];
	return NULL;
}

/* "name/model", "name/", or "name" when ${bare}: the upstream of that name. */
static const struct upstream_entry *upstream_of(
    const struct upstreams *u, const char *text, bool bare, const char **ret)
{
	const char *slash = strchr(text, '/');

	if (slash == NULL && !bare)
		return NULL;
	*ret = slash == NULL ? "" : slash + 1;
	return upstreams_find(
	    u, text, slash == NULL ? strlen(text) : (size_t)(slash - text));
}

/* May the default upstream be asked for ${model}, which no upstream begins? */
static bool fits_default(const struct upstreams *u, const char *model)
{
	const struct upstream_entry *e = &u->entry[u->standard];

	return strchr(model, '/') == NULL || e->any_model ||
	       (e->model != NULL && strcmp(e->model, model) == 0);
}

static enum err refuse(const struct upstreams *u, const char *model,
    const char *what, struct why *why)
{
	char names[320];

	list(u, names, sizeof(names));
	err_why(
	    why, "model \"%.100s\": %s; configured: %s", model, what, names);
	return ERR_INPUT;
}

/* Would it split a line of whatever it is written into? */
static bool has_control(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

enum err upstreams_resolve(const struct upstreams *u, const char *model,
    struct upstreams_route *ret, struct why *why)
{
	const struct upstreams_model *named;
	const struct upstream_entry *e;
	const char *rest = model;
	char names[384];

	if (u->n == 0) {
		err_why(why, "no upstream is configured");
		return ERR_INPUT;
	}
	if (has_control(model)) {
		err_why(why, "model: it has control characters");
		return ERR_INPUT;
	}
	if (model[0] == '\0' && u->default_model != NULL)
		rest = model = u->default_model;
	named = model_of(u, model);
	if (named != NULL) {
		*ret = named->route;
		return OK;
	}
	e = upstream_of(u, model, false, &rest);
	if (e == NULL && !fits_default(u, model))
		return refuse(
		    u, model, "what stands before / is no upstream", why);
	if (e == NULL) {
		e = &u->entry[u->standard];
		rest = model;
	}
	if (rest[0] == '\0')
		rest = e->model;
	if (rest == NULL) {
		list(u, names, sizeof(names));
		err_why(why, "name a model of \"%s\"; configured: %s", e->name,
		    names);
		return ERR_INPUT;
	}
	*ret = (struct upstreams_route){ .at[0] = { e, rest }, .n = 1 };
	return OK;
}

/* --- what is configured --- */

static bool name_ok(const char *s)
{
	size_t len = s == NULL ? 0 : strlen(s);

	if (len == 0 || len > MAX_MODEL_NAME_BYTES)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] > 0x7e || strchr("/,\"\\", s[i]))
			return false;
	return true;
}

static enum err add_target(const struct upstreams *u, struct upstreams_model *m,
    const char *text, struct why *why)
{
	const struct upstream_entry *e;
	const char *rest;
	char *own;

	if (m->route.n == UPSTREAMS_MAX_TARGETS) {
		err_why(why, "model \"%s\": more than %d targets", m->name,
		    UPSTREAMS_MAX_TARGETS);
		return ERR_INPUT;
	}
	own = strdup(text);
	if (own == NULL)
		return ERR_NOMEM;
	m->text[m->route.n] = own;
	e = upstream_of(u, own, true, &rest);
	if (e != NULL && rest[0] == '\0')
		rest = e->model;
	if (e == NULL || rest == NULL) {
		char what[200];

		snprintf(what, sizeof(what),
		    e == NULL ? "target %.100s names no upstream"
			      : "target %.100s names no model",
		    text);
		free(own);
		m->text[m->route.n] = NULL;
		return refuse(u, m->name, what, why);
	}
	m->route.at[m->route.n++] = (struct upstreams_target){ e, rest };
	return OK;
}

static enum err add_model(
    struct upstreams *u, const struct worker_model *in, struct why *why)
{
	struct upstreams_model *m = &u->model[u->n_models];
	enum err rc = OK;

	if (!name_ok(in->name) || model_of(u, in->name) != NULL) {
		err_why(why, "model \"%s\": %s",
		    in->name == NULL ? "" : in->name,
		    name_ok(in->name)
			? "there are two of this name"
			: "its name must be 1 to 64 visible characters, none "
			  "of them / , \" or \\");
		return ERR_INPUT;
	}
	m->name = strdup(in->name);
	if (m->name == NULL)
		return ERR_NOMEM;
	u->n_models++; /* from here upstreams_free_models() sees it */
	for (size_t i = 0; rc == OK && i < in->n_targets; i++)
		rc = add_target(u, m, in->targets[i], why);
	if (rc == OK && m->route.n == 0) {
		err_why(why, "model \"%s\": it has no targets", m->name);
		rc = ERR_INPUT;
	}
	return rc;
}

enum err upstreams_read_models(
    struct upstreams *u, const struct worker_options *options, struct why *why)
{
	struct upstreams_route route;
	enum err rc = OK;

	if (options->n_models > UPSTREAMS_MAX) {
		err_why(why, "more than %d models", UPSTREAMS_MAX);
		return ERR_INPUT;
	}
	u->model = calloc(options->n_models + 1, sizeof(*u->model));
	if (u->model == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; rc == OK && i < options->n_models; i++)
		rc = add_model(u, &options->models[i], why);
	if (rc != OK || options->default_model == NULL)
		return rc;
	rc = upstreams_resolve(u, options->default_model, &route, why);
	if (rc != OK)
		return rc;
	u->default_model = strdup(options->default_model);
	return u->default_model == NULL ? ERR_NOMEM : OK;
}

void upstreams_free_models(struct upstreams *u)
{
	for (size_t i = 0; i < u->n_models; i++) {
		free(u->model[i].name);
		for (size_t k = 0; k < UPSTREAMS_MAX_TARGETS; k++)
			free(u->model[i].text[k]);
	}
	free(u->model);
	free(u->default_model);
}
