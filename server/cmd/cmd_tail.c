#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/follow.h"

static const struct option_spec options[] = {
	{ .name = "from",
	    .letter = 'n',
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "0",
	    .group = "Reading",
	    .help = "the first chunk's index" },
	{ .name = "reasoning",
	    .kind = OPTION_BOOL,
	    .group = "Reading",
	    .help = "show the model's thoughts, on stderr" },
	{ .name = "wait",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .group = "Reading",
	    .help = "leave after this long (exit code 124)" },
	{ .name = NULL },
};

static enum cmd_exit run(struct cmd *c)
{
	const struct option_set *o = c->options;
	struct client *client = NULL;
	struct why why = { "" };
	enum cmd_exit code;
	enum err err;

	err = client_open(o, &client, &why);
	code = err ? cmd_fail(err, &why)
		   : follow_run(client, c->operands[0], option_int(o, "from"),
			 option_int(o, "wait"), option_bool(o, "reasoning"));
	client_close(client);
	return code;
}

static const char *const aliases[] = { "follow", NULL };
static const struct command command = {
	.name = "tail",
	.aliases = aliases,
	.group = "Executions",
	.summary = "read an answer again, or on, from any index",
	.usage = "[options] ID",
	.examples = "spool tail 019ab2c4-…\n"
		    "spool tail 019ab2c4-… --from 120 --json\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

const struct command *cmd_tail(void)
{
	return &command;
}
