#include "worker/retry.h"

/* Evenly from 0 to ${most}. */
static int64_t draw(uint64_t random, int64_t most)
{
	return most <= 0 ? 0 : (int64_t)(random % ((uint64_t)most + 1));
}

/* base * 2^(tries - 1), at most max. */
static int64_t ceiling(const struct retry_limits *l, uint32_t tries)
{
	int64_t ms = l->base_ms;

	for (uint32_t i = 1; i < tries && ms < l->max_ms; i++)
		ms = ms > l->max_ms / 2 ? l->max_ms : ms * 2;
	return ms < l->max_ms ? ms : l->max_ms;
}

bool retry_wait(const struct retry_limits *l, const struct retry_failure *f,
    uint64_t random, int64_t *ret_ms)
{
	int64_t most = f->has_next ? l->max_ms : RETRY_MAX_ASKED_MS, ms;

	if (!f->retryable || f->tries >= l->attempts)
		return false;
	if (f->retry_after_ms > most)
		return false;
	if (f->retry_after_ms >= 0)
		ms = f->retry_after_ms + draw(random, ceiling(l, 1));
	else
		ms = draw(random, ceiling(l, f->tries));
	if (ms >= f->left_ms)
		return false;
	*ret_ms = ms;
	return true;
}
