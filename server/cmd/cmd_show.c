#include "server/cmd/ask.h"

static enum cmd_exit run(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(
	    c, CLIENT_GET, "/v1/executions/%s", c->operands[0], NULL, &answer);
	if (code == CMD_OK)
		ask_print_members(answer);
	json_decref(answer);
	return code;
}

static const struct command command = {
	.name = "show",
	.group = "Executions",
	.summary = "show an execution: status, times, usage, error",
	.usage = "[options] ID",
	.examples = "spool show 019ab2c4-…\n"
		    "spool show 019ab2c4-… --json | jq .metadata.usage\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

const struct command *cmd_show(void)
{
	return &command;
}
