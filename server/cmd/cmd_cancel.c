#include <stdio.h>
#include <string.h>
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
	struct why why = { "" };
	json_t *answer = NULL;
	enum err err;

	err = ask_try(c, CLIENT_POST, "/v1/executions/%s/cancel", id, NULL,
	    &answer, &why);
	if (!err && output_json())
		client_print(answer);
	else if (!err)
		printf("%s\t%s\n", id, client_member(answer, "status"));
	json_decref(answer);
	return err ? ask_fail(id, err, &why) : CMD_OK;
}

/* One that is not there is told as the cancel would tell it. */
static enum cmd_exit pretend(struct cmd *c, const char *id)
{
	struct why why = { "" };
	json_t *answer = NULL, *line;
	const char *status, *result;
	enum err err;

	err = ask_try(
	    c, CLIENT_GET, "/v1/executions/%s", id, NULL, &answer, &why);
	if (err)
		return ask_fail(id, err, &why);
	status = client_member(answer, "status");
	result =
	    strcmp(status, "queued") == 0 || strcmp(status, "streaming") == 0
		? "would be cancelled"
		: "has ended";
	if (output_json()) {
		line = json_pack("{s:s, s:s, s:s}", "execution_id", id,
		    "result", result, "status", status);
		client_print(line);
		json_decref(line);
	} else {
		printf("%s\t%s\t%s\n", id, result, status);
	}
	json_decref(answer);
	return CMD_OK;
}

static enum cmd_exit run(struct cmd *c)
{
	bool dry = option_bool(c->options, "dry-run");
	enum cmd_exit code = CMD_OK;

	/* One was named on purpose; many may have come from a pipe. */
	if (!dry && c->n_operands > 1 && !option_bool(c->options, "yes") &&
	    isatty(STDIN_FILENO) && !agreed(c->n_operands)) {
		cmd_say("nothing was cancelled");
		return CMD_FAILED;
	}
	for (int i = 0; i < c->n_operands; i++) {
		const char *id = c->operands[i];
		enum cmd_exit one = dry ? pretend(c, id) : cancel(c, id);

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
	.about = "All are tried, whatever happens to one; the exit code is "
		 "that of the last that failed. One that has ended stays as it "
		 "is. With --json each has a line.",
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
