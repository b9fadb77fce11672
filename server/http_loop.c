#include "server/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/id.h"
#include "store/base/log.h"

/*
 * A loop's thread sleeps in libevent. Others reach it through the mailbox and
 * the list of woken numbers; both ring the same bell, an eventfd, and only when
 * they stop being empty.
 */

#define SLOT_BITS 24
#define MAX_SLOTS (1u << SLOT_BITS)
/* Past this many woken numbers all exchanges are woken: a wake is a hint. */
#define MAX_WOKEN (1u << 16)
#define MAX_MAILS (1u << 20)

static void ring(void *arg)
{
	struct http_loop *loop = arg;
	uint64_t one = 1;

	/* EAGAIN: the bell is ringing as loud as it can. */
	while (write(loop->bell, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void http_loop_ring(struct http_loop *loop)
{
	ring(loop);
}

static void run_mails(struct http_loop *loop)
{
	struct mail *m = mailbox_take(&loop->box);

	while (m != NULL) {
		struct http_mail *hm = (struct http_mail *)m;

		m = m->next;
		hm->fn(loop, hm);
	}
}

static void wake_one(struct http_exchange *x)
{
	if (x != NULL && x->on_wake != NULL)
		x->on_wake(x);
}

static void run_wakes(struct http_loop *loop)
{
	uint64_t *numbers;
	size_t n, cap;
	bool all;

	pthread_mutex_lock(&loop->wake_lock);
	numbers = loop->woken;
	n = loop->n_woken;
	cap = loop->cap_woken;
	all = loop->woke_all;
	loop->woken = loop->spare;
	loop->cap_woken = loop->cap_spare;
	loop->n_woken = 0;
	loop->woke_all = false;
	loop->spare = NULL;
	loop->cap_spare = 0;
	pthread_mutex_unlock(&loop->wake_lock);

	for (size_t i = 0; i < n && !all; i++)
		wake_one(http_exchange_find(loop, numbers[i]));
	for (uint32_t i = 0; i < loop->n_slots && all; i++)
		if (loop->slots[i] != NULL && loop->slots[i]->x.number != 0)
			wake_one(&loop->slots[i]->x);

	pthread_mutex_lock(&loop->wake_lock);
	loop->spare = numbers;
	loop->cap_spare = cap;
	pthread_mutex_unlock(&loop->wake_lock);
}

void http_loop_wake(void *arg, uint64_t number)
{
	struct http_loop *loop = arg;
	bool first;

	pthread_mutex_lock(&loop->wake_lock);
	first = loop->n_woken == 0 && !loop->woke_all;
	if (loop->n_woken == loop->cap_woken && loop->cap_woken < MAX_WOKEN) {
		size_t cap = loop->cap_woken == 0 ? 64 : loop->cap_woken * 2;
		uint64_t *p = realloc(loop->woken, cap * sizeof(*p));

		if (p != NULL) {
			loop->woken = p;
			loop->cap_woken = cap;
		}
	}
	if (loop->n_woken < loop->cap_woken)
		loop->woken[loop->n_woken++] = number;
	else
		loop->woke_all = true;
	pthread_mutex_unlock(&loop->wake_lock);
	if (first)
		ring(loop);
}

enum err http_loop_post(struct http_loop *loop, struct http_mail *m)
{
	return mailbox_post_always(&loop->box, &m->mail);
}

static void drain(struct http_loop *loop)
{
	struct http_conn *c, *next;

	loop->draining = true;
	if (loop->place == 0)
		http_accept_stop(loop->server);
	for (c = LIST_FIRST(&loop->conns); c != NULL; c = next) {
		next = LIST_NEXT(c, all);
		http_conn_drain(c);
	}
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
	struct http_loop *loop = arg;
	uint64_t rings;

	(void)what;
	(void)!read(fd, &rings, sizeof(rings));
	loop->now_ms = clock_mono_ms();
	if (atomic_load(&loop->server->stopping)) {
		if (!loop->ending)
			event_base_loopbreak(loop->base);
		return;
	}
	if (atomic_load(&loop->server->draining) && !loop->draining)
		drain(loop);
	run_mails(loop);
	run_wakes(loop);
}

void http_conn_kick(struct http_conn *c)
{
	struct http_loop *loop = c->loop;
	static const struct timeval at_once;

	if (c->queued)
		return;
	c->queued = true;
	TAILQ_INSERT_TAIL(&loop->queue, c, queue);
	loop->n_queue++;
	if (loop->kicked)
		return;
	loop->kicked = true;
	/* From inside a round the next one waits until sockets were polled. */
	if (loop->kicking)
		event_add(loop->kick, &at_once);
	else
		event_active(loop->kick, EV_TIMEOUT, 0);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	struct http_loop *loop = arg;
	size_t n = loop->n_queue;

	(void)fd;
	(void)what;
	loop->kicked = false;
	loop->kicking = true;
	loop->now_ms = clock_mono_ms();
	while (n-- > 0 && !TAILQ_EMPTY(&loop->queue)) {
		struct http_conn *c = TAILQ_FIRST(&loop->queue);

		TAILQ_REMOVE(&loop->queue, c, queue);
		loop->n_queue--;
		c->queued = false;
		http_conn_kicked(c);
	}
	loop->kicking = false;
}

enum err http_loop_slot(struct http_loop *loop, struct http_conn *c)
{
	if (loop->n_free == 0) {
		uint32_t n = loop->n_slots == 0 ? 64 : loop->n_slots * 2;
		struct http_conn **slots;
		uint32_t *free_slots;

		if (n > MAX_SLOTS)
			return ERR_LIMIT;
		slots = realloc(loop->slots, n * sizeof(*slots));
		if (slots == NULL)
			return ERR_NOMEM;
		loop->slots = slots;
		free_slots = realloc(loop->free_slots, n * sizeof(*free_slots));
		if (free_slots == NULL)
			return ERR_NOMEM;
		loop->free_slots = free_slots;
		for (uint32_t i = n; i-- > loop->n_slots;) {
			slots[i] = NULL;
			free_slots[loop->n_free++] = i;
		}
		loop->n_slots = n;
	}
	c->slot = loop->free_slots[--loop->n_free];
	loop->slots[c->slot] = c;
	return OK;
}

void http_loop_unslot(struct http_loop *loop, struct http_conn *c)
{
	loop->slots[c->slot] = NULL;
	loop->free_slots[loop->n_free++] = c->slot;
}

struct http_exchange *http_exchange_find(
    struct http_loop *loop, uint64_t number)
{
	uint64_t slot = number & (MAX_SLOTS - 1);
	struct http_conn *c = slot < loop->n_slots ? loop->slots[slot] : NULL;

	return c != NULL && number != 0 && c->x.number == number ? &c->x : NULL;
}

uint64_t http_loop_number(struct http_loop *loop, const struct http_conn *c)
{
	return ++loop->generation << SLOT_BITS | c->slot;
}

const char *http_loop_date(struct http_loop *loop)
{
	time_t s = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	if (s != loop->date_s) {
		gmtime_r(&s, &tm);
		strftime(loop->date, sizeof(loop->date),
		    "%a, %d %b %Y %H:%M:%S GMT", &tm);
		loop->date_s = s;
	}
	return loop->date;
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct http_timer *t = arg;
	void (*fn)(void *arg) = t->fn;
	void *fn_arg = t->arg;

	(void)fd;
	(void)what;
	t->loop->now_ms = clock_mono_ms();
	http_timer_cancel(t);
	fn(fn_arg);
}

struct http_timer *http_loop_after(
    struct http_loop *loop, int64_t ms, void (*fn)(void *arg), void *arg)
{
	struct http_timer *t = calloc(1, sizeof(*t));
	struct timeval tv = { .tv_sec = ms < 0 ? 0 : ms / 1000,
		.tv_usec = ms < 0 ? 0 : ms % 1000 * 1000 };

	if (t == NULL)
		return NULL;
	t->loop = loop;
	t->fn = fn;
	t->arg = arg;
	if (evtimer_assign(&t->event, loop->base, on_time, t) != 0 ||
	    evtimer_add(&t->event, &tv) != 0) {
		free(t);
		return NULL;
	}
	LIST_INSERT_HEAD(&loop->timers, t, all);
	return t;
}

void http_timer_cancel(struct http_timer *t)
{
	if (t == NULL)
		return;
	event_del(&t->event);
	LIST_REMOVE(t, all);
	free(t);
}

void http_loop_set(struct http_loop *loop, void *data)
{
	atomic_store(&loop->data, data);
}

void *http_loop_get(const struct http_loop *loop)
{
	return atomic_load(&loop->data);
}

enum err http_loop_init(
    struct http_loop *loop, struct http_server *s, unsigned place)
{
	loop->server = s;
	loop->place = place;
	loop->bell = -1;
	loop->date_s = -1;
	LIST_INIT(&loop->conns);
	LIST_INIT(&loop->timers);
	TAILQ_INIT(&loop->queue);
	buf_init(&loop->out, 4 * HTTP_MAX_REPLY_HEAD);
	id_random(&loop->id_seed, sizeof(loop->id_seed));
	ASSERT(pthread_mutex_init(&loop->wake_lock, NULL) == 0);
	mailbox_init(&loop->box, MAX_MAILS, SIZE_MAX, ring, loop);
	loop->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	loop->base = event_base_new();
	if (loop->bell < 0 || loop->base == NULL)
		return ERR_NOMEM;
	loop->doorbell = event_new(
	    loop->base, loop->bell, EV_READ | EV_PERSIST, on_bell, loop);
	loop->kick = event_new(loop->base, -1, 0, on_kick, loop);
	if (loop->doorbell == NULL || loop->kick == NULL ||
	    event_add(loop->doorbell, NULL) != 0)
		return ERR_NOMEM;
	return OK;
}

/* The last things a loop does, on its own thread while it has one. */
static void end(struct http_loop *loop)
{
	struct http_conn *c;
	struct http_timer *t;

	loop->draining = loop->ending = true;
	if (loop->place == 0)
		http_accept_stop(loop->server);
	while ((c = LIST_FIRST(&loop->conns)) != NULL)
		http_conn_free(c);
	mailbox_close(&loop->box);
	run_mails(loop);
	while ((t = LIST_FIRST(&loop->timers)) != NULL)
		http_timer_cancel(t);
	/*
	 * Bufferevents are freed from inside the loop; event_base_free() would
	 * forget those whose reading rested.
	 */
	if (loop->base != NULL)
		event_base_loop(loop->base, EVLOOP_NONBLOCK);
}

static void *run(void *arg)
{
	struct http_loop *loop = arg;
	struct http_options *opt = &loop->server->opt;

	if (opt->on_loop != NULL)
		opt->on_loop(loop, opt->arg);
	event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
	end(loop);
	return NULL;
}

enum err http_loop_run(struct http_loop *loop)
{
	if (pthread_create(&loop->thread, NULL, run, loop) != 0)
		return ERR_NOMEM;
	loop->started = true;
	return OK;
}

void http_loop_fini(struct http_loop *loop)
{
	if (loop->started)
		pthread_join(loop->thread, NULL);
	else
		end(loop);
	if (loop->doorbell != NULL)
		event_free(loop->doorbell);
	if (loop->kick != NULL)
		event_free(loop->kick);
	if (loop->base != NULL)
		event_base_free(loop->base);
	if (loop->bell >= 0)
		close(loop->bell);
	mailbox_fini(&loop->box);
	pthread_mutex_destroy(&loop->wake_lock);
	http_gzip_free(loop->gzip);
	buf_fini(&loop->out);
	free(loop->woken);
	free(loop->spare);
	free(loop->slots);
	free(loop->free_slots);
}
