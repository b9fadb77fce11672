#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/choose.h"
#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/export_file.h"
#include "server/cmd/output.h"
#include "store/base/clock.h"

/* Each line begins {"execution_id":"…","status":"…", which is no longer. */
#define HEAD_BYTES 80
#define FIRST_PAUSE_MS 200
#define LAST_PAUSE_MS 2000
#define PROGRESS_MS 200

static const struct option_spec options[] = {
	{ .name = "after",
	    .kind = OPTION_STRING,
	    .arg = "ID",
	    .group = "Which",
	    .help = "only those newer than this execution" },
	{ .name = "live",
	    .kind = OPTION_BOOL,
	    .group = "Which",
	    .help = "also those that have not ended, as far as they are" },
	{ .name = "output",
	    .letter = 'O',
	    .kind = OPTION_STRING,
	    .arg = "FILE",
	    .fallback = "-",
	    .group = "File",
	    .help = "where to; - is stdout" },
	{ .name = "gzip",
	    .letter = 'z',
	    .kind = OPTION_BOOL,
	    .group = "File",
	    .help = "compress it; done anyway for a FILE that ends in .gz" },
	{ .name = "force",
	    .kind = OPTION_BOOL,
	    .group = "File",
	    .help = "replace a FILE that is there, at the end" },
	{ .name = "fresh",
	    .kind = OPTION_BOOL,
	    .group = "File",
	    .help = "begin anew instead of where an earlier try stopped" },
	{ .name = NULL },
};

enum line {
	LINE_HEAD, /* not enough of it to know what it is about */
	LINE_TAKE,
	LINE_LEAVE, /* not ended */
};

struct exporting {
	struct export_file *file;
	struct export_at at;
	bool live; /* take those that have not ended too */
	bool bar;  /* show how far it is */
	int64_t bar_ms, start_ms;
	enum line line;
	char head[HEAD_BYTES];
	size_t n_head;
	char id[ID_TEXT]; /* of the line */
	int64_t given;	  /* of the line, to the file */
	int64_t skip;	  /* of the line, that the file has already */
	bool moved;	  /* something came since the last try */
	enum err err;
	struct why why;
};

/* --- lines --- */

static bool give(struct exporting *x, const char *data, size_t len)
{
	if (x->skip >= (int64_t)len) {
		x->skip -= (int64_t)len;
		return true;
	}
	data += x->skip;
	len -= (size_t)x->skip;
	x->skip = 0;
	x->err = export_file_write(x->file, data, len, &x->why);
	x->given += (int64_t)len;
	return x->err == OK;
}

static bool nonsense(struct exporting *x)
{
	err_why(&x->why, "the server's export makes no sense");
	x->err = ERR_IO;
	return false;
}

/* What the line's head says: take it or leave it. */
static bool begin_line(struct exporting *x)
{
	static const char first[] = "{\"execution_id\":\"";
	static const char second[] = "\",\"status\":\"";
	const char *id = x->head + sizeof(first) - 1, *status;
	char was[ID_TEXT];

	if (memcmp(x->head, first, sizeof(first) - 1) != 0 ||
	    memcmp(id + ID_TEXT - 1, second, sizeof(second) - 1) != 0)
		return nonsense(x);
	snprintf(was, sizeof(was), "%s", x->id);
	snprintf(x->id, sizeof(x->id), "%.*s", ID_TEXT - 1, id);
	if (x->skip && strcmp(was, x->id) != 0) {
		err_why(&x->why,
		    "%s went away while it was read: go on with --after %s",
		    was, x->at.after);
		x->err = ERR_IO;
		return false;
	}
	status = id + ID_TEXT - 1 + sizeof(second) - 1;
	x->line = !x->live && (strncmp(status, "queued\"", 7) == 0 ||
				  strncmp(status, "streaming\"", 10) == 0)
		      ? LINE_LEAVE
		      : LINE_TAKE;
	return x->line == LINE_LEAVE || give(x, x->head, x->n_head);
}

static void show_bar(struct exporting *x)
{
	int64_t now = clock_mono_ms(), ms = now - x->start_ms;
	double mb = (double)export_file_bytes(x->file) / 1e6;

	if (!x->bar || now - x->bar_ms < PROGRESS_MS)
		return;
	x->bar_ms = now;
	fprintf(stderr, "\r\033[K%lld executions, %.1f MB, %.1f MB/s",
	    (long long)x->at.lines, mb, ms > 0 ? mb * 1000 / (double)ms : 0);
}

static void hide_bar(struct exporting *x)
{
	if (x->bar && x->bar_ms)
		fputs("\r\033[K", stderr);
	x->bar_ms = 0;
}

static bool end_line(struct exporting *x)
{
	snprintf(x->at.after, sizeof(x->at.after), "%s", x->id);
	if (x->line == LINE_LEAVE)
		x->at.live++;
	else
		x->at.lines++;
	if (x->at.live == 0)
		snprintf(x->at.safe, sizeof(x->at.safe), "%s", x->id);
	x->line = LINE_HEAD;
	x->n_head = 0;
	x->given = 0;
	x->err = export_file_line(x->file, &x->at, &x->why);
	return x->err == OK;
}

static bool on_data(const char *data, size_t len, void *arg)
{
	struct exporting *x = arg;

	x->moved = true;
	show_bar(x);
	while (len) {
		const char *end;
		size_t n;

		if (x->line == LINE_HEAD) {
			n = HEAD_BYTES - x->n_head;
			n = n < len ? n : len;
			memcpy(x->head + x->n_head, data, n);
			x->n_head += n;
			data += n;
			len -= n;
			if (x->n_head == HEAD_BYTES && !begin_line(x))
				return false;
			continue;
		}
		end = memchr(data, '\n', len);
		n = end ? (size_t)(end - data) + 1 : len;
		if (x->line == LINE_TAKE && !give(x, data, n))
			return false;
		data += n;
		len -= n;
		if (end && !end_line(x))
			return false;
	}
	return true;
}

/* --- tries --- */

/* A line that was cut off comes again: what is written of it is passed over. */
static enum err try_once(
    struct exporting *x, struct client *client, struct why *why)
{
	struct client_call call = {
		.method = CLIENT_GET, .on_data = on_data, .arg = x
	};
	json_t *none = NULL; /* on_data takes the body */
	struct buf path;
	size_t query;
	enum err err;

	x->line = LINE_HEAD;
	x->n_head = 0;
	x->skip = x->given;
	x->moved = false;
	buf_init(&path, 16384);
	buf_puts(&path, "/v1/executions/export");
	query = path.len;
	buf_puts(&path, export_file_query(x->file));
	if (*x->at.after)
		client_path(&path, "&after=%s", x->at.after);
	buf_putc(&path, '\0');
	err = buf_state(&path);
	if (!err && path.data[query] == '&')
		path.data[query] = '?';
	call.path = path.data;
	if (!err)
		err = client_call(client, &call, &none, why);
	if (x->err) {
		*why = x->why;
		err = x->err;
	} else if (!err && (x->n_head || x->line != LINE_HEAD)) {
		/* Chunked coding tells a cut answer; a proxy may not. */
		err_why(why, "the server's export ends within a line");
		err = ERR_STOPPED;
	}
	buf_fini(&path);
	return err;
}

static enum err export_all(struct exporting *x, struct client *client,
    int64_t retry_ms, struct why *why)
{
	int64_t until = clock_mono_ms() + retry_ms;
	int pause_ms = FIRST_PAUSE_MS;
	bool reached = false;
	enum err err;

	for (;;) {
		err = try_once(x, client, why);
		reached |= x->moved;
		if (x->moved) {
			until = clock_mono_ms() + retry_ms;
			pause_ms = FIRST_PAUSE_MS;
		}
		if (x->err || (err != ERR_LIMIT && err != ERR_TIMEOUT &&
				  (err != ERR_STOPPED || !reached)))
			return err;
		if (clock_mono_ms() + pause_ms > until)
			return err;
		poll(NULL, 0, pause_ms);
		pause_ms *= 2;
		if (pause_ms > LAST_PAUSE_MS)
			pause_ms = LAST_PAUSE_MS;
	}
}

/* --- the command --- */

static char interrupted[] =
    "\nspool: interrupted; the same command goes on where it stopped\n";

static void on_interrupt(int number)
{
	ssize_t rc = write(STDERR_FILENO, interrupted, sizeof(interrupted) - 1);

	(void)rc;
	(void)number;
	_exit(CMD_INTERRUPTED);
}

static void say_end(const struct exporting *x)
{
	fprintf(stderr, "%lld executions, %.1f MB", (long long)x->at.lines,
	    (double)export_file_bytes(x->file) / 1e6);
	if (x->at.live)
		fprintf(stderr, "; %lld left out that had not ended",
		    (long long)x->at.live);
	if (*x->at.safe)
		fprintf(stderr, "\nnext time: --after %s", x->at.safe);
	fputc('\n', stderr);
}

static void say_cut(const struct exporting *x, const char *path)
{
	if (path)
		cmd_say("the same command goes on where it stopped");
	else if (*x->at.after)
		cmd_say("go on with --after %s%s", x->at.after,
		    x->given ? "; the last line is not whole" : "");
}

static bool wants_live(const struct option_set *o)
{
	const char *status = option_text(o, "status");

	return option_bool(o, "live") ||
	       (status && (strcmp(status, "queued") == 0 ||
			      strcmp(status, "streaming") == 0));
}

/* The queries of the choice, as typed and as asked, into ${typed}, ${query}. */
static enum err choose(const struct option_set *o, struct buf *typed,
    struct buf *query, struct why *why)
{
	const char *after = option_text(o, "after");
	enum err err;

	choose_typed(o, typed);
	if (after)
		client_path(typed, "--after %s ", after);
	if (option_bool(o, "live"))
		buf_puts(typed, "--live ");
	buf_putc(typed, '\0');
	err = choose_query(o, 0, query, why);
	buf_putc(query, '\0');
	if (!err)
		err = buf_state(typed);
	return err ? err : buf_state(query);
}

/* A name that says gzip is believed. */
static bool is_gz(const char *path)
{
	size_t len = path ? strlen(path) : 0;

	return len > 3 && strcmp(path + len - 3, ".gz") == 0;
}

static enum err open_file(struct exporting *x, const struct option_set *o,
    const char *path, struct why *why)
{
	const char *after = option_text(o, "after");
	struct export_options eo = {
		.path = path,
		.gzip = option_bool(o, "gzip") || is_gz(path),
		.force = option_bool(o, "force"),
		.fresh = option_bool(o, "fresh"),
	};
	struct buf typed, query;
	enum err err;

	buf_init(&typed, 8192);
	buf_init(&query, 8192);
	err = choose(o, &typed, &query, why);
	eo.typed = typed.data;
	eo.query = query.data;
	if (after) {
		snprintf(x->at.after, sizeof(x->at.after), "%s", after);
		snprintf(x->at.safe, sizeof(x->at.safe), "%s", after);
	}
	if (!err)
		err = export_file_open(&eo, &x->at, &x->file, why);
	buf_fini(&typed);
	buf_fini(&query);
	return err;
}

static enum cmd_exit run(struct cmd *c)
{
	struct sigaction action = { .sa_handler = on_interrupt };
	const char *path = option_text(c->options, "output");
	struct exporting x = { .line = LINE_HEAD };
	struct client *client = NULL;
	struct why why = { "" };
	enum cmd_exit code;
	enum err err;

	if (strcmp(path, "-") == 0)
		path = NULL;
	x.live = wants_live(c->options);
	x.bar = isatty(STDERR_FILENO) && (path || !output_tty());
	x.start_ms = clock_mono_ms();
	err = client_open(c->options, &client, &why);
	if (!err)
		err = open_file(&x, c->options, path, &why);
	if (err)
		goto out;
	if (path) {
		sigemptyset(&action.sa_mask);
		sigaction(SIGINT, &action, NULL);
	}
	if (export_file_resumed(x.file))
		cmd_say("going on after %s", x.at.after);
	err = export_all(&x, client, option_int(c->options, "retry"), &why);
	if (!err)
		err = export_file_finish(x.file, &why);
	hide_bar(&x);
out:
	code = err ? cmd_fail(err, &why) : CMD_OK;
	if (x.file && err && code != CMD_USAGE)
		say_cut(&x, path);
	else if (x.file && !err)
		say_end(&x);
	export_file_close(x.file);
	client_close(client);
	return code;
}

static const struct command command = {
	.name = "export",
	.group = "Administration",
	.summary = "write executions with all their chunks, one a line",
	.usage = "[options]",
	.about =
	    "Each line is a JSON object (NDJSON), the oldest execution first; "
	    "server/README.md names its members. Those that have not ended "
	    "are left out and counted. One whose request and chunks were "
	    "deleted has \"payload_deleted\" and none of them. With --output, FILE appears when it is "
	    "complete; an export that was cut off goes on where it stopped "
	    "when the same command is given again.",
	.examples =
	    "spool export --output all.ndjson.gz\n"
	    "spool export --status failed --since 7d | jq -r .error_code\n"
	    "spool export --after 019ab2c4-… --output next.ndjson\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_CHOOSE,
	.run = run,
};

const struct command *cmd_export(void)
{
	return &command;
}
