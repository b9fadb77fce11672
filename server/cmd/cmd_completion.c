#include <stdio.h>
#include <string.h>

#include "server/cmd/cmd.h"

/* What follows an option or a command, as a shell can help with it. */
enum follows { FOLLOWS_TEXT, FOLLOWS_WORDS, FOLLOWS_FILE, FOLLOWS_ID };

static const char ids[] =
    "spool ls --limit 30 --retry 0 --timeout 1s 2>/dev/null | cut -f1";

static enum follows option_follows(const struct option_spec *spec)
{
	if (spec->words)
		return FOLLOWS_WORDS;
	if (spec->kind == OPTION_SECRET)
		return FOLLOWS_FILE;
	return spec->arg && (strcmp(spec->arg, "FILE") == 0 ||
				strcmp(spec->arg, "PATH") == 0 ||
				strcmp(spec->arg, "DIR") == 0)
		   ? FOLLOWS_FILE
		   : FOLLOWS_TEXT;
}

/* An operand's kind stands in the usage: "[options] ID…", "bash|zsh|fish". */
static enum follows operand_follows(const struct command *command)
{
	const char *usage = command->usage ? command->usage : "";

	if (strchr(usage, '|') && !strpbrk(usage, " []"))
		return FOLLOWS_WORDS;
	if (strstr(usage, "FILE") || strstr(usage, "PATH"))
		return FOLLOWS_FILE;
	return strstr(usage, "ID") && command->group &&
		       strcmp(command->group, "Executions") == 0
		   ? FOLLOWS_ID
		   : FOLLOWS_TEXT;
}

/* "--limit", "--no-follow", "--key-file" as help shows it. */
static void put_long(const struct option_spec *spec)
{
	bool on = spec->kind == OPTION_BOOL && spec->fallback &&
		  strcmp(spec->fallback, "true") == 0;

	printf("%s%s%s", on ? "no-" : "", spec->name,
	    spec->kind == OPTION_SECRET ? "-file" : "");
}

/* ${text} inside '…', with a backslash before each of ${escaped}. */
static void put_quoted(const char *text, const char *escaped)
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

/* Its name and aliases with ${between} between them. */
static void put_names(const struct command *command, const char *between)
{
	fputs(command->name, stdout);
	for (size_t i = 0; command->aliases && command->aliases[i]; i++)
		printf("%s%s", between, command->aliases[i]);
}

/* The usage's words with blanks for bars. */
static void put_usage_words(const struct command *command)
{
	for (const char *p = command->usage; *p; p++)
		putchar(*p == '|' ? ' ' : *p);
}

static void put_words(const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		printf("%s%s", i ? " " : "", words[i]);
}

static void put_commands(const struct command *const *commands)
{
	for (size_t i = 0; commands[i]; i++)
		printf("%s%s", i ? " " : "", commands[i]->name);
}

/* Call ${put} for each command that runs; ${parent} is NULL for most. */
static void each_command(const struct command *const *commands,
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

static void each_option(const struct command *command,
    void (*put)(const struct command *parent, const struct command *command,
	const struct option_spec *spec),
    const struct command *parent)
{
	const struct option_spec *const *tables = cmd_tables(command);

	for (; *tables; tables++)
		for (size_t i = 0; (*tables)[i].name; i++)
			put(parent, command, &(*tables)[i]);
}

/* --- bash --- */

static void bash_flag(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	(void)parent;
	(void)command;
	fputs(" --", stdout);
	put_long(spec);
}

static void bash_argument(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	(void)parent;
	(void)command;
	if (spec->kind == OPTION_BOOL)
		return;
	fputs("\t\t--", stdout);
	put_long(spec);
	if (spec->letter)
		printf("|-%c", spec->letter);
	fputs(") ", stdout);
	if (option_follows(spec) == FOLLOWS_WORDS) {
		fputs("_spool_words '", stdout);
		put_words(spec->words);
		fputs("'; ", stdout);
	} else if (option_follows(spec) == FOLLOWS_FILE) {
		fputs("_spool_files; ", stdout);
	}
	fputs("return ;;\n", stdout);
}

static void bash_command(const struct command *const *commands,
    const struct command *parent, const struct command *command)
{
	fputs("\t", stdout);
	if (parent)
		printf("'%s '", parent->name);
	put_names(command, "|");
	fputs(")\n\t\tcase $prev in\n", stdout);
	each_option(command, bash_argument, parent);
	fputs("\t\tesac\n\t\tif [[ $cur == -* ]]; then _spool_words '", stdout);
	each_option(command, bash_flag, parent);
	fputs("'; return; fi\n", stdout);
	if (strcmp(command->name, "help") == 0) {
		fputs("\t\t_spool_words '", stdout);
		put_commands(commands);
		fputs("' ;;\n", stdout);
		return;
	}
	switch (operand_follows(command)) {
	case FOLLOWS_WORDS:
		fputs("\t\t_spool_words '", stdout);
		put_usage_words(command);
		fputs("'", stdout);
		break;
	case FOLLOWS_FILE: fputs("\t\t_spool_files", stdout); break;
	case FOLLOWS_ID: printf("\t\t_spool_words \"$(%s)\"", ids); break;
	case FOLLOWS_TEXT: fputs("\t\t:", stdout); break;
	}
	fputs(" ;;\n", stdout);
}

static void bash(const struct command *const *commands)
{
	fputs("# bash completion for spool, made by \"spool completion "
	      "bash\"\n"
	      "_spool_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$cur\")); "
	      "}\n"
	      "_spool_files() { compopt -o filenames 2>/dev/null; "
	      "COMPREPLY=($(compgen -f -- \"$cur\")); }\n"
	      "_spool() {\n"
	      "\tlocal IFS=$' \\t\\n'\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} "
	      "prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal where=${COMP_WORDS[1]}\n\n"
	      "\tCOMPREPLY=()\n"
	      "\tif ((COMP_CWORD == 1)); then\n\t\t_spool_words '",
	    stdout);
	put_commands(commands);
	fputs("'\n\t\treturn\n\tfi\n\tcase $where in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		if (!commands[i]->subcommands)
			continue;
		printf("\t%s)\n\t\tif ((COMP_CWORD == 2)); then _spool_words '",
		    commands[i]->name);
		put_commands(commands[i]->subcommands);
		fputs("'; return; fi\n\t\twhere+=\" ${COMP_WORDS[2]}\" ;;\n",
		    stdout);
	}
	fputs("\tesac\n\tcase $where in\n", stdout);
	each_command(commands, bash_command);
	fputs("\tesac\n}\ncomplete -F _spool spool\n", stdout);
}

/* --- zsh --- */

static void zsh_option(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	bool takes = spec->kind != OPTION_BOOL;

	(void)parent;
	(void)command;
	for (int letter = spec->letter ? 1 : 0; letter >= 0; letter--) {
		fputs(" \\\n\t\t\t'", stdout);
		if (spec->kind == OPTION_LIST)
			putchar('*');
		if (letter) {
			printf("-%c%s", spec->letter, takes ? "+" : "");
		} else {
			fputs("--", stdout);
			put_long(spec);
			fputs(takes ? "=" : "", stdout);
		}
		putchar('[');
		put_quoted(spec->help, "[]:\\");
		putchar(']');
		if (takes) {
			putchar(':');
			put_quoted(spec->arg ? spec->arg : "", ":\\");
			putchar(':');
		}
		if (option_follows(spec) == FOLLOWS_WORDS) {
			putchar('(');
			put_words(spec->words);
			putchar(')');
		} else if (option_follows(spec) == FOLLOWS_FILE) {
			fputs("_files", stdout);
		}
		putchar('\'');
	}
}

static void zsh_list(const struct command *const *commands)
{
	fputs("\t\tlist=(", stdout);
	for (size_t i = 0; commands[i]; i++) {
		printf("\n\t\t\t'%s:", commands[i]->name);
		put_quoted(commands[i]->summary, ":\\");
		putchar('\'');
	}
	fputs(")\n\t\t_describe command list\n\t\treturn\n", stdout);
}

static void zsh_command(const struct command *const *commands,
    const struct command *parent, const struct command *command)
{
	fputs("\t(", stdout);
	if (parent)
		printf("'%s '(", parent->name);
	put_names(command, "|");
	printf("%s)\n\t\t_arguments -s", parent ? ")" : "");
	each_option(command, zsh_option, parent);
	if (strcmp(command->name, "help") == 0) {
		fputs(" \\\n\t\t\t'*::command:(", stdout);
		put_commands(commands);
		fputs(")'", stdout);
	} else if (command->max_operands != 0) {
		fputs(" \\\n\t\t\t'*:operand:", stdout);
		switch (operand_follows(command)) {
		case FOLLOWS_WORDS:
			putchar('(');
			put_usage_words(command);
			putchar(')');
			break;
		case FOLLOWS_FILE: fputs("_files", stdout); break;
		case FOLLOWS_ID: fputs("_spool_ids", stdout); break;
		case FOLLOWS_TEXT: break;
		}
		putchar('\'');
	}
	fputs(" ;;\n", stdout);
}

static void zsh(const struct command *const *commands)
{
	printf("#compdef spool\n"
	       "# zsh completion for spool, made by \"spool completion zsh\"\n"
	       "_spool_ids() { compadd -V ids -- ${(f)\"$(%s)\"}; }\n"
	       "_spool() {\n"
	       "\tlocal where=$words[2]\n\tlocal -a list\n\n"
	       "\tif ((CURRENT == 2)); then\n",
	    ids);
	zsh_list(commands);
	fputs(
	    "\tfi\n\tshift words\n\t((CURRENT--))\n\tcase $where in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		if (!commands[i]->subcommands)
			continue;
		printf("\t(%s)\n\t\tif ((CURRENT == 2)); then\n",
		    commands[i]->name);
		zsh_list(commands[i]->subcommands);
		fputs("\t\tfi\n\t\twhere+=\" $words[2]\"\n\t\tshift words\n"
		      "\t\t((CURRENT--)) ;;\n",
		    stdout);
	}
	fputs("\tesac\n\tcase $where in\n", stdout);
	each_command(commands, zsh_command);
	fputs("\tesac\n}\n"
	      "if [[ $funcstack[1] == _spool ]]; then _spool \"$@\"; "
	      "else compdef _spool spool; fi\n",
	    stdout);
}

/* --- fish --- */

static void fish_in(
    const struct command *parent, const struct command *command, bool at)
{
	printf("complete -c spool -n '__spool_in %d", at);
	if (parent)
		printf(" %s", parent->name);
	if (command) {
		fputs(" \"", stdout);
		put_names(command, "|");
		fputs("\"", stdout);
	}
	fputs("'", stdout);
}

static void fish_option(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	fish_in(parent, command, false);
	fputs(" -l ", stdout);
	put_long(spec);
	if (spec->letter)
		printf(" -s %c", spec->letter);
	if (option_follows(spec) == FOLLOWS_FILE)
		fputs(" -r -F", stdout);
	else if (spec->kind != OPTION_BOOL)
		fputs(" -x", stdout);
	if (option_follows(spec) == FOLLOWS_WORDS) {
		fputs(" -a '", stdout);
		put_words(spec->words);
		putchar('\'');
	}
	fputs(" -d '", stdout);
	put_quoted(spec->help, "");
	fputs("'\n", stdout);
}

static void fish_list(
    const struct command *parent, const struct command *const *commands)
{
	for (size_t i = 0; commands[i]; i++) {
		fish_in(NULL, parent, true);
		printf(" -a %s -d '", commands[i]->name);
		put_quoted(commands[i]->summary, "");
		fputs("'\n", stdout);
	}
}

static void fish_command(const struct command *const *commands,
    const struct command *parent, const struct command *command)
{
	each_option(command, fish_option, parent);
	if (strcmp(command->name, "help") == 0) {
		fish_in(parent, command, false);
		fputs(" -a '", stdout);
		put_commands(commands);
		fputs("'\n", stdout);
		return;
	}
	switch (operand_follows(command)) {
	case FOLLOWS_WORDS:
		fish_in(parent, command, false);
		fputs(" -a '", stdout);
		put_usage_words(command);
		fputs("'\n", stdout);
		break;
	case FOLLOWS_FILE:
		fish_in(parent, command, false);
		fputs(" -F\n", stdout);
		break;
	case FOLLOWS_ID:
		fish_in(parent, command, false);
		printf(" -k -a '(%s)'\n", ids);
		break;
	case FOLLOWS_TEXT: break;
	}
}

static void fish(const struct command *const *commands)
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
	each_command(commands, fish_command);
}

/* --- the command --- */

static enum cmd_exit run(struct cmd *c)
{
	const char *shell = c->operands[0];

	if (strcmp(shell, "bash") == 0) {
		bash(c->commands);
	} else if (strcmp(shell, "zsh") == 0) {
		zsh(c->commands);
	} else if (strcmp(shell, "fish") == 0) {
		fish(c->commands);
	} else {
		cmd_say("\"%s\" is not one of bash, zsh, fish", shell);
		return CMD_USAGE;
	}
	return CMD_OK;
}

static const struct command command = {
	.name = "completion",
	.group = "Help",
	.summary = "print what lets a shell complete commands and options",
	.usage = "bash|zsh|fish",
	.about = "\"make install\" installs all three. The ids of executions "
		 "are completed too, when SPOOL_URL and SPOOL_KEY let them be "
		 "listed.",
	.examples = "source <(spool completion bash)\n"
		    "source <(spool completion zsh)\n"
		    "spool completion fish | source\n",
	.min_operands = 1,
	.max_operands = 1,
	.run = run,
};

const struct command *cmd_completion(void)
{
	return &command;
}
