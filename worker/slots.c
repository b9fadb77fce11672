#include "worker/slots.h"

#include "store/base/log.h"

void slots_init(
    struct slots *s, unsigned max, void (*wake)(void *arg), void *arg)
{
	*s = (struct slots){ .max = max, .wake = wake, .arg = arg };
	ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
}

void slots_fini(struct slots *s)
{
	pthread_mutex_destroy(&s->lock);
}

enum err slots_reserve(struct slots *s)
{
	enum err rc = ERR_LIMIT;

	pthread_mutex_lock(&s->lock);
	if (s->reserved + s->runs < s->max) {
		s->reserved++;
		rc = OK;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void slots_release(struct slots *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->reserved > 0)
		s->reserved--;
	pthread_mutex_unlock(&s->lock);
}

void slots_enter(struct slots *s)
{
	pthread_mutex_lock(&s->lock);
	if (s->reserved > 0)
		s->reserved--;
	s->runs++;
	pthread_mutex_unlock(&s->lock);
}

bool slots_take(struct slots *s)
{
	bool ok;

	pthread_mutex_lock(&s->lock);
	ok = s->live < s->max;
	if (ok)
		s->live++;
	else
		s->wanted = true;
	pthread_mutex_unlock(&s->lock);
	return ok;
}

void slots_leave(struct slots *s, bool live)
{
	bool wake = false;

	pthread_mutex_lock(&s->lock);
	ASSERT(s->runs > 0);
	s->runs--;
	if (live) {
		ASSERT(s->live > 0);
		s->live--;
		wake = s->wanted;
		s->wanted = false;
	}
	pthread_mutex_unlock(&s->lock);
	if (wake)
		s->wake(s->arg);
}
