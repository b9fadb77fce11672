#include "server/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/worker.h"

static const char *const variables[] = { "OPENAI_API_KEY",
	"OPENAI_API_KEY_FILE", "OPENAI_BASE_URL", "OPENAI_MODEL",
	"OPENROUTER_API_KEY", "OPENROUTER_API_KEY_FILE", "OPENROUTER_BASE_URL",
	"OPENROUTER_MODEL", "GEMINI_API_KEY", "GEMINI_BASE_URL",
	"GOOGLE_GEMINI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL",
	"ANTHROPIC_MODEL", "OLLAMA_API_KEY", "OLLAMA_BASE_URL", "OLLAMA_MODEL",
	"OLLAMA_HOST", "SPOOL_LISTEN", "SPOOL_CONFIG", "SPOOL_AUTH", "SPOOL_DB",
	"SPOOL_ADMIN_KEY", "SPOOL_DRAIN", "SPOOL_TEST_SECRET" };

struct fixture {
	char path[64];
	struct option_set *set;
	struct config config;
	struct why why;
};

static int begin(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	if (!f)
		return -1;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	snprintf(f->path, sizeof(f->path), "/tmp/config_test_XXXXXX");
	fd = mkstemp(f->path);
	if (fd < 0 || option_set_new(config_tables(), &f->set))
		return -1;
	close(fd);
	*state = f;
	return 0;
}

static int end(void **state)
{
	struct fixture *f = *state;

	config_fini(&f->config);
	option_set_free(f->set);
	unlink(f->path);
	free(f);
	return 0;
}

/* Load the file ${text} with --config, and up to two more words. */
static enum err load(
    struct fixture *f, const char *text, const char *a, const char *b)
{
	char *argv[] = { "test", "--config", f->path, NULL, NULL, NULL };
	FILE *file = fopen(f->path, "w");
	int argc = 3, first;
	char copy[2][128];

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	snprintf(copy[0], sizeof(copy[0]), "%s", a ? a : "");
	snprintf(copy[1], sizeof(copy[1]), "%s", b ? b : "");
	if (a)
		argv[argc++] = copy[0];
	if (b)
		argv[argc++] = copy[1];
	assert_int_equal(
	    option_take_flags(f->set, argc, argv, &first, &f->why), OK);
	return config_load(f->set, &f->config, &f->why);
}

/* As load(), once more. */
static enum err load_again(struct fixture *f, const char *text)
{
	config_fini(&f->config);
	f->config = (struct config){ 0 };
	return load(f, text, NULL, NULL);
}

/* ${says} may begin with "FILE", which stands for the file's path. */
static void refused(struct fixture *f, const char *text, const char *says)
{
	bool has_file = strncmp(says, "FILE", 4) == 0;
	char wanted[256];

	assert_int_equal(load(f, text, NULL, NULL), ERR_INPUT);
	snprintf(wanted, sizeof(wanted), "%s%s", has_file ? f->path : "",
	    says + (has_file ? 4 : 0));
	if (!strstr(f->why.text, wanted))
		fail_msg("want \"%s\" in \"%s\"", wanted, f->why.text);
	assert_int_equal(f->config.n_upstreams, 0);
}

static void a_whole_file_is_understood(void **state)
{
	struct fixture *f = *state;
	const struct config *c = &f->config;

	assert_int_equal(
	    load(f,
		"# a comment\n"
		"[server]\n"
		"listen = 127.0.0.1:9000, [::1]:9000 ; two of them\n"
		"  drain = 5s\n"
		"\tmax_body = 2MiB\n"
		"[store]\n"
		"db=/tmp/x.db\n"
		"durability: normal\n"
		"\n"
		"[log]\n"
		"format = json\n"
		"level = debug\n"
		"[upstream fast]\n"
		"base_url = http://127.0.0.1:1/v1/\n"
		"key = sk-1\n"
		"model = tiny\n"
		"[upstream slow]\n"
		"dialect = openai\n"
		"base_url = https://api.openai.com/v1\n"
		"[worker]\n"
		"default_upstream = slow\n",
		NULL, NULL),
	    OK);
	assert_string_equal(c->listen[1], "[::1]:9000");
	assert_int_equal(c->drain_ms, 5000);
	assert_int_equal(c->max_body_bytes, 2 << 20);
	assert_string_equal(c->db, "/tmp/x.db");
	assert_int_equal(c->durability, STORE_NORMAL);
	assert_int_equal(c->log_format, LOG_JSON);
	assert_int_equal(c->log_level, LOG_DEBUG);
	assert_int_equal(c->n_upstreams, 2);
	assert_string_equal(c->upstreams[0].name, "fast");
	assert_string_equal(c->upstreams[0].dialect, "openai");
	assert_string_equal(c->upstreams[0].base_url, "http://127.0.0.1:1/v1");
	assert_string_equal(c->upstreams[0].key, "sk-1");
	assert_string_equal(c->upstreams[0].model, "tiny");
	assert_false(c->upstreams[0].is_openai);
	assert_true(c->upstreams[1].is_openai);
	assert_null(c->upstreams[1].key);
	assert_string_equal(c->default_upstream, "slow");
	assert_int_equal(config_can_answer(c, &f->why), OK);
}

static void an_unknown_key_is_told_with_its_line(void **state)
{
	refused(*state, "[server]\n\nlisen = 127.0.0.1:1\n",
	    "FILE:3: unknown key \"lisen\" in [server]; did you mean "
	    "\"listen\"?");
}

static void a_key_of_another_section_is_told_where_it_belongs(void **state)
{
	refused(*state, "[server]\ndurability = full\n",
	    "FILE:2: unknown key \"durability\" in [server]; it belongs in "
	    "[store]");
}

static void an_unknown_section_is_told_with_its_line(void **state)
{
	refused(*state, "[servre]\nlisten = 127.0.0.1:1\n",
	    "FILE:1: unknown section [servre]; did you mean [server]?");
}

static void an_empty_unknown_section_is_an_error_too(void **state)
{
	refused(
	    *state, "[server]\n[banana]\n", "FILE:2: unknown section [banana]");
}

static void a_bad_value_is_told_with_its_line(void **state)
{
	refused(*state, "[server]\nlisten = 127.0.0.1:1\ndrain = soon\n",
	    "FILE:3: drain: \"soon\" is not a duration");
}

static void a_key_given_twice_is_an_error(void **state)
{
	refused(*state, "[store]\ndb = a\ndb = b\n",
	    "FILE:3: \"db\" is given twice; the first is in line 2");
}

static void a_line_that_is_nothing_is_an_error(void **state)
{
	refused(*state, "[server]\nlisten\n", "FILE:2: neither a [section]");
}

static void a_section_without_its_end_is_an_error(void **state)
{
	refused(*state, "[server\n", "FILE:1: neither a [section]");
}

static void a_key_before_any_section_is_an_error(void **state)
{
	refused(*state, "listen = 127.0.0.1:1\n",
	    "FILE:1: a key before the first [section]");
}

static void a_line_that_is_too_long_is_an_error(void **state)
{
	char text[8192] = "[server]\nlisten = ";

	memset(text + strlen(text), 'x', 6000);
	refused(*state, text, "FILE:2: the line is too long");
}

static void a_missing_file_is_an_error(void **state)
{
	struct fixture *f = *state;
	char *argv[] = { "test", "--config", "/nowhere/spool.ini", NULL };
	int first;

	assert_int_equal(
	    option_take_flags(f->set, 3, argv, &first, &f->why), OK);
	assert_int_equal(config_load(f->set, &f->config, &f->why), ERR_INPUT);
	assert_non_null(strstr(f->why.text, "/nowhere/spool.ini"));
}

static void upstreams_are_checked_key_by_key(void **state)
{
	refused(*state, "[upstream a]\nbaseurl = http://x\n",
	    "FILE:2: unknown key \"baseurl\" in [upstream a]; did you mean "
	    "\"base_url\"?");
}

static void an_upstream_needs_a_url(void **state)
{
	refused(*state, "[upstream a]\nmodel = x\n",
	    "FILE:1: upstream a has no base_url");
}

static void an_upstream_without_keys_is_not_overlooked(void **state)
{
	refused(*state, "[upstream a]\n", "FILE:1: upstream a has no base_url");
}

static void an_upstream_url_must_be_http(void **state)
{
	refused(*state, "[upstream a]\nbase_url = file:///etc/passwd\n",
	    "must begin with http://");
}

static void an_upstream_url_holds_no_password(void **state)
{
	struct fixture *f = *state;

	refused(f, "[upstream a]\nbase_url = http://u:sesame@host/v1\n",
	    "has a user or password in it");
	assert_null(strstr(f->why.text, "sesame"));
}

static void an_upstream_name_is_plain(void **state)
{
	refused(*state, "[upstream Big Model]\nbase_url = http://x\n",
	    "FILE:1: \"Big Model\" cannot name an upstream");
}

static void an_upstream_is_defined_once(void **state)
{
	refused(*state,
	    "[upstream a]\nbase_url = http://x\n[upstream a]\nmodel = x\n",
	    "FILE:3: [upstream a] is there twice");
}

static void only_one_way_to_give_a_key(void **state)
{
	refused(*state,
	    "[upstream a]\nbase_url = http://x\nkey = a\nkey_env = HOME\n",
	    "FILE:4: only one of key, key_file and key_env");
}

static void a_key_variable_must_be_there(void **state)
{
	refused(*state, "[upstream a]\nkey_env = SPOOL_TEST_SECRET\n",
	    "FILE:2: key_env: SPOOL_TEST_SECRET is not in the environment");
}

static void a_key_variable_is_read(void **state)
{
	struct fixture *f = *state;

	setenv("SPOOL_TEST_SECRET", "sk-2", 1);
	assert_int_equal(load(f,
			     "[upstream a]\nbase_url = http://x\n"
			     "key_env = SPOOL_TEST_SECRET\n",
			     NULL, NULL),
	    OK);
	assert_string_equal(f->config.upstreams[0].key, "sk-2");
}

static void a_key_with_blanks_is_refused_and_not_repeated(void **state)
{
	struct fixture *f = *state;

	refused(f, "[upstream a]\nbase_url = http://x\nkey = open sesame\n",
	    "the key of upstream a has characters");
	assert_null(strstr(f->why.text, "sesame"));
}

static void an_unknown_default_upstream_is_told(void **state)
{
	refused(*state,
	    "[worker]\ndefault_upstream = fasst\n"
	    "[upstream fast]\nbase_url = http://x\n",
	    "no upstream is called \"fasst\"; did you mean \"fast\"?");
}

#define TWO                                      \
	"[upstream cloud]\n"                     \
	"base_url = https://example.org/v1\n"    \
	"[upstream local]\n"                     \
	"base_url = http://127.0.0.1:11434/v1\n" \
	"model = llama3\n"                       \
	"prefill = yes\n"                        \
	"any_model = yes\n"

static void a_model_is_a_list_of_targets(void **state)
{
	struct fixture *f = *state;
	const struct config *c = &f->config;

	assert_int_equal(
	    load(f,
		TWO "[model chat]\n"
		    "targets = cloud/gpt-5 ,local,  local/a/b\n"
		    "[worker]\n"
		    "default_model = chat\n"
		    "[retry]\n"
		    "attempts = 2\nbase = 100ms\nmax = 3s\n"
		    "on_interrupt = continue\n"
		    "circuit_failures = 0\ncircuit_cooldown = 1m\n",
		NULL, NULL),
	    OK);
	assert_int_equal(c->n_models, 1);
	assert_string_equal(c->models[0].name, "chat");
	assert_int_equal(c->models[0].n_targets, 3);
	assert_string_equal(c->models[0].targets[0], "cloud/gpt-5");
	assert_string_equal(c->models[0].targets[1], "local");
	assert_string_equal(c->models[0].targets[2], "local/a/b");
	assert_string_equal(c->default_model, "chat");
	assert_false(c->upstreams[0].any_model);
	assert_true(c->upstreams[1].any_model);
	assert_string_equal(c->upstreams[1].prefill, "yes");
	assert_int_equal(c->retry_attempts, 2);
	assert_int_equal(c->retry_base_ms, 100);
	assert_int_equal(c->retry_max_ms, 3000);
	assert_string_equal(c->on_interrupt, "continue");
	assert_int_equal(c->circuit_failures, 0);
	assert_int_equal(c->circuit_cooldown_ms, 60000);
}

static void a_model_is_checked_target_by_target(void **state)
{
	refused(*state, TWO "[model a]\n", "FILE:8: [model a] has no targets");
	refused(*state, TWO "[model a]\ntargets = local, claud/x\n",
	    "did you mean \"cloud\"?");
}

static void a_target_needs_a_model(void **state)
{
	refused(*state, TWO "[model a]\ntargets = cloud\n",
	    "FILE:8: target \"cloud\" names no model");
}

static void a_model_has_no_empty_places(void **state)
{
	refused(*state, TWO "[model a]\ntargets = local,,cloud/x\n",
	    "FILE:9: targets has an empty place");
}

static void a_model_has_targets_and_nothing_else(void **state)
{
	refused(*state, TWO "[model a]\ntarget = local\n",
	    "FILE:9: unknown key \"target\" in [model a]; it has targets");
}

static void a_model_is_defined_once(void **state)
{
	refused(*state,
	    TWO "[model a]\ntargets = local\n[model a]\ntargets = local\n",
	    "FILE:10: [model a] is there twice");
}

static void a_model_name_has_no_slash(void **state)
{
	refused(*state, TWO "[model a/b]\n", "cannot name a model");
}

static void an_unknown_default_model_is_told(void **state)
{
	refused(*state,
	    TWO "[model chat]\ntargets = local\n"
		"[worker]\ndefault_model = chatt\n",
	    "did you mean \"chat\"?");
}

static void a_default_model_may_be_an_upstreams(void **state)
{
	assert_int_equal(
	    load(*state, TWO "[worker]\ndefault_model = local/x\n", NULL, NULL),
	    OK);
}

static void prefill_has_four_words(void **state)
{
	refused(*state,
	    "[upstream a]\nbase_url = http://x/v1\nprefill = maybe\n",
	    "must be no, yes, trimmed or vllm");
}

static void anthropics_prefill_is_trimmed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f,
			     "[upstream a]\nbase_url = http://x/v1\n"
			     "dialect = anthropic\nprefill = yes\n",
			     NULL, NULL),
	    OK);
	assert_string_equal(f->config.upstreams[0].prefill, "trimmed");
}

static void openrouters_models_may_be_called_anything(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    load(f,
		"[upstream a]\nbase_url = https://openrouter.ai/api/v1\n"
		"[upstream b]\nbase_url = https://openrouter.ai.evil/v1\n"
		"[upstream c]\nbase_url = https://openrouter.ai/api/v1\n"
		"any_model = no\n",
		NULL, NULL),
	    OK);
	assert_true(f->config.upstreams[0].any_model);
	assert_false(f->config.upstreams[1].any_model);
	assert_false(f->config.upstreams[2].any_model);
}

static void without_keys_only_loopback_is_listened_on(void **state)
{
	refused(*state, "[server]\nauth = none\nlisten = 0.0.0.0:80\n",
	    "refusing to listen on 0.0.0.0:80 with --auth none");
}

static void a_name_that_looks_like_loopback_is_not(void **state)
{
	refused(*state, "[server]\nauth = none\nlisten = 127.evil.example:80\n",
	    "refusing to listen on 127.evil.example:80");
}

static void with_keys_any_address_is_listened_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    load(f, "[server]\nlisten = 0.0.0.0:80\n", NULL, NULL), OK);
	assert_true(f->config.require_keys);
}

static void without_keys_loopback_is_fine(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f,
			     "[server]\nauth = none\n"
			     "listen = 127.0.0.2:80, [::1]:80, localhost:80\n",
			     NULL, NULL),
	    OK);
	assert_false(f->config.require_keys);
}

static void an_address_needs_a_port(void **state)
{
	refused(*state, "[server]\nlisten = 127.0.0.1\n",
	    "FILE:2: \"127.0.0.1\" is not an address");
}

static void an_origin_has_no_path(void **state)
{
	refused(*state, "[server]\ncors_origin = https://example.org/\n",
	    "is not an origin");
}

static void a_short_admin_key_is_refused_and_not_repeated(void **state)
{
	struct fixture *f = *state;

	setenv("SPOOL_ADMIN_KEY", "sesame", 1);
	refused(f, "", "environment SPOOL_ADMIN_KEY: the admin key must have");
	assert_null(strstr(f->why.text, "sesame"));
}

static void providers_are_found_in_the_environment(void **state)
{
	struct fixture *f = *state;

	setenv("OPENAI_API_KEY", "sk-3", 1);
	setenv("OPENAI_MODEL", "gpt", 1);
	setenv("OPENROUTER_API_KEY", "sk-4", 1);
	setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:1/v1", 1);
	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(f->config.n_upstreams, 2);
	assert_string_equal(f->config.upstreams[0].name, "openai");
	assert_string_equal(
	    f->config.upstreams[0].base_url, "https://api.openai.com/v1");
	assert_string_equal(f->config.upstreams[0].model, "gpt");
	assert_true(f->config.upstreams[0].is_openai);
	assert_string_equal(
	    f->config.upstreams[1].base_url, "http://127.0.0.1:1/v1");
	assert_string_equal(f->config.upstreams[1].dialect, "openai");
}

static void providers_have_their_dialects(void **state)
{
	struct fixture *f = *state;
	const struct config_upstream *u = f->config.upstreams;

	setenv("OLLAMA_HOST", "127.0.0.1", 1);
	setenv("GEMINI_API_KEY", "g", 1);
	setenv("ANTHROPIC_API_KEY", "a", 1);
	setenv("ANTHROPIC_MODEL", "claude", 1);
	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(f->config.n_upstreams, 3);
	assert_string_equal(u[0].dialect, "anthropic");
	assert_string_equal(u[0].base_url, "https://api.anthropic.com");
	assert_string_equal(u[0].key, "a");
	assert_string_equal(u[0].model, "claude");
	assert_string_equal(u[1].dialect, "gemini");
	assert_string_equal(
	    u[1].base_url, "https://generativelanguage.googleapis.com");
	assert_string_equal(u[2].dialect, "ollama");
	assert_null(u[2].key);
	assert_string_equal(u[2].where, "environment OLLAMA_HOST");
	assert_int_equal(config_can_answer(&f->config, &f->why), OK);
}

static void ollamas_host_is_read_as_ollama_reads_it(void **state)
{
	static const struct {
		const char *host, *url;
	} cases[] = {
		{ "127.0.0.1", "http://127.0.0.1:11434" },
		{ "127.0.0.1:1234", "http://127.0.0.1:1234" },
		{ "gpu-box", "http://gpu-box:11434" },
		{ ":1234", "http://127.0.0.1:1234" },
		{ "gpu-box:", "http://gpu-box:11434" },
		{ "0.0.0.0", "http://127.0.0.1:11434" },
		{ "0.0.0.0:80", "http://127.0.0.1:80" },
		{ "[::1]:1234", "http://[::1]:1234" },
		{ "[::]", "http://[::1]:11434" },
		{ "http://gpu-box", "http://gpu-box" },
		{ "https://gpu-box:8443/", "https://gpu-box:8443" },
		{ "https://gpu-box/ollama", "https://gpu-box/ollama" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("OLLAMA_HOST", cases[i].host, 1);
		assert_int_equal(load_again(f, ""), OK);
		assert_string_equal(
		    f->config.upstreams[0].base_url, cases[i].url);
	}
}

static void a_base_url_beats_the_providers_other_name_for_it(void **state)
{
	struct fixture *f = *state;

	setenv("OLLAMA_HOST", "127.0.0.1:1", 1);
	setenv("OLLAMA_BASE_URL", "http://127.0.0.1:2", 1);
	setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:3/", 1);
	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(f->config.n_upstreams, 2);
	assert_string_equal(
	    f->config.upstreams[0].base_url, "http://127.0.0.1:3");
	assert_string_equal(
	    f->config.upstreams[0].where, "environment GOOGLE_GEMINI_BASE_URL");
	assert_string_equal(
	    f->config.upstreams[1].base_url, "http://127.0.0.1:2");
	setenv("OLLAMA_API_KEY", "o", 1);
	unsetenv("OLLAMA_HOST");
	unsetenv("OLLAMA_BASE_URL");
	assert_int_equal(load_again(f, ""), OK);
	assert_string_equal(
	    f->config.upstreams[1].base_url, "https://ollama.com");
}

static void every_dialect_can_be_named(void **state)
{
	refused(*state,
	    "[upstream x]\ndialect = antropic\nbase_url = http://h\n",
	    "unknown dialect \"antropic\"; did you mean \"anthropic\"?");
	refused(*state, "[upstream x]\ndialect = soap\nbase_url = http://h\n",
	    "unknown dialect \"soap\": one of openai, ollama, gemini, "
	    "anthropic");
	refused(*state,
	    "[upstream x]\ndialect = ollama\nbase_url = http://h/v1\n",
	    "base_url of upstream x ends in /v1");
	for (const char *const *d = worker_dialects(); *d != NULL; d++) {
		char text[96];

		snprintf(text, sizeof(text),
		    "[upstream x]\ndialect = %s\nbase_url = http://h\n", *d);
		assert_int_equal(load_again(*state, text), OK);
	}
}

static void a_section_replaces_a_provider_of_the_environment(void **state)
{
	struct fixture *f = *state;

	setenv("OPENAI_API_KEY", "sk-3", 1);
	assert_int_equal(
	    load(f, "[upstream openai]\nbase_url = http://127.0.0.1:1/v1\n",
		NULL, NULL),
	    OK);
	assert_int_equal(f->config.n_upstreams, 1);
	/* The key of the real one must not go to another host. */
	assert_null(f->config.upstreams[0].key);
}

static void a_local_server_needs_no_key(void **state)
{
	struct fixture *f = *state;

	setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1/", 1);
	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(f->config.n_upstreams, 1);
	assert_false(f->config.upstreams[0].is_openai);
}

static void without_any_provider_nothing_can_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(config_can_answer(&f->config, &f->why), ERR_INPUT);
	assert_non_null(strstr(f->why.text, "OPENAI_API_KEY"));
	assert_non_null(strstr(f->why.text, "--demo"));
	assert_non_null(strstr(f->why.text, "ANTHROPIC_API_KEY"));
}

static void the_demo_can_answer(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "", "--demo", NULL), OK);
	assert_int_equal(config_can_answer(&f->config, &f->why), OK);
}

static void the_demo_has_its_name_for_itself(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    load(f, "[upstream sim]\nbase_url = http://x\n", "--demo", NULL),
	    ERR_INPUT);
	assert_non_null(strstr(f->why.text, "called sim"));
}

static void a_flag_beats_the_environment_beats_the_file(void **state)
{
	struct fixture *f = *state;

	setenv("SPOOL_DB", "env.db", 1);
	setenv("SPOOL_DRAIN", "2s", 1);
	assert_int_equal(load(f,
			     "[store]\ndb = file.db\n[server]\ndrain = 3s\n"
			     "body_timeout = 4s\n",
			     "--db", "flag.db"),
	    OK);
	assert_string_equal(f->config.db, "flag.db");
	assert_int_equal(f->config.drain_ms, 2000);
	assert_int_equal(f->config.body_ms, 4000);
	assert_int_equal(f->config.header_ms, 10000);
	assert_string_equal(option_where(f->set, "db"), "flag --db");
	assert_string_equal(
	    option_where(f->set, "drain"), "environment SPOOL_DRAIN");
	assert_non_null(strstr(option_where(f->set, "body-timeout"), ":5"));
}

static void a_byte_order_mark_is_skipped(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    load(f, "\xef\xbb\xbf[store]\r\ndb = x.db\r\n", NULL, NULL), OK);
	assert_string_equal(f->config.db, "x.db");
}

static void a_last_line_without_its_end_counts(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(load(f, "[store]\ndb = x.db", NULL, NULL), OK);
	assert_string_equal(f->config.db, "x.db");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

static void retain_sections_and_flags_become_rules(void **state)
{
	struct fixture *f = *state;
	struct retention_rule rules[CONFIG_MAX_RETAINS + 1];

	assert_int_equal(load(f,
			     "[retain old-failures]\n"
			     "status = failed, cancelled\n"
			     "age = 7d\n"
			     "[store]\n"
			     "retain_count = 1000\n"
			     "[retain ada]\n"
			     "owner = ada\n"
			     "bytes = 1GiB\n"
			     "count = 5\n"
			     "payload_only = true\n",
			     "--retain-age", "30d"),
	    OK);
	assert_int_equal(config_rules(&f->config, rules), 3);
	assert_true(rules[0].age_ms == 30ll * 86400000);
	assert_true(rules[0].count == 1000);
	assert_true(rules[0].bytes == RETENTION_NO_LIMIT);
	assert_string_equal(rules[0].owner, "");
	assert_false(rules[0].all_limits);
	assert_int_equal(rules[1].statuses,
	    1u << EXECUTION_FAILED | 1u << EXECUTION_CANCELLED);
	assert_true(rules[1].age_ms == 7ll * 86400000);
	assert_true(rules[1].count == RETENTION_NO_LIMIT);
	assert_string_equal(rules[2].owner, "ada");
	assert_true(rules[2].bytes == 1 << 30);
	assert_true(rules[2].count == 5);
	assert_true(rules[2].payload_only);
	assert_true(f->config.retain_tombstones_ms == 30ll * 86400000);
}

static void nothing_is_removed_unless_it_was_said(void **state)
{
	struct fixture *f = *state;
	struct retention_rule rules[CONFIG_MAX_RETAINS + 1];

	assert_int_equal(load(f, "", NULL, NULL), OK);
	assert_int_equal(config_rules(&f->config, rules), 0);
}

static void a_retain_section_that_makes_no_sense_is_refused(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "[retain x]\nowner = ada\n",
		    "FILE:1: [retain x] would keep everything" },
		{ "[retain x]\nage = soon\n", "FILE:2: age: \"soon\" is not" },
		{ "[retain x]\nage = 0\n", "FILE:2: age: it must be above 0" },
		{ "[retain x]\ncount = -3\n", "FILE:2: count: " },
		{ "[retain x]\nage = 1d\nage = 2d\n",
		    "FILE:3: \"age\" is given twice" },
		{ "[retain x]\nage = 1d\n[retain x]\n",
		    "[retain x] is there twice" },
		{ "[retain x]\nstatus = streaming\n",
		    "what is streaming has not ended" },
		{ "[retain x]\nstatus = faild\n", "\"faild\" is none" },
		{ "[retain x]\nowners = ada\n", "did you mean \"owner\"" },
		{ "[retain]\nage = 1d\n",
		    "a retain wants a name: [retain NAME]" },
		{ "[retain X Y]\nage = 1d\n", "cannot name a [retain]" },
		{ "[store]\nretain_age = 0\n", "FILE:2: " },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		option_set_free(f->set);
		f->set = NULL;
		assert_int_equal(option_set_new(config_tables(), &f->set), OK);
		refused(f, cases[i].text, cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_file_is_understood),
		TEST(an_unknown_key_is_told_with_its_line),
		TEST(a_key_of_another_section_is_told_where_it_belongs),
		TEST(an_unknown_section_is_told_with_its_line),
		TEST(an_empty_unknown_section_is_an_error_too),
		TEST(a_bad_value_is_told_with_its_line),
		TEST(a_key_given_twice_is_an_error),
		TEST(a_line_that_is_nothing_is_an_error),
		TEST(a_section_without_its_end_is_an_error),
		TEST(a_key_before_any_section_is_an_error),
		TEST(a_line_that_is_too_long_is_an_error),
		TEST(a_missing_file_is_an_error),
		TEST(upstreams_are_checked_key_by_key),
		TEST(an_upstream_needs_a_url),
		TEST(an_upstream_without_keys_is_not_overlooked),
		TEST(an_upstream_url_must_be_http),
		TEST(an_upstream_url_holds_no_password),
		TEST(an_upstream_name_is_plain),
		TEST(an_upstream_is_defined_once),
		TEST(every_dialect_can_be_named),
		TEST(only_one_way_to_give_a_key),
		TEST(a_key_variable_must_be_there),
		TEST(a_key_variable_is_read),
		TEST(a_key_with_blanks_is_refused_and_not_repeated),
		TEST(an_unknown_default_upstream_is_told),
		TEST(a_model_is_a_list_of_targets),
		TEST(a_model_is_checked_target_by_target),
		TEST(a_target_needs_a_model),
		TEST(a_model_has_no_empty_places),
		TEST(a_model_has_targets_and_nothing_else),
		TEST(a_model_is_defined_once),
		TEST(a_model_name_has_no_slash),
		TEST(an_unknown_default_model_is_told),
		TEST(a_default_model_may_be_an_upstreams),
		TEST(prefill_has_four_words),
		TEST(anthropics_prefill_is_trimmed),
		TEST(openrouters_models_may_be_called_anything),
		TEST(without_keys_only_loopback_is_listened_on),
		TEST(a_name_that_looks_like_loopback_is_not),
		TEST(with_keys_any_address_is_listened_on),
		TEST(without_keys_loopback_is_fine),
		TEST(an_address_needs_a_port),
		TEST(an_origin_has_no_path),
		TEST(a_short_admin_key_is_refused_and_not_repeated),
		TEST(providers_are_found_in_the_environment),
		TEST(providers_have_their_dialects),
		TEST(ollamas_host_is_read_as_ollama_reads_it),
		TEST(a_base_url_beats_the_providers_other_name_for_it),
		TEST(a_section_replaces_a_provider_of_the_environment),
		TEST(a_local_server_needs_no_key),
		TEST(without_any_provider_nothing_can_answer),
		TEST(the_demo_can_answer),
		TEST(the_demo_has_its_name_for_itself),
		TEST(a_flag_beats_the_environment_beats_the_file),
		TEST(a_byte_order_mark_is_skipped),
		TEST(a_last_line_without_its_end_counts),
		TEST(retain_sections_and_flags_become_rules),
		TEST(nothing_is_removed_unless_it_was_said),
		TEST(a_retain_section_that_makes_no_sense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
