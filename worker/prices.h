/*
 * prices: what models cost, as a price file says or upstreams list it.
 *
 * Used by: run, worker, catalog (ask); lister (brings lists).
 * Thread: any; lists come and go under a lock, all else stays as it was made.
 * Promises: exact: integers of 1e-12 dollars ("pusd"), never a double. Nobody's
 * price is taken for another upstream's unless the configuration says so.
 */
#ifndef WORKER_PRICES_H
#define WORKER_PRICES_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"
#include "worker/results.h"

struct prices;
struct upstreams;

/* Of one model: pusd a token, request or image; RESULTS_PRICE_…: none. */
struct price {
	int64_t pusd[N_PRICES];
};

/*
 * With what the file ${path} says (NULL: none; prices_file.h). Lends: ${u} until
 * prices_free(). Fails: ERR_INPUT (${why} names the file, and what is wrong in
 * it), ERR_NOMEM.
 */
MUST_CHECK enum err prices_new(const struct upstreams *u, const char *path,
    struct prices **ret, struct why *why);
/* NULL is nothing. */
void prices_free(struct prices *p);

/*
 * The ${i}-th upstream lists ${list}, in place of what it listed before. Returns
 * whether there are prices in it. Without memory it stays as it was.
 */
bool prices_put(struct prices *p, size_t i, const struct results_models *list);

/*
 * What ${target}, "upstream/model", costs, in this order:
 *  the file's entry "upstream/model"
 *  where that upstream's configuration has prices = PREFIX, the file's entry
 *    "PREFIX/model"; else, where PREFIX is "other" or "other/…", what the
 *    upstream called so lists of it; nothing more
 *  what it lists itself.
 * False, *${ret} untouched: nobody says.
 */
bool prices_find(struct prices *p, const char *target, struct price *ret);

/*
 * What ${u}, all of whose counts are known or do not matter, costs:
 * plain input, cached input and cache writes each at their price (at that of
 * input where there is none), output, reasoning within it at its own price if
 * that is more than 0, and one request. -1: more than 64 bits hold.
 */
int64_t prices_cost(const struct price *price, const struct dialect_usage *u);

#endif
