#include <stdio.h>
#include <string.h>

#include "server/cmd/cmd.h"
#include "server/cmd/help.h"

static enum cmd_exit run(struct cmd *c)
{
	const struct command *command;
	char name[64];

	if (c->n_operands == 0) {
		help_overview(stdout, c->commands);
		return CMD_OK;
	}
	command = cmd_find(c->commands, c->operands[0]);
	if (!command) {
		cmd_unknown(c->commands, "", c->operands[0]);
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
	.usage = "[COMMAND [SUBCOMMAND]]",
	.examples = "spool help serve\nspool help keys create\n",
	.max_operands = 2,
	.run = run,
};

const struct command *cmd_help(void)
{
	return &command;
}
