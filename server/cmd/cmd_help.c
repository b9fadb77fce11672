#include <stdio.h>
#include <string.h>

#include "server/cmd/cmd.h"
#include "server/cmd/help.h"
#include "server/cmd/help_exit.h"

static const struct option_spec options[] = {
	{ .name = "man",
	    .kind = OPTION_BOOL,
	    .group = "Help",
	    .help = "as a manual page in roff; a command's has its "
		    "subcommands" },
	{ .name = NULL },
};

static enum cmd_exit run(struct cmd *c)
{
	bool man = option_bool(c->options, "man");
	const struct command *command;
	char name[64];

	if (c->n_operands == 0 && man) {
		help_man_overview(stdout, c->commands);
		return CMD_OK;
	}
	if (c->n_operands == 0) {
		help_overview(stdout, c->commands);
		return CMD_OK;
	}
	if (!man && c->n_operands == 1 &&
	    strcmp(c->operands[0], HELP_EXIT_TOPIC) == 0) {
		help_exit_print(stdout);
		return CMD_OK;
	}
	command = cmd_find(c->commands, c->operands[0]);
	if (!command) {
		cmd_unknown(c->commands, "", c->operands[0]);
		return CMD_USAGE;
	}
	if (man && c->n_operands == 1) {
		help_man_command(stdout, command);
		return CMD_OK;
	}
	if (man) {
		cmd_say("a subcommand is on its command's page: spool help "
			"--man %s",
		    command->name);
		return CMD_USAGE;
	}
	snprintf(name, sizeof(name), "%s", command->name);
	if (c->n_operands == 2) {
		const struct command *sub =
		    command->subcommands
			? cmd_find(command->subcommands, c->operands[1])
			: NULL;

		if (!sub) {
			cmd_say(
			    "%s has no command \"%s\"", name, c->operands[1]);
			return CMD_USAGE;
		}
		snprintf(name, sizeof(name), "%s %s", command->name, sub->name);
		command = sub;
	}
	help_command(stdout, command, name);
	return CMD_OK;
}

static const struct command command = {
	.name = "help",
	.group = "Help",
	.summary = "say more about a command",
	.usage = "[--man] [COMMAND [SUBCOMMAND]]",
	.about = "\"spool help exit-codes\" tells what each exit code means.",
	.examples = "spool help serve\nspool help keys create\n"
		    "spool help --man export | man -l -\n",
	.options = options,
	.max_operands = 2,
	.run = run,
};

const struct command *cmd_help(void)
{
	return &command;
}
