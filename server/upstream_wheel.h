/*
 * upstream_wheel: thousands of deadlines behind one timer of a loop: a hashed
 * timing wheel (Varghese and Lauck, scheme 6).
 *
 * Used by: upstream_answer.          Thread: the loop's.
 * Promises: on_due comes once for each put, at the due time or up to a tick
 * after it (and the loop's own lateness), never before, never from inside
 * upstream_wheel_put().
 */
#ifndef SERVER_UPSTREAM_WHEEL_H
#define SERVER_UPSTREAM_WHEEL_H

#include <stdint.h>

struct http_loop;
struct http_timer;

#define UPSTREAM_WHEEL_TICK_MS 2
#define UPSTREAM_WHEEL_SLOTS 1024 /* further than 2 s: several turns */

/* Embed it first in what waits. All zero: not in a wheel. */
struct upstream_wheel_entry {
	struct upstream_wheel_entry *next, *prev;
	int64_t due_ms; /* of clock_mono_ms() */
};

struct upstream_wheel {
	struct http_loop *loop;
	void (*on_due)(struct upstream_wheel_entry *e);
	struct http_timer *timer; /* NULL: not armed */
	int64_t armed_tick;	  /* when the timer will look */
	int64_t done_tick;	  /* slots up to here were looked at */
	uint64_t n;
	struct upstream_wheel_entry slots[UPSTREAM_WHEEL_SLOTS];
};

void upstream_wheel_init(struct upstream_wheel *w, struct http_loop *loop,
    void (*on_due)(struct upstream_wheel_entry *e));

/* Put ${e}, which is in no wheel, to be called at ${due_ms}. */
void upstream_wheel_put(
    struct upstream_wheel *w, struct upstream_wheel_entry *e, int64_t due_ms);

/* Take ${e} out, if it is in. */
void upstream_wheel_remove(
    struct upstream_wheel *w, struct upstream_wheel_entry *e);

#endif
