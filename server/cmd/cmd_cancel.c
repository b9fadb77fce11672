#include <stdio.h>
#include <unistd.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"

static const struct option_spec options[] = {
	{ .name = "yes",
	    .letter = 'y',
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "do not ask" },
	{ .name = "dry-run",
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "only say what would be cancelled" },
	{ .name = NULL },
};

static bool agreed(int n)
{
	int answer;

	fprintf(stderr, "Cancel %d executions? [y/N] ", n);
	answer = getchar();
	return answer == 'y' || answer == 'Y';
}

static enum cmd_exit cancel(struct cmd *c, const char *id)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(
	    c, CLIENT_POST, "/v1/executions/%s/cancel", id, NULL, &answer);
	if (code == CMD_OK && output_json())
		client_print(answer);
	else if (code == CMD_OK)
		printf("%s\t%s\n", id, client_member(answer, "status"));
	json_decref(answer);
	return code;
}

static enum cmd_exit run(struct cmd *c)
{
	enum cmd_exit code = CMD_OK;

	if (option_bool(c->options, "dry-run")) {
		for (int i = 0; i < c->n_operands; i++)
			printf("%s\n", c->operands[i]);
		return CMD_OK;
	}
	/* One was named on purpose; many may have come from a pipe. */
	if (c->n_operands > 1 && !option_bool(c->options, "yes") &&
	    isatty(STDIN_FILENO) && !agreed(c->n_operands)) {
		cmd_say("nothing was cancelled");
		return CMD_FAILED;
	}
	for (int i = 0; i < c->n_operands; i++) {
		enum cmd_exit one = cancel(c, c->operands[i]);

		if (one != CMD_OK)
			code = one;
	}
	return code;
}

static const struct command command = {
	.name = "cancel",
	.group = "Executions",
	.summary = "stop executions; what came so far is kept",
	.usage = "[options] ID…",
	.examples = "spool cancel 019ab2c4-…\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};

const struct command *cmd_cancel(void)
{
	return &command;
}
