#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/env_hint.h"
#include "server/cmd/output.h"
#include "server/config.h"

#define VALUE_BYTES 4096

static const struct option_spec show_options[] = {
	{ .name = "origin",
	    .kind = OPTION_BOOL,
	    .group = "Output",
	    .help = "say where each value comes from" },
	{ .name = "set",
	    .kind = OPTION_BOOL,
	    .group = "Output",
	    .help = "leave out what is as the default says" },
	{ .name = NULL },
};

static void put(const char *key, const char *value, const char *where)
{
	printf("%s = %s", key, value);
	if (where) {
		output_style(stdout, OUTPUT_DIM);
		printf("  ; %s", where);
		output_style(stdout, OUTPUT_PLAIN);
	}
	putchar('\n');
}

/* The options of one section, as the file would have them. */
static void put_section(const struct cmd *c, const char *section)
{
	const struct option_set *o = c->options;
	const struct option_spec *spec;
	size_t len = strlen(section);
	char value[VALUE_BYTES];
	bool begun = false;

	for (size_t i = 0; (spec = option_at(o, i)); i++) {
		if (!spec->key || strncmp(spec->key, section, len) != 0 ||
		    spec->key[len] != '.')
			continue;
		option_show(o, spec->name, value, sizeof(value));
		if (!*value ||
		    (option_bool(o, "set") &&
			option_origin(o, spec->name) == OPTION_FROM_DEFAULT))
			continue;
		if (!begun)
			printf("[%s]\n", section);
		begun = true;
		put(spec->key + len + 1, value,
		    option_bool(o, "origin") ? option_where(o, spec->name)
					     : NULL);
	}
	if (begun)
		putchar('\n');
}

/* Its value may be a secret. */
static void put_header(const char *name, void *arg)
{
	char text[256];

	(void)arg;
	snprintf(text, sizeof(text), "%s: (set)", name);
	put("header", text, NULL);
}

static void put_upstreams(const struct cmd *c, const struct config *config)
{
	bool origin = option_bool(c->options, "origin");

	for (size_t i = 0; i < config->n_upstreams; i++) {
		const struct config_upstream *u = &config->upstreams[i];

		printf("[upstream %s]\n", u->name);
		put("dialect", u->dialect, origin ? u->where : NULL);
		put("base_url", u->base_url, NULL);
		if (u->key)
			put("key", "(set)", NULL);
		if (u->model)
			put("model", u->model, NULL);
		if (u->any_model)
			put("any_model", "yes", NULL);
		if (u->prefill)
			put("prefill", u->prefill, NULL);
		if (u->prices)
			put("prices", u->prices, NULL);
		if (u->foreground)
			put("background", "no", NULL);
		config_header_names(u, put_header, NULL);
		putchar('\n');
	}
}

static void put_models(const struct cmd *c, const struct config *config)
{
	bool origin = option_bool(c->options, "origin");

	for (size_t i = 0; i < config->n_models; i++) {
		const struct config_model *m = &config->models[i];
		struct buf b;

		printf("[model %s]\n", m->name);
		buf_init(&b, 64 << 10);
		for (size_t k = 0; k < m->n_targets; k++)
			buf_printf(&b, "%s%s", k ? ", " : "", m->targets[k]);
		buf_putc(&b, '\0');
		if (buf_state(&b) == OK)
			put("targets", b.data, origin ? m->where : NULL);
		buf_fini(&b);
		putchar('\n');
	}
}

static void put_retains(const struct cmd *c, const struct config *config)
{
	bool origin = option_bool(c->options, "origin");

	for (size_t i = 0; i < config->n_retains; i++) {
		const struct config_retain *r = &config->retains[i];
		const char *where = origin ? r->where : NULL, *key;

		printf("[retain %s]\n", r->name);
		for (size_t k = 0; (key = config_retain_key(k)); k++) {
			if (!r->said[k][0])
				continue;
			put(key, r->said[k], where);
			where = NULL;
		}
		putchar('\n');
	}
}

static void show_text(const struct cmd *c, const struct config *config)
{
	static const char *const sections[] = { "server", "store", "worker",
		"retry", "log" };

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		put_section(c, sections[i]);
	put_retains(c, config);
	put_upstreams(c, config);
	put_models(c, config);
}

static json_t *retains_json(const struct config *config)
{
	json_t *all = json_array();

	for (size_t i = 0; i < config->n_retains; i++) {
		const struct config_retain *r = &config->retains[i];
		json_t *one = json_pack(
		    "{s:s, s:s}", "name", r->name, "origin", r->where);
		const char *key;

		for (size_t k = 0; (key = config_retain_key(k)); k++)
			if (r->said[k][0])
				json_object_set_new(
				    one, key, json_string(r->said[k]));
		json_array_append_new(all, one);
	}
	return all;
}

static void add_name(const char *name, void *arg)
{
	json_array_append_new(arg, json_string(name));
}

static void show_json(const struct cmd *c, const struct config *config)
{
	json_t *all = json_object(), *upstreams = json_array(),
	       *models = json_array();
	const struct option_spec *spec;
	char value[VALUE_BYTES];

	for (size_t i = 0; (spec = option_at(c->options, i)); i++) {
		if (!spec->key || (option_bool(c->options, "set") &&
				      option_origin(c->options, spec->name) ==
					  OPTION_FROM_DEFAULT))
			continue;
		option_show(c->options, spec->name, value, sizeof(value));
		json_object_set_new(all, spec->key,
		    json_pack("{s:s, s:s}", "value", value, "origin",
			option_where(c->options, spec->name)));
	}
	for (size_t i = 0; i < config->n_upstreams; i++) {
		const struct config_upstream *u = &config->upstreams[i];
		json_t *headers = json_array();

		config_header_names(u, add_name, headers);
		json_array_append_new(upstreams,
		    json_pack(
			"{s:s, s:s, s:s, s:b, s:s?, s:b, s:s, s:b, s:o, s:s}",
			"name", u->name, "dialect", u->dialect, "base_url",
			u->base_url, "key", u->key != NULL, "model", u->model,
			"any_model", u->any_model, "prefill",
			u->prefill ? u->prefill : "no", "background",
			!u->foreground, "headers", headers, "origin",
			u->where));
	}
	for (size_t i = 0; i < config->n_models; i++) {
		const struct config_model *m = &config->models[i];
		json_t *targets = json_array();

		for (size_t k = 0; k < m->n_targets; k++)
			json_array_append_new(
			    targets, json_string(m->targets[k]));
		json_array_append_new(
		    models, json_pack("{s:s, s:o, s:s}", "name", m->name,
				"targets", targets, "origin", m->where));
	}
	json_t *root =
	    json_pack("{s:o, s:o, s:o, s:o}", "options", all, "retains",
		retains_json(config), "upstreams", upstreams, "models", models);
	client_print(root);
	json_decref(root);
}

static enum cmd_exit run_show(struct cmd *c)
{
	struct config config = { 0 };
	struct why why = { "" };
	enum err err;

	err = config_load(c->options, &config, &why);
	if (err)
		return cmd_fail(err, &why);
	if (output_json())
		show_json(c, &config);
	else
		show_text(c, &config);
	config_fini(&config);
	return CMD_OK;
}

static enum cmd_exit run_check(struct cmd *c)
{
	struct config config = { 0 };
	struct why why = { "" };
	const char *path;
	enum err err;

	err = config_load(c->options, &config, &why);
	env_hint(c->options);
	if (!err)
		err = config_can_answer(&config, &why);
	if (!err) {
		path = option_text(c->options, "config");
		printf("%s: ok, %zu upstream%s\n",
		    path ? path : "flags and environment",
		    config.n_upstreams + config.demo,
		    config.n_upstreams + config.demo == 1 ? "" : "s");
	}
	config_fini(&config);
	return err ? cmd_fail(err, &why) : CMD_OK;
}

static const struct command show = {
	.name = "show",
	.summary = "what serve would use, keys hidden",
	.usage = "[options]",
	.examples = "spool config show --origin --config spool.ini\n"
		    "spool config show --set\n",
	.options = show_options,
	.uses = CMD_CONFIG | CMD_JSON,
	.run = run_show,
};
static const struct command check = {
	.name = "check",
	.summary = "is everything that serve would read right?",
	.usage = "[options]",
	.examples = "spool config check --config spool.ini\n",
	.uses = CMD_CONFIG,
	.run = run_check,
};

static const struct command *const subcommands[] = { &show, &check, NULL };
static const struct command command = {
	.name = "config",
	.group = "Administration",
	.summary = "show and check what serve would use",
	.usage = "COMMAND [options]",
	.examples = "spool config show --origin\n"
		    "spool config check --config spool.ini\n",
	.subcommands = subcommands,
};

const struct command *cmd_config(void)
{
	return &command;
}
