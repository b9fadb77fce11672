#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/holder.h"
#include "server/cmd/output.h"
#include "server/write_check.h"
#include "store/check.h"

/* A line of the server's; a finding is far shorter. */
#define MAX_LINE_BYTES ((size_t)64 << 10)
#define SAY_STEPS 64

/* A check under way: lines come in, here or from the server. */
struct checking {
	struct buf text; /* a line that is not whole yet */
	bool done, nonsense;
	json_int_t findings;
	bool progress; /* a line about it stands on the terminal */
};

static void clear_progress(struct checking *k)
{
	if (k->progress)
		fputs("\r\033[K", stderr);
	k->progress = false;
}

static json_int_t count(const json_t *counts, const char *name)
{
	return json_integer_value(json_object_get(counts, name));
}

static void print_finding(const json_t *f)
{
	const char *id = client_member(f, "execution_id");
	const char *what = client_member(f, "what");

	output_style(stdout, OUTPUT_RED);
	printf("%s", client_member(f, "kind"));
	output_style(stdout, OUTPUT_PLAIN);
	printf("%s%s: ", *id ? " " : "", id);
	output_text(stdout, what, strlen(what));
	printf("\n    mend: %s\n", client_member(f, "mend"));
}

static void print_counts(struct checking *k, const json_t *n, bool done)
{
	if (!done && !isatty(STDERR_FILENO))
		return;
	clear_progress(k);
	fprintf(stderr,
	    "%lld executions, %lld streams, %lld chunks, %lld segments",
	    (long long)count(n, "executions"), (long long)count(n, "streams"),
	    (long long)count(n, "chunks"), (long long)count(n, "segments"));
	k->progress = !done;
	if (!done)
		return;
	if (count(n, "stray_segments") + count(n, "stray_chunks") > 0)
		fprintf(stderr,
		    "; of nobody (deleted): %lld segments, %lld live chunks",
		    (long long)count(n, "stray_segments"),
		    (long long)count(n, "stray_chunks"));
	fprintf(stderr, "; %lld finding%s\n", (long long)k->findings,
	    k->findings == 1 ? "" : "s");
	if (!json_is_true(json_object_get(n, "pages_checked")))
		fputs("The file's pages were not looked at: it is too large "
		      "for that while the server runs.\n",
		    stderr);
}

static void take_line(struct checking *k, const char *line, size_t len)
{
	json_t *json = json_loadb(line, len, 0, NULL);
	const json_t *finding = json_object_get(json, "finding");
	const json_t *progress = json_object_get(json, "progress");
	const json_t *done = json_object_get(json, "done");

	if (!finding && !progress && !done)
		k->nonsense = true;
	if (finding) {
		clear_progress(k);
		k->findings++;
	}
	if (done)
		k->done = true;
	if (output_json() && (finding || done))
		client_print(json);
	else if (finding)
		print_finding(finding);
	if (!output_json() && (progress || done))
		print_counts(k, progress ? progress : done, done != NULL);
	json_decref(json);
}

/* Whole lines out of what has come so far. */
static void take_lines(struct checking *k)
{
	const char *end;

	while (k->text.len > 0 &&
	       (end = memchr(k->text.data, '\n', k->text.len)) != NULL) {
		size_t len = (size_t)(end - k->text.data);

		take_line(k, k->text.data, len);
		buf_drain(&k->text, len + 1);
	}
}

/* --- here --- */

static void on_finding(void *arg, const struct check_finding *f)
{
	struct checking *k = arg;

	write_check_finding(&k->text, f);
	take_lines(k);
}

static enum err check_here(
    struct checking *k, struct check *check, struct why *why)
{
	bool done = false;
	enum err err = OK;

	for (unsigned i = 1; !err && !done; i++) {
		err = check_step(check, &done);
		if (err)
			*why = *check_why(check);
		else if (done || i % SAY_STEPS == 0)
			write_check_counts(
			    &k->text, done ? "done" : "progress", check);
		take_lines(k);
	}
	return err ? err : buf_state(&k->text);
}

/* --- by the server --- */

static bool on_data(const char *data, size_t len, void *arg)
{
	struct checking *k = arg;

	/* A line at a time: what is left of one is bounded. */
	while (len > 0) {
		const char *end = memchr(data, '\n', len);
		size_t n = end ? (size_t)(end - data) + 1 : len;

		buf_add(&k->text, data, n);
		if (buf_state(&k->text)) {
			k->nonsense = true;
			return false;
		}
		take_lines(k);
		data += n;
		len -= n;
	}
	return !k->nonsense;
}

static enum err check_there(struct cmd *c, struct checking *k, struct why *why)
{
	struct client_call call = { .method = CLIENT_GET,
		.path = option_bool(c->options, "quick")
			    ? "/v1/check?quick=true"
			    : "/v1/check",
		.on_data = on_data,
		.arg = k };
	struct client *client = NULL;
	json_t *none = NULL;
	enum err err;

	err = client_open(c->options, &client, why);
	if (!err)
		err = holder_check(client, c->options, why);
	if (!err)
		err = client_call(client, &call, &none, why);
	if (err == ERR_CANCELLED || (!err && k->nonsense)) {
		err_why(why, "%s answered with something else than a check",
		    client_url(client));
		err = ERR_IO;
	} else if (!err && !k->done) {
		err_why(why, "the server went away before the check was done");
		err = ERR_STOPPED;
	}
	json_decref(none);
	client_close(client);
	return err;
}

static enum err check(struct cmd *c, struct checking *k, struct why *why)
{
	const char *db = option_text(c->options, "db");
	const struct check_options o = {
		.quick = option_bool(c->options, "quick"),
		.on_finding = on_finding,
		.arg = k,
	};
	bool db_said = option_origin(c->options, "db") != OPTION_FROM_DEFAULT;
	bool url_said = option_origin(c->options, "url") == OPTION_FROM_FLAG;
	struct check *check = NULL;
	enum err err;

	if (url_said && !db_said)
		return check_there(c, k, why);
	err = check_open_alone(db, &o, &check, why);
	if (!err)
		err = check_here(k, check, why);
	else if (err == ERR_BUSY || (err == ERR_NOT_FOUND && !db_said)) {
		if (!output_json())
			fprintf(stderr, "%s: asking %s\n", why->text,
			    option_text(c->options, "url"));
		err = check_there(c, k, why);
	}
	check_close(check);
	return err;
}

static enum cmd_exit run(struct cmd *c)
{
	struct checking k = { .findings = 0 };
	struct why why = { "" };
	enum err err;

	buf_init(&k.text, MAX_LINE_BYTES);
	err = check(c, &k, &why);
	clear_progress(&k);
	buf_fini(&k.text);
	if (err)
		return cmd_fail(err, &why);
	return k.findings ? CMD_FAILED : CMD_OK;
}

static const struct option_spec options[] = {
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .arg = "PATH",
	    .fallback = "./spool.db",
	    .group = "Check",
	    .help = "the store to look at",
	    .env = "SPOOL_DB" },
	{ .name = "quick",
	    .letter = 'q',
	    .kind = OPTION_BOOL,
	    .fallback = "false",
	    .group = "Check",
	    .help = "the cheaper look at the file's pages" },
	{ .name = NULL },
};

static const struct command command = {
	.name = "check",
	.group = "Administration",
	.summary = "see whether the store holds what it promises",
	.usage = "[options]",
	.about =
	    "Looks at each execution (rows from 0 without a gap, one end in the "
	    "last place, counts and states that agree, segments that can be "
	    "read) and at the file. It changes nothing. While a server has the "
	    "store, the server is asked (with an admin key) and does it beside "
	    "its work, in short steps; else the store is locked meanwhile.\n\n"
	    "Each finding says what is wrong, where, and how to mend it. Rows "
	    "of deleted executions are counted and no finding. The exit code "
	    "is 0 without findings and 1 with some.",
	.examples = "spool check --db /var/lib/spool/spool.db\n"
		    "spool check --json | jq -r .finding.execution_id\n"
		    "spool check --url http://127.0.0.1:8080\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run,
};

const struct command *cmd_check(void)
{
	return &command;
}
