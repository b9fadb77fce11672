/*
 * catalog: which models can be asked for: what is configured, and what
 * upstreams list.
 *
 * Used by: lister, which fills it; worker, which gives it away.
 * Thread: catalog_hold() any; the others one at a time: the maker's, then the
 * lister's.
 * Promises: it always has a whole list. An upstream whose list cannot be had
 * keeps its last one, and takes nobody else's away.
 */
#ifndef WORKER_CATALOG_H
#define WORKER_CATALOG_H

#include <stddef.h>

#include "store/base/err.h"

struct catalog;
struct prices;
struct results_models;
struct upstreams;
struct worker_models;

/* Of one upstream; what it lists beyond is passed over. */
#define CATALOG_MAX_MODELS 4096
/* A longer name is no model's. */
#define CATALOG_MAX_ID_BYTES 256

/*
 * With what is configured in it. Lends: both until catalog_free(). Fails:
 * ERR_NOMEM.
 */
MUST_CHECK enum err catalog_new(
    const struct upstreams *u, struct prices *prices, struct catalog **ret);
/* NULL is nothing. */
void catalog_free(struct catalog *c);

/*
 * The ${i}-th upstream lists ${list}, whose contents it takes. Names that cannot
 * be shown are dropped, and those that are there twice.
 */
void catalog_put(struct catalog *c, size_t i, struct results_models *list);

/* Its list could not be had: ${why} is a literal, one word. */
void catalog_miss(struct catalog *c, size_t i, const char *why);

/*
 * Make the list anew. Fails: ERR_NOMEM, ERR_LIMIT; the one before stays.
 */
MUST_CHECK enum err catalog_publish(struct catalog *c);

/* Gives: the present list, for worker_models_drop(). */
struct worker_models *catalog_hold(struct catalog *c);

#endif
