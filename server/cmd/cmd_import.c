#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/holder.h"
#include "server/cmd/import_file.h"
#include "server/cmd/output.h"
#include "store/audit.h"
#include "store/base/clock.h"
#include "store/base/id.h"
#include "store/importer.h"
#include "store/store.h"
#include "store/store_look.h"
#include "store/writer_wait.h"

/* A request to a server ends with the line that passes one of these. */
#define BATCH_LINES 500
#define BATCH_BYTES ((size_t)1 << 20)
#define WAIT_MS ((int64_t)10 * 60 * 1000)
/* Lines whose fate is not known yet are fewer. */
#define PLACES 1024
#define PROGRESS_MS 200

/* Where a line came from. */
struct place {
	const char *file;
	uint64_t line, byte;
};

struct importing {
	bool dry_run;
	const char *owners; /* NULL: they stay */
	struct import_owners map;
	const char *file;  /* being read */
	uint64_t n, bytes; /* lines so far */
	struct place places[PLACES];
	uint64_t counts[IMPORTER_FATES];
	int64_t bar_ms;
	bool bar;

	/* Here. */
	struct store *store;
	struct importer *importer;
	struct audit audit;
	/* There. */
	struct client *client;
	struct buf batch;
	uint64_t n_batch;
};

/* --- what is told --- */

static void hide_bar(struct importing *x)
{
	if (x->bar)
		fputs("\r\033[K", stderr);
	x->bar = false;
}

static void show_bar(struct importing *x)
{
	int64_t now = clock_mono_ms();

	if (!isatty(STDERR_FILENO) || now - x->bar_ms < PROGRESS_MS)
		return;
	x->bar_ms = now;
	x->bar = true;
	fprintf(stderr,
	    "\r\033[K%" PRIu64 " lines, %.1f MB: %" PRIu64 " imported, %" PRIu64
	    " existed, %" PRIu64 " refused",
	    x->n, (double)x->bytes / 1e6, x->counts[IMPORTER_IMPORTED],
	    x->counts[IMPORTER_EXISTED], x->counts[IMPORTER_REFUSED]);
}

static void tell_json(
    const struct place *p, const char *id, const char *result, const char *why)
{
	json_t *line = json_pack("{s:s, s:I, s:I, s:s?, s:s}", "file", p->file,
	    "line", (json_int_t)p->line, "byte", (json_int_t)p->byte,
	    "execution_id", *id ? id : NULL, "result", result);

	/* What cannot be said in JSON is left out. */
	if (*why)
		(void)json_object_set_new(line, "why", json_string(why));
	if (line)
		client_print(line);
	json_decref(line);
}

/* The fate of line ${n}. */
static void tell(struct importing *x, uint64_t n, enum importer_fate fate,
    const char *id, const char *why)
{
	const struct place *p = &x->places[n % PLACES];

	x->counts[fate]++;
	if (output_json()) {
		tell_json(p, id, importer_fate_name(fate), why);
	} else if (fate == IMPORTER_REFUSED) {
		hide_bar(x);
		fprintf(stderr,
		    "%s line %" PRIu64 " (byte %" PRIu64 ")%s%s: ", p->file,
		    p->line, p->byte, *id ? " " : "", id);
		output_text(stderr, why, strlen(why));
		fputc('\n', stderr);
	}
	show_bar(x);
}

static void on_told(void *arg, const struct importer_told *t)
{
	char id[ID_TEXT] = "";

	if (t->has_id)
		id_text(&t->id, id);
	tell(arg, t->line, t->fate, id,
	    t->fate == IMPORTER_REFUSED ? t->why.text : "");
}

static void tell_end(struct importing *x)
{
	static const char *const names[] = { "imported", "existed", "refused" };
	json_t *done;

	hide_bar(x);
	fprintf(stderr,
	    "%s%" PRIu64 " imported, %" PRIu64 " existed, %" PRIu64
	    " refused\n",
	    x->dry_run ? "would be: " : "", x->counts[0], x->counts[1],
	    x->counts[2]);
	if (!output_json())
		return;
	done = json_pack("{s:{s:I, s:I, s:I, s:b}}", "done", names[0],
	    (json_int_t)x->counts[0], names[1], (json_int_t)x->counts[1],
	    names[2], (json_int_t)x->counts[2], "dry_run", (int)x->dry_run);
	client_print(done);
	json_decref(done);
}

/* --- by the server --- */

static enum err take_answer(
    struct importing *x, const json_t *answer, struct why *why)
{
	const json_t *lines = json_object_get(answer, "lines");
	uint64_t first = x->n - x->n_batch;

	if (json_array_size(lines) != x->n_batch) {
		err_why(why, "%s answered with something else than an import",
		    client_url(x->client));
		return ERR_IO;
	}
	for (size_t i = 0; i < x->n_batch; i++) {
		const json_t *line = json_array_get(lines, i);
		const char *result = client_member(line, "result");
		int fate = 0;

		while (fate < IMPORTER_REFUSED &&
		       strcmp(result,
			   importer_fate_name((enum importer_fate)fate)) != 0)
			fate++;
		tell(x, first + 1 + i, (enum importer_fate)fate,
		    client_member(line, "execution_id"),
		    client_member(line, "why"));
	}
	return OK;
}

static enum err send_batch(struct importing *x, struct why *why)
{
	struct id id = id_new();
	char key[ID_TEXT];
	struct client_call call = { .method = CLIENT_POST,
		.idempotency_key = key,
		.wait_ms = WAIT_MS };
	json_t *answer = NULL;
	struct buf path;
	enum err err;

	if (x->n_batch == 0)
		return OK;
	/* The same batch again does no harm: existed. */
	id_text(&id, key);
	buf_init(&path, (size_t)64 << 10);
	client_path(&path, "/v1/executions/import?dry_run=%s",
	    x->dry_run ? "true" : "false");
	if (x->owners)
		client_path(&path, "&owner=%s", x->owners);
	buf_putc(&path, '\0');
	buf_putc(&x->batch, '\0');
	err = buf_state(&path);
	if (!err)
		err = buf_state(&x->batch);
	call.path = path.data;
	call.body = x->batch.data;
	if (!err)
		err = client_call(x->client, &call, &answer, why);
	if (!err)
		err = take_answer(x, answer, why);
	json_decref(answer);
	buf_fini(&path);
	buf_reset(&x->batch);
	x->n_batch = 0;
	return err;
}

/* The line is ${n} already. */
static enum err put_there(
    struct importing *x, const char *line, size_t len, struct why *why)
{
	enum err err = OK;

	if (memchr(line, '\0', len)) {
		x->n--;
		err = send_batch(x, why);
		x->n++;
		if (!err)
			tell(x, x->n, IMPORTER_REFUSED, "",
			    "there is a NUL in it");
		return err;
	}
	if (x->batch.len + len > IMPORT_LINE_BYTES) {
		x->n--;
		err = send_batch(x, why);
		x->n++;
	}
	buf_add(&x->batch, line, len);
	buf_putc(&x->batch, '\n');
	x->n_batch++;
	if (!err && (x->n_batch == BATCH_LINES || x->batch.len >= BATCH_BYTES))
		err = send_batch(x, why);
	return err;
}

/* --- both --- */

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
	err = send_batch(x, why);
	x->n++;
	if (!err)
		tell(x, x->n, IMPORTER_REFUSED, "", words.text);
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
		x->places[x->n % PLACES] = (struct place){ x->file,
			import_file_number(f), import_file_byte(f) };
		if (err) {
			put = refuse(x, &reason, why);
			err = OK;
			continue;
		}
		x->bytes += len;
		put = x->importer
			  ? importer_line(x->importer, x->n, line, len, why)
			  : put_there(x, line, len, why);
	}
	import_file_close(f);
	if (put)
		return put;
	return err;
}

static enum err finish(struct importing *x, struct why *why)
{
	return x->importer ? importer_finish(x->importer, why)
			   : send_batch(x, why);
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
		.on_told = on_told,
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
	tell_end(x);
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
