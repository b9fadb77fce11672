/*
 * limit: how much one key may ask for: requests per second (a token bucket) and
 * executions that have not ended.
 *
 * Used by: service (requests), submit (executions).
 * Thread: any; one lock, held for a few look-ups.
 * Promises: memory is bounded by LIMIT_MAX_KEYS keys; a key that nothing is
 * known of starts with a full bucket. Nothing survives a restart.
 */
#ifndef SERVER_LIMIT_H
#define SERVER_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"

#define LIMIT_MAX_KEYS 65536

struct limit;

struct limit_options {
	unsigned rate_per_s; /* requests; twice as many at once */
	unsigned max_open;   /* executions of one key */
	/* Has this execution not ended? Called without the lock. */
	bool (*is_open)(void *arg, const struct id *execution);
	void *arg;
};

MUST_CHECK enum err limit_new(
    const struct limit_options *options, struct limit **ret);
void limit_free(struct limit *l);

/*
 * One request of ${key} at ${now_ms} (mono).
 * Fails: ERR_LIMIT, and *${ret_wait_ms} says when one would pass.
 */
MUST_CHECK enum err limit_request(struct limit *l, const struct id *key,
    int64_t now_ms, int64_t *ret_wait_ms);

/*
 * ${key} is about to create ${execution}. Fails: ERR_LIMIT when max_open of
 * its executions have not ended; ERR_NOMEM.
 */
MUST_CHECK enum err limit_open(
    struct limit *l, const struct id *key, const struct id *execution);

/*
 * It was stored (is_open() may be asked about it from now on), or it was not.
 */
void limit_opened(struct limit *l, const struct id *key,
    const struct id *execution, bool stored);

#endif
