/*
 * help_exit: what the exit codes mean, one table for people and for man.
 *
 * Used by: help, help_man, cmd_help.     Thread: any; constant.
 */
#ifndef SERVER_CMD_HELP_EXIT_H
#define SERVER_CMD_HELP_EXIT_H

#include <stddef.h>
#include <stdio.h>

#include "server/cmd/cmd.h"

/* What "spool help" calls it. */
#define HELP_EXIT_TOPIC "exit-codes"

struct help_exit {
	enum cmd_exit code;
	const char *text; /* a sentence or two */
};

/* *${ret_n} of them, in the order of their codes. */
const struct help_exit *help_exit_table(size_t *ret_n);

/* All of it, for "spool help exit-codes". */
void help_exit_print(FILE *f);

#endif
