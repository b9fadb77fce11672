/* Logs that a socket follows, a page each in turn. */
#include <string.h>

#include "server/reader.h"
#include "server/service_internal.h"
#include "server/write_page.h"
#include "server/ws_internal.h"
#include "store/base/jsonout.h"

/* A page: what a client that never reads costs, beside its socket's buffers. */
#define PAGE_BYTES ((size_t)16 << 10)
#define PAGE_CHUNKS 64
/* Pages for one socket before others have their turn. */
#define TURN_PAGES 4
/* A wait ends by news; this only bounds it. */
#define WAIT_MS 3600000

static void queue(struct ws_part *p)
{
	if (!p->queued)
		TAILQ_INSERT_TAIL(&ws_of(p->part)->turns, p, turn);
	p->queued = true;
}

void ws_follow_woken(struct ws_part *p)
{
	/* One that does not wait will look by itself. */
	if (p->waiting)
		queue(p);
}

/* ${b} holds "…}" and at ${at} begins an object: its members join. */
static void join(struct buf *b, size_t at)
{
	if (buf_state(b) != OK)
		return;
	/* ",{" is what was put between. */
	memmove(b->data + at + 1, b->data + at + 2, b->len - at - 2);
	b->len--;
}

static void tell_subscribed(
    struct ws *ws, struct ws_part *p, const struct page *page, struct buf *b)
{
	if (p->told)
		return;
	p->told = true;
	ws_part_head(b, "subscribed", p->tag, &p->id);
	jsonout_member_int(b, "from", (int64_t)p->from);
	jsonout_member(b, "status", execution_status_name(page->status));
	jsonout_object_end(b);
	ws_send(ws, b);
}

static void tell_chunks(
    struct ws *ws, struct ws_part *p, struct page *page, struct buf *b)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c)) {
		size_t head;

		if (p->query) {
			ws_query_chunk(p, &c);
			continue;
		}
		ws_part_head(b, "chunk", NULL, &p->id);
		head = b->len;
		write_page_chunk(b, &c);
		join(b, head);
		ws_send(ws, b);
	}
}

static void tell_end(struct ws *ws, const struct page *page, struct buf *b)
{
	size_t head;

	ws_part_head(b, "end", NULL, NULL);
	head = b->len;
	write_page_head(b, page);
	join(b, head);
	ws_send(ws, b);
}

static void on_page(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct ws_part *p = r->call->memo;
	struct ws *ws = ws_of(r->call);
	struct buf b;

	if (ws->reading == r->call->part)
		ws->reading = 0;
	p->waiting = false;
	if (e != OK) {
		call_fail_err(r->call, e, why);
		return;
	}
	ws_enter(ws);
	/* May have been a long wait. */
	if (service_still(ws->call) != OK) {
		ws_frame_close(ws->frame, WS_FRAME_POLICY,
		    "the key is not in use any more");
		ws_leave(ws);
		return;
	}
	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	tell_subscribed(ws, p, page, &b);
	tell_chunks(ws, p, page, &b);
	p->from = r->q.from = page_next(page);
	if (!page_final(page)) {
		queue(p);
	} else {
		if (p->query)
			ws_query_end(p, page);
		else
			tell_end(ws, page, &b);
		ws_part_end(p);
	}
	buf_fini(&b);
	ws_leave(ws);
}

static void drop(void *state)
{
	reader_close(state);
}

void ws_follow_start(struct ws_part *p)
{
	struct reader *r = call_state(p->part, sizeof(*r), drop);

	if (!r) {
		call_fail_err(p->part, ERR_NOMEM, NULL);
		return;
	}
	p->kind = WS_FOLLOW;
	reader_init(r, p->part, &p->id, on_page);
	r->q = (struct page_query){ p->from, PAGE_CHUNKS, PAGE_BYTES };
	queue(p);
}

/* One log's turn: a page, now or when there is news. */
static void take_turn(struct ws *ws, struct ws_part *p)
{
	struct call *part = p->part;
	uint64_t number = part->part;

	TAILQ_REMOVE(&ws->turns, p, turn);
	p->queued = false;
	ws->reading = number;
	/* Whether it is there is said at once. */
	reader_read(part->state, p->told ? READER_NEWS : READER_NOW,
	    p->told ? WAIT_MS : 0);
	if (ws->reading != number)
		return;
	/* Neither a page nor an end: it waits for news, or for the disk. */
	p->waiting = ((struct reader *)part->state)->timer != NULL;
	if (p->waiting)
		ws->reading = 0;
}

void ws_follow_turns(struct ws *ws)
{
	size_t had = ws_frame_out(ws->frame)->len;
	unsigned pages = 0;

	while (!TAILQ_EMPTY(&ws->turns) && ws->reading == 0 &&
	       pages < TURN_PAGES && ws_pending(ws) < WS_AHEAD &&
	       !ws_frame_closed(ws->frame)) {
		take_turn(ws, TAILQ_FIRST(&ws->turns));
		if (ws_frame_out(ws->frame)->len != had)
			pages++;
		had = ws_frame_out(ws->frame)->len;
	}
}
