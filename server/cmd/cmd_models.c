#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/ask.h"
#include "server/cmd/output.h"

#define CELL_BYTES 600

static const struct option_spec options[] = {
	{ .name = "refresh",
	    .kind = OPTION_BOOL,
	    .group = "Which",
	    .help = "ask the upstreams for their lists now" },
	{ .name = "upstream",
	    .letter = 'u',
	    .kind = OPTION_STRING,
	    .arg = "UPSTREAM",
	    .group = "Which",
	    .help = "only those of this upstream" },
	{ .name = NULL },
};

static const char *const heading[] = { "model", "asks", "context", "output",
	"$/M in", "$/M out" };
#define COLUMNS (sizeof(heading) / sizeof(heading[0]))

/* "a/x, b/y"; "" when that is the model's own name. */
static void show_targets(const json_t *model, char *dst, size_t room)
{
	const json_t *targets = json_object_get(model, "targets"), *one;
	size_t i, used = 0;

	dst[0] = '\0';
	json_array_foreach(targets, i, one)
	{
		const char *name = json_string_value(one);

		if (name && used < room)
			used += (size_t)snprintf(dst + used, room - used,
			    "%s%s", i > 0 ? ", " : "", name);
	}
	if (strcmp(dst, client_member(model, "id")) == 0)
		dst[0] = '\0';
}

/* A price of one token, a decimal text, as that of a million: the point moves. */
static void show_price(
    const json_t *model, const char *name, char *dst, size_t room)
{
	const char *text =
	    client_member(json_object_get(model, "pricing"), name);
	int whole = (int)strcspn(text, ".");
	const char *part = text[whole] ? text + whole + 1 : "";
	char digits[64];
	size_t idle;

	dst[0] = '\0';
	if (!*text || strlen(text) > 40)
		return;
	(void)snprintf(digits, sizeof(digits), "%.*s%.6s%.*s", whole, text,
	    part, strlen(part) < 6 ? 6 - (int)strlen(part) : 0, "000000");
	idle = strspn(digits, "0");
	idle -= digits[idle] == '\0';
	(void)snprintf(dst, room, "%s%s%s", digits + idle,
	    strlen(part) > 6 ? "." : "", strlen(part) > 6 ? part + 6 : "");
}

static void show(struct output_rows *rows, const json_t *model)
{
	char text[COLUMNS][CELL_BYTES];
	const char *cells[COLUMNS];

	snprintf(text[0], CELL_BYTES, "%s", client_member(model, "id"));
	show_targets(model, text[1], CELL_BYTES);
	client_show(
	    json_object_get(model, "context_length"), text[2], CELL_BYTES);
	client_show(
	    json_object_get(model, "max_output_tokens"), text[3], CELL_BYTES);
	show_price(model, "prompt", text[4], CELL_BYTES);
	show_price(model, "completion", text[5], CELL_BYTES);
	for (size_t i = 0; i < COLUMNS; i++)
		cells[i] = text[i];
	output_rows_add(rows, cells);
}

/* Is one of its targets ${upstream}'s? */
static bool is_of(const json_t *model, const char *upstream)
{
	const json_t *targets = json_object_get(model, "targets"), *one;
	size_t i, len = strlen(upstream);

	json_array_foreach(targets, i, one)
	{
		const char *name = json_string_value(one);

		if (name && strncmp(name, upstream, len) == 0 &&
		    name[len] == '/')
			return true;
	}
	return false;
}

/* Whose list is not there, and so what may be missing. */
static void say_missing(const json_t *upstreams)
{
	const json_t *one;
	size_t i;

	json_array_foreach(upstreams, i, one)
	{
		const char *why = client_member(one, "error");

		if (*why)
			cmd_say("the list of %s cannot be had now (%s); shown "
				"is what is known of it",
			    client_member(one, "name"), why);
	}
}

/* Is ${upstream} one of those that there are? Otherwise says which are. */
static bool knows(const json_t *upstreams, const char *upstream)
{
	const json_t *one;
	char names[400] = "";
	size_t i, used = 0;

	json_array_foreach(upstreams, i, one)
	{
		const char *name = client_member(one, "name");

		if (strcmp(name, upstream) == 0)
			return true;
		if (used < sizeof(names))
			used +=
			    (size_t)snprintf(names + used, sizeof(names) - used,
				"%s%s", i > 0 ? ", " : "", name);
	}
	cmd_say("there is no upstream \"%s\"; there are: %s", upstream, names);
	return false;
}

static enum cmd_exit print(struct cmd *c, const json_t *answer)
{
	const char *upstream = option_text(c->options, "upstream");
	struct output_rows rows = { .n_columns = COLUMNS };
	const json_t *model;
	size_t i;

	if (upstream && !knows(json_object_get(answer, "upstreams"), upstream))
		return CMD_NOT_FOUND;
	json_array_foreach(json_object_get(answer, "data"), i, model)
	{
		if (upstream && !is_of(model, upstream))
			continue;
		if (output_json())
			client_print(model);
		else
			show(&rows, model);
	}
	if (!output_json() && !output_rows_print(&rows, heading)) {
		cmd_say("not everything could be shown: no memory");
		return CMD_FAILED;
	}
	say_missing(json_object_get(answer, "upstreams"));
	return CMD_OK;
}

static enum cmd_exit run(struct cmd *c)
{
	json_t *answer = NULL;
	enum cmd_exit code;

	code = ask_server(c, CLIENT_GET,
	    option_bool(c->options, "refresh") ? "/v1/models?refresh=true"
					       : "/v1/models",
	    NULL, NULL, &answer);
	if (code == CMD_OK)
		code = print(c, answer);
	json_decref(answer);
	return code;
}

static const struct command command = {
	.name = "models",
	.group = "Executions",
	.summary = "list the models that can be asked for",
	.usage = "[options]",
	.about =
	    "Names from the config file come first, then the default "
	    "upstream's models, then all as UPSTREAM/MODEL: what upstreams "
	    "list, and what is configured. The lists are asked for in the "
	    "background and kept for --models-ttl of serve; one that cannot be "
	    "had is shown as it was last. Prices are those that the upstream "
	    "tells or serve's --prices has, in dollars for a million tokens. "
	    "In a pipe the columns are parted by tabs.",
	.examples = "spool models\n"
		    "spool models --upstream openrouter --refresh\n"
		    "spool models --json | jq -r .id\n",
	.options = options,
	.uses = CMD_CLIENT | CMD_JSON,
	.run = run,
};

const struct command *cmd_models(void)
{
	return &command;
}
