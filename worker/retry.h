/*
 * retry: after a failed attempt: how long to wait, or give the target up.
 *
 * A wait that the upstream asked for (Retry-After) is kept and a little is put
 * on top, so that those who were refused together do not come back together.
 * Any other wait is drawn evenly from 0 to base * 2^(tries - 1), at most max
 * (exponential backoff with full jitter).
 *
 * Used by: run.          Thread: any; pure.
 * Promises: a wait is never shorter than what was asked for, and always ends
 * before the execution's own deadline.
 */
#ifndef WORKER_RETRY_H
#define WORKER_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_limits {
	uint32_t attempts;	 /* at one target, the first one too; 0 is 1 */
	int64_t base_ms, max_ms; /* of waits that nobody asked for */
};

#define RETRY_MAX_ATTEMPTS 10
/* Who asks to be left alone for longer is not asked again. */
#define RETRY_MAX_ASKED_MS 60000

struct retry_failure {
	uint32_t tries; /* at this target so far, from 1 */
	bool retryable;
	int64_t retry_after_ms; /* -1: not said */
	int64_t left_ms;	/* until the execution's own deadline */
	/* Another target can be asked at once: wait for this one max at most. */
	bool has_next;
};

/*
 * True: wait *${ret_ms} and ask the same target again. False: give it up.
 * ${random} is any number, evenly drawn.
 */
bool retry_wait(const struct retry_limits *l, const struct retry_failure *f,
    uint64_t random, int64_t *ret_ms);

#endif
