/* The same tables as manual pages: roff with the man macros. */
#include <stdbool.h>
#include <string.h>

#include "server/cmd/help.h"
#include "server/cmd/help_exit.h"

/* A line of text: nothing in it commands roff. */
static void put(FILE *f, const char *text, size_t len)
{
	if (len && (*text == '.' || *text == '\''))
		fputs("\\&", f);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\\')
			fputs("\\e", f);
		else if (text[i] == '-')
			fputs("\\-", f);
		else
			fputc(text[i], f);
	}
}

static void put_text(FILE *f, const char *text)
{
	while (*text) {
		size_t len = strcspn(text, "\n");

		put(f, text, len);
		fputc('\n', f);
		text += len;
		text += *text == '\n';
		if (*text)
			fputs(".br\n", f);
	}
}

static void put_word(FILE *f, const char *text)
{
	put(f, text, strlen(text));
}

static void put_flag(FILE *f, const struct option_spec *spec)
{
	bool on = spec->kind == OPTION_BOOL && spec->fallback &&
		  strcmp(spec->fallback, "true") == 0;

	fputs(".TP\n", f);
	if (spec->letter)
		fprintf(f, "\\fB\\-%c\\fR, ", spec->letter);
	fprintf(f, "\\fB\\-\\-%s", on ? "no\\-" : "");
	put_word(f, spec->name);
	fprintf(f, "%s\\fR", spec->kind == OPTION_SECRET ? "\\-file" : "");
	if (spec->arg) {
		fputs(" \\fI", f);
		put_word(f, spec->arg);
		fputs("\\fR", f);
	}
	fputc('\n', f);
}

static void put_facts(FILE *f, const struct option_spec *spec)
{
	const char *file = spec->kind == OPTION_SECRET ? "_file" : "";

	if (spec->words) {
		fputs(".br\nOne of ", f);
		for (size_t i = 0; spec->words[i]; i++) {
			fputs(i ? ", " : "", f);
			put_word(f, spec->words[i]);
		}
		fputs(".\n", f);
	}
	if (spec->fallback && spec->kind != OPTION_BOOL) {
		fputs(".br\nDefault: ", f);
		put_word(f, spec->fallback);
		fputc('\n', f);
	}
	if (spec->env)
		fprintf(f, ".br\nEnvironment: \\fB%s\\fR%s%s%s\n", spec->env,
		    *file ? " or \\fB" : "", *file ? spec->env : "",
		    *file ? "_FILE\\fR" : "");
	if (spec->key)
		fprintf(f, ".br\nConfig file: [%.*s] %s%s%s%s\n",
		    (int)strcspn(spec->key, "."), spec->key,
		    strchr(spec->key, '.') + 1, *file ? " or " : "",
		    *file ? strchr(spec->key, '.') + 1 : "", file);
}

static const char *group_of(const struct option_spec *spec)
{
	return spec->group ? spec->group : "Options";
}

/* Did an entry before the ${i}-th of table ${t} have its group? */
static bool grouped(const struct option_spec *const *tables, size_t t, size_t i)
{
	const char *group = group_of(&tables[t][i]);

	for (size_t u = 0; u <= t; u++)
		for (size_t k = 0; tables[u][k].name && (u < t || k < i); k++)
			if (strcmp(group_of(&tables[u][k]), group) == 0)
				return true;
	return false;
}

static void put_group(
    FILE *f, const struct option_spec *const *tables, const char *group)
{
	fputs(".SS ", f);
	put_word(f, group);
	fputc('\n', f);
	for (size_t t = 0; tables[t]; t++)
		for (size_t i = 0; tables[t][i].name; i++) {
			if (strcmp(group_of(&tables[t][i]), group) != 0)
				continue;
			put_flag(f, &tables[t][i]);
			put_text(f, tables[t][i].help);
			put_facts(f, &tables[t][i]);
		}
}

static void put_options(FILE *f, const struct command *command)
{
	const struct option_spec *const *tables = cmd_tables(command);

	for (size_t t = 0; tables[t]; t++)
		for (size_t i = 0; tables[t][i].name; i++)
			if (!grouped(tables, t, i))
				put_group(f, tables, group_of(&tables[t][i]));
}

static void put_synopsis(FILE *f, const char *name, const char *usage)
{
	fputs("\\fBspool ", f);
	put_word(f, name);
	fputs("\\fR ", f);
	put_word(f, usage);
	fputc('\n', f);
}

static void put_examples(FILE *f, const char *examples)
{
	if (!examples)
		return;
	fputs(".SH EXAMPLES\n.nf\n", f);
	while (*examples) {
		size_t len = strcspn(examples, "\n");

		put(f, examples, len);
		fputc('\n', f);
		examples += len + (examples[len] == '\n');
	}
	fputs(".fi\n", f);
}

static void begin(FILE *f, const char *name, const char *summary)
{
	fprintf(f, ".TH spool%s%s 1 \"\" \"spool %s\" \"\"\n.SH NAME\nspool",
	    *name ? "\\-" : "", name, SPOOL_VERSION);
	fprintf(f, "%s%s \\- ", *name ? "\\-" : "", name);
	put_text(f, summary);
	fputs(".SH SYNOPSIS\n", f);
}

static void end(FILE *f)
{
	const struct help_exit *exits;
	size_t n;

	exits = help_exit_table(&n);
	fputs(".SH EXIT STATUS\n", f);
	for (size_t i = 0; i < n; i++) {
		fprintf(f, ".TP\n.B %d\n", exits[i].code);
		put_text(f, exits[i].text);
	}
}

static void put_subcommand(
    FILE *f, const char *parent, const struct command *command)
{
	char name[64];

	snprintf(name, sizeof(name), "%s %s", parent, command->name);
	fputs(".SH ", f);
	put_word(f, name);
	fputs("\n", f);
	put_synopsis(f, name, command->usage);
	fputs(".PP\n", f);
	put_text(f, command->summary);
	if (command->about) {
		fputs(".PP\n", f);
		put_text(f, command->about);
	}
	put_options(f, command);
}

void help_man_command(FILE *f, const struct command *command)
{
	begin(f, command->name, command->summary);
	put_synopsis(f, command->name, command->usage);
	if (command->about) {
		fputs(".SH DESCRIPTION\n", f);
		put_text(f, command->about);
	}
	if (command->subcommands) {
		for (size_t i = 0; command->subcommands[i]; i++)
			put_subcommand(
			    f, command->name, command->subcommands[i]);
	} else {
		fputs(".SH OPTIONS\n", f);
		put_options(f, command);
	}
	put_examples(f, command->examples);
	end(f);
	fputs(".SH SEE ALSO\n.BR spool (1)\n", f);
}

void help_man_overview(FILE *f, const struct command *const *commands)
{
	begin(f, "", "run a prompt once, keep every chunk of the answer");
	fputs("\\fBspool\\fR \\fICOMMAND\\fR [options]\n"
	      ".SH DESCRIPTION\nspool runs a prompt once, keeps every chunk "
	      "of the answer, and lets anyone read it from any index.\n"
	      ".SH COMMANDS\n",
	    f);
	for (size_t i = 0; commands[i]; i++) {
		fprintf(f, ".TP\n.BR spool\\-%s (1)\n", commands[i]->name);
		put_text(f, commands[i]->summary);
	}
	fputs(".SH ENVIRONMENT\n.B SPOOL_URL\nand\n.B SPOOL_KEY\nsay which "
	      "server, and who asks.\n",
	    f);
	end(f);
}
