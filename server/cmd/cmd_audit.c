#include <stdio.h>
#include <string.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"

#define PAGE 500

static const char *const members[] = { "number", "at", "actor", "action",
	"subject", "executions", "bytes", "detail" };
#define COLUMNS (sizeof(members) / sizeof(members[0]))

static const struct option_spec options[] = {
	{ .name = "limit",
	    .letter = 'n',
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "50",
	    .group = "Listing",
	    .help = "show the newest N; 0: all" },
	{ .name = "before",
	    .kind = OPTION_INT,
	    .arg = "NUMBER",
	    .group = "Listing",
	    .help = "only those before this one" },
	{ .name = NULL },
};

static enum cmd_exit run(struct cmd *c)
{
	int64_t limit = option_int(c->options, "limit");
	int64_t left = limit > 0 ? limit : INT64_MAX;
	int64_t before = option_int(c->options, "before");
	enum cmd_exit code = CMD_OK;

	do {
		int64_t n = left < PAGE ? left : PAGE;
		json_t *answer = NULL;
		char path[128];

		if (before > 0)
			snprintf(path, sizeof(path),
			    "/v1/audit?limit=%lld&before=%lld", (long long)n,
			    (long long)before);
		else
			snprintf(path, sizeof(path), "/v1/audit?limit=%lld",
			    (long long)n);
		code = ask_server(c, CLIENT_GET, path, NULL, NULL, &answer);
		if (code == CMD_OK)
			code =
			    ask_print_list(json_object_get(answer, "entries"),
				members, COLUMNS);
		before = json_integer_value(json_object_get(answer, "next"));
		left -= n;
		json_decref(answer);
	} while (code == CMD_OK && before > 0 && left > 0);
	return code;
}

static const struct command command = {
	.name = "audit",
	.group = "Administration",
	.summary = "show who removed, made and revoked what, the newest first",
	.usage = "[options]",
	.about =
	    "Removals of executions (prune, rm, retention), keys that were "
	    "made, replaced and revoked, imports, backups. The actor is a key's "
	    "id and label, \"retention\", \"local\" without keys, \"serve\" "
	    "for the first key, or \"offline\" for what was done while no "
	    "server ran; a backup changes nothing then and is not told. An "
	    "operation of many batches is one row. The newest 100,000 are "
	    "kept.\n\n"
	    "In a pipe the columns are parted by tabs: number, time, actor, "
	    "action, subject, executions, bytes, detail.",
	.examples = "spool audit\n"
		    "spool audit --limit 0 --json | jq 'select(.action == "
		    "\"prune\")'\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run,
};

const struct command *cmd_audit(void)
{
	return &command;
}
