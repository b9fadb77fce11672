#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/cmd/admin_key.h"
#include "server/cmd/cmd.h"
#include "server/cmd/env_hint.h"
#include "server/cmd/process.h"
#include "server/config.h"
#include "server/http.h"
#include "server/notify.h"
#include "server/reseal.h"
#include "server/retain.h"
#include "server/service.h"
#include "server/upstream.h"
#include "store/base/clock.h"
#include "store/base/log.h"
#include "store/base/seal.h"
#include "store/base/spare.h"
#include "store/store.h"
#include "worker/worker.h"

/* How long the last answers may take once everything has ended. */
#define LAST_ANSWERS_MS 2000

/* Everything that serve owns, in the order in which it is made. */
struct serving {
	struct config config;
	struct seal *seal; /* NULL: owners have no keys for providers */
	struct store *store;
	struct upstream *demo;
	struct worker *worker;
	struct retain *retain;
	struct service *service;
	struct http_server *http;
	char backup_dir[4096];
	size_t queued, interrupted; /* what the last process left */
};

static void on_store_failed(void *arg, const struct why *why)
{
	(void)arg;
	log_error("serve", "store failed", "detail=%s", why->text);
	process_fail();
}

static enum err open_store(struct serving *s, struct why *why)
{
	struct store_options o = {
		.url = s->config.db,
		.durability = s->config.durability,
		.cache_bytes = s->config.cache_bytes,
		.backlog_bytes = s->config.backlog_bytes,
		.reserve_bytes = s->config.disk_reserve_bytes,
		.on_failed = on_store_failed,
	};
	enum err err;

	err = store_open(&o, &s->store, why);
	if (!err && s->config.require_keys)
		err = admin_key_ensure(
		    s->store, s->config.admin_key, s->config.db, why);
	return err;
}

/* What opens owners' keys; those of the key before are sealed anew. */
static enum err open_vault(struct serving *s, struct why *why)
{
	const struct config *c = &s->config;
	enum err err;

	if (!c->vault_key_file && c->vault_old_key_file) {
		err_why(why, "vault-old-key-file without vault-key-file");
		return ERR_INPUT;
	}
	if (!c->vault_key_file)
		return OK;
	err = seal_new(c->vault_key_file, c->vault_old_key_file, &s->seal, why);
	return err ? err : reseal_all(s->store, s->seal, why);
}

static enum err start_demo(struct serving *s, struct why *why)
{
	struct upstream_options o;

	if (!s->config.demo)
		return OK;
	upstream_defaults(&o);
	return upstream_start(&o, &s->demo, why);
}

static enum err start_worker(struct serving *s, struct why *why)
{
	struct worker_upstream upstreams[CONFIG_MAX_UPSTREAMS + 1];
	struct worker_model models[CONFIG_MAX_MODELS];
	const struct config *c = &s->config;
	struct worker_options o = {
		.store = s->store,
		.upstreams = upstreams,
		.n_upstreams = c->n_upstreams,
		.default_upstream = c->default_upstream,
		.models = models,
		.n_models = c->n_models,
		.default_model = c->default_model,
		.retry_attempts = c->retry_attempts,
		.retry_base_ms = c->retry_base_ms,
		.retry_max_ms = c->retry_max_ms,
		.on_interrupt = c->on_interrupt,
		.recover = c->recover,
		.circuit_failures = c->circuit_failures,
		.circuit_cooldown_ms = c->circuit_cooldown_ms,
		.threads = c->workers,
		.max_live = c->max_live,
		.connect_ms = c->connect_ms,
		.first_token_ms = c->first_token_ms,
		.idle_ms = c->idle_ms,
		.total_ms = c->total_ms,
		.max_answer_bytes = c->max_answer_bytes,
		.models_ttl_ms = c->models_ttl_ms,
		.price_file = c->price_file,
		.seal = s->seal,
	};

	for (size_t i = 0; i < c->n_upstreams; i++)
		upstreams[i] = (struct worker_upstream){
			.name = c->upstreams[i].name,
			.dialect = c->upstreams[i].dialect,
			.base_url = c->upstreams[i].base_url,
			.key = c->upstreams[i].key,
			.model = c->upstreams[i].model,
			.is_openai = c->upstreams[i].is_openai,
			.any_model = c->upstreams[i].any_model,
			.prefill = c->upstreams[i].prefill,
			.prices = c->upstreams[i].prices,
			.headers = c->upstreams[i].headers,
			.foreground = c->upstreams[i].foreground,
		};
	for (size_t i = 0; i < c->n_models; i++)
		models[i] = (struct worker_model){
			.name = c->models[i].name,
			.targets = (const char *const *)c->models[i].targets,
			.n_targets = c->models[i].n_targets,
		};
	if (s->demo) {
		upstreams[o.n_upstreams++] = (struct worker_upstream){
			.name = "sim",
			.dialect = "openai",
			.base_url = upstream_url(s->demo),
			.model = "sim",
		};
		if (!o.default_upstream)
			o.default_upstream = "sim";
	}
	return worker_start(&o, &s->worker, why);
}

/* As said, or backups/ beside the store. */
static const char *backup_dir(struct serving *s)
{
	const char *db = s->config.db, *slash;

	if (s->config.backup_dir)
		return s->config.backup_dir;
	if (strncmp(db, "sqlite:", 7) == 0)
		db += strncmp(db + 7, "//", 2) == 0 ? 9 : 7;
	slash = strrchr(db, '/');
	snprintf(s->backup_dir, sizeof(s->backup_dir), "%.*sbackups",
	    slash ? (int)(slash - db + 1) : 0, db);
	return s->backup_dir;
}

static enum err start_retain(struct serving *s, struct why *why)
{
	struct retention_rule rules[CONFIG_MAX_RETAINS + 1];
	const struct config *c = &s->config;
	struct retain_options o = {
		.store = s->store,
		.rules = rules,
		.n_rules = config_rules(c, rules),
		.every_ms = c->retain_every_ms,
		.tombstones_ms = c->retain_tombstones_ms,
	};

	return retain_start(&o, &s->retain, why);
}

static enum err start_service(struct serving *s, struct why *why)
{
	const struct config *c = &s->config;
	struct service_options o = {
		.store = s->store,
		.worker = s->worker,
		.require_keys = c->require_keys,
		.read_threads = c->readers,
		.max_open_per_key = c->max_open,
		.rate_per_s = c->rate,
		.max_wait_ms = c->max_wait_ms,
		.ping_ms = c->ping_ms,
		.max_message_bytes = c->max_body_bytes,
		.message_ms = c->body_ms,
		.strict_callable = c->strict_callable,
		.never_goes_on = strcmp(c->on_interrupt, "fail") == 0,
		.base_path = c->base_path,
		.backup_dir = backup_dir(s),
		.retain = s->retain,
		.seal = s->seal,
	};
	enum err err;

	err = service_new(&o, &s->service, why);
	if (!err)
		err = service_recover(
		    s->service, &s->queued, &s->interrupted, why);
	return err;
}

static enum err start_http(struct serving *s, struct why *why)
{
	const struct config *c = &s->config;
	struct http_options o = {
		.listen = c->listen,
		.loops = c->loops,
		.max_connections = c->max_connections,
		.max_per_ip = c->max_per_ip,
		.max_body_bytes = c->max_body_bytes,
		.header_ms = c->header_ms,
		.body_ms = c->body_ms,
		.idle_ms = c->keepalive_ms,
		.stall_ms = c->stall_ms,
		.allow_hosts = c->allow_hosts,
		.allow_origins = c->cors_origins,
		.server_name = "spool",
		.max_body = service_max_body,
		.on_request = service_on_request,
		.on_refusal = service_on_refusal,
		.arg = s->service,
	};

	return http_server_start(&o, &s->http, why);
}

/* The first lines on stdout are for people and for whoever started us. */
static void announce(const struct serving *s, int64_t took_ms)
{
	char address[128];

	for (unsigned i = 0;
	     http_server_address(s->http, i, address, sizeof(address)); i++) {
		printf("spool %s listening on http://%s\n", SPOOL_VERSION,
		    address);
		log_info("serve", "listening",
		    "url=http://%s version=%s startup_ms=%lld queued=%zu "
		    "interrupted=%zu db=%s",
		    address, SPOOL_VERSION, (long long)took_ms, s->queued,
		    s->interrupted, s->config.db);
	}
	/* Somebody may have closed it: the log has said it too. */
	fflush(stdout);
	clearerr(stdout);
	if (isatty(STDERR_FILENO)) {
		http_server_address(s->http, 0, address, sizeof(address));
		fprintf(stderr,
		    "Data is in %s. In another terminal%s:\n\n"
		    "    SPOOL_URL=http://%s spool exec \"Why is the sky "
		    "blue?\"\n\n",
		    s->config.db,
		    s->config.require_keys ? ", with SPOOL_KEY set" : "",
		    address);
	}
	if (!s->config.require_keys)
		log_warn("serve", "no keys",
		    "detail=everybody on this machine is admin");
}

static enum err start(struct serving *s, struct why *why)
{
	int64_t begun_ms = clock_mono_ms();
	enum err err;

	err = open_store(s, why);
	if (!err)
		err = open_vault(s, why);
	if (!err)
		err = start_demo(s, why);
	if (!err)
		err = start_worker(s, why);
	if (!err)
		err = start_retain(s, why);
	if (!err)
		err = start_service(s, why);
	if (!err)
		err = start_http(s, why);
	if (!err) {
		announce(s, clock_mono_ms() - begun_ms);
		notify_ready();
	}
	return err;
}

/* Let the last answers leave. */
static void drain_http(struct http_server *http)
{
	int64_t until = clock_mono_ms() + LAST_ANSWERS_MS;
	struct http_stats stats;

	http_server_drain(http);
	do {
		http_server_stats(http, &stats);
		if (!stats.exchanges)
			return;
		poll(NULL, 0, 10);
	} while (clock_mono_ms() < until);
}

/*
 * In this order nobody is called who has gone. Reads go on, and readyz says
 * 503, while executions end; then the sockets close.
 */
static void stop(struct serving *s, int64_t drain_ms)
{
	retain_end(s->retain);
	if (s->service)
		service_drain(s->service);
	worker_stop(s->worker, drain_ms);
	if (s->http)
		drain_http(s->http);
	if (s->service)
		service_stop(s->service);
	http_server_stop(s->http);
	service_free(s->service);
	retain_free(s->retain);
	upstream_stop(s->demo);
	store_close(s->store);
	seal_free(s->seal);
}

static enum err prepare(struct cmd *c, struct serving *s, struct why *why)
{
	enum err err;

	err = config_load(c->options, &s->config, why);
	env_hint(c->options);
	if (!err)
		err = config_can_answer(&s->config, why);
	if (err)
		return err;
	/* What is made from here on is the owner's alone. */
	umask(077);
	log_setup(s->config.log_level, s->config.log_format);
	json_object_seed(0);
	json_set_alloc_funcs(spare_malloc, spare_free);
	return process_prepare(!s->config.core_dumps, why);
}

static enum cmd_exit run(struct cmd *c)
{
	static struct serving s; /* large */
	struct why why = { "" };
	enum cmd_exit code;
	enum err err;
	int got;

	err = prepare(c, &s, &why);
	if (!err)
		err = start(&s, &why);
	if (err) {
		stop(&s, 0);
		config_fini(&s.config);
		return cmd_fail(err, &why);
	}
	got = process_wait();
	notify_stopping();
	log_info("serve", "stopping", "signal=%d drain_ms=%lld", got,
	    (long long)(got < 0 ? 0 : s.config.drain_ms));
	code = got < 0 ? CMD_FAILED : CMD_OK;
	stop(&s, got < 0 ? 0 : s.config.drain_ms);
	log_info("serve", "stopped", "signal=%d", got);
	config_fini(&s.config);
	return code;
}

static const char *const aliases[] = { "server", "start", NULL };
static const struct command command = {
	.name = "serve",
	.aliases = aliases,
	.group = "Servers",
	.summary = "run the server",
	.usage = "[options]",
	.about =
	    "Listens on 127.0.0.1:8080 and keeps everything in ./spool.db. The "
	    "first start makes an admin key and shows it once: on the terminal, "
	    "or in admin.key beside the database.\n\n"
	    "OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL and the same for "
	    "OPENROUTER, ANTHROPIC, GEMINI and OLLAMA define upstreams without "
	    "a file, and so does OLLAMA_HOST. Others are sections of the config "
	    "file: [upstream NAME] with dialect (openai, ollama, gemini, "
	    "anthropic, responses), base_url, model and one of key, key_file, key_env; "
	    "any_model = yes where models are called vendor/model, prefill = "
	    "yes or vllm where a partial answer is gone on from, background = "
	    "no where a responses upstream keeps no answers. [model NAME] "
	    "with targets = UPSTREAM/MODEL, UPSTREAM/MODEL is a name for a "
	    "list: the next is asked when the one before fails.\n\n"
	    "SIGTERM or SIGINT stops it: new work is refused, running answers "
	    "have --drain to end; a second one ends it at once. SIGHUP "
	    "reloads nothing, and the log says so: what the configuration "
	    "says is read at the start. A secret may also be a systemd "
	    "credential, a file in $CREDENTIALS_DIRECTORY that is called as "
	    "its variable, in small letters or as it is.",
	.examples = "spool serve --demo\n"
		    "OPENAI_API_KEY=… OPENAI_MODEL=… spool serve\n"
		    "spool serve --config spool.ini --listen 127.0.0.1:9000\n",
	.uses = CMD_CONFIG,
	.run = run,
};

const struct command *cmd_serve(void)
{
	return &command;
}
