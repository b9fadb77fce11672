#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/config_internal.h"
#include "server/credential.h"
#include "server/suggest.h"
#include "worker/worker.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Where Ollama listens unless told otherwise. */
#define OLLAMA_PORT 11434

struct provider {
	const char *name, *dialect, *prefix;
	const char *base_url; /* where a key alone leads */
	const char *base;     /* what else its URL is called; NULL: nothing */
};

/* In the order of preference: the first is the default upstream. */
static const struct provider providers[] = {
	{ "openai", "openai", "OPENAI", "https://api.openai.com/v1", NULL },
	{ "openrouter", "openai", "OPENROUTER", "https://openrouter.ai/api/v1",
	    NULL },
	{ "anthropic", "anthropic", "ANTHROPIC", "https://api.anthropic.com",
	    NULL },
	{ "gemini", "gemini", "GEMINI",
	    "https://generativelanguage.googleapis.com",
	    "GOOGLE_GEMINI_BASE_URL" },
	{ "ollama", "ollama", "OLLAMA", "https://ollama.com", "OLLAMA_HOST" },
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
	const char *const *names = worker_dialects();
	const char *near;
	char list[64] = "";
	size_t n = 0;

	if (!u->dialect) {
		u->dialect = strdup(names[0]);
		return u->dialect ? OK : ERR_NOMEM;
	}
	for (; names[n]; n++) {
		size_t used = strlen(list);

		if (strcmp(u->dialect, names[n]) == 0)
			return OK;
		snprintf(list + used, sizeof(list) - used, "%s%s",
		    n > 0 ? ", " : "", names[n]);
	}
	near = suggest_nearest(u->dialect, names, n);
	if (near)
		err_why(why, "unknown dialect \"%s\"; did you mean \"%s\"?",
		    u->dialect, near);
	else
		err_why(
		    why, "unknown dialect \"%s\": one of %s", u->dialect, list);
	return ERR_INPUT;
}

static bool ends_with(const char *s, const char *tail)
{
	size_t len = strlen(s), n = strlen(tail);

	return len >= n && strcmp(s + len - n, tail) == 0;
}

static bool is_host(const char *host, const char *name)
{
	size_t len = strlen(name);

	return strncmp(host, name, len) == 0 && strchr(":/", host[len]);
}

static enum err check_prefill(struct config_upstream *u, struct why *why)
{
	static const char *const words[] = { "no", "yes", "trimmed", "vllm" };
	bool known = !u->prefill;

	for (size_t i = 0; !known && i < N(words); i++)
		known = strcmp(u->prefill, words[i]) == 0;
	if (!known) {
		err_why(why,
		    "prefill of upstream %s must be no, yes, trimmed or vllm",
		    u->name);
		return ERR_INPUT;
	}
	/* Anthropic refuses one that ends in blanks. */
	if (u->prefill && strcmp(u->prefill, "yes") == 0 &&
	    strcmp(u->dialect, "anthropic") == 0) {
		free(u->prefill);
		u->prefill = strdup("trimmed");
		return u->prefill ? OK : ERR_NOMEM;
	}
	return OK;
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
	if (strcmp(u->dialect, "ollama") == 0 &&
	    ends_with(u->base_url, "/v1")) {
		err_why(why,
		    "base_url of upstream %s ends in /v1, where Ollama speaks "
		    "OpenAI's dialect: leave that out, or say dialect = openai",
		    u->name);
		return ERR_INPUT;
	}
	u->is_openai = is_host(host, "api.openai.com");
	/* Its models are called vendor/model. */
	if (!u->any_model_said)
		u->any_model = is_host(host, "openrouter.ai");
	return OK;
}

enum err config_upstream_check(struct config_upstream *u, struct why *why)
{
	enum err err;

	err = check_dialect(u, why);
	if (err)
		return err;
	err = check_url(u, why);
	if (!err)
		err = check_prefill(u, why);
	if (!err && u->prices && (!*u->prices || strpbrk(u->prices, " \t,"))) {
		err_why(why,
		    "prices of upstream %s must be none, or what stands before "
		    "/model where its prices are: openrouter/openai",
		    u->name);
		err = ERR_INPUT;
	}
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

/*
 * OLLAMA_HOST as a URL, read as Ollama reads it: scheme and port may be
 * missing. Where it says "listen everywhere" we ask this machine. Gives:
 * *${ret}.
 */
static enum err host_url(const char *text, char **ret)
{
	const char *scheme = strstr(text, "://");
	const char *host = scheme ? scheme + 3 : text;
	const char *path = host + strcspn(host, "/");
	const char *colon = memrchr(host, ':', (size_t)(path - host));
	int len = (int)(path - host);
	char port[16] = "", ours[16] = "";

	/* Colons within brackets are an address's. */
	if (colon && !memchr(colon, ']', (size_t)(path - colon))) {
		len = (int)(colon - host);
		snprintf(port, sizeof(port), "%.*s", (int)(path - colon),
		    colon + 1 < path ? colon : "");
	}
	if (!scheme && !port[0])
		snprintf(port, sizeof(port), ":%d", OLLAMA_PORT);
	if (len == 0 || (len == 7 && !memcmp(host, "0.0.0.0", 7)))
		snprintf(ours, sizeof(ours), "127.0.0.1");
	else if (len == 4 && !memcmp(host, "[::]", 4))
		snprintf(ours, sizeof(ours), "[::1]");
	if (asprintf(ret, "%.*s://%.*s%s%s", scheme ? (int)(scheme - text) : 4,
		scheme ? text : "http", ours[0] ? (int)strlen(ours) : len,
		ours[0] ? ours : host, port, path) < 0)
		return ERR_NOMEM;
	return OK;
}

/* What is set of a provider's variables. */
struct found {
	char base_name[64];
	char credential[4096]; /* the path of one; "": none */
	const char *key, *file, *base_url, *model;
};

static void find_variables(const struct provider *p, struct found *ret)
{
	struct found f = { 0 };
	char name[64];

	f.model = variable(p->prefix, "MODEL", name, sizeof(name));
	f.file = variable(p->prefix, "API_KEY_FILE", name, sizeof(name));
	f.key = variable(p->prefix, "API_KEY", name, sizeof(name));
	f.base_url =
	    variable(p->prefix, "BASE_URL", f.base_name, sizeof(f.base_name));
	if (!f.base_url && p->base) {
		f.base_url = getenv(p->base);
		snprintf(f.base_name, sizeof(f.base_name), "%s", p->base);
		if (f.base_url && !*f.base_url)
			f.base_url = NULL;
	}
	snprintf(name, sizeof(name), "%s_API_KEY", p->prefix);
	if (f.key || f.file ||
	    !credential_path(name, f.credential, sizeof(f.credential)))
		f.credential[0] = '\0';
	*ret = f;
}

static enum err take_provider(
    struct config *c, const struct provider *p, struct why *why)
{
	struct config_upstream *u;
	struct found f;
	char where[96];
	enum err err;

	find_variables(p, &f);
	if ((!f.key && !f.file && !f.base_url && !f.credential[0]) ||
	    config_upstream_find(c, p->name))
		return OK;
	if (f.key || f.file)
		snprintf(where, sizeof(where), "environment %s_%s", p->prefix,
		    f.key ? "API_KEY" : "API_KEY_FILE");
	else if (f.credential[0])
		snprintf(where, sizeof(where), "credential %.64s",
		    strrchr(f.credential, '/') + 1);
	else
		snprintf(where, sizeof(where), "environment %s", f.base_name);
	err = config_upstream_add(c, p->name, where, &u, why);
	if (!err)
		err = f.key    ? copy(&u->key, f.key)
		      : f.file ? option_read_secret(f.file, &u->key, why)
		      : f.credential[0]
			  ? option_read_secret(f.credential, &u->key, why)
			  : OK;
	if (!err)
		err = strcmp(f.base_name, "OLLAMA_HOST") == 0 && f.base_url
			  ? host_url(f.base_url, &u->base_url)
			  : copy(&u->base_url,
				f.base_url ? f.base_url : p->base_url);
	if (!err)
		err = copy(&u->dialect, p->dialect);
	if (!err)
		err = copy(&u->model, f.model);
	return err;
}

enum err config_read_providers(struct config *c, struct why *why)
{
	for (size_t i = 0; i < N(providers); i++) {
		enum err err = take_provider(c, &providers[i], why);

		if (err)
			return err;
	}
	return OK;
}
