#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/choose.h"
#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/output.h"
#include "store/base/id.h"

#define PAGE 500
#define CELL_BYTES 200
#define POLL_MS 1000
/* What begins later than another may be stored earlier by this much. */
#define LATE_MS 10000

static const struct option_spec options[] = {
	{ .name = "limit",
	    .letter = 'n',
	    .kind = OPTION_INT,
	    .arg = "N",
	    .fallback = "50",
	    .group = "Listing",
	    .help = "show the newest N; 0: all" },
	{ .name = "follow",
	    .letter = 'f',
	    .kind = OPTION_BOOL,
	    .group = "Listing",
	    .help = "show the newest N, then new ones as they appear, until "
		    "Ctrl-C" },
	{ .name = NULL },
};

static const char *const members[] = { "execution_id", "status", "owner",
	"model", "total_chunks", "created_at", "error_code" };
static const char *const heading[] = { "execution", "status", "owner", "model",
	"chunks", "created", "error" };
#define COLUMNS (sizeof(members) / sizeof(members[0]))

struct listing {
	const struct option_set *options;
	struct client *client;
	struct output_rows rows;
};

static void show(struct listing *l, const json_t *execution)
{
	char text[COLUMNS][CELL_BYTES];
	const char *cells[COLUMNS];

	if (output_json()) {
		client_print(execution);
		return;
	}
	for (size_t i = 0; i < COLUMNS; i++) {
		client_show(json_object_get(execution, members[i]), text[i],
		    CELL_BYTES);
		cells[i] = text[i];
	}
	output_rows_add(&l->rows, cells);
}

/* What was shown reaches its reader now. False: not all of it, or no reader. */
static bool flush(struct listing *l)
{
	bool whole = output_json() || output_rows_print(&l->rows, heading);

	if (!whole)
		cmd_say("not everything could be shown: no memory");
	return fflush(stdout) == 0 && whole;
}

/*
 * Up to ${limit} executions older than ${after} (""; the newest), newest first.
 * Gives: *${ret}, the answer; its list is there.
 */
static enum err get(struct listing *l, int64_t since_ms, int64_t limit,
    const char *after, json_t **ret, struct why *why)
{
	struct client_call call = { .method = CLIENT_GET };
	json_t *answer = NULL;
	struct buf path;
	enum err err;

	buf_init(&path, 8192);
	buf_printf(&path, "/v1/executions?limit=%lld", (long long)limit);
	if (*after)
		client_path(&path, "&after=%s", after);
	err = choose_query(l->options, since_ms, &path, why);
	buf_putc(&path, '\0');
	if (!err)
		err = buf_state(&path);
	if (err)
		goto out;
	call.path = path.data;
	err = client_call(l->client, &call, &answer, why);
	if (err)
		goto out;
	if (!json_is_array(json_object_get(answer, "executions"))) {
		err_why(why, "the server's answer has no list in it");
		err = ERR_IO;
		goto out;
	}
	*ret = answer;
	answer = NULL;
out:
	json_decref(answer);
	buf_fini(&path);
	return err;
}

static enum cmd_exit list(struct listing *l, int64_t limit)
{
	int64_t left = limit > 0 ? limit : INT64_MAX;
	char after[ID_TEXT] = "";
	struct why why = { "" };

	do {
		json_t *answer = NULL, *found;
		const json_t *one;
		enum err err;
		size_t i;

		err =
		    get(l, 0, left < PAGE ? left : PAGE, after, &answer, &why);
		if (err)
			return cmd_fail(err, &why);
		found = json_object_get(answer, "executions");
		json_array_foreach(found, i, one) show(l, one);
		left -= (int64_t)json_array_size(found);
		snprintf(
		    after, sizeof(after), "%s", client_member(answer, "next"));
		json_decref(answer);
		if (!flush(l))
			return CMD_FAILED;
	} while (*after && left > 0);
	if (*after && output_tty())
		fprintf(
		    stderr, "There are more: --limit 0 shows all of them.\n");
	return CMD_OK;
}

/* --- following --- */

/* Ids in the order of their text, which is that of their stamps. */
struct ids {
	char (*id)[ID_TEXT];
	size_t n;
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static bool known(const struct ids *ids, const char *id)
{
	return ids->n &&
	       bsearch(id, ids->id, ids->n, sizeof(*ids->id), compare);
}

/* The stamp in a UUIDv7: its first 48 bits. */
static int64_t stamp(const char *id)
{
	char hex[13];

	snprintf(hex, sizeof(hex), "%.8s%.4s", id, id + 9);
	return (int64_t)strtoll(hex, NULL, 16);
}

/*
 * Append to ${all} what was created since ${since_ms}, newest first, page by
 * page; or with ${limit} above 0 one page of that many.
 */
static enum err collect(struct listing *l, int64_t since_ms, int64_t limit,
    json_t *all, struct why *why)
{
	char after[ID_TEXT] = "";
	enum err err;

	do {
		json_t *answer = NULL;

		err =
		    get(l, since_ms, limit ? limit : PAGE, after, &answer, why);
		if (err)
			return err;
		if (json_array_extend(
			all, json_object_get(answer, "executions")))
			err = ERR_NOMEM;
		snprintf(
		    after, sizeof(after), "%s", client_member(answer, "next"));
		json_decref(answer);
	} while (!err && *after && !limit);
	return err;
}

/*
 * Show those of ${all} that ${seen} has not and that are no older than
 * ${floor}, oldest first; ${seen} then has the ids of ${all}.
 */
static enum err show_new(
    struct listing *l, const json_t *all, const char *floor, struct ids *seen)
{
	size_t n = json_array_size(all);
	struct ids now = { .n = n };

	now.id = calloc(n + 1, sizeof(*now.id));
	if (!now.id)
		return ERR_NOMEM;
	for (size_t i = 0; i < n; i++) {
		const json_t *one = json_array_get(all, n - 1 - i);
		const char *id = client_member(one, "execution_id");

		snprintf(now.id[i], sizeof(now.id[i]), "%s", id);
		if (!known(seen, id) && strcmp(id, floor) >= 0)
			show(l, one);
	}
	qsort(now.id, n, sizeof(*now.id), compare);
	free(seen->id);
	*seen = now;
	return OK;
}

/*
 * Each look asks for what was created a while before the newest seen and later:
 * ids are given before they are stored, so an older one may come after.
 */
static enum cmd_exit follow(struct listing *l, int64_t limit)
{
	struct ids seen = { .id = NULL };
	char floor[ID_TEXT] = "";
	struct why why = { "" };
	int64_t since_ms = 0;
	enum err err = OK;

	limit = limit > 0 && limit < 1000 ? limit : 1000;
	while (!err) {
		json_t *all = json_array();

		err = all ? collect(l, since_ms, limit, all, &why) : ERR_NOMEM;
		if (!err)
			err = show_new(l, all, floor, &seen);
		json_decref(all);
		if (err || !flush(l))
			break;
		if (seen.n && !*floor)
			snprintf(floor, sizeof(floor), "%s", seen.id[0]);
		if (seen.n) {
			since_ms = stamp(seen.id[seen.n - 1]) - LATE_MS;
			limit = 0;
		}
		poll(NULL, 0, POLL_MS);
	}
	free(seen.id);
	return err ? cmd_fail(err, &why) : CMD_FAILED;
}

static enum cmd_exit run(struct cmd *c)
{
	struct listing l = {
		.options = c->options,
		.rows = { .n_columns = COLUMNS },
	};
	int64_t limit = option_int(c->options, "limit");
	struct why why = { "" };
	enum cmd_exit code;
	enum err err;

	if (option_bool(c->options, "follow") &&
	    option_text(c->options, "status")) {
		cmd_say("--follow shows executions as they begin; it does not "
			"go with --status, which changes later");
		return CMD_USAGE;
	}
	err = client_open(c->options, &l.client, &why);
	if (err)
		return cmd_fail(err, &why);
	code = option_bool(c->options, "follow") ? follow(&l, limit)
						 : list(&l, limit);
	client_close(l.client);
	return code;
}

static const char *const aliases[] = { "list", NULL };
static const struct command command = {
	.name = "ls",
	.aliases = aliases,
	.group = "Executions",
	.summary = "list executions, the newest first",
	.usage = "[options]",
	.about = "The columns: execution, status, owner, model as it was asked "
		 "for, chunks, created, error. In a pipe they are parted by "
		 "tabs and have no heading. With --json each line is an "
		 "execution with all that GET /v1/executions says of it.",
	.examples = "spool ls --status failed --since 2h\n"
		    "spool ls --follow\n"
		    "spool ls --limit 0 --json | jq -r .execution_id\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON | CMD_CHOOSE,
	.run = run,
};

const struct command *cmd_ls(void)
{
	return &command;
}
