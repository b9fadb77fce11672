#include "server/cmd/completion.h"

#include <stdio.h>
#include <string.h>

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
			completion_put_long(spec);
			fputs(takes ? "=" : "", stdout);
		}
		putchar('[');
		completion_put_quoted(spec->help, "[]:\\");
		putchar(']');
		if (takes) {
			putchar(':');
			completion_put_quoted(
			    spec->arg ? spec->arg : "", ":\\");
			putchar(':');
		}
		if (completion_option(spec) == COMPLETION_WORDS) {
			putchar('(');
			completion_put_words(spec->words);
			putchar(')');
		} else if (completion_option(spec) == COMPLETION_FILE) {
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
		completion_put_quoted(commands[i]->summary, ":\\");
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
	completion_put_names(command, "|");
	printf("%s)\n\t\t_arguments -s", parent ? ")" : "");
	completion_each_option(command, zsh_option, parent);
	if (strcmp(command->name, "help") == 0) {
		fputs(" \\\n\t\t\t'*::command:(", stdout);
		completion_put_commands(commands);
		fputs(")'", stdout);
	} else if (command->max_operands != 0) {
		fputs(" \\\n\t\t\t'*:operand:", stdout);
		switch (completion_operand(command)) {
		case COMPLETION_WORDS:
			putchar('(');
			completion_put_usage(command);
			putchar(')');
			break;
		case COMPLETION_FILE: fputs("_files", stdout); break;
		case COMPLETION_ID: fputs("_spool_ids", stdout); break;
		case COMPLETION_TEXT: break;
		}
		putchar('\'');
	}
	fputs(" ;;\n", stdout);
}

void completion_zsh(const struct command *const *commands)
{
	printf("#compdef spool\n"
	       "# zsh completion for spool, made by \"spool completion zsh\"\n"
	       "_spool_ids() { compadd -V ids -- ${(f)\"$(%s)\"}; }\n"
	       "_spool() {\n"
	       "\tlocal where=$words[2]\n\tlocal -a list\n\n"
	       "\tif ((CURRENT == 2)); then\n",
	    completion_ids());
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
	completion_each_command(commands, zsh_command);
	fputs("\tesac\n}\n"
	      "if [[ $funcstack[1] == _spool ]]; then _spool \"$@\"; "
	      "else compdef _spool spool; fi\n",
	    stdout);
}
