/*
 * lister: a thread that asks upstreams for their lists of models, all at once,
 * and puts them into the catalog.
 *
 * Used by: worker.
 * Thread: lister_start() and lister_stop() the main one; the rest any.
 * Promises: asks only when somebody wants to know and what is known is too old,
 * and once at its start; and every LISTER_PRICED_MS where lists have prices, for
 * which runs do not wait. No list takes longer than LISTER_TOTAL_MS, nor more
 * than RESULTS_MAX_BYTES a page. It goes through fetch, as all that leaves.
 */
#ifndef WORKER_LISTER_H
#define WORKER_LISTER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"

struct catalog;
struct lister;
struct prices;
struct upstreams;

#define LISTER_TOTAL_MS 15000
#define LISTER_MAX_PAGES 16
#define LISTER_PRICED_MS 3600000
/* A list that could not be had is asked for again no sooner, */
#define LISTER_AGAIN_MS 30000
/* not even for who wants it now. */
#define LISTER_PAUSE_MS 2000

/* Lent until lister_stop(). */
struct lister_options {
	const struct upstreams *upstreams;
	struct catalog *catalog;
	struct prices *prices;
	int64_t ttl_ms; /* how old a list may be */
};

/* Fails: ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err lister_start(
    const struct lister_options *options, struct lister **ret);

/* Ends the thread. NULL is nothing. */
void lister_stop(struct lister *l);

/* As worker_models_want() and _listed() (worker.h). */
uint64_t lister_want(struct lister *l, bool now);
bool lister_done(const struct lister *l, uint64_t round);

#endif
