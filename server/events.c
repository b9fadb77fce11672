#include "server/events.h"

#include <errno.h>
#include <stdlib.h>

#include "server/call.h"
#include "server/front.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/telling.h"
#include "server/write_page.h"
#include "store/base/clock.h"

/* What a client that never reads costs, beside its socket's buffers. */
#define PAGE_BYTES ((size_t)32 << 10)
/* A row of some bytes may become an event of some hundred. */
#define TOLD_CHUNKS 256

struct events {
	struct reader reader;
	struct events_options o;
	int64_t until_ms; /* mono; INT64_MAX: for ever */
	bool reading;	  /* a page is on its way: a drain must not ask again */
	bool ended;
};

static void drop(void *state)
{
	struct events *s = state;

	reader_close(&s->reader);
	telling_free(s->o.telling);
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
static void begin(struct events *s)
{
	struct call *call = s->reader.call;

	http_reply_header(call->x, "Cache-Control", "no-cache");
	http_reply_header(call->x, "X-Accel-Buffering", "no");
	call->on_ready = more;
	call->events = true;
	call_stream(call, 200, "text/event-stream");
}

/* False: the request is refused by ${refusal}, which may be NULL. */
static bool tell(struct events *s, struct buf *b, const struct page *page,
    struct problem *refusal)
{
	const struct front *front = s->reader.call->front;
	struct page_cursor at = { 0 };
	struct chunk c;

	if (s->o.telling) {
		enum telling_state state =
		    telling_page(s->o.telling, b, page, refusal);

		s->ended = state != TELLING_ON;
		return state != TELLING_REFUSED;
	}
	while (page_each(page, &at, &c))
		front->event_chunk(b, &c);
	s->ended = page_final(page);
	if (s->ended)
		front->event_result(b, page);
	return true;
}

static bool write_events(struct events *s, struct buf *b,
    const struct page *page, struct problem *refusal)
{
	bool first = refusal;

	if (first && s->o.hello)
		buf_puts(b, s->o.hello);
	if (!tell(s, b, page, refusal))
		return false;
	if (!s->ended && page->n == 0 && time_left(s) == 0)
		s->ended = true;
	else if (!s->ended && page->n == 0)
		buf_puts(b, ": ping\n\n");
	/* What is not written does not drain, and is not a beginning. */
	if (b->len == 0 && (first || !s->ended))
		buf_puts(b, ": ping\n\n");
	s->reader.q.from = page_next(page);
	return true;
}

static void on_page(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct events *s = (struct events *)r;
	struct call *call = r->call;
	bool first = !call->started;
	struct problem refusal;
	struct buf b;

	s->reading = false;
	if (e != OK) {
		call_fail_err(call, e, why);
		return;
	}
	/* May have been a long wait. */
	if (service_still(call) != OK) {
		call_refuse(call, PROBLEM_UNAUTHENTICATED, NULL,
		    "the key is not in use any more");
		return;
	}
	if (first && s->o.over_is_204 &&
	    (s->o.telling ? execution_ended(page->status)
			  : page->n == 0 && page_final(page))) {
		call_reply_empty(call, 204);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	if (!write_events(s, &b, page, first ? &refusal : NULL)) {
		call_fail(call, &refusal);
	} else if (buf_state(&b) != OK) {
		call_fail_err(call, buf_state(&b), NULL);
	} else if (b.len == 0) {
		call_end(call);
	} else {
		if (first)
			begin(s);
		(void)http_stream_write(call->x, b.data, b.len);
	}
	buf_fini(&b);
}

enum err events_last_id(struct call *call, int64_t *ret)
{
	const char *text = http_header(call->x, "Last-Event-ID");
	char *end;
	long long v;

	if (!text || !*text)
		return OK;
	errno = 0;
	v = strtoll(text, &end, 10);
	if (*end || errno || v < 0 || v == INT64_MAX || *text == ' ' ||
	    *text == '+') {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "Last-Event-ID",
		    "Last-Event-ID must be the id of an event of this stream");
		return ERR_INPUT;
	}
	*ret = v;
	return OK;
}

void events_start(
    struct call *call, const struct id *id, const struct events_options *o)
{
	struct events *s = call_state(call, sizeof(*s), drop);

	if (!s) {
		telling_free(o->telling);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	s->o = *o;
	s->until_ms = o->wait_ms == EVENTS_FOR_EVER
			  ? INT64_MAX
			  : clock_mono_ms() + o->wait_ms;
	reader_init(&s->reader, call, id, on_page);
	s->reader.q.from = o->telling ? 0 : o->from;
	s->reader.q.max_bytes = PAGE_BYTES;
	if (o->telling)
		s->reader.q.limit = o->telling->kind->apart ? 1 : TOLD_CHUNKS;
	s->reading = true;
	/* Unless it may be held, the first look does not wait: headers leave. */
	reader_read(
	    &s->reader, o->hold_ms > 0 ? READER_NEWS : READER_NOW, o->hold_ms);
}
