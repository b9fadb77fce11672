/*
 * help: the option tables and commands as a person reads them.
 *
 * Used by: cmd, cmd_help.     Thread: the main one.
 */
#ifndef SERVER_CMD_HELP_H
#define SERVER_CMD_HELP_H

#include <stdio.h>

#include "server/cmd/cmd.h"

/* What spool is, its commands, its exit codes. */
void help_overview(FILE *f, const struct command *const *commands);

/* The same as manual pages in roff, spool(1) and spool-COMMAND(1). */
void help_man_overview(FILE *f, const struct command *const *commands);
void help_man_command(FILE *f, const struct command *command);

/* Examples, options with environment, config key and default, exit codes. */
void help_command(FILE *f, const struct command *command, const char *name);

/*
 * Print ${text} and a line's end, broken at blanks, its lines beginning in
 * column ${indent}; the cursor is in ${column}.
 */
void help_wrap(FILE *f, const char *text, int indent, int column);

#endif
