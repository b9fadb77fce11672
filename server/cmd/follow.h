/*
 * follow: print an execution's answer as it comes, from any index, to its end.
 *
 * Used by: exec, tail.     Thread: the main one.
 * Promises: each chunk is printed once, in order, whatever happens to the
 * connection meanwhile. Ctrl-C leaves the execution alone and says how to read
 * on.
 */
#ifndef SERVER_CMD_FOLLOW_H
#define SERVER_CMD_FOLLOW_H

#include <stdint.h>

#include "server/cmd/client.h"
#include "server/cmd/cmd.h"

/*
 * Print the chunks of ${id} from ${from} on to stdout, and its end to stderr
 * (or everything as JSON lines to stdout). ${wait_ms} 0: until it ends.
 * ${reasoning}: the model's thoughts too, to stderr.
 */
enum cmd_exit follow_run(struct client *client, const char *id, int64_t from,
    int64_t wait_ms, bool reasoning);

#endif
