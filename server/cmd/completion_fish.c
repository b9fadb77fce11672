#include "server/cmd/completion.h"

#include <stdio.h>
#include <string.h>

static void fish_in(
    const struct command *parent, const struct command *command, bool at)
{
	printf("complete -c spool -n '__spool_in %d", at);
	if (parent)
		printf(" %s", parent->name);
	if (command) {
		fputs(" \"", stdout);
		completion_put_names(command, "|");
		fputs("\"", stdout);
	}
	fputs("'", stdout);
}

static void fish_option(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	fish_in(parent, command, false);
	fputs(" -l ", stdout);
	completion_put_long(spec);
	if (spec->letter)
		printf(" -s %c", spec->letter);
	if (completion_option(spec) == COMPLETION_FILE)
		fputs(" -r -F", stdout);
	else if (spec->kind != OPTION_BOOL)
		fputs(" -x", stdout);
	if (completion_option(spec) == COMPLETION_WORDS) {
		fputs(" -a '", stdout);
		completion_put_words(spec->words);
		putchar('\'');
	}
	fputs(" -d '", stdout);
	completion_put_quoted(spec->help, "");
	fputs("'\n", stdout);
}

static void fish_list(
    const struct command *parent, const struct command *const *commands)
{
	for (size_t i = 0; commands[i]; i++) {
		fish_in(NULL, parent, true);
		printf(" -a %s -d '", commands[i]->name);
		completion_put_quoted(commands[i]->summary, "");
		fputs("'\n", stdout);
	}
}

static void fish_command(const struct command *const *commands,
    const struct command *parent, const struct command *command)
{
	completion_each_option(command, fish_option, parent);
	if (strcmp(command->name, "help") == 0) {
		fish_in(parent, command, false);
		fputs(" -a '", stdout);
		completion_put_commands(commands);
		fputs("'\n", stdout);
		return;
	}
	switch (completion_operand(command)) {
	case COMPLETION_WORDS:
		fish_in(parent, command, false);
		fputs(" -a '", stdout);
		completion_put_usage(command);
		fputs("'\n", stdout);
		break;
	case COMPLETION_FILE:
		fish_in(parent, command, false);
		fputs(" -F\n", stdout);
		break;
	case COMPLETION_ID:
		fish_in(parent, command, false);
		printf(" -k -a '(%s)'\n", completion_ids());
		break;
	case COMPLETION_TEXT: break;
	}
}

void completion_fish(const struct command *const *commands)
{
	fputs("# fish completion for spool, made by \"spool completion "
	      "fish\"\n"
	      "# Do the words begin with these? First 1: and are they all?\n"
	      "function __spool_in\n"
	      "\tset -l typed (commandline -opc)\n"
	      "\tset -l wanted $argv\n"
	      "\tset -e typed[1]\n"
	      "\tset -e wanted[1]\n"
	      "\ttest $argv[1] = 1; and test (count $typed) -ne (count "
	      "$wanted); and return 1\n"
	      "\tset -l i 0\n"
	      "\tfor word in $wanted\n"
	      "\t\tset i (math $i + 1)\n"
	      "\t\tcontains -- \"$typed[$i]\" (string split '|' -- $word); or "
	      "return 1\n"
	      "\tend\n"
	      "\treturn 0\n"
	      "end\n"
	      "complete -c spool -f\n",
	    stdout);
	fish_list(NULL, commands);
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->subcommands)
			fish_list(commands[i], commands[i]->subcommands);
	completion_each_command(commands, fish_command);
}
