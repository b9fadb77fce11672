#include "server/events.h"

#include "server/call.h"
#include "server/front.h"
#include "server/reader.h"
#include "server/write_page.h"
#include "store/base/clock.h"

/* What a client that never reads costs, beside its socket's buffers. */
#define PAGE_BYTES ((size_t)32 << 10)

struct events {
	struct reader reader;
	struct events_options o;
	int64_t until_ms; /* mono; INT64_MAX: for ever */
	bool reading;	  /* a page is on its way: a drain must not ask again */
	bool ended;
};

static void drop(void *state)
{
	reader_close(&((struct events *)state)->reader);
}

static int64_t time_left(const struct events *s)
{
	int64_t left = s->until_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

/* The socket has room: look for more. */
static void more(struct call *call)
{
	struct events *s = call->state;
	int64_t left = time_left(s);

	if (s->reading)
		return;
	if (s->ended) {
		call_end(call);
		return;
	}
	s->reading = true;
	reader_read(
	    &s->reader, READER_NEWS, left < s->o.ping_ms ? left : s->o.ping_ms);
}

/* The stream begins with the first page: before it, an id can be wrong. */
static void begin(struct events *s, struct buf *b)
{
	struct call *call = s->reader.call;

	if (s->o.hello)
		buf_puts(b, s->o.hello);
	http_reply_header(call->x, "Cache-Control", "no-cache");
	http_reply_header(call->x, "X-Accel-Buffering", "no");
	call->on_ready = more;
	call->events = true;
}

static void write_events(struct events *s, struct buf *b, struct page *page)
{
	const struct front *front = s->reader.call->front;
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c))
		front->event_chunk(b, &c);
	if (page_final(page)) {
		front->event_result(b, page);
		s->ended = true;
	} else if (page->n == 0 && time_left(s) == 0) {
		s->ended = true;
	} else if (page->n == 0) {
		buf_puts(b, ": ping\n\n");
	}
	s->reader.q.from = page_next(page);
}

static void on_page(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct events *s = (struct events *)r;
	struct call *call = r->call;
	bool first = !call->started;
	struct buf b;

	s->reading = false;
	if (e != OK) {
		call_fail_err(call, e, why);
		return;
	}
	if (first && s->o.over_is_204 && page->n == 0 && page_final(page)) {
		call_reply_empty(call, 204);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	if (first)
		begin(s, &b);
	write_events(s, &b, page);
	if (buf_state(&b) != OK) {
		call_fail_err(call, buf_state(&b), NULL);
	} else if (b.len == 0) {
		/* Nothing is written, so nothing will drain. */
		call_end(call);
	} else {
		if (first)
			call_stream(call, 200, "text/event-stream");
		(void)http_stream_write(call->x, b.data, b.len);
	}
	buf_fini(&b);
}

void events_start(
    struct call *call, const struct id *id, const struct events_options *o)
{
	struct events *s = call_state(call, sizeof(*s), drop);

	if (!s) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	s->o = *o;
	s->until_ms = o->wait_ms == EVENTS_FOR_EVER
			  ? INT64_MAX
			  : clock_mono_ms() + o->wait_ms;
	reader_init(&s->reader, call, id, on_page);
	s->reader.q.from = o->from;
	s->reader.q.max_bytes = PAGE_BYTES;
	s->reading = true;
	/* The first look does not wait: headers leave at once. */
	reader_read(&s->reader, READER_NOW, 0);
}
