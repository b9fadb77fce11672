#include "server/cmd/completion.h"

#include <stdio.h>
#include <string.h>

const char *completion_ids(void)
{
	return "spool ls --limit 30 --retry 0 --timeout 1s 2>/dev/null | cut -f1";
}

enum completion_follows completion_option(const struct option_spec *spec)
{
	if (spec->words)
		return COMPLETION_WORDS;
	if (spec->kind == OPTION_SECRET)
		return COMPLETION_FILE;
	return spec->arg && (strcmp(spec->arg, "FILE") == 0 ||
				strcmp(spec->arg, "PATH") == 0 ||
				strcmp(spec->arg, "DIR") == 0)
		   ? COMPLETION_FILE
		   : COMPLETION_TEXT;
}

enum completion_follows completion_operand(const struct command *command)
{
	const char *usage = command->usage ? command->usage : "";

	if (strchr(usage, '|') && !strpbrk(usage, " []"))
		return COMPLETION_WORDS;
	if (strstr(usage, "FILE") || strstr(usage, "PATH"))
		return COMPLETION_FILE;
	return strstr(usage, "ID") && command->group &&
		       strcmp(command->group, "Executions") == 0
		   ? COMPLETION_ID
		   : COMPLETION_TEXT;
}

void completion_put_long(const struct option_spec *spec)
{
	bool on = spec->kind == OPTION_BOOL && spec->fallback &&
		  strcmp(spec->fallback, "true") == 0;

	printf("%s%s%s", on ? "no-" : "", spec->name,
	    spec->kind == OPTION_SECRET ? "-file" : "");
}

void completion_put_quoted(const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\'') {
			fputs("'\\''", stdout);
			continue;
		}
		if (strchr(escaped, *text))
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
}

void completion_put_names(const struct command *command, const char *between)
{
	fputs(command->name, stdout);
	for (size_t i = 0; command->aliases && command->aliases[i]; i++)
		printf("%s%s", between, command->aliases[i]);
}

void completion_put_usage(const struct command *command)
{
	for (const char *p = command->usage; *p; p++)
		putchar(*p == '|' ? ' ' : *p);
}

void completion_put_words(const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
}

void completion_put_commands(const struct command *const *commands)
{
	for (size_t i = 0; commands[i]; i++)
		printf("%s%s", i ? " " : "", commands[i]->name);
}

void completion_each_command(const struct command *const *commands,
    void (*put)(const struct command *const *commands,
	const struct command *parent, const struct command *command))
{
	for (size_t i = 0; commands[i]; i++) {
		const struct command *const *sub = commands[i]->subcommands;

		if (!sub)
			put(commands, NULL, commands[i]);
		for (; sub && *sub; sub++)
			put(commands, commands[i], *sub);
	}
}

void completion_each_option(const struct command *command,
    void (*put)(const struct command *parent, const struct command *command,
	const struct option_spec *spec),
    const struct command *parent)
{
	const struct option_spec *const *tables = cmd_tables(command);

	for (; *tables; tables++)
		for (size_t i = 0; (*tables)[i].name; i++)
			put(parent, command, &(*tables)[i]);
}
