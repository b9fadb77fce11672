#include "server/cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/cmd/choose.h"
#include "server/cmd/client.h"
#include "server/cmd/help.h"
#include "server/cmd/output.h"
#include "server/config.h"
#include "server/suggest.h"

#define MAX_TABLES 16
#define MAX_COMMANDS 64

void cmd_say(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("spool: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static enum cmd_exit exit_code(enum err err)
{
	switch (err) {
	case OK: return CMD_OK;
	case ERR_INPUT: return CMD_USAGE;
	case ERR_NOT_FOUND:
	case ERR_GONE: return CMD_NOT_FOUND;
	case ERR_DENIED: return CMD_AUTH;
	case ERR_CONFLICT:
	case ERR_SEALED: return CMD_CONFLICT;
	case ERR_BUSY:
	case ERR_LIMIT:
	case ERR_FULL:
	case ERR_STOPPED: return CMD_UNAVAILABLE;
	case ERR_TIMEOUT: return CMD_TIMEOUT;
	case ERR_CANCELLED: return CMD_CANCELLED;
	case ERR_UPSTREAM: return CMD_EXECUTION_FAILED;
	case ERR_NOMEM:
	case ERR_IO:
	case ERR_CORRUPT:
	case ERR_VERSION: return CMD_FAILED;
	}
	return CMD_FAILED;
}

enum cmd_exit cmd_fail(enum err err, const struct why *why)
{
	if (why && why->text[0])
		cmd_say("%s", why->text);
	else if (err)
		cmd_say("%s", err_name(err));
	return exit_code(err);
}

const struct command *cmd_find(
    const struct command *const *commands, const char *name)
{
	for (size_t i = 0; commands[i]; i++) {
		const char *const *alias = commands[i]->aliases;

		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
		for (; alias && *alias; alias++)
			if (strcmp(*alias, name) == 0)
				return commands[i];
	}
	return NULL;
}

void cmd_unknown(
    const struct command *const *commands, const char *parent, const char *name)
{
	const char *words[MAX_COMMANDS], *near;
	size_t n = 0;

	for (; commands[n] && n < MAX_COMMANDS; n++)
		words[n] = commands[n]->name;
	near = suggest_nearest(name, words, n);
	if (near)
		cmd_say("unknown command \"%s%s%s\"; did you mean \"%s\"?",
		    parent, *parent ? " " : "", name, near);
	else
		cmd_say("unknown command \"%s%s%s\"; \"spool help%s%s\" lists "
			"them",
		    parent, *parent ? " " : "", name, *parent ? " " : "",
		    parent);
}

const struct option_spec *const *cmd_tables(const struct command *command)
{
	static const struct option_spec *tables[MAX_TABLES + 1];
	const struct option_spec *const *config = config_tables();
	size_t n = 0;

	if (command->options)
		tables[n++] = command->options;
	if (command->uses & CMD_CONFIG)
		while (*config && n < MAX_TABLES - 6)
			tables[n++] = *config++;
	if (command->uses & CMD_CHOOSE)
		tables[n++] = choose_table();
	if (command->uses & CMD_CHOOSE_ENDED)
		tables[n++] = choose_ended_table();
	if (command->uses & CMD_CLIENT)
		tables[n++] = client_table();
	if (command->uses & CMD_JSON)
		tables[n++] = output_json_table();
	tables[n++] = output_table();
	tables[n] = NULL;
	return tables;
}

static bool is_help(const char *arg)
{
	return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

/* Whatever else is wrong with the line, help helps. */
static bool wants_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (is_help(argv[i]))
			return true;
	return false;
}

/* The first word in capitals of "[options] NAME [FILE|-]", and how long. */
static const char *wanted(const char *usage, int *ret_len)
{
	const char *options = "[options] ";

	if (strncmp(usage, options, strlen(options)) == 0)
		usage += strlen(options);
	*ret_len = (int)strspn(usage, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return usage;
}

static bool count_fits(const struct cmd *c)
{
	const struct command *command = c->command;
	int len;
	const char *word = wanted(command->usage, &len);

	if (c->n_operands < command->min_operands && len == 0)
		cmd_say("%s wants one of %s", c->name, command->usage);
	else if (c->n_operands < command->min_operands)
		cmd_say("%s wants %s %.*s: spool %s %s", c->name,
		    strchr("AEIOU", *word) ? "an" : "a", len, word, c->name,
		    command->usage);
	else if (command->max_operands >= 0 &&
		 c->n_operands > command->max_operands)
		cmd_say("%s does not take \"%s\": spool %s %s%s", c->name,
		    c->operands[command->max_operands], c->name, command->usage,
		    command->max_operands ? "; quote what has blanks in it"
					  : "");
	else
		return true;
	return false;
}

/* argv[0] is the command's name. */
static enum cmd_exit run(struct cmd *c, int argc, char **argv)
{
	enum cmd_exit code = CMD_USAGE;
	struct why why = { "" };
	int first = argc;
	enum err err;

	if (wants_help(argc, argv)) {
		help_command(stdout, c->command, c->name);
		return CMD_OK;
	}
	err = option_set_new(cmd_tables(c->command), &c->options);
	if (!err)
		err = option_take_flags(c->options, argc, argv, &first, &why);
	/* What serve takes is read by config, with the file. */
	if (!err && !(c->command->uses & CMD_CONFIG))
		err = option_take_env(c->options, &why);
	if (err) {
		code = cmd_fail(err, &why);
		if (err == ERR_INPUT)
			cmd_say("\"spool %s --help\" says more", c->name);
		goto out;
	}
	c->operands = argv + first;
	c->n_operands = argc - first;
	output_setup(c->options);
	if (count_fits(c))
		code = c->command->run(c);
out:
	option_set_free(c->options);
	return code;
}

static enum cmd_exit descend(struct cmd *c, int argc, char **argv)
{
	const struct command *sub;
	size_t len = strlen(c->name);

	if (!c->command->subcommands)
		return run(c, argc, argv);
	if (argc > 1 && is_help(argv[1])) {
		help_command(stdout, c->command, c->name);
		return CMD_OK;
	}
	if (argc < 2) {
		help_command(stderr, c->command, c->name);
		return CMD_USAGE;
	}
	sub = cmd_find(c->command->subcommands, argv[1]);
	if (!sub) {
		cmd_unknown(c->command->subcommands, c->name, argv[1]);
		return CMD_USAGE;
	}
	c->command = sub;
	snprintf(c->name + len, sizeof(c->name) - len, " %s", sub->name);
	return run(c, argc - 1, argv + 1);
}

static enum cmd_exit dispatch(
    const struct command *const *commands, int argc, char **argv)
{
	struct cmd c = { .commands = commands };
	const char *name = argc > 1 ? argv[1] : "";

	if (argc < 2) {
		help_overview(stderr, commands);
		return CMD_USAGE;
	}
	if (is_help(name)) {
		help_overview(stdout, commands);
		return CMD_OK;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	c.command = cmd_find(commands, name);
	if (!c.command) {
		cmd_unknown(commands, "", name);
		return CMD_USAGE;
	}
	snprintf(c.name, sizeof(c.name), "%s", c.command->name);
	return descend(&c, argc - 1, argv + 1);
}

int cmd_main(const struct command *const *commands, int argc, char **argv)
{
	enum cmd_exit code = dispatch(commands, argc, argv);

	/* A script must not take half an answer for a whole one. */
	if (fflush(stdout) == EOF || ferror(stdout)) {
		cmd_say("cannot write to stdout");
		if (code == CMD_OK)
			code = CMD_FAILED;
	}
	return code;
}
