#include "server/http_internal.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/*
 * A connection's life:
 *
 *        ┌────────────────── answered, kept ────────────────┐
 *        ▼                                                  │
 *      IDLE ──► HEAD ──► BODY ──► OPEN ──► (http_reply) ────┤
 *        │        │        │       │ │                      │
 *        │        │        │       │ └──► STREAM ── end ────┤
 *        │        │        │       └────► UPGRADED          │
 *        │        └─ refused ─┐             │ close    answered, not kept
 *        │ the client left    ▼             ▼               │
 *        ▼ or took too long  FLUSH ◄────────┴───────────────┘
 *      gone ◄── LINGER ◄──────┘
 *
 * IDLE      no byte of a request            until bytes come; idle_ms
 * HEAD      a part of a header              until it is whole; header_ms
 * BODY      a part of a body                until it is whole; body_ms
 * OPEN      the handler has the request     until it replies; EOF: see settle()
 * STREAM    the reply goes out in pieces    until it ends; stall_ms
 * UPGRADED  bytes belong to the handler     until either side closes; stall_ms
 * FLUSH     the last bytes are on their way until the socket took them; stall_ms
 * LINGER    we said good-bye; what comes is dropped, so that no reset destroys
 *           our last answer (RFC 9112 section 9.6); LINGER_MS
 *
 * http_conn_move() is the one door. Every event notes what happened and calls
 * work(), which turns the wheel, then settles: that alone frees a connection,
 * never a call that a handler made.
 */
static const uint16_t may_move[] = {
#define TO(state) (1u << HTTP_CONN_##state)
	[HTTP_CONN_IDLE] =
	    TO(HEAD) | TO(BODY) | TO(OPEN) | TO(FLUSH) | TO(IDLE),
	[HTTP_CONN_HEAD] = TO(BODY) | TO(OPEN) | TO(FLUSH) | TO(IDLE),
	[HTTP_CONN_BODY] = TO(OPEN) | TO(FLUSH),
	[HTTP_CONN_OPEN] = TO(IDLE) | TO(FLUSH) | TO(STREAM) | TO(UPGRADED),
	[HTTP_CONN_STREAM] = TO(IDLE) | TO(FLUSH),
	[HTTP_CONN_UPGRADED] = TO(FLUSH),
	[HTTP_CONN_FLUSH] = TO(LINGER),
	[HTTP_CONN_LINGER] = 0,
#undef TO
};

#define LINGER_MS 2000
#define LINGER_BYTES (8 << 20)
/*
 * A client that shuts down its writing side may still wait for its answer, and
 * most that do so have gone: an answer that comes within this time is sent.
 */
#define HALF_CLOSE_MS 250
/* Steps, mostly requests, taken before others have their turn. */
#define TURN_STEPS 64
#define MAX_SINGLE_WRITE (256 << 10)

size_t http_conn_pending(const struct http_conn *c)
{
	return evbuffer_get_length(bufferevent_get_output(c->bev));
}

size_t http_conn_ahead(const struct http_conn *c)
{
	return evbuffer_get_length(bufferevent_get_input(c->bev));
}

void http_conn_move(struct http_conn *c, enum http_conn_state to)
{
	const struct http_options *opt = &c->loop->server->opt;
	int64_t now = c->loop->now_ms;

	ASSERT((may_move[c->state] & 1u << to) != 0);
	c->state = to;
	switch (to) {
	case HTTP_CONN_IDLE: c->due_ms = now + opt->idle_ms; break;
	case HTTP_CONN_HEAD: c->due_ms = now + opt->header_ms; break;
	case HTTP_CONN_BODY: c->due_ms = now + opt->body_ms; break;
	case HTTP_CONN_LINGER: c->due_ms = now + LINGER_MS; break;
	case HTTP_CONN_FLUSH:
		bufferevent_setwatermark(c->bev, EV_WRITE, 0, 0);
		c->due_ms = HTTP_NEVER;
		break;
	case HTTP_CONN_OPEN:
	case HTTP_CONN_STREAM:
	case HTTP_CONN_UPGRADED: c->due_ms = HTTP_NEVER; break;
	}
}

/* --- the wheel --- */

static bool give_bytes(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	char *data = (char *)evbuffer_pullup(in, -1);
	size_t took;

	if (len == 0 || data == NULL)
		return false;
	took = c->x.on_bytes(&c->x, data, len);
	ASSERT(took <= len);
	evbuffer_drain(in, took);
	http_count(c->loop, HTTP_N_IN, took);
	return took > 0;
}

static bool say_goodbye(struct http_conn *c)
{
	struct linger hard = { .l_onoff = 1 };

	if (http_conn_pending(c) > 0)
		return false;
	if (c->reset) {
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		c->doomed = true;
		return false;
	}
	if (c->eof || shutdown(c->fd, SHUT_WR) != 0) {
		c->doomed = true;
		return false;
	}
	http_conn_move(c, HTTP_CONN_LINGER);
	return true;
}

static bool drop_bytes(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);

	c->lingered += evbuffer_get_length(in);
	evbuffer_drain(in, evbuffer_get_length(in));
	if (c->lingered > LINGER_BYTES)
		c->doomed = true;
	return false;
}

/* One step; false when only an event can lead on. */
static bool step(struct http_conn *c)
{
	switch (c->state) {
	case HTTP_CONN_IDLE:
	case HTTP_CONN_HEAD: return http_read_head(c);
	case HTTP_CONN_BODY: return http_read_body(c);
	case HTTP_CONN_UPGRADED: return give_bytes(c);
	case HTTP_CONN_FLUSH: return say_goodbye(c);
	case HTTP_CONN_LINGER: return drop_bytes(c);
	case HTTP_CONN_OPEN:
	case HTTP_CONN_STREAM: break;
	}
	return false;
}

/* The client will send no more, and all that it sent was looked at. */
static void take_eof(struct http_conn *c)
{
	switch (c->state) {
	case HTTP_CONN_IDLE:
	case HTTP_CONN_HEAD:
	case HTTP_CONN_BODY:
		if (http_conn_pending(c) == 0)
			c->doomed = true;
		else if (http_conn_ahead(c) == 0 || c->state != HTTP_CONN_IDLE)
			http_conn_move(c, HTTP_CONN_FLUSH);
		break;
	case HTTP_CONN_OPEN:
		if (c->due_ms == HTTP_NEVER)
			c->due_ms = c->loop->now_ms + HALF_CLOSE_MS;
		break;
	case HTTP_CONN_STREAM:
	case HTTP_CONN_UPGRADED:
	case HTTP_CONN_LINGER: c->doomed = true; break;
	case HTTP_CONN_FLUSH: break;
	}
}

/* With a full look-ahead libevent would call on_read() all the time. */
static void rest_or_read(struct http_conn *c)
{
	bool rests = http_due_blind(c);

	if (rests == c->rests)
		return;
	c->rests = rests;
	if ((rests ? bufferevent_disable(c->bev, EV_READ)
		   : bufferevent_enable(c->bev, EV_READ)) != 0)
		c->doomed = true;
}

/* Turn the wheel as far as it goes, then settle what is left. */
static void work(struct http_conn *c)
{
	int turns = TURN_STEPS;

	c->busy = true;
	while (!c->doomed && step(c))
		if (--turns == 0) {
			http_conn_kick(c);
			break;
		}
	if (c->eof && !c->queued && !c->doomed)
		take_eof(c);
	c->busy = false;
	if (!c->doomed)
		rest_or_read(c);
	if (c->doomed)
		http_conn_free(c);
	else
		http_due_arm(c);
}

static void call_ready(struct http_conn *c)
{
	struct http_exchange *x = &c->x;

	c->want_ready = false;
	if (c->doomed || !x->streaming ||
	    http_conn_pending(c) >= HTTP_WRITE_AHEAD)
		return;
	c->busy = true;
	if (x->head_only)
		http_stream_head_only(x);
	else if (x->on_ready != NULL)
		x->on_ready(x);
	c->busy = false;
}

/* --- events --- */

static void on_read(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;

	(void)bev;
	c->loop->now_ms = clock_mono_ms();
	work(c);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct http_conn *c = arg;

	(void)bev;
	c->loop->now_ms = clock_mono_ms();
	call_ready(c);
	work(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)bev;
	c->loop->now_ms = clock_mono_ms();
	if ((what & BEV_EVENT_EOF) != 0)
		c->eof = true;
	if ((what & BEV_EVENT_ERROR) != 0)
		c->doomed = true;
	work(c);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	c->armed_ms = HTTP_NEVER;
	c->loop->now_ms = clock_mono_ms();
	http_due_look(c);
	work(c);
}

void http_conn_kicked(struct http_conn *c)
{
	if (c->want_ready)
		call_ready(c);
	work(c);
}

/* --- beginning and end --- */

static void give_back(struct http_server *s, const struct sockaddr *sa)
{
	atomic_fetch_sub(&s->open, 1);
	if (s->peers != NULL)
		http_peers_leave(s->peers, sa);
}

static void name_peer(struct http_conn *c, const struct sockaddr *sa)
{
	const char *at = (const char *)sa;

	at += sa->sa_family == AF_INET6
		  ? offsetof(struct sockaddr_in6, sin6_addr)
		  : offsetof(struct sockaddr_in, sin_addr);
	if (evutil_inet_ntop(
		sa->sa_family, at, c->peer_text, sizeof(c->peer_text)) == NULL)
		c->peer_text[0] = '\0';
}

static struct http_conn *conn_new(
    struct http_loop *loop, int fd, const struct sockaddr *sa)
{
	struct http_conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->loop = loop;
	c->fd = fd;
	c->x.conn = c;
	c->armed_ms = HTTP_NEVER;
	if (http_loop_slot(loop, c) != OK) {
		free(c);
		return NULL;
	}
	c->bev = bufferevent_socket_new(loop->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (c->bev == NULL) {
		http_loop_unslot(loop, c);
		free(c);
		return NULL;
	}
	if (loop->server->peers != NULL)
		memcpy(&c->peer, sa,
		    sa->sa_family == AF_INET6 ? sizeof(c->peer.six)
					      : sizeof(c->peer.four));
	name_peer(c, sa);
	return c;
}

void http_conn_start(struct http_loop *loop, int fd, const struct sockaddr *sa)
{
	const struct http_options *opt = &loop->server->opt;
	struct http_conn *c = loop->draining ? NULL : conn_new(loop, fd, sa);

	if (c == NULL) {
		give_back(loop->server, sa);
		evutil_closesocket(fd);
		return;
	}
	loop->now_ms = clock_mono_ms();
	LIST_INSERT_HEAD(&loop->conns, c, all);
	http_count(loop, HTTP_N_CONNECTIONS, 1);
	parse_http_init(&c->x.parse, opt->max_uri_bytes, opt->max_header_bytes);
	(void)evtimer_assign(&c->timer, loop->base, on_timer, c);
	bufferevent_setcb(c->bev, on_read, on_write, on_event, c);
	/* No watermark for reading: libevent breaks when it has no memory for it. */
	bufferevent_set_max_single_read(c->bev, HTTP_READ_ONCE);
	bufferevent_setwatermark(c->bev, EV_WRITE, HTTP_WRITE_AHEAD - 1, 0);
	bufferevent_set_max_single_write(c->bev, MAX_SINGLE_WRITE);
	c->due_ms = loop->now_ms + opt->idle_ms;
	if (bufferevent_enable(c->bev, EV_READ | EV_WRITE) != 0)
		http_conn_free(c);
	else
		http_due_arm(c);
}

/* Tell the handler, if it still has the exchange. */
static void tell_gone(struct http_exchange *x)
{
	if (x->number == 0)
		return;
	x->gone = true;
	if (x->on_gone != NULL)
		x->on_gone(x);
	x->number = 0;
	http_count(x->conn->loop, HTTP_N_EXCHANGES_ENDED, 1);
}

void http_conn_free(struct http_conn *c)
{
	struct http_loop *loop = c->loop;

	/* What on_gone asks for must not come back to us. */
	c->doomed = true;
	tell_gone(&c->x);
	http_request_fini(&c->x);
	if (c->queued) {
		TAILQ_REMOVE(&loop->queue, c, queue);
		loop->n_queue--;
	}
	event_del(&c->timer);
	LIST_REMOVE(c, all);
	http_loop_unslot(loop, c);
	bufferevent_free(c->bev);
	give_back(loop->server, &c->peer.any);
	free(c);
}

void http_conn_answered(struct http_conn *c)
{
	const struct http_options *opt = &c->loop->server->opt;
	bool close = c->x.close;

	if (c->x.number != 0)
		http_count(c->loop, HTTP_N_EXCHANGES_ENDED, 1);
	c->x.number = 0;
	http_request_fini(&c->x);
	parse_http_init(&c->x.parse, opt->max_uri_bytes, opt->max_header_bytes);
	http_conn_move(c, close ? HTTP_CONN_FLUSH : HTTP_CONN_IDLE);
	if (c->busy)
		return;
	/* A timer that fired while the request was held was not set again. */
	http_due_arm(c);
	if (close || c->eof || c->doomed || http_conn_ahead(c) > 0)
		http_conn_kick(c);
}

void http_conn_refuse(struct http_conn *c, const struct parse_http_refusal *why)
{
	struct buf body;
	const char *type = NULL;

	http_count(c->loop, HTTP_N_REFUSED, 1);
	http_reply_refusal(c, why, &body, &type);
	http_reply_whole(&c->x, why->status, type, &body);
}

void http_conn_drain(struct http_conn *c)
{
	c->x.close = true;
	if (c->state == HTTP_CONN_IDLE && http_conn_ahead(c) == 0) {
		if (http_conn_pending(c) == 0)
			http_conn_free(c);
		else
			http_conn_move(c, HTTP_CONN_FLUSH);
	} else if (c->x.number != 0 && c->x.on_drain != NULL) {
		c->x.on_drain(&c->x);
	}
}
