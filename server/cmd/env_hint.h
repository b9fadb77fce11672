/*
 * env_hint: say which SPOOL_ variables were probably meant to be others.
 *
 * Used by: serve, config check.     Thread: the main one.
 */
#ifndef SERVER_CMD_ENV_HINT_H
#define SERVER_CMD_ENV_HINT_H

#include "server/option.h"

/*
 * A line to stderr for each variable that no option of ${options} or of the
 * clients reads and that is near to one that is read. Others are left alone:
 * Kubernetes sets SPOOL_PORT and more for a service called spool.
 */
void env_hint(const struct option_set *options);

#endif
