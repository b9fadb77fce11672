/*
 * worker_key: a provider's key that came with a request, as its run has it.
 *
 * Used by: worker (makes it), inbox (carries it), run.
 * Thread: the owner's.
 * Promises: in no file, no log and no answer; wiped when it is freed.
 */
#ifndef WORKER_WORKER_KEY_H
#define WORKER_WORKER_KEY_H

#include <stdbool.h>

#include "store/base/err.h"
#include "worker/worker.h"

struct execution;
struct seal;
struct store;
struct upstreams;

/* As worker_key_read() (worker.h). */
MUST_CHECK enum err worker_key_parse(const struct upstreams *u,
    const char *model, const char *text, struct worker_key **ret,
    struct why *why);

/* The key itself, lent, if it is ${upstream}'s; else NULL. NULL has none. */
const char *worker_key_for(const struct worker_key *k, const char *upstream);

/*
 * The key of ${owner}'s own for ${upstream}, opened. Gives: *${ret} for
 * digest_wipe() and free(). Fails: ERR_NOT_FOUND (there is none, or no seal),
 * ERR_DENIED (sealed with another key file), ERR_CORRUPT, ERR_NOMEM.
 */
MUST_CHECK enum err worker_key_of_owner(struct store *store,
    const struct seal *seal, const char *owner, const char *upstream,
    char **ret);

/* Did one come with ${e}? Only the process that took it has it. */
bool worker_key_was_with(const struct execution *e);

#endif
