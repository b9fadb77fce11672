#include "server/cmd/completion.h"

#include <stdio.h>
#include <string.h>

static void bash_flag(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	(void)parent;
	(void)command;
	fputs(" --", stdout);
	completion_put_long(spec);
}

static void bash_argument(const struct command *parent,
    const struct command *command, const struct option_spec *spec)
{
	(void)parent;
	(void)command;
	if (spec->kind == OPTION_BOOL)
		return;
	fputs("\t\t--", stdout);
	completion_put_long(spec);
	if (spec->letter)
		printf("|-%c", spec->letter);
	fputs(") ", stdout);
	if (completion_option(spec) == COMPLETION_WORDS) {
		fputs("_spool_words '", stdout);
		completion_put_words(spec->words);
		fputs("'; ", stdout);
	} else if (completion_option(spec) == COMPLETION_FILE) {
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
	completion_put_names(command, "|");
	fputs(")\n\t\tcase $prev in\n", stdout);
	completion_each_option(command, bash_argument, parent);
	fputs("\t\tesac\n\t\tif [[ $cur == -* ]]; then _spool_words '", stdout);
	completion_each_option(command, bash_flag, parent);
	fputs("'; return; fi\n", stdout);
	if (strcmp(command->name, "help") == 0) {
		fputs("\t\t_spool_words '", stdout);
		completion_put_commands(commands);
		fputs("' ;;\n", stdout);
		return;
	}
	switch (completion_operand(command)) {
	case COMPLETION_WORDS:
		fputs("\t\t_spool_words '", stdout);
		completion_put_usage(command);
		fputs("'", stdout);
		break;
	case COMPLETION_FILE: fputs("\t\t_spool_files", stdout); break;
	case COMPLETION_ID:
		printf("\t\t_spool_words \"$(%s)\"", completion_ids());
		break;
	case COMPLETION_TEXT: fputs("\t\t:", stdout); break;
	}
	fputs(" ;;\n", stdout);
}

void completion_bash(const struct command *const *commands)
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
	completion_put_commands(commands);
	fputs("'\n\t\treturn\n\tfi\n\tcase $where in\n", stdout);
	for (size_t i = 0; commands[i]; i++) {
		if (!commands[i]->subcommands)
			continue;
		printf("\t%s)\n\t\tif ((COMP_CWORD == 2)); then _spool_words '",
		    commands[i]->name);
		completion_put_commands(commands[i]->subcommands);
		fputs("'; return; fi\n\t\twhere+=\" ${COMP_WORDS[2]}\" ;;\n",
		    stdout);
	}
	fputs("\tesac\n\tcase $where in\n", stdout);
	completion_each_command(commands, bash_command);
	fputs("\tesac\n}\ncomplete -F _spool spool\n", stdout);
}
