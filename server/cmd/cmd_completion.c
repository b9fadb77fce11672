#include <string.h>

#include "server/cmd/cmd.h"
#include "server/cmd/completion.h"

static enum cmd_exit run(struct cmd *c)
{
	const char *shell = c->operands[0];

	if (strcmp(shell, "bash") == 0) {
		completion_bash(c->commands);
	} else if (strcmp(shell, "zsh") == 0) {
		completion_zsh(c->commands);
	} else if (strcmp(shell, "fish") == 0) {
		completion_fish(c->commands);
	} else {
		cmd_say("\"%s\" is not one of bash, zsh, fish", shell);
		return CMD_USAGE;
	}
	return CMD_OK;
}

static const struct command command = {
	.name = "completion",
	.group = "Help",
	.summary = "print what lets a shell complete commands and options",
	.usage = "bash|zsh|fish",
	.about = "\"make install\" installs all three. The ids of executions "
		 "are completed too, when SPOOL_URL and SPOOL_KEY let them be "
		 "listed.",
	.examples = "source <(spool completion bash)\n"
		    "source <(spool completion zsh)\n"
		    "spool completion fish | source\n",
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

const struct command *cmd_completion(void)
{
	return &command;
}
