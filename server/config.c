#include "server/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/config_internal.h"
#include "server/suggest.h"
#include "store/base/digest.h"

static void upstream_fini(struct config_upstream *u)
{
	if (u->key)
		digest_wipe(u->key, strlen(u->key));
	free(u->key);
	config_header_forget(u);
	free(u->name);
	free(u->dialect);
	free(u->base_url);
	free(u->model);
	free(u->prefill);
	free(u->prices);
	memset(u, 0, sizeof(*u));
}

void config_fini(struct config *c)
{
	for (size_t i = 0; i < c->n_upstreams; i++)
		upstream_fini(&c->upstreams[i]);
	for (size_t i = 0; i < c->n_models; i++)
		config_model_fini(&c->models[i]);
	memset(c, 0, sizeof(*c));
}

static unsigned small(const struct option_set *o, const char *name)
{
	return (unsigned)option_int(o, name);
}

static void fill_listening(struct config *c, const struct option_set *o)
{
	c->listen = option_list(o, "listen");
	c->allow_hosts = option_list(o, "allow-host");
	c->cors_origins = option_list(o, "cors-origin");
	c->base_path = option_text(o, "base-path");
	if (!c->base_path)
		c->base_path = "";
	c->require_keys = strcmp(option_text(o, "auth"), "none") != 0;
	c->admin_key = option_text(o, "admin-key");
	c->strict_callable = option_bool(o, "strict-callable");
	c->loops = small(o, "loops");
	c->max_connections = small(o, "max-connections");
	c->max_per_ip = small(o, "max-per-ip");
	c->max_open = small(o, "max-open");
	c->rate = small(o, "rate");
	c->readers = small(o, "readers");
	c->max_body_bytes = (size_t)option_int(o, "max-body");
	c->header_ms = option_int(o, "header-timeout");
	c->body_ms = option_int(o, "body-timeout");
	c->keepalive_ms = option_int(o, "keepalive-timeout");
	c->stall_ms = option_int(o, "stall-timeout");
	c->max_wait_ms = option_int(o, "max-wait");
	c->ping_ms = option_int(o, "ping");
	c->drain_ms = option_int(o, "drain");
	c->core_dumps = option_bool(o, "core-dumps");
}

static void fill_work(struct config *c, const struct option_set *o)
{
	c->db = option_text(o, "db");
	c->backup_dir = option_text(o, "backup-dir");
	c->durability = strcmp(option_text(o, "durability"), "full") == 0
			    ? STORE_FULL
			    : STORE_NORMAL;
	c->retain_age_ms = option_int(o, "retain-age");
	c->retain_bytes = option_int(o, "retain-bytes");
	c->retain_count = option_int(o, "retain-count");
	c->retain_every_ms = option_int(o, "retain-every");
	c->retain_tombstones_ms = option_int(o, "retain-tombstones");
	c->cache_bytes = (size_t)option_int(o, "cache");
	c->backlog_bytes = (size_t)option_int(o, "backlog");
	c->disk_reserve_bytes = (uint64_t)option_int(o, "disk-reserve");
	c->demo = option_bool(o, "demo");
	c->default_upstream = option_text(o, "default-upstream");
	c->default_model = option_text(o, "default-model");
	c->on_interrupt = option_text(o, "on-interrupt");
	c->recover = option_text(o, "recover");
	c->retry_attempts = small(o, "retry-attempts");
	c->vault_key_file = option_text(o, "vault-key-file");
	c->vault_old_key_file = option_text(o, "vault-old-key-file");
	c->price_file = option_text(o, "prices");
	c->models_ttl_ms = option_int(o, "models-ttl");
	c->retry_base_ms = option_int(o, "retry-base");
	c->retry_max_ms = option_int(o, "retry-max");
	c->circuit_failures = small(o, "circuit-failures");
	c->circuit_cooldown_ms = option_int(o, "circuit-cooldown");
	c->workers = small(o, "workers");
	c->max_live = small(o, "max-live");
	c->max_answer_bytes = (size_t)option_int(o, "max-answer");
	c->connect_ms = option_int(o, "connect-timeout");
	c->first_token_ms = option_int(o, "first-token-timeout");
	c->idle_ms = option_int(o, "idle-timeout");
	c->total_ms = option_int(o, "total-timeout");
}

static void fill_log(struct config *c, const struct option_set *o)
{
	const char *format = option_text(o, "log-format");

	c->log_level = LOG_INFO;
	/* The table lists exactly the words that log knows. */
	if (log_level_parse(option_text(o, "log-level"), &c->log_level))
		c->log_level = LOG_INFO;
	if (strcmp(format, "auto") == 0)
		c->log_format = isatty(STDERR_FILENO) ? LOG_LOGFMT : LOG_JSON;
	else
		c->log_format =
		    strcmp(format, "json") == 0 ? LOG_JSON : LOG_LOGFMT;
}

/* "127.0.0.1:80", "[::1]:80", "localhost:80": nobody else can come. */
static bool loopback(const char *address)
{
	static const char *const hosts[] = { "localhost:", "[::1]:" };
	const char *p = address;
	unsigned dots = 0;

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strncmp(address, hosts[i], strlen(hosts[i])) == 0)
			return true;
	if (strncmp(address, "127.", 4) != 0)
		return false;
	for (; *p && *p != ':'; p++) {
		if (*p != '.' && (*p < '0' || *p > '9'))
			return false;
		dots += *p == '.';
	}
	return dots == 3;
}

static enum err check_listen(const struct config *c, struct why *why)
{
	const char *where = option_where(c->options, "listen");

	if (!c->listen[0]) {
		err_why(why, "%s: there is no address to listen on", where);
		return ERR_INPUT;
	}
	for (size_t i = 0; c->listen[i]; i++) {
		const char *port = strrchr(c->listen[i], ':');
		int64_t n = -1;

		if (!port || port == c->listen[i] ||
		    option_parse_int(port + 1, &n, NULL) || n < 0 ||
		    n > 65535) {
			err_why(why,
			    "%s: \"%s\" is not an address: write "
			    "127.0.0.1:8080 or [::1]:8080",
			    where, c->listen[i]);
			return ERR_INPUT;
		}
		if (!c->require_keys && !loopback(c->listen[i])) {
			err_why(why,
			    "%s: refusing to listen on %s with --auth none: "
			    "everybody who reaches it would be admin; use "
			    "127.0.0.1, or keys",
			    where, c->listen[i]);
			return ERR_INPUT;
		}
	}
	return OK;
}

static enum err check_origins(const struct config *c, struct why *why)
{
	for (size_t i = 0; c->cors_origins[i]; i++) {
		const char *o = c->cors_origins[i];
		const char *host = strstr(o, "://");

		if (strcmp(o, "*") == 0 || strcmp(o, "null") == 0)
			continue;
		if (!host || host == o || !host[3] ||
		    strpbrk(host + 3, "/?# \t")) {
			err_why(why,
			    "%s: \"%s\" is not an origin: write "
			    "https://example.org, without a path, or *",
			    option_where(c->options, "cors-origin"), o);
			return ERR_INPUT;
		}
	}
	return OK;
}

static enum err check_admin_key(const struct config *c, struct why *why)
{
	const char *where = option_where(c->options, "admin-key");

	if (!c->admin_key)
		return OK;
	if (strlen(c->admin_key) < CONFIG_MIN_ADMIN_KEY) {
		err_why(why,
		    "%s: the admin key must have %d characters or more: try "
		    "openssl rand -hex 24",
		    where, CONFIG_MIN_ADMIN_KEY);
		return ERR_INPUT;
	}
	for (const char *p = c->admin_key; *p; p++)
		if (*p <= ' ' || *p >= 0x7f) {
			err_why(why,
			    "%s: the admin key has blanks or characters "
			    "that no header can carry",
			    where);
			return ERR_INPUT;
		}
	return OK;
}

static enum err check_default_upstream(struct config *c, struct why *why)
{
	const char *words[CONFIG_MAX_UPSTREAMS + 1], *near;
	size_t n = 0;

	if (!c->default_upstream)
		return OK;
	for (; n < c->n_upstreams; n++)
		words[n] = c->upstreams[n].name;
	if (c->demo)
		words[n++] = "sim";
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], c->default_upstream) == 0)
			return OK;
	near = suggest_nearest(c->default_upstream, words, n);
	err_why(why, "%s: no upstream is called \"%s\"%s%s%s",
	    option_where(c->options, "default-upstream"), c->default_upstream,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return ERR_INPUT;
}

static enum err check_base_path(const struct config *c, struct why *why)
{
	const char *p = c->base_path;

	if (!*p || (*p == '/' && !strpbrk(p, "?# \t%") && !strstr(p, "//")))
		return OK;
	err_why(why, "%s: \"%s\" is not a path: write /like/this",
	    option_where(c->options, "base-path"), p);
	return ERR_INPUT;
}

static enum err check_upstreams(struct config *c, struct why *why)
{
	for (size_t i = 0; i < c->n_upstreams; i++) {
		struct config_upstream *u = &c->upstreams[i];
		struct why detail = { "" };
		enum err err;

		err = config_upstream_check(u, &detail);
		if (err) {
			err_why(why, "%s: %s", u->where, detail.text);
			return err;
		}
		if (c->demo && strcmp(u->name, "sim") == 0) {
			err_why(why,
			    "%s: --demo adds an upstream called sim itself",
			    u->where);
			return ERR_INPUT;
		}
	}
	return OK;
}

static enum err check_models(struct config *c, struct why *why)
{
	for (size_t i = 0; i < c->n_models; i++) {
		struct why detail = { "" };
		enum err err;

		err = config_model_check(c, &c->models[i], &detail);
		if (err) {
			err_why(why, "%s: %s", c->models[i].where, detail.text);
			return err;
		}
	}
	return config_model_check_default(c, why);
}

static enum err check(struct config *c, struct why *why)
{
	enum err err;

	err = check_listen(c, why);
	if (!err)
		err = check_origins(c, why);
	if (!err)
		err = check_base_path(c, why);
	if (!err)
		err = check_admin_key(c, why);
	if (!err)
		err = check_upstreams(c, why);
	if (!err)
		err = check_default_upstream(c, why);
	if (!err)
		err = check_models(c, why);
	if (!err)
		err = config_retain_check(c, why);
	return err;
}

enum err config_load(
    struct option_set *options, struct config *ret, struct why *why)
{
	struct config *c;
	const char *path;
	enum err err;

	c = calloc(1, sizeof(*c));
	if (!c)
		return ERR_NOMEM;
	c->options = options;
	/* The file may be named there. */
	err = option_take_env(options, why);
	if (err)
		goto out;
	path = option_text(options, "config");
	if (path)
		err = config_read_file(path, options, c, why);
	if (!err)
		err = config_read_providers(c, why);
	if (err)
		goto out;
	fill_listening(c, options);
	fill_work(c, options);
	fill_log(c, options);
	err = check(c, why);
	if (err)
		goto out;
	*ret = *c;
	c->n_upstreams = c->n_models = 0; /* moved */
out:
	config_fini(c);
	free(c);
	return err;
}

enum err config_can_answer(const struct config *c, struct why *why)
{
	if (c->n_upstreams || c->demo)
		return OK;
	err_why(why,
	    "there is no model to ask. Set OPENAI_API_KEY (and "
	    "OPENAI_BASE_URL for another server that speaks its protocol), "
	    "OPENROUTER_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY or "
	    "OLLAMA_HOST, or write an [upstream NAME] section and give "
	    "--config, or try --demo");
	return ERR_INPUT;
}
