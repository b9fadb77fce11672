#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_internal.h"
#include "server/suggest.h"

/* Drivers of this version, then ones that are known by name only. */
static const char *const dialects[] = { "openai" };
static const char *const later[] = { "ollama", "gemini", "anthropic" };
#define N(a) (sizeof(a) / sizeof((a)[0]))

struct provider {
	const char *name, *prefix, *base_url;
};

static const struct provider providers[] = {
	{ "openai", "OPENAI", "https://api.openai.com/v1" },
	{ "openrouter", "OPENROUTER", "https://openrouter.ai/api/v1" },
};

static const struct config_unsupported unsupported[] = {
	{ "GEMINI_API_KEY", "gemini" },
	{ "ANTHROPIC_API_KEY", "anthropic" },
	{ "OLLAMA_HOST", "ollama" },
};

struct config_upstream *config_upstream_find(struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		if (strcmp(c->upstreams[i].name, name) == 0)
			return &c->upstreams[i];
	return NULL;
}

enum err config_upstream_add(struct config *c, const char *name,
    const char *where, struct config_upstream **ret, struct why *why)
{
	struct config_upstream *u;
	size_t len = strlen(name);

	if (len == 0 || len > 32 ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len) {
		err_why(why,
		    "\"%s\" cannot name an upstream: use a-z, 0-9, _ and -, "
		    "32 at most",
		    name);
		return ERR_INPUT;
	}
	u = config_upstream_find(c, name);
	if (u) {
		err_why(why, "[upstream %s] is there twice; the first is at %s",
		    name, u->where);
		return ERR_INPUT;
	}
	if (c->n_upstreams == CONFIG_MAX_UPSTREAMS) {
		err_why(why, "more than %d upstreams", CONFIG_MAX_UPSTREAMS);
		return ERR_INPUT;
	}
	u = &c->upstreams[c->n_upstreams];
	memset(u, 0, sizeof(*u));
	u->name = strdup(name);
	if (!u->name)
		return ERR_NOMEM;
	snprintf(u->where, sizeof(u->where), "%s", where);
	c->n_upstreams++;
	*ret = u;
	return OK;
}

static enum err check_dialect(struct config_upstream *u, struct why *why)
{
	const char *near;

	if (!u->dialect) {
		u->dialect = strdup("openai");
		return u->dialect ? OK : ERR_NOMEM;
	}
	for (size_t i = 0; i < N(dialects); i++)
		if (strcmp(u->dialect, dialects[i]) == 0)
			return OK;
	for (size_t i = 0; i < N(later); i++)
		if (strcmp(u->dialect, later[i]) == 0) {
			err_why(why,
			    "dialect \"%s\" is not supported by this version",
			    u->dialect);
			return ERR_INPUT;
		}
	near = suggest_nearest(u->dialect, dialects, N(dialects));
	err_why(why, "unknown dialect \"%s\"%s%s%s", u->dialect,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return ERR_INPUT;
}

static enum err check_url(struct config_upstream *u, struct why *why)
{
	const char *host;
	size_t len;

	if (!u->base_url) {
		err_why(why, "upstream %s has no base_url", u->name);
		return ERR_INPUT;
	}
	host = strncmp(u->base_url, "http://", 7) == 0	  ? u->base_url + 7
	       : strncmp(u->base_url, "https://", 8) == 0 ? u->base_url + 8
							  : NULL;
	if (!host || !*host || *host == '/') {
		err_why(why,
		    "base_url of upstream %s must begin with http:// or "
		    "https:// and name a host",
		    u->name);
		return ERR_INPUT;
	}
	/* Neither is repeated: a URL with user-info holds a password. */
	if (memchr(host, '@', strcspn(host, "/"))) {
		err_why(why,
		    "base_url of upstream %s has a user or password in it: "
		    "use key",
		    u->name);
		return ERR_INPUT;
	}
	if (strpbrk(host, " \t\"\\#?")) {
		err_why(why,
		    "base_url of upstream %s has blanks, quotes, a query or a "
		    "fragment",
		    u->name);
		return ERR_INPUT;
	}
	for (len = strlen(u->base_url); u->base_url[len - 1] == '/'; len--)
		u->base_url[len - 1] = '\0';
	u->is_openai =
	    strncmp(host, "api.openai.com", 14) == 0 && strchr(":/", host[14]);
	return OK;
}

enum err config_upstream_check(struct config_upstream *u, struct why *why)
{
	enum err err;

	err = check_dialect(u, why);
	if (err)
		return err;
	err = check_url(u, why);
	if (err)
		return err;
	for (const char *p = u->key; p && *p; p++)
		if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f) {
			err_why(why,
			    "the key of upstream %s has characters that no key "
			    "has (blanks, quotes of another script?)",
			    u->name);
			return ERR_INPUT;
		}
	return OK;
}

/* The variable ${prefix}_${rest}; NULL when empty. */
static const char *variable(
    const char *prefix, const char *rest, char *name, size_t room)
{
	const char *text;

	snprintf(name, room, "%s_%s", prefix, rest);
	text = getenv(name);
	return text && *text ? text : NULL;
}

static enum err copy(char **to, const char *text)
{
	if (!text)
		return OK;
	*to = strdup(text);
	return *to ? OK : ERR_NOMEM;
}

static enum err take_provider(
    struct config *c, const struct provider *p, struct why *why)
{
	char name[64], where[96];
	const char *key, *file, *base_url, *model;
	struct config_upstream *u;
	enum err err;

	model = variable(p->prefix, "MODEL", name, sizeof(name));
	base_url = variable(p->prefix, "BASE_URL", name, sizeof(name));
	file = variable(p->prefix, "API_KEY_FILE", name, sizeof(name));
	key = variable(p->prefix, "API_KEY", name, sizeof(name));
	if ((!key && !file && !base_url) || config_upstream_find(c, p->name))
		return OK;
	snprintf(where, sizeof(where), "environment %s_%s", p->prefix,
	    key	   ? "API_KEY"
	    : file ? "API_KEY_FILE"
		   : "BASE_URL");
	err = config_upstream_add(c, p->name, where, &u, why);
	if (!err)
		err = key    ? copy(&u->key, key)
		      : file ? option_read_secret(file, &u->key, why)
			     : OK;
	if (!err)
		err = copy(&u->base_url, base_url ? base_url : p->base_url);
	if (!err)
		err = copy(&u->model, model);
	return err;
}

enum err config_read_providers(struct config *c, struct why *why)
{
	for (size_t i = 0; i < N(providers); i++) {
		enum err err = take_provider(c, &providers[i], why);

		if (err)
			return err;
	}
	for (size_t i = 0; i < N(unsupported); i++) {
		const char *text = getenv(unsupported[i].variable);

		if (text && *text)
			c->unsupported[c->n_unsupported++] = unsupported[i];
	}
	return OK;
}
