/*
 * What is due to a connection: its state's deadline, a client that takes
 * nothing, a client that left while nothing is read.
 */
#include "server/http_internal.h"

#include <poll.h>

/* Reading rests while the look-ahead is full: look for the client's end. */
#define WATCH_MS 250

static const struct parse_http_refusal too_slow = { 408, "request_timeout",
	"the request took too long to arrive" };

bool http_due_blind(const struct http_conn *c)
{
	return c->state != HTTP_CONN_LINGER &&
	       http_conn_ahead(c) >= HTTP_READ_AHEAD - HTTP_READ_ONCE;
}

/* When the timer must fire next. */
static int64_t next_ms(const struct http_conn *c)
{
	int64_t now = c->loop->now_ms;
	int64_t stall_ms = c->loop->server->opt.stall_ms;
	int64_t next = c->due_ms;

	if (http_conn_pending(c) > 0 && now + stall_ms / 4 + 1 < next)
		next = now + stall_ms / 4 + 1;
	if (http_due_blind(c) && now + WATCH_MS < next)
		next = now + WATCH_MS;
	return next;
}

/*
 * A timer that fires too early only looks again: so a deadline that moves away,
 * as it does with each request, costs nothing.
 */
void http_due_arm(struct http_conn *c)
{
	int64_t next = next_ms(c);
	int64_t wait = next - c->loop->now_ms;
	struct timeval tv;

	if (next >= c->armed_ms)
		return;
	if (wait < 1)
		wait = 1;
	tv.tv_sec = wait / 1000;
	tv.tv_usec = wait % 1000 * 1000;
	c->armed_ms = event_add(&c->timer, &tv) == 0 ? next : HTTP_NEVER;
}

static void doom_late(struct http_conn *c)
{
	http_count(c->loop, HTTP_N_TIMEOUTS, 1);
	c->doomed = true;
}

static void refuse_late(struct http_conn *c)
{
	http_count(c->loop, HTTP_N_TIMEOUTS, 1);
	c->x.close = true;
	http_conn_refuse(c, &too_slow);
}

static void expire(struct http_conn *c)
{
	c->due_ms = HTTP_NEVER;
	switch (c->state) {
	case HTTP_CONN_IDLE:
		if (http_conn_pending(c) > 0)
			c->due_ms =
			    c->loop->now_ms + c->loop->server->opt.idle_ms;
		else
			c->doomed = true;
		break;
	case HTTP_CONN_HEAD:
		http_request_blank(&c->x);
		refuse_late(c);
		break;
	case HTTP_CONN_BODY: refuse_late(c); break;
	case HTTP_CONN_OPEN:
	case HTTP_CONN_STREAM:
	case HTTP_CONN_UPGRADED:
	case HTTP_CONN_FLUSH:
	case HTTP_CONN_LINGER: c->doomed = true; break;
	}
}

/* Has the client taken anything since it was last looked at? */
static void look_for_stall(struct http_conn *c)
{
	uint64_t taken = c->queued_bytes - http_conn_pending(c);

	if (http_conn_pending(c) == 0 || taken != c->taken_bytes) {
		c->taken_bytes = taken;
		c->moved_ms = c->loop->now_ms;
	} else if (c->loop->now_ms - c->moved_ms >=
		   c->loop->server->opt.stall_ms) {
		doom_late(c);
	}
}

/*
 * The look-ahead is full, so nothing is read and the end not seen. Asked now
 * and then, because an event for it would fire all the time.
 */
static void look_for_end(struct http_conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	if (poll(&p, 1, 0) <= 0)
		return;
	if ((p.revents & (POLLERR | POLLHUP)) != 0)
		c->doomed = true;
	else if (c->state == HTTP_CONN_OPEN || c->state == HTTP_CONN_STREAM ||
		 c->state == HTTP_CONN_UPGRADED)
		c->doomed = true;
}

void http_due_look(struct http_conn *c)
{
	look_for_stall(c);
	if (!c->doomed && http_due_blind(c))
		look_for_end(c);
	if (!c->doomed && c->loop->now_ms >= c->due_ms)
		expire(c);
}
