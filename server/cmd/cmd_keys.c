#include <stdio.h>
#include <string.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"

static const struct option_spec create_options[] = {
	{ .name = "owner",
	    .letter = 'o',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Key",
	    .help = "whose executions it makes and sees; else as your key's" },
	{ .name = "scopes",
	    .letter = 's',
	    .kind = OPTION_LIST,
	    .arg = "SCOPE",
	    .fallback = "run,read",
	    .group = "Key",
	    .help = "run, read, admin; repeatable" },
	{ .name = "expires",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .min = 1000,
	    .group = "Key",
	    .help = "from now; without it the key does not expire" },
	{ .name = NULL },
};

/* The secret alone goes to stdout: key=$(spool keys create …). */
static void print_secret(const json_t *answer)
{
	if (output_json()) {
		client_print(answer);
		return;
	}
	printf("%s\n", client_member(answer, "secret"));
	fflush(stdout);
	fprintf(stderr, "This is key %s. It is shown this once; keep it.\n",
	    client_member(answer, "id"));
}

static enum cmd_exit run_create(struct cmd *c)
{
	const struct option_set *o = c->options;
	const char *const *scopes = option_list(o, "scopes");
	const char *owner = option_text(o, "owner");
	int64_t expires_ms = option_int(o, "expires");
	json_t *body = json_object(), *list = json_array(), *answer = NULL;
	enum cmd_exit code;

	for (size_t i = 0; scopes[i]; i++) {
		char words[64], *rest, *word;

		/* "run,read" is as good as two --scopes. */
		snprintf(words, sizeof(words), "%s", scopes[i]);
		for (word = strtok_r(words, ", ", &rest); word;
		     word = strtok_r(NULL, ", ", &rest))
			json_array_append_new(list, json_string(word));
	}
	json_object_set_new(body, "label", json_string(c->operands[0]));
	if (owner)
		json_object_set_new(body, "owner", json_string(owner));
	json_object_set_new(body, "scopes", list);
	if (expires_ms)
		json_object_set_new(
		    body, "expires_in_s", json_integer(expires_ms / 1000));
	code = ask_server(c, CLIENT_POST, "/v1/keys", NULL, body, &answer);
	if (code == CMD_OK)
		print_secret(answer);
	json_decref(answer);
	return code;
}

static enum cmd_exit run_ls(struct cmd *c)
{
	static const char *const members[] = { "id", "label", "owner", "scopes",
		"hint", "created_at", "expires_at", "revoked_at" };
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(c, CLIENT_GET, "/v1/keys", NULL, NULL, &answer);
	if (code == CMD_OK)
		code = ask_print_list(json_object_get(answer, "keys"), members,
		    sizeof(members) / sizeof(members[0]));
	json_decref(answer);
	return code;
}

static enum cmd_exit run_revoke(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(
	    c, CLIENT_DELETE, "/v1/keys/%s", c->operands[0], NULL, &answer);
	if (code == CMD_OK && output_json() && answer)
		client_print(answer);
	else if (code == CMD_OK)
		fprintf(stderr, "revoked %s\n", c->operands[0]);
	json_decref(answer);
	return code;
}

static enum cmd_exit run_rotate(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(c, CLIENT_POST, "/v1/keys/%s/rotate", c->operands[0],
	    NULL, &answer);
	if (code == CMD_OK)
		print_secret(answer);
	json_decref(answer);
	return code;
}

static const char *const ls_aliases[] = { "list", NULL };
static const char *const revoke_aliases[] = { "rm", NULL };
static const struct command create = {
	.name = "create",
	.summary = "make a key; its secret is shown once",
	.usage = "[options] LABEL",
	.examples = "spool keys create ci --owner ci --scopes run,read "
		    "--expires 90d\n"
		    "export SPOOL_KEY=$(spool keys create laptop)\n",
	.options = create_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_create,
};
static const struct command ls = {
	.name = "ls",
	.aliases = ls_aliases,
	.summary = "list keys, without their secrets",
	.usage = "[options]",
	.examples = "spool keys ls\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run_ls,
};
static const struct command revoke = {
	.name = "revoke",
	.aliases = revoke_aliases,
	.summary = "end a key at once",
	.usage = "[options] ID",
	.examples = "spool keys revoke 019ab2c4-…\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_revoke,
};
static const struct command rotate = {
	.name = "rotate",
	.summary = "make a new secret of the same rights, end the old one",
	.usage = "[options] ID",
	.examples = "spool keys rotate 019ab2c4-…\n",
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_rotate,
};

static const struct command *const subcommands[] = { &create, &ls, &revoke,
	&rotate, NULL };
static const struct command command = {
	.name = "keys",
	.group = "Administration",
	.summary = "make, list, end and renew API keys",
	.usage = "COMMAND [options]",
	.examples = "spool keys create ci --owner ci\nspool keys ls\n",
	.subcommands = subcommands,
};

const struct command *cmd_keys(void)
{
	return &command;
}
