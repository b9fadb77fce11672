#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"
#include "store/base/clock.h"

#define PAUSE_MS 50

static const struct option_spec options[] = {
	{ .name = "cancel",
	    .kind = OPTION_BOOL,
	    .group = "Removing",
	    .help = "cancel those that have not ended, wait for their end, "
		    "then remove them" },
	{ .name = "yes",
	    .letter = 'y',
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "do not ask; wanted where nobody can be asked" },
	{ .name = "dry-run",
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "only say what would be removed" },
	{ .name = NULL },
};

static bool ended(const char *status)
{
	return strcmp(status, "completed") == 0 ||
	       strcmp(status, "failed") == 0 ||
	       strcmp(status, "cancelled") == 0;
}

static void say(const char *id, const char *what, const char *status)
{
	if (output_json()) {
		json_t *line = json_pack("{s:s, s:s, s:s*}", "execution_id", id,
		    "result", what, "status", status);

		client_print(line);
		json_decref(line);
	} else if (status) {
		printf("%s\t%s\t%s\n", id, what, status);
	} else {
		printf("%s\t%s\n", id, what);
	}
}

/* One that is not there, or is live, is told as the removal would tell it. */
static enum err pretend(struct cmd *c, const char *id, struct why *why)
{
	json_t *answer = NULL;
	const char *status;
	enum err err;

	err =
	    ask_try(c, CLIENT_GET, "/v1/executions/%s", id, NULL, &answer, why);
	if (err)
		return err;
	status = client_member(answer, "status");
	if (ended(status)) {
		say(id, "would be removed", status);
	} else if (option_bool(c->options, "cancel")) {
		say(id, "would be cancelled and removed", status);
	} else {
		err_why(why,
		    "%s has not ended: cancel it first, or give --cancel", id);
		err = ERR_CONFLICT;
	}
	json_decref(answer);
	return err;
}

/* A cancel answers after a while, ended or not: ask until it is. */
static enum err cancel(struct cmd *c, const char *id, struct why *why)
{
	int64_t until = clock_mono_ms() + option_int(c->options, "timeout");
	bool done = false;
	enum err err;

	do {
		json_t *answer = NULL;

		err = ask_try(c, CLIENT_POST, "/v1/executions/%s/cancel", id,
		    NULL, &answer, why);
		done = err || ended(client_member(answer, "status"));
		json_decref(answer);
		if (!done && clock_mono_ms() > until) {
			err_why(why, "%s did not end in time", id);
			return ERR_TIMEOUT;
		}
		if (!done)
			poll(NULL, 0, PAUSE_MS);
	} while (!done);
	return err;
}

static enum err erase(struct cmd *c, const char *id, struct why *why)
{
	json_t *answer = NULL;
	enum err err = OK;

	if (option_bool(c->options, "cancel"))
		err = cancel(c, id, why);
	if (!err)
		err = ask_try(c, CLIENT_DELETE, "/v1/executions/%s", id, NULL,
		    &answer, why);
	json_decref(answer);
	if (!err)
		say(id, "removed", NULL);
	else if (err == ERR_CONFLICT)
		err_why(why,
		    "%s has not ended: \"spool cancel %s\" first, or give "
		    "--cancel",
		    id, id);
	return err;
}

/* True when it may be done. */
static bool agreed(const struct cmd *c)
{
	int answer;

	if (option_bool(c->options, "yes"))
		return true;
	if (!isatty(STDIN_FILENO)) {
		cmd_say("nobody can be asked: give --yes to remove for ever");
		return false;
	}
	if (c->n_operands == 1)
		fprintf(stderr, "Remove %s for ever? [y/N] ", c->operands[0]);
	else
		fprintf(stderr, "Remove %d executions for ever? [y/N] ",
		    c->n_operands);
	answer = getchar();
	if (answer == 'y' || answer == 'Y')
		return true;
	cmd_say("nothing was removed");
	return false;
}

static enum cmd_exit run(struct cmd *c)
{
	bool dry = option_bool(c->options, "dry-run");
	enum cmd_exit code = CMD_OK;

	if (!dry && !agreed(c))
		return isatty(STDIN_FILENO) ? CMD_FAILED : CMD_USAGE;
	for (int i = 0; i < c->n_operands; i++) {
		const char *id = c->operands[i];
		struct why why = { "" };
		enum err err = dry ? pretend(c, id, &why) : erase(c, id, &why);

		if (err)
			code = ask_fail(id, err, &why);
	}
	return code;
}

static const char *const aliases[] = { "remove", "delete", NULL };
static const struct command command = {
	.name = "rm",
	.aliases = aliases,
	.group = "Executions",
	.summary = "remove executions with all their chunks, for ever",
	.usage = "[options] ID…",
	.about = "All are tried, whatever happens to one; the exit code is "
		 "that of the last that failed. One that has not ended is a "
		 "conflict. With --json each has a line with result: removed, "
		 "or failed, with exit_code and why.",
	.examples = "spool rm 019ab2c4-…\n"
		    "spool rm --yes --cancel 019ab2c4-…\n"
		    "spool ls --status failed --limit 0 | cut -f1 | "
		    "xargs spool rm --yes\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};

const struct command *cmd_rm(void)
{
	return &command;
}
