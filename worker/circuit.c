#include "worker/circuit.h"

#include "store/base/log.h"

#define MAX_DOUBLINGS 3

void circuit_init(struct circuit *c, const struct circuit_limits *limits)
{
	*c = (struct circuit){ .limits = *limits };
	ASSERT(pthread_mutex_init(&c->lock, NULL) == 0);
}

void circuit_fini(struct circuit *c)
{
	pthread_mutex_destroy(&c->lock);
}

static bool passes(const struct circuit *c, int64_t now_ms)
{
	return c->times_open == 0 || now_ms >= c->until_ms;
}

bool circuit_pass(struct circuit *c, int64_t now_ms)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = passes(c, now_ms);
	if (ok && c->times_open > 0) {
		c->probing = true;
		c->until_ms = now_ms + c->limits.cooldown_ms;
	}
	pthread_mutex_unlock(&c->lock);
	return ok;
}

bool circuit_closed(struct circuit *c, int64_t now_ms)
{
	bool ok;

	pthread_mutex_lock(&c->lock);
	ok = passes(c, now_ms);
	pthread_mutex_unlock(&c->lock);
	return ok;
}

void circuit_look(struct circuit *c, int64_t now_ms, struct circuit_look *ret)
{
	pthread_mutex_lock(&c->lock);
	*ret = (struct circuit_look){ .failures = c->failures,
		.rests = c->times_open > 0 && !c->probing &&
			 now_ms<c->until_ms, .probing = c->times_open> 0 &&
			 (c->probing || now_ms >= c->until_ms) };
	if (ret->rests)
		ret->rests_ms = c->until_ms - now_ms;
	pthread_mutex_unlock(&c->lock);
}

bool circuit_good(struct circuit *c)
{
	bool was_open;

	pthread_mutex_lock(&c->lock);
	was_open = c->times_open > 0;
	c->failures = c->times_open = 0;
	c->probing = false;
	pthread_mutex_unlock(&c->lock);
	return was_open;
}

bool circuit_bad(struct circuit *c, int64_t now_ms)
{
	uint32_t doublings;
	bool opens;

	pthread_mutex_lock(&c->lock);
	c->failures += c->failures < UINT32_MAX;
	/* Those that were under way when it opened say nothing new. */
	opens = c->limits.failures > 0 &&
		(c->times_open == 0 ? c->failures >= c->limits.failures
				    : c->probing);
	if (opens) {
		doublings = c->times_open < MAX_DOUBLINGS ? c->times_open
							  : MAX_DOUBLINGS;
		c->until_ms = now_ms + (c->limits.cooldown_ms << doublings);
		c->times_open++;
		c->probing = false;
	}
	pthread_mutex_unlock(&c->lock);
	return opens;
}
