#include "server/ws_internal.h"

#include <stdlib.h>

#include "server/service_internal.h"
#include "store/base/clock.h"
#include "store/base/log.h"

/*
 * A socket's life: every event (bytes, room, news, a page, a commit, the timer)
 * enters, notes and does what it is about, and leaves; the last one to leave
 * lets the logs have their turns, sends, and ends the socket if it is closed.
 * Nothing else frees it but its client's going.
 */

/* Fed at once; then what was asked for may be sent. */
#define SLICE_BYTES 4096
/* While so much waits to be taken nothing is read: pings are answered, too. */
#define INPUT_AHEAD ((size_t)64 << 10)
/* Of all messages that are not whole; past it new ones are closed by 1013. */
#define HELD_MAX_BYTES ((size_t)64 << 20)
/* A message's buffer that is no more than this is not counted. */
#define HELD_FREE_BYTES 4096
/* Pings without a sign of life. */
#define MISSED_PINGS 3

size_t ws_pending(const struct ws *ws)
{
	return http_stream_write(ws->call->x, NULL, 0) +
	       ws_frame_out(ws->frame)->len;
}

void ws_send(struct ws *ws, struct buf *b)
{
	if (buf_state(b) == OK)
		ws_frame_text(ws->frame, b->data, b->len);
	else
		ws_frame_close(ws->frame, WS_FRAME_INTERNAL,
		    "a message could not be made");
	buf_reset(b);
}

void ws_enter(struct ws *ws)
{
	ws->busy++;
}

static void flush(struct ws *ws)
{
	struct buf *out = ws_frame_out(ws->frame);

	if (out->len > 0)
		(void)http_stream_write(ws->call->x, out->data, out->len);
	buf_fini(out);
}

void ws_leave(struct ws *ws)
{
	bool closed;

	ASSERT(ws->busy > 0);
	if (ws->busy > 1) {
		ws->busy--;
		return;
	}
	if (!ws_frame_closed(ws->frame))
		ws_follow_turns(ws);
	if (ws->draining && LIST_EMPTY(&ws->call->parts))
		ws_frame_close(
		    ws->frame, WS_FRAME_GOING_AWAY, "the server is stopping");
	closed = ws_frame_closed(ws->frame);
	flush(ws);
	ws->busy--;
	if (closed)
		call_upgrade_end(ws->call);
}

/* Messages that are not whole have a ceiling for all sockets together. */
static void count_held(struct ws *ws)
{
	_Atomic size_t *all = &ws->call->service->socket_bytes;
	size_t held = ws_frame_held(ws->frame);

	if (held <= HELD_FREE_BYTES)
		held = 0;
	if (held > ws->counted &&
	    atomic_fetch_add(all, held - ws->counted) + held - ws->counted >
		HELD_MAX_BYTES)
		ws_frame_close(ws->frame, WS_FRAME_TRY_LATER,
		    "too many large messages at once");
	if (held < ws->counted)
		atomic_fetch_sub(all, ws->counted - held);
	ws->counted = held;
}

static void on_text(void *arg, const char *text, size_t len)
{
	ws_message(arg, text, len);
}

static size_t on_bytes(struct call *call, const char *data, size_t len)
{
	struct ws *ws = call->state;
	bool partial = ws_frame_partial(ws->frame);

	if (ws_pending(ws) >= INPUT_AHEAD)
		return 0;
	len = len < SLICE_BYTES ? len : SLICE_BYTES;
	ws_enter(ws);
	ws->heard_ms = clock_mono_ms();
	ws_frame_feed(ws->frame, data, len);
	if (!partial && ws_frame_partial(ws->frame))
		ws->began_ms = ws->heard_ms;
	count_held(ws);
	ws_leave(ws);
	return len;
}

static void on_ready(struct call *call)
{
	ws_enter(call->state);
	ws_leave(call->state);
}

static void on_drain(struct call *call)
{
	struct ws *ws = call->state;

	ws_enter(ws);
	ws->draining = true;
	ws_leave(ws);
}

static void on_wake(struct call *call)
{
	struct ws *ws = call->state;
	struct call *part = LIST_FIRST(&call->parts);

	ws_enter(ws);
	while (part) {
		struct ws_part *p = part->memo;

		if (!atomic_exchange(&part->woken, false)) {
			part = LIST_NEXT(part, link);
		} else if (p->kind == WS_FOLLOW) {
			ws_follow_woken(p);
			part = LIST_NEXT(part, link);
		} else {
			/* May end: what is left is looked at again. */
			if (part->on_wake)
				part->on_wake(part);
			part = LIST_FIRST(&call->parts);
		}
	}
	ws_leave(ws);
}

static void on_timer(void *arg);

static void arm(struct ws *ws)
{
	ws->timer = http_loop_after(
	    ws->call->loop, ws->call->service->o.ping_ms, on_timer, ws);
	/* Without it nobody would notice that the client is dead. */
	if (!ws->timer)
		ws_frame_close(ws->frame, WS_FRAME_TRY_LATER, "no memory now");
}

/* While bytes wait for the client, it is the connection that judges. */
static void look_for_life(struct ws *ws, int64_t now_ms)
{
	if (ws_pending(ws) > 0)
		return;
	if (now_ms - ws->heard_ms >=
	    MISSED_PINGS * ws->call->service->o.ping_ms)
		ws_frame_close(
		    ws->frame, WS_FRAME_POLICY, "no answer to three pings");
	else
		ws_frame_ping(ws->frame);
}

static void on_timer(void *arg)
{
	struct ws *ws = arg;
	const struct service_options *o = &ws->call->service->o;
	int64_t now_ms = clock_mono_ms();

	ws->timer = NULL;
	ws_enter(ws);
	if (service_still(ws->call) != OK)
		ws_frame_close(ws->frame, WS_FRAME_POLICY,
		    "the key is not in use any more");
	else if (ws_frame_partial(ws->frame) &&
		 now_ms - ws->began_ms >= o->message_ms)
		ws_frame_close(
		    ws->frame, WS_FRAME_POLICY, "a message took too long");
	else
		look_for_life(ws, now_ms);
	arm(ws);
	ws_leave(ws);
}

static void drop(void *state)
{
	struct ws *ws = state;

	ws_part_cancel_all(ws);
	if (ws->timer)
		http_timer_cancel(ws->timer);
	if (ws->counted > 0)
		atomic_fetch_sub(&ws->call->service->socket_bytes, ws->counted);
	ws_frame_free(ws->frame);
}

void ws_start(struct call *call)
{
	struct ws *ws = call_state(call, sizeof(*ws), drop);
	struct ws_frame_options o = {
		.max_message = call->service->o.max_message_bytes,
		.on_text = on_text,
		.arg = ws,
	};

	if (ws)
		ws->call = call;
	if (!ws || ws_frame_new(&o, &ws->frame) != OK) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	TAILQ_INIT(&ws->turns);
	ws->heard_ms = clock_mono_ms();
	call->on_bytes = on_bytes;
	call->on_ready = on_ready;
	call->on_wake = on_wake;
	call->on_drain = on_drain;
	call_upgrade(call, "websocket");
	ws_enter(ws);
	arm(ws);
	ws_leave(ws);
}
