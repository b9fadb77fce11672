/*
 * client_reach: can a server be reached at all? A name looked up, a connection
 * made and closed; nothing is sent.
 *
 * Used by: doctor.     Thread: the main one.
 */
#ifndef SERVER_CMD_CLIENT_REACH_H
#define SERVER_CMD_CLIENT_REACH_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"

/*
 * Connect to the host of ${url} within ${ms}. Fails: ERR_INPUT, ERR_STOPPED,
 * ERR_TIMEOUT, ERR_NOMEM; ${why} says it.
 */
MUST_CHECK enum err client_reach(const char *url, int ms, struct why *why);

/*
 * "libcurl 7.88.1" into ${dst}; false when it is older than what spool was
 * written for.
 */
bool client_library(char *dst, size_t room);

#endif
