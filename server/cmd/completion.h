/*
 * completion: the script that lets a shell complete spool's commands, options
 * and ids, from the tables of commands and options. One file a shell.
 *
 * Used by: cmd_completion.     Thread: the main one.
 * Promises: nothing of a table reaches the shell unquoted. All is printed on
 * stdout.
 */
#ifndef SERVER_CMD_COMPLETION_H
#define SERVER_CMD_COMPLETION_H

#include "server/cmd/cmd.h"

/* The scripts; ${commands} ends with NULL. */
void completion_bash(const struct command *const *commands);
void completion_zsh(const struct command *const *commands);
void completion_fish(const struct command *const *commands);

/* --- what the shells share --- */

/* What follows an option or a command, as a shell can help with it. */
enum completion_follows {
	COMPLETION_TEXT,
	COMPLETION_WORDS,
	COMPLETION_FILE,
	COMPLETION_ID
};
enum completion_follows completion_option(const struct option_spec *spec);
/* An operand's kind stands in the usage: "[options] ID…", "bash|zsh|fish". */
enum completion_follows completion_operand(const struct command *command);

/* A command line that lists ids. */
const char *completion_ids(void);

/* "limit", "no-follow", "key-file", as help shows it. */
void completion_put_long(const struct option_spec *spec);
/* ${text} inside '…', with a backslash before each of ${escaped}. */
void completion_put_quoted(const char *text, const char *escaped);
/* Its name and aliases with ${between} between them. */
void completion_put_names(const struct command *command, const char *between);
/* The usage's words with blanks for bars. */
void completion_put_usage(const struct command *command);
void completion_put_words(const char *const *words);
void completion_put_commands(const struct command *const *commands);

/* Call ${put} for each command that runs; ${parent} is NULL for most. */
void completion_each_command(const struct command *const *commands,
    void (*put)(const struct command *const *commands,
	const struct command *parent, const struct command *command));
/* The same for each option of ${command}. */
void completion_each_option(const struct command *command,
    void (*put)(const struct command *parent, const struct command *command,
	const struct option_spec *spec),
    const struct command *parent);

#endif
