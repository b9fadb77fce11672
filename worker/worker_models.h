/*
 * worker_models: how a list of models is made, before it is given away as it is
 * (worker.h).
 *
 * Used by: catalog.          Thread: the maker's, until it is given away.
 */
#ifndef WORKER_WORKER_MODELS_H
#define WORKER_WORKER_MODELS_H

#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "worker/worker.h"

/* The list takes no more entries above so many bytes of text. */
#define WORKER_MODELS_MAX_BYTES ((size_t)8 << 20)

/* An empty list, held once, of at most ${n} entries; NULL without memory. */
struct worker_models *worker_models_new(size_t n);

/* Hold it once more; returns it. */
struct worker_models *worker_models_share(struct worker_models *m);

/*
 * Begin the entry called ${id}, which is well-formed UTF-8. Gives: where its
 * other members go, until worker_models_end(); NULL: there is no more room.
 */
struct buf *worker_models_begin(struct worker_models *m, const char *id);
void worker_models_end(struct worker_models *m);

/*
 * All entries are there. Gives: where members of the list itself go, until
 * worker_models_seal().
 */
struct buf *worker_models_rest(struct worker_models *m);

/* It is whole. Fails: ERR_NOMEM, ERR_LIMIT; then it is only for dropping. */
MUST_CHECK enum err worker_models_seal(struct worker_models *m);

#endif
