#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"
#include "store/base/digest.h"

static const struct option_spec whose_options[] = {
	{ .name = "owner",
	    .letter = 'o',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Which",
	    .help = "another owner's; with an admin key" },
	{ .name = NULL },
};

static const struct option_spec set_options[] = {
	{ .name = "owner",
	    .letter = 'o',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Which",
	    .help = "another owner's; with an admin key" },
	{ .name = "provider-key",
	    .kind = OPTION_SECRET,
	    .arg = "PATH",
	    .group = "Which",
	    .help = "the key; without it the first line of stdin",
	    .env = "SPOOL_PROVIDER_KEY" },
	{ .name = NULL },
};

/* The first line of stdin. Gives: for digest_wipe() and free(); NULL: none. */
static char *read_line(void)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;

	if (isatty(STDIN_FILENO))
		fprintf(stderr, "The provider's key, then Enter: ");
	len = getline(&line, &size, stdin);
	if (len <= 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static enum cmd_exit run_set(struct cmd *c)
{
	const char *owner = option_text(c->options, "owner");
	const char *key = option_text(c->options, "provider-key");
	char *line = key ? NULL : read_line();
	json_t *body, *answer = NULL;
	enum cmd_exit code;

	if (!key && !line) {
		cmd_say("there is no key on stdin");
		return CMD_USAGE;
	}
	body =
	    json_pack("{s:s, s:s*}", "key", key ? key : line, "owner", owner);
	if (line) {
		digest_wipe(line, strlen(line));
		free(line);
	}
	if (!body) {
		cmd_say("the key is not text");
		return CMD_USAGE;
	}
	code = ask_server(c, CLIENT_PUT, "/v1/provider-keys/%s", c->operands[0],
	    body, &answer);
	if (code == CMD_OK && output_json())
		client_print(answer);
	else if (code == CMD_OK)
		fprintf(stderr,
		    "%s's executions use it for %s from now on (…%s)\n",
		    client_member(answer, "owner"),
		    client_member(answer, "upstream"),
		    client_member(answer, "hint"));
	json_decref(answer);
	return code;
}

/* "/v1/provider-keys?owner=NAME" or without. */
static enum cmd_exit ask_owned(struct cmd *c, enum client_method method,
    const char *path, const char *with_owner, json_t **ret)
{
	const char *owner = option_text(c->options, "owner");
	const char *upstream = c->operands[0];
	struct buf b;
	enum cmd_exit code;

	if (!owner)
		return ask_server(c, method, path, upstream, NULL, ret);
	buf_init(&b, 4096);
	if (upstream)
		client_path(&b, with_owner, upstream, owner);
	else
		client_path(&b, with_owner, owner);
	buf_putc(&b, '\0');
	if (buf_state(&b) != OK) {
		buf_fini(&b);
		cmd_say("the names are too long");
		return CMD_USAGE;
	}
	code = ask_server(c, method, b.data, NULL, NULL, ret);
	buf_fini(&b);
	return code;
}

static enum cmd_exit run_ls(struct cmd *c)
{
	static const char *const members[] = { "owner", "upstream", "hint",
		"created_at" };
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_owned(c, CLIENT_GET, "/v1/provider-keys",
	    "/v1/provider-keys?owner=%s", &answer);
	if (code == CMD_OK)
		code = ask_print_list(json_object_get(answer, "provider_keys"),
		    members, sizeof(members) / sizeof(members[0]));
	json_decref(answer);
	return code;
}

static enum cmd_exit run_rm(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_owned(c, CLIENT_DELETE, "/v1/provider-keys/%s",
	    "/v1/provider-keys/%s?owner=%s", &answer);
	if (code == CMD_OK)
		fprintf(stderr, "removed the key for %s\n", c->operands[0]);
	json_decref(answer);
	return code;
}

static const char *const ls_aliases[] = { "list", NULL };
static const char *const rm_aliases[] = { "remove", NULL };
static const struct command set = {
	.name = "set",
	.summary = "keep a provider's key of your own, or replace it",
	.usage = "[options] UPSTREAM",
	.examples = "spool vault set openai <key.txt\n"
		    "SPOOL_PROVIDER_KEY=… spool vault set claude --owner ada\n",
	.options = set_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_set,
};
static const struct command ls = {
	.name = "ls",
	.aliases = ls_aliases,
	.summary = "list them, with their last four characters",
	.usage = "[options]",
	.examples = "spool vault ls\n",
	.options = whose_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run_ls,
};
static const struct command rm = {
	.name = "rm",
	.aliases = rm_aliases,
	.summary = "forget one",
	.usage = "[options] UPSTREAM",
	.examples = "spool vault rm openai\n",
	.options = whose_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_rm,
};

static const struct command *const subcommands[] = { &set, &ls, &rm, NULL };
static const struct command command = {
	.name = "vault",
	.group = "Administration",
	.summary = "keep owners' own keys for providers",
	.usage = "COMMAND [options]",
	.about =
	    "An owner's executions use the owner's key for an upstream before "
	    "the configured one. Keys are sealed in the store with the key "
	    "file that serve is given (--vault-key-file) and never shown "
	    "again.",
	.examples = "spool vault set openai <key.txt\nspool vault ls\n",
	.subcommands = subcommands,
};

const struct command *cmd_vault(void)
{
	return &command;
}
