#include "tests/sim/net.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "store/base/log.h"
#include "worker/fetch.h"
#include "worker/fetch_pool.h"

struct fetch {
	TAILQ_ENTRY(fetch) link;
	const struct fetch_events *events;
	void *arg;
	uint32_t number;
	const struct story *story;
	size_t told; /* bytes that were taken */
	uint32_t due, most;
	bool connected, headed, over, paused, breaks;
};

struct fetch_pool {
	int unused;
};

static struct {
	struct net_hooks hooks;
	struct dice dice;
	TAILQ_HEAD(, fetch) all;
} net;

void net_begin(const struct net_hooks *hooks, uint64_t seed)
{
	net.hooks = *hooks;
	net.dice.state = seed;
	TAILQ_INIT(&net.all);
}

size_t net_open(void)
{
	struct fetch *f;
	size_t n = 0;

	TAILQ_FOREACH(f, &net.all, link)
	n += !f->over;
	return n;
}

bool net_asks(uint32_t number)
{
	struct fetch *f;

	TAILQ_FOREACH(f, &net.all, link)
	if (f->number == number)
		return true;
	return false;
}

static struct fetch *any(void)
{
	size_t n = net_open();
	struct fetch *f;

	if (n == 0)
		return NULL;
	n = dice_throw(&net.dice, (uint32_t)n);
	TAILQ_FOREACH(f, &net.all, link)
	if (!f->over && n-- == 0)
		break;
	return f;
}

void net_let(uint32_t steps, uint32_t most)
{
	struct fetch *f = any();

	if (f == NULL)
		return;
	f->due = steps;
	f->most = most;
}

void net_break(void)
{
	struct fetch *f = any();

	if (f != NULL)
		f->breaks = true;
}

static void end(struct fetch *f, enum fetch_end how)
{
	f->over = true;
	f->events->on_over(f->arg, how, how == FETCH_CLEAN ? NULL : "it broke");
}

static void tell_body(struct fetch *f)
{
	size_t left = f->story->bytes.len - f->told;
	size_t n = 1 + dice_throw(&net.dice, f->most);

	if (n > left)
		n = left;
	if (f->events->on_body(f->arg, f->story->bytes.data + f->told, n) ==
	    FETCH_PAUSE) {
		f->paused = true;
		return;
	}
	f->told += n;
	net.hooks.on_taken(net.hooks.arg, f->number, f->story, f->told);
}

static void tell_head(struct fetch *f)
{
	struct dialect_head head = { .status = f->story->status,
		.content_type = f->story->content_type };

	f->headed = true;
	f->events->on_head(f->arg, &head);
}

/* The next thing that happens to ${f}. */
static void step(struct fetch *f)
{
	f->due -= f->due > 0;
	if (f->breaks || (!f->connected && f->story->refused)) {
		end(f, FETCH_BROKEN);
	} else if (!f->connected) {
		f->connected = true;
		f->events->on_connected(f->arg);
	} else if (!f->headed && f->story->content_type != NULL) {
		tell_head(f);
	} else if (f->told < f->story->bytes.len) {
		tell_body(f);
	} else if (f->story->end != STORY_HANGS) {
		end(f,
		    f->story->end == STORY_CLEAN ? FETCH_CLEAN : FETCH_BROKEN);
	} else {
		f->due = 0;
	}
}

/* --- worker/fetch.h --- */

/* Whose request is it? */
static uint32_t number_in(const struct buf *body)
{
	const size_t mark = sizeof(NET_MARK) - 1;
	const char *p = memmem(body->data, body->len, NET_MARK, mark);

	ASSERT(p != NULL);
	return (uint32_t)strtoul(p + mark, NULL, 10);
}

enum err fetch_start(struct fetch_pool *pool, struct dialect_request *request,
    uint64_t max_body_bytes, const struct fetch_events *events, void *arg,
    struct fetch **ret)
{
	struct fetch *f = calloc(1, sizeof(*f));

	(void)pool;
	(void)max_body_bytes;
	ASSERT(f != NULL);
	f->events = events;
	f->arg = arg;
	f->number = number_in(&request->body);
	f->story = net.hooks.on_asked(net.hooks.arg, f->number, &request->body);
	TAILQ_INSERT_TAIL(&net.all, f, link);
	dialect_request_fini(request);
	dialect_request_init(request);
	*ret = f;
	return OK;
}

void fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	TAILQ_REMOVE(&net.all, f, link);
	free(f);
}

void fetch_resume(struct fetch *f)
{
	if (!f->paused)
		return;
	f->paused = false;
	/* What was refused may come at once, or in its time. */
	if (dice_is(&net.dice, 1, 2))
		tell_body(f);
	else
		f->due++;
}

void fetch_forget_request(struct fetch *f)
{
	(void)f;
}

/* --- worker/fetch_pool.h --- */

enum err fetch_pool_new(int wake_fd, struct fetch_pool **ret)
{
	(void)wake_fd;
	*ret = calloc(1, sizeof(struct fetch_pool));
	return *ret == NULL ? ERR_NOMEM : OK;
}

void fetch_pool_free(struct fetch_pool *p)
{
	ASSERT(p == NULL || TAILQ_EMPTY(&net.all));
	free(p);
}

bool fetch_pool_wait(struct fetch_pool *p, int timeout_ms)
{
	(void)p;
	net.hooks.on_sleep(net.hooks.arg, timeout_ms);
	return true;
}

bool fetch_pool_step(struct fetch_pool *p)
{
	struct fetch *f;

	(void)p;
	TAILQ_FOREACH(f, &net.all, link)
	if (!f->over && !f->paused && (f->due > 0 || f->breaks)) {
		step(f);
		return true;
	}
	return false;
}
