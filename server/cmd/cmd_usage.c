#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/choose.h"
#include "server/cmd/client.h"
#include "server/cmd/cmd.h"
#include "server/cmd/output.h"

#define PAGE 1000
#define CELL_BYTES 200
#define AFTER_BYTES 1100

static const char *const words[] = { "day", "owner", "target", NULL };

static const struct option_spec options[] = {
	{ .name = "by",
	    .kind = OPTION_ENUM,
	    .arg = "WHAT",
	    .words = words,
	    .fallback = "day",
	    .group = "Which",
	    .help = "a line for each" },
	{ .name = "owner",
	    .letter = 'o',
	    .kind = OPTION_STRING,
	    .arg = "NAME",
	    .group = "Which",
	    .help = "only this owner's" },
	{ .name = "since",
	    .kind = OPTION_STRING,
	    .arg = "TIME",
	    .group = "Which",
	    .help = "ended on that day (UTC) or later: 7d, 2026-01-02" },
	{ .name = "until",
	    .kind = OPTION_STRING,
	    .arg = "TIME",
	    .group = "Which",
	    .help = "ended before that day; written like --since" },
	{ .name = NULL },
};

static const char *const members[] = { "executions", "completed", "failed",
	"cancelled", "attempts", "input_tokens", "cached_input_tokens",
	"output_tokens", "reasoning_tokens" };
static const char *const titles[] = { "executions", "completed", "failed",
	"cancelled", "attempts", "input", "cached", "output", "reasoning",
	"cost $" };
#define MEMBERS (sizeof(members) / sizeof(members[0]))
#define COLUMNS (MEMBERS + 2)

struct showing {
	const char *by;
	struct output_rows rows;
};

/* Dollars, of which a double has too few digits to show all; exactly. */
static void show_cost(const json_t *sums, char *dst, size_t room)
{
	const json_t *pusd = json_object_get(sums, "cost_pusd");
	long long v = json_integer_value(pusd);
	size_t len;

	dst[0] = '\0';
	if (!json_is_integer(pusd))
		return;
	snprintf(
	    dst, room, "%lld.%012lld", v / 1000000000000, v % 1000000000000);
	len = strlen(dst);
	while (dst[len - 1] == '0' && dst[len - 2] != '.')
		dst[--len] = '\0';
}

static void show(struct showing *s, const char *name, const json_t *sums)
{
	char text[COLUMNS][CELL_BYTES];
	const char *cells[COLUMNS];

	snprintf(text[0], CELL_BYTES, "%s", name);
	for (size_t i = 0; i < MEMBERS; i++)
		client_show(
		    json_object_get(sums, members[i]), text[i + 1], CELL_BYTES);
	show_cost(sums, text[COLUMNS - 1], CELL_BYTES);
	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = text[i];
	output_rows_add(&s->rows, cells);
}

static void show_page(struct showing *s, const json_t *answer)
{
	const json_t *list = json_object_get(answer, "usage"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *name = client_member(one, s->by);

		if (output_json())
			client_print(one);
		else
			show(s, *name ? name : "(none)", one);
	}
}

/* Behind the last page. */
static enum cmd_exit show_total(struct showing *s, json_t *total)
{
	const char *heading[COLUMNS] = { s->by };
	json_t *line;

	if (output_json()) {
		line = json_pack("{s:O}", "total", total);
		client_print(line);
		json_decref(line);
		return CMD_OK;
	}
	for (size_t i = 1; i < COLUMNS; i++)
		heading[i] = titles[i - 1];
	show(s, "total", total);
	if (output_rows_print(&s->rows, heading))
		return CMD_OK;
	cmd_say("not everything could be shown: no memory");
	return CMD_FAILED;
}

/* Gives: *${ret}, the answer with its parts in it. */
static enum err get(struct client *client, const struct option_set *o,
    const char *after, json_t **ret, struct why *why)
{
	struct client_call call = { .method = CLIENT_GET };
	json_t *answer = NULL;
	struct buf path;
	enum err err;

	buf_init(&path, 8192);
	client_path(&path, "/v1/usage?by=%s", option_text(o, "by"));
	buf_printf(&path, "&limit=%d", PAGE);
	if (*after)
		client_path(&path, "&after=%s", after);
	err = choose_query(o, 0, &path, why);
	buf_putc(&path, '\0');
	if (!err)
		err = buf_state(&path);
	call.path = path.data;
	if (!err)
		err = client_call(client, &call, &answer, why);
	if (!err && (!json_is_array(json_object_get(answer, "usage")) ||
			!json_is_object(json_object_get(answer, "total")))) {
		err_why(why, "the server's answer has no usage in it");
		err = ERR_IO;
	}
	if (!err) {
		*ret = answer;
		answer = NULL;
	}
	json_decref(answer);
	buf_fini(&path);
	return err;
}

static enum cmd_exit run(struct cmd *c)
{
	struct showing s = { .by = option_text(c->options, "by"),
		.rows = { .n_columns = COLUMNS } };
	struct client *client = NULL;
	char after[AFTER_BYTES] = "";
	struct why why = { "" };
	enum cmd_exit code = CMD_OK;
	enum err err;

	err = client_open(c->options, &client, &why);
	while (!err) {
		json_t *answer = NULL;

		err = get(client, c->options, after, &answer, &why);
		if (err)
			break;
		show_page(&s, answer);
		snprintf(
		    after, sizeof(after), "%s", client_member(answer, "next"));
		if (!*after)
			code = show_total(&s, json_object_get(answer, "total"));
		json_decref(answer);
		if (!*after)
			break;
	}
	client_close(client);
	return err ? cmd_fail(err, &why) : code;
}

static const struct command command = {
	.name = "usage",
	.group = "Administration",
	.summary = "show what executions used: tokens and cost",
	.usage = "[options]",
	.about =
	    "Sums of all that has ended, by the day of its end (UTC), by owner "
	    "or by target, and in all. What was deleted since is counted too. "
	    "What is not known is left empty (null with --json) and never 0: a "
	    "cost is known where the upstream has said it.\n\n"
	    "The columns: day, owner or target; executions, completed, failed, "
	    "cancelled, attempts; tokens: input, cached (of the input), "
	    "output, reasoning (of the output); cost in dollars. In a pipe "
	    "they are parted by tabs and have no heading, and the last line is "
	    "the total. With --json each line is a row of GET /v1/usage, the "
	    "last one {\"total\":…}.",
	.examples = "spool usage --since 30d\n"
		    "spool usage --by owner --since 2026-01-01 --until "
		    "2026-02-01\n"
		    "spool usage --by target --json | jq .cost_usd\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run,
};

const struct command *cmd_usage(void)
{
	return &command;
}
