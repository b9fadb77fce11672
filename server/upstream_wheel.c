#include "server/upstream_wheel.h"

#include <stddef.h>

#include "server/http.h"
#include "store/base/clock.h"
#include "store/base/log.h"

static void on_timer(void *arg);

/* The tick at whose end ${ms} has come. */
static int64_t tick_of(int64_t ms)
{
	return (ms + UPSTREAM_WHEEL_TICK_MS - 1) / UPSTREAM_WHEEL_TICK_MS;
}

static void list_init(struct upstream_wheel_entry *head)
{
	head->next = head;
	head->prev = head;
}

static void list_add(
    struct upstream_wheel_entry *head, struct upstream_wheel_entry *e)
{
	e->prev = head->prev;
	e->next = head;
	head->prev->next = e;
	head->prev = e;
}

static void list_remove(struct upstream_wheel_entry *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	e->next = NULL;
	e->prev = NULL;
}

void upstream_wheel_init(struct upstream_wheel *w, struct http_loop *loop,
    void (*on_due)(struct upstream_wheel_entry *e))
{
	w->loop = loop;
	w->on_due = on_due;
	w->timer = NULL;
	w->n = 0;
	w->done_tick = clock_mono_ms() / UPSTREAM_WHEEL_TICK_MS;
	for (size_t i = 0; i < UPSTREAM_WHEEL_SLOTS; i++)
		list_init(&w->slots[i]);
}

static void arm(struct upstream_wheel *w, int64_t tick)
{
	int64_t ms = tick * UPSTREAM_WHEEL_TICK_MS - clock_mono_ms();

	if (w->timer != NULL && w->armed_tick <= tick)
		return;
	if (w->timer != NULL)
		http_timer_cancel(w->timer);
	w->armed_tick = tick;
	w->timer = http_loop_after(w->loop, ms > 0 ? ms : 0, on_timer, w);
	/* A simulation without memory for one timer has nothing to go on. */
	ASSERT(w->timer != NULL);
}

/* Arm for the first slot in use. Entries of later turns make it look early. */
static void arm_next(struct upstream_wheel *w)
{
	int64_t tick = w->done_tick + 1;

	if (w->n == 0)
		return;
	for (;; tick++) {
		struct upstream_wheel_entry *head =
		    &w->slots[tick % UPSTREAM_WHEEL_SLOTS];

		if (head->next != head)
			break;
	}
	arm(w, tick);
}

void upstream_wheel_put(
    struct upstream_wheel *w, struct upstream_wheel_entry *e, int64_t due_ms)
{
	int64_t tick = tick_of(due_ms);

	ASSERT(e->next == NULL);
	if (w->n == 0 && w->timer == NULL)
		w->done_tick = clock_mono_ms() / UPSTREAM_WHEEL_TICK_MS;
	if (tick <= w->done_tick)
		tick = w->done_tick + 1;
	e->due_ms = due_ms;
	list_add(&w->slots[tick % UPSTREAM_WHEEL_SLOTS], e);
	w->n++;
	arm(w, tick);
}

void upstream_wheel_remove(
    struct upstream_wheel *w, struct upstream_wheel_entry *e)
{
	if (e->next == NULL)
		return;
	list_remove(e);
	w->n--;
}

/* Call what is due in the slots since the last look; at most one turn. */
static void turn(struct upstream_wheel *w)
{
	int64_t now_ms = clock_mono_ms();
	int64_t now = now_ms / UPSTREAM_WHEEL_TICK_MS;
	int64_t from = w->done_tick + 1;
	struct upstream_wheel_entry due;

	list_init(&due);
	if (now - from >= UPSTREAM_WHEEL_SLOTS)
		from = now - UPSTREAM_WHEEL_SLOTS + 1;
	for (; from <= now; from++) {
		struct upstream_wheel_entry *head =
		    &w->slots[from % UPSTREAM_WHEEL_SLOTS];
		struct upstream_wheel_entry *e = head->next;

		while (e != head) {
			struct upstream_wheel_entry *next = e->next;

			if (e->due_ms <= now_ms) {
				list_remove(e);
				list_add(&due, e);
			}
			e = next;
		}
	}
	w->done_tick = now;
	while (due.next != &due) {
		struct upstream_wheel_entry *e = due.next;

		list_remove(e);
		w->n--;
		w->on_due(e);
	}
}

static void on_timer(void *arg)
{
	struct upstream_wheel *w = arg;

	w->timer = NULL;
	turn(w);
	arm_next(w);
}
