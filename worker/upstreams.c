#include "worker/upstreams.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/digest.h"
#include "worker/circuit.h"
#include "worker/dialect.h"
#include "worker/upstreams_internal.h"
#include "worker/worker.h"

#define MAX_URL_BYTES 2048
#define MAX_KEY_BYTES 8192
#define STANDARD_COOLDOWN_MS 10000

static bool name_ok(const char *s)
{
	size_t len = s == NULL ? 0 : strlen(s);

	return len > 0 && len <= UPSTREAMS_MAX_NAME &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

/* What may stand in a header's value or in a URL: no blanks, no control. */
static bool visible(const char *s, size_t max)
{
	size_t len = strlen(s);

	if (len == 0 || len > max)
		return false;
	for (size_t i = 0; i < len; i++)
		if (s[i] <= 0x20 || s[i] > 0x7e)
			return false;
	return true;
}

/* NULL, or what is wrong with a base URL. */
static const char *url_fault(const char *url)
{
	const char *host;
	size_t len;

	if (url == NULL || !visible(url, MAX_URL_BYTES))
		return "is empty, too long or has blanks in it";
	if (strncmp(url, "http://", 7) == 0)
		host = url + 7;
	else if (strncmp(url, "https://", 8) == 0)
		host = url + 8;
	else
		return "must begin with http:// or https://";
	len = strcspn(host, "/?#");
	if (len == 0 || host[0] == ':')
		return "names no host";
	if (memchr(host, '@', len) != NULL)
		return "must not hold a user or password; use the key";
	if (memchr(host, '\\', len) != NULL)
		return "has a backslash in its host";
	if (strpbrk(host, "?#") != NULL)
		return "must not have a query or fragment";
	return NULL;
}

bool upstreams_key_ok(const char *key)
{
	return visible(key, MAX_KEY_BYTES);
}

void upstreams_key_hint(const struct upstream_entry *e, char *dst, size_t room)
{
	const char *variable = e->key_variable;

	snprintf(dst, room,
	    "give [upstream %s] key_env = %s or key_file%s%s, or send one as "
	    "X-Provider-Key",
	    e->name, variable == NULL ? "VARIABLE" : variable,
	    variable == NULL ? "" : ", without that section set ",
	    variable == NULL ? "" : variable);
}

/* These answer nobody without a key. */
static const char *key_variable(const char *url)
{
	static const struct {
		const char *host, *variable;
	} known[] = {
		{ "api.openai.com", "OPENAI_API_KEY" },
		{ "openrouter.ai", "OPENROUTER_API_KEY" },
		{ "api.anthropic.com", "ANTHROPIC_API_KEY" },
		{ "generativelanguage.googleapis.com", "GEMINI_API_KEY" },
		{ "ollama.com", "OLLAMA_API_KEY" },
	};
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, ":/");

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i].host) == len &&
		    memcmp(known[i].host, host, len) == 0)
			return known[i].variable;
	return NULL;
}

static bool copy(char **dst, const char *src)
{
	if (src == NULL)
		return true;
	*dst = strdup(src);
	return *dst != NULL;
}

const struct upstream_entry *upstreams_find(
    const struct upstreams *u, const char *name, size_t len)
{
	for (size_t i = 0; i < u->n; i++)
		if (strlen(u->entry[i].name) == len &&
		    memcmp(u->entry[i].name, name, len) == 0)
			return &u->entry[i];
	return NULL;
}

/* NULL, or what is wrong with an upstream. */
static const char *fault(
    const struct upstreams *u, const struct worker_upstream *in)
{
	enum prefill how;

	if (!name_ok(in->name))
		return "its name must be 1 to 64 of a-z 0-9 _ -";
	if (upstreams_find(u, in->name, strlen(in->name)) != NULL)
		return "there are two of this name";
	if (in->dialect == NULL || dialect_find(in->dialect) == NULL)
		return "there is no such dialect";
	if (in->key != NULL && !upstreams_key_ok(in->key))
		return "its key is empty or has blanks in it";
	if (in->model != NULL && in->model[0] == '\0')
		return "its default model is empty";
	if (in->prefill != NULL && !prefill_parse(in->prefill, &how))
		return "prefill must be no, yes, trimmed or vllm";
	return NULL;
}

static enum err add(struct upstreams *u, const struct worker_upstream *in,
    const struct circuit_limits *limits, struct why *why)
{
	const char *wrong = fault(u, in);
	struct upstream_entry *e = &u->entry[u->n];
	struct why detail = { "" };
	size_t len;

	if (wrong != NULL) {
		err_why(why, "upstream \"%s\": %s",
		    in->name == NULL ? "" : in->name, wrong);
		return ERR_INPUT;
	}
	wrong = url_fault(in->base_url);
	if (wrong != NULL) {
		err_why(why, "upstream \"%s\": its URL %s", in->name, wrong);
		return ERR_INPUT;
	}
	if (in->headers != NULL &&
	    worker_headers_check(in->headers, &detail) != OK) {
		err_why(why, "upstream \"%s\": %s", in->name, detail.text);
		return ERR_INPUT;
	}
	u->n++; /* from here upstreams_free() sees it */
	e->dialect = dialect_find(in->dialect);
	e->is_openai = in->is_openai;
	e->any_model = in->any_model;
	e->background = !in->foreground;
	if (in->prefill != NULL)
		(void)prefill_parse(in->prefill, &e->prefill);
	e->circuit = malloc(sizeof(*e->circuit));
	if (e->circuit == NULL)
		return ERR_NOMEM;
	circuit_init(e->circuit, limits);
	if (!copy(&e->name, in->name) || !copy(&e->base_url, in->base_url) ||
	    !copy(&e->key, in->key) || !copy(&e->model, in->model) ||
	    !copy(&e->prices, in->prices) || !copy(&e->headers, in->headers))
		return ERR_NOMEM;
	e->key_variable = key_variable(e->base_url);
	len = strlen(e->base_url);
	while (e->base_url[len - 1] == '/')
		e->base_url[--len] = '\0';
	return OK;
}

enum err upstreams_new(const struct worker_options *options,
    struct upstreams **ret, struct why *why)
{
	const struct upstream_entry *standard;
	const char *name = options->default_upstream;
	struct circuit_limits limits = { options->circuit_failures,
		options->circuit_cooldown_ms > 0 ? options->circuit_cooldown_ms
						 : STANDARD_COOLDOWN_MS };
	struct upstreams *u = NULL;
	enum err rc = ERR_NOMEM;

	if (options->n_upstreams > UPSTREAMS_MAX) {
		err_why(why, "more than %d upstreams", UPSTREAMS_MAX);
		rc = ERR_INPUT;
		goto out;
	}
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		goto out;
	u->entry = calloc(options->n_upstreams + 1, sizeof(*u->entry));
	if (u->entry == NULL)
		goto out;
	for (size_t i = 0; i < options->n_upstreams; i++) {
		rc = add(u, &options->upstreams[i], &limits, why);
		if (rc != OK)
			goto out;
	}
	if (name != NULL) {
		standard = upstreams_find(u, name, strlen(name));
		rc = ERR_INPUT;
		if (standard == NULL) {
			err_why(why, "the default upstream \"%s\" is not there",
			    name);
			goto out;
		}
		u->standard = (size_t)(standard - u->entry);
	}
	rc = upstreams_read_models(u, options, why);
	if (rc != OK)
		goto out;
	*ret = u;
	u = NULL;
	rc = OK;
out:
	upstreams_free(u);
	return rc;
}

void upstreams_free(struct upstreams *u)
{
	if (u == NULL)
		return;
	for (size_t i = 0; i < u->n; i++) {
		struct upstream_entry *e = &u->entry[i];

		if (e->key != NULL)
			digest_wipe(e->key, strlen(e->key));
		free(e->key);
		if (e->headers != NULL)
			digest_wipe(e->headers, strlen(e->headers));
		free(e->headers);
		free(e->name);
		free(e->base_url);
		free(e->model);
		free(e->prices);
		if (e->circuit != NULL)
			circuit_fini(e->circuit);
		free(e->circuit);
	}
	upstreams_free_models(u);
	free(u->entry);
	free(u);
}

const struct upstream_entry *upstreams_at(const struct upstreams *u, size_t i)
{
	return i < u->n ? &u->entry[i] : NULL;
}

const struct upstream_entry *upstreams_default(const struct upstreams *u)
{
	return upstreams_at(u, u->standard);
}

const char *upstreams_model_at(
    const struct upstreams *u, size_t i, const struct upstreams_route **ret)
{
	if (i >= u->n_models)
		return NULL;
	*ret = &u->model[i].route;
	return u->model[i].name;
}

char *upstreams_target_name(const struct upstreams_target *t)
{
	char *name = NULL;

	if (asprintf(&name, "%s/%s", t->upstream->name, t->model) < 0)
		return NULL;
	return name;
}
