#include "worker/timer.h"

#include <stdlib.h>

#include "store/base/log.h"

void timer_heap_init(struct timer_heap *h)
{
	*h = (struct timer_heap){ 0 };
}

void timer_heap_fini(struct timer_heap *h)
{
	free(h->at);
	timer_heap_init(h);
}

enum err timer_reserve(struct timer_heap *h, size_t n)
{
	size_t cap = h->cap == 0 ? 64 : h->cap;
	struct timer **at;

	if (n <= h->cap)
		return OK;
	while (cap < n)
		cap *= 2;
	at = realloc(h->at, cap * sizeof(struct timer *));
	if (at == NULL)
		return ERR_NOMEM;
	h->at = at;
	h->cap = cap;
	return OK;
}

static void put(struct timer_heap *h, size_t place, struct timer *t)
{
	h->at[place - 1] = t;
	t->place = place;
}

/* Move ${t} from its place up or down to where it belongs. */
static void settle(struct timer_heap *h, struct timer *t)
{
	size_t place = t->place, child;

	while (place > 1 && h->at[place / 2 - 1]->at_ms > t->at_ms) {
		put(h, place, h->at[place / 2 - 1]);
		place /= 2;
	}
	while ((child = place * 2) <= h->n) {
		if (child < h->n &&
		    h->at[child]->at_ms < h->at[child - 1]->at_ms)
			child++;
		if (h->at[child - 1]->at_ms >= t->at_ms)
			break;
		put(h, place, h->at[child - 1]);
		place = child;
	}
	put(h, place, t);
}

void timer_set(struct timer_heap *h, struct timer *t, int64_t at_ms)
{
	t->at_ms = at_ms;
	if (t->place == 0) {
		ASSERT(h->n < h->cap);
		put(h, ++h->n, t);
	}
	settle(h, t);
}

void timer_drop(struct timer_heap *h, struct timer *t)
{
	size_t place = t->place;
	struct timer *last;

	if (place == 0)
		return;
	last = h->at[--h->n];
	t->place = 0;
	if (last == t)
		return;
	put(h, place, last);
	settle(h, last);
}

struct timer *timer_first(const struct timer_heap *h)
{
	return h->n == 0 ? NULL : h->at[0];
}
