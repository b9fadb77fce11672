/*
 * reseal: at a start with a new key file, what the one before has sealed is
 * sealed anew.
 *
 * Used by: cmd_serve.          Thread: the main one, before the routes.
 */
#ifndef SERVER_RESEAL_H
#define SERVER_RESEAL_H

#include "store/base/err.h"

struct seal;
struct store;

/*
 * Seal anew, and store, each owner's key that the previous key of ${seal} has
 * closed. One that neither opens stays, and is logged, as are those for which there
 * was no room. Fails: ERR_NOMEM, ERR_IO (${why} says it); what was done is done.
 */
MUST_CHECK enum err reseal_all(
    struct store *store, const struct seal *seal, struct why *why);

#endif
