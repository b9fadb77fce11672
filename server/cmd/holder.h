/*
 * holder: is the server that is asked the one that has the store?
 *
 * Used by: commands that take --db and ask a server when one has it.
 * Thread: the main one.
 */
#ifndef SERVER_CMD_HOLDER_H
#define SERVER_CMD_HOLDER_H

#include "server/cmd/client.h"
#include "server/option.h"
#include "store/base/err.h"

/*
 * The server of ${c} has the store that --db names: its lock's name is the
 * one that the server says it has. Asks /v1/status; nothing where --db was not said. Fails: ERR_CONFLICT (another process has it), ERR_NOMEM, as
 * store_look() and client_call().
 */
MUST_CHECK enum err holder_check(
    struct client *c, const struct option_set *options, struct why *why);

#endif
