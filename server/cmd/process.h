/*
 * process: what a long-running command does to its process: signals, file
 * descriptors, core dumps; and waiting for the end.
 *
 * Used by: serve, upstream.     Thread: the main one, before any other starts.
 */
#ifndef SERVER_CMD_PROCESS_H
#define SERVER_CMD_PROCESS_H

#include <stdbool.h>

#include "store/base/err.h"

/*
 * Keep descriptors 0 to 2 taken, so that no database is ever opened there;
 * ignore SIGPIPE and SIGXFSZ; block the signals that process_wait() takes (all
 * later threads inherit that); raise the descriptor limit to what is allowed;
 * with ${secret} keep debuggers and core files away from the memory.
 * Fails: ERR_IO.
 */
MUST_CHECK enum err process_prepare(bool secret, struct why *why);

/* Any thread: make process_wait() return -1. */
void process_fail(void);

/*
 * Sleep until SIGTERM or SIGINT comes (returned), or process_fail() was called
 * (-1). From then on a further one ends the process at once.
 */
int process_wait(void);

#endif
