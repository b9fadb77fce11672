/*
 * Server-sent events (WHATWG HTML 9.2): a browser's EventSource, or anyone who
 * reads lines. A chunk is a message whose id is its index; "end" and "problem"
 * are events of their own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "server/body.h"
#include "server/call.h"
#include "server/events.h"
#include "server/front.h"
#include "server/front_handlers.h"
#include "server/front_ticket.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/write_page.h"
#include "store/base/clock.h"
#include "store/base/jsonout.h"

static int status(const struct problem *p)
{
	return problem_kind(p->code)->status;
}

static void event_chunk(struct buf *b, const struct chunk *c)
{
	buf_printf(b, "id: %llu\ndata: ", (unsigned long long)c->index);
	write_page_chunk(b, c);
	buf_puts(b, "\n\n");
}

static void event_end(struct buf *b, const struct page *last)
{
	buf_puts(b, "event: end\ndata: ");
	write_page_head(b, last);
	buf_puts(b, "\n\n");
}

/* Not "error": that is what EventSource calls a connection's end. */
static void event_problem(struct buf *b, const struct problem *p)
{
	buf_puts(b, "event: problem\ndata: ");
	problem_json(b, p, NULL);
	buf_puts(b, "\n\n");
}

const struct front front_sse = {
	.name = "sse",
	.page = write_page,
	.problem_type = "application/problem+json",
	.problem = problem_json,
	.problem_status = status,
	.event_chunk = event_chunk,
	.event_result = event_end,
	.event_problem = event_problem,
};

/* --- the stream --- */

/*
 * The last index that the client has: a reconnecting EventSource says it in a
 * header, which is newer than what its URL says. -1: none.
 */
static enum err read_after(struct call *call, int64_t *ret)
{
	static const char *const names[] = { "after", NULL };
	enum err e = events_last_id(call, ret);

	if (e != OK || *ret >= 0)
		return e;
	return call_number(call, names, -1, INT64_MAX - 1, ret);
}

void front_sse_events(struct call *call)
{
	static const char *const wait_names[] = { "wait_ms", NULL };
	int64_t after = -1, wait_ms = EVENTS_FOR_EVER;
	struct id id;

	if (call_id(call, &id) != OK || read_after(call, &after) != OK ||
	    call_number(call, wait_names, 0, BODY_MAX_WAIT_MS, &wait_ms) != OK)
		return;
	events_start(call, &id,
	    &(struct events_options){ .from = (uint64_t)(after + 1),
		.ping_ms = call->service->o.ping_ms,
		.wait_ms = wait_ms,
		.hello = "retry: 1000\n\n",
		.over_is_204 = after >= 0 });
}

/* --- tickets --- */

static void ticket_drop(void *state)
{
	reader_close(state);
}

/* Only for what is there, and the caller's. */
static void on_seen(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	(void)page;
	if (e != OK)
		call_fail_err(r->call, e, why);
	else
		front_ticket_answer(r->call, &r->id);
}

void front_sse_ticket(struct call *call)
{
	struct reader *r;
	struct id id;

	if (call_id(call, &id) != OK)
		return;
	r = call_state(call, sizeof(*r), ticket_drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(r, call, &id, on_seen);
	r->q.limit = 1;
	reader_read(r, READER_NOW, 0);
}
