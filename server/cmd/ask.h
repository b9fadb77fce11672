/*
 * ask: one question to the server, one answer, for commands that need no more.
 *
 * Used by: the commands that show, list and change things.
 * Thread: the main one.
 */
#ifndef SERVER_CMD_ASK_H
#define SERVER_CMD_ASK_H

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"

/*
 * Open the client, ask, close it. ${path}: as client_path(), with one "%s" for
 * ${name} (NULL: it has none). Takes ${body} (json_decref'd; NULL: none). Gives:
 * *${ret} for json_decref(), NULL for an empty answer. Returns the exit code;
 * what went wrong has been said.
 */
enum cmd_exit ask_server(struct cmd *c, enum client_method method,
    const char *path, const char *name, json_t *body, json_t **ret);

/* The same; what went wrong is in ${why}, and nothing is said. */
MUST_CHECK enum err ask_try(struct cmd *c, enum client_method method,
    const char *path, const char *name, json_t *body, json_t **ret,
    struct why *why);

/*
 * One of several executions failed: said, and, when JSON is wanted, a line on
 * stdout, too. Returns the exit code.
 */
enum cmd_exit ask_fail(const char *id, enum err err, const struct why *why);

/*
 * Print "name  value" for each member of ${object}: on a terminal in columns.
 */
void ask_print_members(json_t *object);

/*
 * Print the ${n} ${members} of each object in ${list} as a table, or, when JSON
 * is wanted, each object as a line.
 */
enum cmd_exit ask_print_list(
    const json_t *list, const char *const *members, size_t n);

#endif
