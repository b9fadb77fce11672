#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/cmd/ask.h"
#include "server/cmd/choose.h"
#include "server/cmd/output.h"
#include "server/cmd/prune_export.h"
#include "server/cmd/pruner.h"
#include "server/body.h"
#include "store/base/buf.h"
#include "store/base/clock.h"
#include "store/base/utf8.h"

#define AMOUNT_BYTES 200

static const struct option_spec options[] = {
	{ .name = "older-than",
	    .kind = OPTION_DURATION,
	    .arg = "AGE",
	    .group = "Which",
	    .help = "only those that ended so long ago: 12h, 30d" },
	{ .name = "keep-last",
	    .kind = OPTION_INT,
	    .arg = "N",
	    .max = INT64_MAX,
	    .group = "Which",
	    .help = "but keep the newest N of each owner" },
	{ .name = "keep-bytes",
	    .kind = OPTION_SIZE,
	    .arg = "SIZE",
	    .max = INT64_MAX,
	    .group = "Which",
	    .help = "but keep the newest that have SIZE in all" },
	{ .name = "all",
	    .kind = OPTION_BOOL,
	    .group = "Which",
	    .help = "everything that has ended; wanted when nothing else is "
		    "said" },
	{ .name = "payload-only",
	    .kind = OPTION_BOOL,
	    .group = "Removing",
	    .help = "remove requests and chunks; status, usage, metadata, "
		    "times stay" },
	{ .name = "export-first",
	    .kind = OPTION_STRING,
	    .arg = "FILE",
	    .group = "Removing",
	    .help = "write them to FILE, a new one, as spool export does, "
		    "then remove exactly those; compressed when it ends in "
		    ".gz" },
	{ .name = "db",
	    .letter = 'd',
	    .kind = OPTION_STRING,
	    .arg = "PATH",
	    .fallback = "./spool.db",
	    .group = "Removing",
	    .help = "the store, when no server has it",
	    .env = "SPOOL_DB" },
	{ .name = "yes",
	    .letter = 'y',
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "do not ask; wanted where nobody can be asked" },
	{ .name = "dry-run",
	    .kind = OPTION_BOOL,
	    .group = "Safety",
	    .help = "only say how much would be removed" },
	{ .name = NULL },
};

/* --- what was chosen --- */

static bool given(const struct option_set *o, const char *name)
{
	return option_origin(o, name) != OPTION_FROM_DEFAULT;
}

static int64_t limit(const struct option_set *o, const char *name)
{
	return given(o, name) ? option_int(o, name) : RETENTION_NO_LIMIT;
}

/* The option knows the words of what has ended alone. */
static void read_status(const struct option_set *o, struct retention_rule *rule)
{
	const char *text = option_text(o, "status");
	enum execution_status s;

	if (text && execution_status_parse(text, &s) == OK)
		rule->statuses = 1u << (unsigned)s;
}

static enum err read_owner(
    const struct option_set *o, struct retention_rule *rule, struct why *why)
{
	const char *text = option_text(o, "owner");

	if (!text)
		return OK;
	if (!*text || strlen(text) >= sizeof(rule->owner)) {
		err_why(why, "--owner: a name has 1 to %zu bytes",
		    sizeof(rule->owner) - 1);
		return ERR_INPUT;
	}
	snprintf(rule->owner, sizeof(rule->owner), "%s", text);
	return OK;
}

static enum err choose(
    const struct option_set *o, struct retention_rule *rule, struct why *why)
{
	const char *to = option_text(o, "export-first");
	enum err err;

	*rule = (struct retention_rule){
		.age_ms = limit(o, "older-than"),
		.count = limit(o, "keep-last"),
		.bytes = limit(o, "keep-bytes"),
		.per_owner = true,
		.all_limits = true,
		.payload_only = option_bool(o, "payload-only"),
	};
	read_status(o, rule);
	err = read_owner(o, rule, why);
	if (!err)
		err = choose_time(o, "since", &rule->since_ms, why);
	if (!err)
		err = choose_time(o, "until", &rule->until_ms, why);
	if (!err && !option_bool(o, "all") && !rule->statuses &&
	    !rule->owner[0] && !rule->since_ms && !rule->until_ms &&
	    rule->age_ms < 0 && rule->count < 0 && rule->bytes < 0) {
		err_why(why,
		    "nothing was chosen: say which (--older-than, --status, "
		    "--keep-last, …), or --all");
		err = ERR_INPUT;
	}
	if (!err && to && !strcmp(to, "-")) {
		err_why(why, "--export-first wants a file: what goes into a "
			     "pipe is not on disk");
		err = ERR_INPUT;
	}
	return err;
}

/*
 * What goes by its ids was chosen here: the audit is told how. "" without
 * --export-first.
 */
static void make_note(const struct option_set *o, char dst[BODY_NOTE_BYTES])
{
	static const char *const texts[] = { "status", "owner", "since",
		"until" };
	static const struct {
		const char *name, *unit;
	} numbers[] = { { "older-than", "ms" }, { "keep-last", "" },
		{ "keep-bytes", "" } };
	const char *path = option_text(o, "export-first");
	struct buf b;

	dst[0] = '\0';
	if (!path)
		return;
	buf_init(&b, 8192);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (given(o, texts[i]))
			buf_printf(
			    &b, "--%s %s ", texts[i], option_text(o, texts[i]));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (given(o, numbers[i].name))
			buf_printf(&b, "--%s %lld%s ", numbers[i].name,
			    (long long)option_int(o, numbers[i].name),
			    numbers[i].unit);
	buf_printf(&b, "--export-first %s", path);
	buf_putc(&b, '\0');
	if (buf_state(&b) == OK)
		snprintf(dst, BODY_NOTE_BYTES, "%s", b.data);
	buf_fini(&b);
	for (char *c = dst; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	/* What was cut off is cut at a letter's edge. */
	for (size_t len = strlen(dst); !utf8_valid(dst, len) && len > 0;)
		dst[--len] = '\0';
}

/* --- saying it --- */

static void amount(const struct pruner_sum *s, char dst[AMOUNT_BYTES])
{
	snprintf(dst, AMOUNT_BYTES, "%lld execution%s, %lld chunks, %.1f MB",
	    (long long)s->executions, s->executions == 1 ? "" : "s",
	    (long long)s->chunks, (double)s->bytes / 1e6);
}

static json_t *time_json(int64_t ms)
{
	char text[CLOCK_TEXT];

	if (ms <= 0)
		return json_null();
	clock_text(ms, text);
	return json_string(text);
}

static void print_sum(const struct cmd *c, const struct pruner_sum *s, bool dry)
{
	json_t *o = json_pack("{s:b, s:b, s:I, s:I, s:I, s:o, s:o}", "dry_run",
	    dry, "payload_only", option_bool(c->options, "payload-only"),
	    "executions", (json_int_t)s->executions, "chunks",
	    (json_int_t)s->chunks, "bytes", (json_int_t)s->bytes,
	    "oldest_created_at", time_json(s->oldest_ms), "newest_created_at",
	    time_json(s->newest_ms));

	ask_print_members(o);
	json_decref(o);
}

static void show_progress(const struct pruner_sum *s)
{
	char text[AMOUNT_BYTES];

	if (!isatty(STDERR_FILENO))
		return;
	amount(s, text);
	fprintf(stderr, "\r\033[K%s removed", text);
	if (s->file_bytes > 0)
		fprintf(stderr, "; the file shrinks: %.1f MB",
		    (double)s->file_bytes / 1e6);
}

static void hide_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

/* True when it may be done. */
static bool agreed(const struct cmd *c, const struct pruner_sum *s)
{
	char text[AMOUNT_BYTES], oldest[CLOCK_TEXT], newest[CLOCK_TEXT];
	int answer;

	amount(s, text);
	clock_text(s->oldest_ms, oldest);
	clock_text(s->newest_ms, newest);
	fprintf(stderr, "Remove %s%s, created %s to %s, for ever? [y/N] ",
	    option_bool(c->options, "payload-only") ? "the payload of " : "",
	    text, oldest, newest);
	answer = getchar();
	if (answer == 'y' || answer == 'Y')
		return true;
	cmd_say("nothing was removed");
	return false;
}

/* --- Ctrl-C: once between batches, twice at once --- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static void catch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt,
		.sa_flags = (int)SA_RESETHAND };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
}

/* --- the command --- */

static enum err remove_all(
    struct pruner *p, struct pruner_sum *sum, struct why *why)
{
	bool done = false;
	enum err err = OK;

	while (!err && !done && !interrupted) {
		err = pruner_turn(p, sum, &done, why);
		show_progress(sum);
	}
	return err;
}

static enum err remove_exported(struct prune_export *x, struct pruner *p,
    struct pruner_sum *sum, struct why *why)
{
	struct id ids[PRUNER_IDS];
	bool done = false;
	size_t n = 1;
	enum err err = OK;

	while (!err && !interrupted) {
		err = prune_export_read(x, ids, &n, why);
		if (err || n == 0)
			break;
		err = pruner_erase(p, ids, n, sum, why);
		show_progress(sum);
	}
	while (!err && !done && !interrupted) {
		err = pruner_drop(p, sum, &done, why);
		show_progress(sum);
	}
	return err;
}

/* All is in the file, and on disk, before the first of it goes. */
static enum err export_and_remove(
    struct cmd *c, struct pruner *p, struct pruner_sum *sum, struct why *why)
{
	const char *path = option_text(c->options, "export-first");
	struct prune_export *x = NULL;
	enum err err;

	err = prune_export_make(p, path, &interrupted, &x, why);
	if (err)
		return err;
	if (prune_export_lines(x) == 0) {
		fprintf(stderr, "nothing was chosen, and %s not made\n", path);
		goto out;
	}
	fprintf(stderr, "%lld execution%s in %s\n",
	    (long long)prune_export_lines(x),
	    prune_export_lines(x) == 1 ? " is" : "s are", path);
	err = remove_exported(x, p, sum, why);
out:
	prune_export_free(x);
	return err;
}

static enum cmd_exit finish(struct cmd *c, const struct pruner_sum *sum,
    enum err err, const struct why *why)
{
	enum cmd_exit code = err ? cmd_fail(err, why) : CMD_OK;
	char text[AMOUNT_BYTES];

	if (!err && !interrupted) {
		print_sum(c, sum, false);
		return CMD_OK;
	}
	amount(sum, text);
	if (sum->executions > 0 || !err)
		cmd_say("%s removed so far; the same command%s goes on with "
			"the rest",
		    text,
		    option_text(c->options, "export-first")
			? " with another FILE"
			: "");
	return interrupted ? CMD_INTERRUPTED : code;
}

/* Ask, with what it would be. OK: go on; else *${ret} is the exit code. */
static bool may(struct cmd *c, struct pruner *p, enum cmd_exit *ret)
{
	struct pruner_sum sum = { 0 };
	struct why why = { "" };
	enum err err;

	*ret = CMD_OK;
	if (option_bool(c->options, "yes") &&
	    !option_bool(c->options, "dry-run"))
		return true;
	err = pruner_count(p, &sum, &why);
	if (err) {
		*ret = cmd_fail(err, &why);
	} else if (option_bool(c->options, "dry-run")) {
		print_sum(c, &sum, true);
	} else if (sum.executions == 0) {
		print_sum(c, &sum, false);
	} else if (agreed(c, &sum)) {
		return true;
	} else {
		*ret = CMD_FAILED;
	}
	return false;
}

static enum cmd_exit run(struct cmd *c)
{
	char note[BODY_NOTE_BYTES];
	struct retention_rule rule;
	struct pruner_options po = {
		.options = c->options,
		.rule = &rule,
		.note = note,
	};
	const char *first = option_text(c->options, "export-first");
	struct pruner_sum sum = { 0 };
	struct pruner *p = NULL;
	struct why why = { "" };
	enum cmd_exit code;
	enum err err;

	err = choose(c->options, &rule, &why);
	if (err)
		return cmd_fail(err, &why);
	make_note(c->options, note);
	if (!option_bool(c->options, "yes") &&
	    !option_bool(c->options, "dry-run") && !isatty(STDIN_FILENO)) {
		cmd_say("nobody can be asked: give --yes to remove for ever");
		return CMD_USAGE;
	}
	err = pruner_open(&po, &p, &why);
	if (err)
		return cmd_fail(err, &why);
	if (!may(c, p, &code))
		goto out;
	catch_interrupt();
	err = first ? export_and_remove(c, p, &sum, &why)
		    : remove_all(p, &sum, &why);
	hide_progress();
	code = finish(c, &sum, err, &why);
out:
	pruner_close(p);
	return code;
}

static const struct command command = {
	.name = "prune",
	.group = "Administration",
	.summary = "remove old executions, or only what they said",
	.usage = "[options]",
	.about =
	    "Removes what has ended and is all that was said: --older-than and "
	    "--status failed are old failures; --keep-last and --keep-bytes "
	    "take the newest out of it. What is live is never touched, and "
	    "nobody who reads or runs notices; the file gets smaller a little "
	    "later. Removed ids say 410 Gone for a while.\n\n"
	    "While a server has the store, the server does it (ask with an "
	    "admin key); else the store is locked meanwhile, and the next "
	    "server finishes the clearing up. Ctrl-C stops between two "
	    "batches. With --export-first all of it is in FILE, and on disk, "
	    "before the first goes; FILE is not made when there is nothing to "
	    "go. A server with --retain-age, "
	    "--retain-bytes or [retain NAME] sections does this by itself.",
	.examples =
	    "spool prune --older-than 90d --dry-run\n"
	    "spool prune --status failed --older-than 7d --yes\n"
	    "spool prune --owner ada --keep-last 1000 --payload-only\n"
	    "spool prune --until 2026-01-01 --export-first 2025.ndjson --yes\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON | CMD_CHOOSE_ENDED,
	.run = run,
};

const struct command *cmd_prune(void)
{
	return &command;
}
