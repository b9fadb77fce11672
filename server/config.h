/*
 * config: everything that serve can be told, in one struct, from flags, the
 * environment, an INI file and defaults; nobody else reads any of them.
 *
 * The file: [server], [store], [worker], [retry] and [log] hold the keys of the
 * option table; each [upstream NAME] holds dialect, base_url, model, any_model,
 * prefill, background, any number of header lines and one of key, key_file, key_env; each [model NAME] holds targets,
 * which are asked in that order; each [retain NAME] holds age, bytes or count,
 * and owner, status, payload_only. Comments are lines that begin with '#' or ';', and what
 * follows " ;". Anything unknown is an error with its line.
 *
 * The usual variables of providers define upstreams without a file:
 * OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL and the same for OPENROUTER,
 * ANTHROPIC, GEMINI and OLLAMA; and OLLAMA_HOST. A section of that name in the
 * file replaces them all.
 *
 * Used by: cmd_serve, cmd_config.     Thread: the main one, before others.
 * Promises: a loaded config has been checked as far as that goes without
 * opening anything; keys are never in a message.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/option.h"
#include "store/base/err.h"
#include "store/base/log.h"
#include "store/retention.h"
#include "store/store.h"

#define CONFIG_MAX_UPSTREAMS 64
#define CONFIG_MAX_MODELS 64
#define CONFIG_MAX_TARGETS 8
#define CONFIG_MAX_RETAINS 32
/* A preset admin key must be as long as this. */
#define CONFIG_MIN_ADMIN_KEY 20

struct config_upstream {
	char *name;
	char *dialect;
	char *base_url; /* without a slash at the end */
	char *key;	/* NULL: none; wiped when freed */
	char *model;	/* NULL: the caller names one */
	char *prefill;	/* "no", "yes", "trimmed", "vllm"; NULL: "no" */
	char *prices;	/* "none", or whose; NULL: those it lists */
	/* "Name: value\n" lines; NULL: none; wiped when freed */
	char *headers;
	bool is_openai;
	bool any_model, any_model_said;
	bool foreground; /* background = no */
	char where[512]; /* where it was defined, in words */
};

/* A name that means a list of targets. */
struct config_model {
	char *name;
	char *targets[CONFIG_MAX_TARGETS];
	size_t n_targets;
	char where[512];
};

#define CONFIG_RETAIN_KEYS 6

/* What is kept of some executions, and for how long. */
struct config_retain {
	char name[33];
	struct retention_rule rule;
	char said[CONFIG_RETAIN_KEYS][96]; /* its values; "": not given */
	char where[512];		   /* where it was defined, in words */
};

/* Texts are lent by the option set, which must outlive the config. */
struct config {
	const struct option_set *options;
	struct config_upstream upstreams[CONFIG_MAX_UPSTREAMS];
	size_t n_upstreams;
	struct config_model models[CONFIG_MAX_MODELS];
	size_t n_models;
	struct config_retain retains[CONFIG_MAX_RETAINS];
	size_t n_retains;

	const char *const *listen;
	const char *const *allow_hosts, *const *cors_origins;
	const char *base_path;
	const char *db;
	const char *backup_dir;	      /* NULL: backups/ beside db */
	const char *admin_key;	      /* NULL: not preset */
	const char *default_upstream; /* NULL: the first, or the demo's */
	const char *default_model;    /* NULL: that upstream's own */
	const char *on_interrupt, *recover;
	bool demo, require_keys, strict_callable, core_dumps;
	enum store_durability durability;
	unsigned loops, workers, readers;
	unsigned max_connections, max_per_ip, max_live, max_open, rate;
	size_t max_body_bytes, cache_bytes, backlog_bytes, max_answer_bytes;
	uint64_t disk_reserve_bytes; /* 0: by the size of the disk */
	int64_t header_ms, body_ms, keepalive_ms, stall_ms, max_wait_ms,
	    ping_ms;
	int64_t connect_ms, first_token_ms, idle_ms, total_ms;
	int64_t drain_ms;
	unsigned retry_attempts, circuit_failures;
	const char *price_file;				 /* NULL: none */
	const char *vault_key_file, *vault_old_key_file; /* NULL: none */
	int64_t models_ttl_ms; /* 0: lists are not asked for */
	int64_t retry_base_ms, retry_max_ms, circuit_cooldown_ms;
	int64_t retain_age_ms, retain_bytes, retain_count; /* 0: no limit */
	int64_t retain_every_ms, retain_tombstones_ms;
	enum log_level log_level;
	enum log_format log_format; /* auto has been decided */
};

/* The option tables of serve, for option_set_new(). */
const struct option_spec *const *config_tables(void);

/*
 * Read the environment and the file that --config names into ${options}, whose
 * flags were taken before, and check all of it. Fails: ERR_INPUT (${why} begins
 * with the file and line where there is one), ERR_NOMEM.
 */
MUST_CHECK enum err config_load(
    struct option_set *options, struct config *ret, struct why *why);

/*
 * All that retention must look to, of flags and sections, into ${ret}, with room
 * for CONFIG_MAX_RETAINS + 1. Returns how many.
 */
size_t config_rules(const struct config *c, struct retention_rule *ret);

/* The key of said[${i}]: "owner", …; NULL past the last. */
const char *config_retain_key(size_t i);

/* An all-zero config is fine. */
void config_fini(struct config *c);

/*
 * Is there anything that could answer? ERR_INPUT and ${why} says what to set
 * when neither an upstream nor --demo is there.
 */
MUST_CHECK enum err config_can_answer(const struct config *c, struct why *why);

/* Call ${take} with the name of each header that ${u} is sent. */
void config_header_names(const struct config_upstream *u,
    void (*take)(const char *name, void *arg), void *arg);

#endif
