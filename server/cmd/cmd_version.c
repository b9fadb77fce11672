#include <stdio.h>

#include "server/cmd/cmd.h"
#include "server/cmd/output.h"

static enum cmd_exit run(struct cmd *c)
{
	(void)c;
	if (output_json())
		printf("{\"version\":\"%s\"}\n", SPOOL_VERSION);
	else
		printf("spool %s\n", SPOOL_VERSION);
	return CMD_OK;
}

static const struct command command = {
	.name = "version",
	.group = "Help",
	.summary = "which spool this is",
	.usage = "",
	.examples = "spool version --json\n",
	.uses = CMD_JSON,
	.run = run,
};

const struct command *cmd_version(void)
{
	return &command;
}
