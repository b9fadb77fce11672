/*
 * timer: the deadlines of one thread, earliest first: a binary heap.
 *
 * Used by: pump.          Thread: the owner's; pure.
 * Promises: setting and dropping cost O(log n), looking is free, idle timers
 * cost nothing.
 */
#ifndef WORKER_TIMER_H
#define WORKER_TIMER_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

/* Embed it; {0} is not set. */
struct timer {
	int64_t at_ms; /* on the clock that only grows */
	size_t place;  /* private: place in the heap, from 1; 0: not set */
};

struct timer_heap {
	struct timer **at; /* private */
	size_t n, cap;
};

void timer_heap_init(struct timer_heap *h);
void timer_heap_fini(struct timer_heap *h);

/* Make sure that ${n} timers can be set. Fails: ERR_NOMEM. */
MUST_CHECK enum err timer_reserve(struct timer_heap *h, size_t n);

/* Set, or move, ${t} to ${at_ms}; room must have been reserved. */
void timer_set(struct timer_heap *h, struct timer *t, int64_t at_ms);

/* Harmless when not set. */
void timer_drop(struct timer_heap *h, struct timer *t);

/* The earliest one, or NULL. */
struct timer *timer_first(const struct timer_heap *h);

#endif
