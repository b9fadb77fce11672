/*
 * cmd: what a command is, finding the one that was typed, and the exit codes.
 *
 * Used by: main (has the table), the commands, help.     Thread: the main one.
 */
#ifndef SERVER_CMD_CMD_H
#define SERVER_CMD_CMD_H

#include <stdbool.h>

#include "server/option.h"
#include "store/base/err.h"

/* Stable: scripts read them; spool help lists them. */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,
	CMD_USAGE = 2,
	CMD_NOT_FOUND = 3,
	CMD_AUTH = 4,
	CMD_CONFLICT = 5,
	CMD_UNAVAILABLE = 6, /* trying again later may help */
	CMD_EXECUTION_FAILED = 7,
	CMD_CANCELLED = 8,
	CMD_TIMEOUT = 124,
	CMD_INTERRUPTED = 130,
};

/* What a command's options have beside its own. */
#define CMD_CLIENT 1u	     /* speaks to a server: --url, --key-file, … */
#define CMD_JSON 2u	     /* --json */
#define CMD_CONFIG 4u	     /* all that serve takes */
#define CMD_CHOOSE 8u	     /* --status, --owner, --since, --until */
#define CMD_CHOOSE_ENDED 16u /* the same, of what has ended */

struct cmd;

struct command {
	const char *name;
	const char *const *aliases; /* NULL-terminated; NULL: none */
	const char *group;	    /* a heading in spool help */
	const char *summary;	    /* a line, begins small, no full stop */
	const char *usage;	    /* what follows the name; may be "" */
	const char *about;	    /* paragraphs; NULL: none */
	const char *examples;	    /* lines, each ends with \n */
	const struct option_spec *options; /* its own; NULL: none */
	unsigned uses;			   /* CMD_… */
	/* NULL-terminated; a command with these has no run. */
	const struct command *const *subcommands;
	int min_operands, max_operands; /* max -1: any number */
	enum cmd_exit (*run)(struct cmd *c);
};

/* One command as it was typed. Lent to its run. */
struct cmd {
	const struct command *const *commands; /* the whole table */
	const struct command *command;
	char name[64]; /* "keys create" */
	struct option_set *options;
	char **operands; /* NULL-terminated */
	int n_operands;
};

/*
 * Find the command in argv, parse its options (flags, environment), run it.
 * ${commands} is NULL-terminated. Returns the exit code.
 */
int cmd_main(const struct command *const *commands, int argc, char **argv);

/* The command called ${name} among ${commands}, by an alias too; or NULL. */
const struct command *cmd_find(
    const struct command *const *commands, const char *name);

/* Say on stderr that ${name} is none of ${commands}, and what was meant. */
void cmd_unknown(const struct command *const *commands, const char *parent,
    const char *name);

/* "spool: …" and a line's end on stderr. */
void cmd_say(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Say why, unless it is empty, and return the exit code of ${err}. */
enum cmd_exit cmd_fail(enum err err, const struct why *why);

/* The option tables of ${command}, NULL-terminated, static until the next call. */
const struct option_spec *const *cmd_tables(const struct command *command);

/* The commands. */
const struct command *cmd_serve(void);
const struct command *cmd_exec(void);
const struct command *cmd_tail(void);
const struct command *cmd_ls(void);
const struct command *cmd_show(void);
const struct command *cmd_cancel(void);
const struct command *cmd_rm(void);
const struct command *cmd_export(void);
const struct command *cmd_import(void);
const struct command *cmd_usage(void);
const struct command *cmd_keys(void);
const struct command *cmd_vault(void);
const struct command *cmd_prompts(void);
const struct command *cmd_streams(void);
const struct command *cmd_models(void);
const struct command *cmd_backup(void);
const struct command *cmd_restore(void);
const struct command *cmd_prune(void);
const struct command *cmd_audit(void);
const struct command *cmd_check(void);
const struct command *cmd_doctor(void);
const struct command *cmd_config(void);
const struct command *cmd_upstream(void);
const struct command *cmd_help(void);
const struct command *cmd_completion(void);
const struct command *cmd_version(void);

#endif
