#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/holder.h"
#include "server/cmd/import_file.h"
#include "server/cmd/importing.h"
#include "server/cmd/output.h"
#include "store/audit.h"
#include "store/base/id.h"
#include "store/importer.h"
#include "store/store.h"
#include "store/store_look.h"
#include "store/writer_wait.h"

/* Its line is too long: in its turn. */
static enum err refuse(
    struct importing *x, const struct why *reason, struct why *why)
{
	struct why words;
	enum err err;

	err_why(&words, "%.200s%s", reason->text,
	    x->importer ? ""
			: ", which is what a server takes: stop it, and import "
			  "with --db");
	if (x->importer)
		return importer_refuse(x->importer, x->n, &words, why);
	x->n--;
	err = importing_send(x, why);
	x->n++;
	if (!err)
		importing_tell(x, x->n, IMPORTER_REFUSED, "", words.text);
	return err;
}

static enum err take_file(struct importing *x, struct why *why)
{
	struct import_file *f = NULL;
	const char *line;
	size_t len;
	enum err err, put = OK;

	err = import_file_open(x->file,
	    x->importer ? IMPORT_LINE_ALONE_BYTES : IMPORT_LINE_BYTES, &f, why);
	while (!err && !put) {
		struct why reason = { "" };

		err = import_file_line(f, &line, &len, &reason);
		if (err == ERR_NOT_FOUND) {
			err = OK;
			break;
		}
		if (err && err != ERR_LIMIT) {
			err_why(why,
			    "%s line %" PRIu64 " (byte %" PRIu64 "): %.300s",
			    x->file, import_file_number(f), import_file_byte(f),
			    reason.text);
			break;
		}
		x->n++;
		x->places[x->n % IMPORTING_PLACES] =
		    (struct importing_place){ x->file, import_file_number(f),
			    import_file_byte(f) };
		if (err) {
			put = refuse(x, &reason, why);
			err = OK;
			continue;
		}
		x->bytes += len;
		put = x->importer
			  ? importer_line(x->importer, x->n, line, len, why)
			  : importing_put(x, line, len, why);
	}
	import_file_close(f);
	if (put)
		return put;
	return err;
}

static enum err finish(struct importing *x, struct why *why)
{
	return x->importer ? importer_finish(x->importer, why)
			   : importing_send(x, why);
}

static enum err take_files(struct importing *x, char **files, struct why *why)
{
	struct why later;
	enum err err = OK, last;

	for (; !err && *files; files++) {
		x->file = *files;
		err = take_file(x, why);
	}
	/* What was read before it broke off is stored all the same. */
	last = finish(x, err ? &later : why);
	return err ? err : last;
}

/*
 * What was imported is in the store's audit already; this adds what was not.
 * That it cannot be told takes nothing from the import.
 */
static void tell_audit(struct importing *x)
{
	struct writer_waiting w = { .write = { .kind = WRITE_AUDIT,
					.audit = &x->audit } };
	enum err err;

	if (!x->store || x->dry_run || x->counts[IMPORTER_IMPORTED] == 0)
		return;
	snprintf(x->audit.detail, sizeof(x->audit.detail),
	    "{\"imported\":%" PRIu64 ",\"existed\":%" PRIu64
	    ",\"refused\":%" PRIu64 "}",
	    x->counts[IMPORTER_IMPORTED], x->counts[IMPORTER_EXISTED],
	    x->counts[IMPORTER_REFUSED]);
	err = writer_wait(x->store, &w);
	if (err)
		cmd_say("the audit does not know what was refused: %s",
		    err_name(err));
}

/* --- where --- */

static enum err open_here(struct importing *x, const char *db, struct why *why)
{
	const struct store_options so = { .url = db };
	struct importer_options o = { .dry_run = x->dry_run,
		.owners = x->owners ? &x->map : NULL,
		.audit = &x->audit,
		.on_told = importing_told,
		.arg = x };
	struct store_look look;
	enum err err = store_look(db, &look, why);

	/* Looking makes no store. */
	if (!err && (look.there || !x->dry_run))
		err = store_open(&so, &x->store, why);
	o.store = x->store;
	if (!err) {
		err = importer_open(&o, &x->importer);
		if (err)
			err_why(why, "%s cannot be read", db);
	}
	return err;
}

static enum err open_there(
    struct importing *x, const struct option_set *o, struct why *why)
{
	return client_open(o, &x->client, why);
}

/* The store itself, or the server that has it. */
static enum err open_store(
    struct importing *x, const struct option_set *o, struct why *why)
{
	const char *db = option_text(o, "db");
	bool db_said = option_origin(o, "db") != OPTION_FROM_DEFAULT;
	bool url_said = option_origin(o, "url") == OPTION_FROM_FLAG;
	struct store_look look = { .there = true };
	enum err err;

	if (url_said && !db_said)
		return open_there(x, o, why);
	err = store_look(db, &look, why);
	if (err)
		return err;
	if (!look.there && !db_said)
		return open_there(x, o, why);
	err = open_here(x, db, why);
	if (err != ERR_BUSY)
		return err;
	if (!output_json())
		fprintf(stderr, "%s: asking %s\n", why->text,
		    option_text(o, "url"));
	err = open_there(x, o, why);
	return err ? err : holder_check(x->client, o, why);
}

static char interrupted[] =
    "\nspool: interrupted; the same command goes on where it stopped\n";

static void on_interrupt(int number)
{
	ssize_t rc = write(STDERR_FILENO, interrupted, sizeof(interrupted) - 1);

	(void)rc;
	(void)number;
	/* Each execution is there whole or not at all. */
	_exit(CMD_INTERRUPTED);
}

static enum cmd_exit run(struct cmd *c)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	struct importing *x = calloc(1, sizeof(*x));
	struct why why = { "" };
	bool refused = false;
	enum err err = ERR_NOMEM;

	if (!x)
		goto out;
	buf_init(&x->batch, IMPORT_LINE_BYTES + 2);
	x->audit = (struct audit){
		.operation = id_new(), .actor = "offline", .action = "import"
	};
	x->dry_run = option_bool(c->options, "dry-run");
	x->owners = option_text(c->options, "owner");
	err = x->owners ? import_owners_parse(x->owners, &x->map, &why) : OK;
	if (!err)
		err = open_store(x, c->options, &why);
	if (err)
		goto out;
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	err = take_files(x, c->operands, &why);
	importer_close(x->importer);
	tell_audit(x);
	importing_tell_end(x);
	refused = x->counts[IMPORTER_REFUSED] > 0;
out:
	if (x) {
		store_close(x->store);
		client_close(x->client);
		buf_fini(&x->batch);
	}
	free(x);
	if (err)
		return cmd_fail(err, &why);
	return refused ? CMD_FAILED : CMD_OK;
}

static const struct option_spec options[] = {
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .arg = "PATH",
	    .fallback = "./spool.db",
	    .group = "Import",
	    .help = "the store to import into; made when it is not there",
	    .env = "SPOOL_DB" },
	{ .name = "owner",
	    .letter = 'o',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Import",
	    .help = "whose they become: NAME for all, or OLD=NEW,OLD=NEW" },
	{ .name = "dry-run",
	    .letter = 'n',
	    .kind = OPTION_BOOL,
	    .fallback = "false",
	    .group = "Import",
	    .help = "check every line, store nothing" },
	{ .name = NULL },
};

static const struct command command = {
	.name = "import",
	.group = "Administration",
	.summary = "put exported executions back into a store",
	.usage = "[options] FILE...",
	.about =
	    "Reads what \"spool export\" wrote, plain or gzip; - is stdin. Each "
	    "line is checked, then stored whole or not at all, with its id, its "
	    "indices and its times. What is there already with the same content "
	    "is left as it is, so the same command goes on where an import "
	    "stopped; the same id with another content is refused, and so is "
	    "what had not ended. A record whose request and chunks were "
	    "deleted (prune --payload-only) comes back as such a record.\n\n"
	    "While a server has the store, the server is asked (with an admin "
	    "key) and stores it beside its work; a line may then have 64 MiB. "
	    "Else the store is locked meanwhile. Refused lines are told with "
	    "line and byte; the exit code is 1 when there were some.",
	.examples = "spool import all.ndjson.gz --db new.db\n"
		    "spool import all.ndjson --dry-run\n"
		    "spool export --owner shop | spool import - --owner store "
		    "--url http://127.0.0.1:8081\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.min_operands = 1,
	.max_operands = -1,
	.run = run,
};

const struct command *cmd_import(void)
{
	return &command;
}
