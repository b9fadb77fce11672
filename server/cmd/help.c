#include "server/cmd/help.h"

#include <stdbool.h>
#include <string.h>

#define COLUMN 24
#define WIDTH 79
#define MAX_GROUPS 24

static const char exit_codes[] =
    "Exit codes:\n"
    "  0 ok   1 failed   2 usage   3 not found   4 not allowed   5 conflict\n"
    "  6 unavailable, try again   7 the execution failed   8 it was cancelled\n"
    "  124 timeout   130 interrupted       (spool help exit-codes says more)\n";

void help_wrap(FILE *f, const char *text, int indent, int column)
{
	while (*text) {
		int len = (int)strcspn(text, " \n");

		if (column > indent && column + 1 + len > WIDTH) {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', f);
			column++;
		}
		fprintf(f, "%.*s", len, text);
		column += len;
		text += len;
		if (*text == '\n') {
			fprintf(f, "\n%*s", indent, "");
			column = indent;
		}
		if (*text)
			text++;
	}
	fputc('\n', f);
}

static int put_flag(FILE *f, const struct option_spec *spec)
{
	int n = 2;

	fputs("  ", f);
	if (spec->letter)
		n += fprintf(f, "-%c, ", spec->letter);
	if (spec->kind == OPTION_BOOL && spec->fallback &&
	    strcmp(spec->fallback, "true") == 0)
		n += fprintf(f, "--no-%s", spec->name);
	else
		n += fprintf(f, "--%s%s", spec->name,
		    spec->kind == OPTION_SECRET ? "-file" : "");
	if (spec->arg)
		n += fprintf(f, " %s", spec->arg);
	return n;
}

/* "one of …; default …; environment …; config …" below the help's text. */
static void put_facts(FILE *f, const struct option_spec *spec)
{
	char text[512] = "";
	size_t n = 0;
	bool has_default = spec->fallback && spec->kind != OPTION_BOOL;

	if (spec->words) {
		for (size_t i = 0; spec->words[i] && n < sizeof(text); i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
			    "%s%s", i ? " | " : "", spec->words[i]);
		if (has_default && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "; ");
	}
	if (has_default && n < sizeof(text))
		n += (size_t)snprintf(
		    text + n, sizeof(text) - n, "default %s", spec->fallback);
	if (n)
		fprintf(f, "%*s[%s]\n", COLUMN, "", text);
	if (!spec->env && !spec->key)
		return;
	fprintf(f, "%*s", COLUMN, "");
	if (spec->env)
		fprintf(f, "%s%s", spec->env,
		    spec->kind == OPTION_SECRET ? "[_FILE]" : "");
	if (spec->key)
		fprintf(f, "%s[%.*s] %s%s", spec->env ? "  " : "",
		    (int)strcspn(spec->key, "."), spec->key,
		    strchr(spec->key, '.') + 1,
		    spec->kind == OPTION_SECRET ? "[_file]" : "");
	fputc('\n', f);
}

static void put_option(FILE *f, const struct option_spec *spec)
{
	int n = put_flag(f, spec);

	if (n + 2 > COLUMN) {
		fputc('\n', f);
		n = 0;
	}
	fprintf(f, "%*s", COLUMN - n, "");
	help_wrap(f, spec->help, COLUMN, COLUMN);
	put_facts(f, spec);
}

static const char *group_of(const struct option_spec *spec)
{
	return spec->group ? spec->group : "Options";
}

static void put_options(FILE *f, const struct command *command)
{
	const struct option_spec *const *tables = cmd_tables(command);
	const char *groups[MAX_GROUPS];
	size_t n = 0, g;

	for (size_t t = 0; tables[t]; t++)
		for (size_t i = 0; tables[t][i].name; i++) {
			for (g = 0; g < n; g++)
				if (!strcmp(groups[g], group_of(&tables[t][i])))
					break;
			if (g == n && n < MAX_GROUPS)
				groups[n++] = group_of(&tables[t][i]);
		}
	for (g = 0; g < n; g++) {
		fprintf(f, "\n%s:\n", groups[g]);
		for (size_t t = 0; tables[t]; t++)
			for (size_t i = 0; tables[t][i].name; i++)
				if (!strcmp(groups[g], group_of(&tables[t][i])))
					put_option(f, &tables[t][i]);
	}
}

static void put_examples(FILE *f, const char *lines)
{
	while (lines && *lines) {
		size_t len = strcspn(lines, "\n");

		fprintf(f, "  %.*s\n", (int)len, lines);
		lines += len + (lines[len] == '\n');
	}
}

static void put_command(FILE *f, const struct command *command)
{
	fprintf(f, "  %-12s %s\n", command->name, command->summary);
}

void help_command(FILE *f, const struct command *command, const char *name)
{
	fprintf(f, "spool %s: %s\n\n", name, command->summary);
	if (command->examples) {
		fputs("Examples:\n", f);
		put_examples(f, command->examples);
		fputc('\n', f);
	}
	fprintf(f, "Usage: spool %s%s%s\n", name, *command->usage ? " " : "",
	    command->usage);
	if (command->aliases) {
		fputs("Also called:", f);
		for (size_t i = 0; command->aliases[i]; i++)
			fprintf(f, " %s", command->aliases[i]);
		fputc('\n', f);
	}
	if (command->about) {
		fputc('\n', f);
		help_wrap(f, command->about, 0, 0);
	}
	if (command->subcommands) {
		fputs("\nCommands:\n", f);
		for (size_t i = 0; command->subcommands[i]; i++)
			put_command(f, command->subcommands[i]);
		fprintf(f, "\n\"spool %s COMMAND --help\" says more.\n", name);
	} else {
		put_options(f, command);
	}
	fputc('\n', f);
	if (command->uses & CMD_CONFIG)
		fputs("A flag beats the environment, that the config file, "
		      "that the default.\n"
		      "Times: 500ms 2s 5m 1h 7d. Sizes: 4096 16KiB 64MiB "
		      "1GiB.\n\n",
		    f);
	fputs(exit_codes, f);
}

void help_overview(FILE *f, const struct command *const *commands)
{
	const char *groups[MAX_GROUPS];
	size_t n = 0, g;

	fputs("spool runs a prompt once, keeps every chunk of the answer, and "
	      "lets anyone\nread it from any index.\n\n"
	      "Examples:\n"
	      "  spool serve --demo                     a server with a "
	      "simulated model\n"
	      "  spool exec \"Why is the sky blue?\"      ask, and read along\n"
	      "  spool tail EXECUTION_ID                read again, from any "
	      "index\n\n"
	      "Usage: spool COMMAND [options]\n",
	    f);
	for (size_t i = 0; commands[i]; i++) {
		for (g = 0; g < n; g++)
			if (strcmp(groups[g], commands[i]->group) == 0)
				break;
		if (g == n && n < MAX_GROUPS)
			groups[n++] = commands[i]->group;
	}
	for (g = 0; g < n; g++) {
		fprintf(f, "\n%s:\n", groups[g]);
		for (size_t i = 0; commands[i]; i++)
			if (strcmp(groups[g], commands[i]->group) == 0)
				put_command(f, commands[i]);
	}
	fputs("\n\"spool help COMMAND\" says more about one of them.\n"
	      "SPOOL_URL and SPOOL_KEY say which server, and who asks.\n\n",
	    f);
	fputs(exit_codes, f);
}
