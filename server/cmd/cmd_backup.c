#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/holder.h"
#include "server/cmd/output.h"
#include "store/backup.h"

/* A large store takes its time; the server answers when all is verified. */
#define WAIT_MS ((int64_t)24 * 3600 * 1000)

static void print_path(const char *path)
{
	json_t *line;

	if (!output_json()) {
		output_text(stdout, path, strlen(path));
		putchar('\n');
		return;
	}
	line = json_pack("{s:s}", "path", path);
	client_print(line);
	json_decref(line);
}

static enum err ask(
    struct cmd *c, const char *name, json_t **ret, struct why *why)
{
	struct client_call call = {
		.method = CLIENT_POST, .path = "/v1/backup", .wait_ms = WAIT_MS
	};
	json_t *body = json_pack("{s:s}", "name", name);
	char text[512];
	size_t len = json_dumpb(body, text, sizeof(text) - 1, JSON_COMPACT);
	struct client *client = NULL;
	enum err err;

	json_decref(body);
	if (!body || len >= sizeof(text)) {
		err_why(why, "the name is too long");
		return ERR_INPUT;
	}
	text[len] = '\0';
	call.body = text;
	err = client_open(c->options, &client, why);
	if (!err)
		err = holder_check(client, c->options, why);
	if (!err)
		err = client_call(client, &call, ret, why);
	client_close(client);
	return err;
}

static enum cmd_exit backup_there(struct cmd *c, const char *name)
{
	struct why why = { "" };
	json_t *answer = NULL;
	enum err err;

	if (strchr(name, '/')) {
		cmd_say("a server has the store and puts backups into its "
			"--backup-dir: give a name without slashes");
		return CMD_USAGE;
	}
	err = ask(c, name, &answer, &why);
	if (!err && output_json())
		client_print(answer);
	else if (!err)
		print_path(client_member(answer, "path"));
	json_decref(answer);
	return err ? cmd_fail(err, &why) : CMD_OK;
}

static enum cmd_exit run_backup(struct cmd *c)
{
	const char *db = option_text(c->options, "db");
	const char *target = c->operands[0];
	bool db_said = option_origin(c->options, "db") != OPTION_FROM_DEFAULT;
	bool url_said = option_origin(c->options, "url") == OPTION_FROM_FLAG;
	struct why why = { "" };
	enum err err;

	if (url_said && !db_said)
		return backup_there(c, target);
	err = backup_alone(db, target, &why);
	if (err == ERR_BUSY || (err == ERR_NOT_FOUND && !db_said)) {
		if (!output_json())
			fprintf(stderr, "%s: asking %s\n", why.text,
			    option_text(c->options, "url"));
		return backup_there(c, target);
	}
	if (err)
		return cmd_fail(err, &why);
	print_path(target);
	return CMD_OK;
}

static enum cmd_exit run_restore(struct cmd *c)
{
	const char *db = option_text(c->options, "db");
	struct why why = { "" };
	enum err err = backup_restore(c->operands[0], db, &why);

	if (err)
		return cmd_fail(err, &why);
	print_path(db);
	return CMD_OK;
}

static const struct option_spec backup_options[] = {
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .arg = "PATH",
	    .fallback = "./spool.db",
	    .group = "Backup",
	    .help = "the store to copy",
	    .env = "SPOOL_DB" },
	{ .name = NULL },
};

static const struct option_spec restore_options[] = {
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .arg = "PATH",
	    .fallback = "./spool.db",
	    .group = "Restore",
	    .help = "the store to make; it must not be there yet",
	    .env = "SPOOL_DB" },
	{ .name = NULL },
};

static const struct command backup = {
	.name = "backup",
	.group = "Administration",
	.summary = "copy the store into one file, verified",
	.usage = "[options] TARGET",
	.about =
	    "While a server has the store, the server makes the copy beside its "
	    "work (ask with an admin key): TARGET is then a name, and the file "
	    "lies in the server's --backup-dir. Else TARGET is a path.\n\n"
	    "The copy holds everything that was stored when it was finished. "
	    "All of it is read once more before it gets its name; a file that "
	    "is there is never replaced. Prints where it lies.",
	.examples =
	    "spool backup monday.db\n"
	    "spool backup /mnt/usb/spool.db --db /var/lib/spool/spool.db\n",
	.options = backup_options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_backup,
};

static const struct command restore = {
	.name = "restore",
	.group = "Administration",
	.summary = "make a store of a backup",
	.usage = "[options] BACKUP",
	.about =
	    "Copies the backup, reads all of the copy, and only then gives "
	    "it the store's name. A store that is there is never replaced: "
	    "move it away first, with its -wal and -shm.",
	.examples = "spool restore backups/monday.db --db spool.db\n",
	.options = restore_options,
	.uses = CMD_JSON,
	.min_operands = 1,
	.max_operands = 1,
	.run = run_restore,
};

const struct command *cmd_backup(void)
{
	return &backup;
}

const struct command *cmd_restore(void)
{
	return &restore;
}
