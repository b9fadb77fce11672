/*
 * Durable Streams: reading, once, until there is news, or as events.
 *
 *   look up ──► a page ──► answer
 *                │  ▲
 *                ▼  └── news, or time ── (long-poll, events)
 *               wait
 *
 * What lies below a fork's own log comes from its source, on the read pool; all
 * else, and an execution, is the reader's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/call.h"
#include "server/durable.h"
#include "server/front_handlers.h"
#include "server/read_pool.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/write_stream.h"
#include "store/base/clock.h"
#include "store/base/digest.h"

/* Ends before proxies give up; a client then asks again where it was. */
#define POLL_MS 20000
#define EVENTS_MS 60000
#define PING_MS 15000
/* Beyond any place: where the stream ends. */
#define AT_TAIL (UINT64_C(1) << 40)
#define TAG_BYTES 8
#define EVENTS_PAGE_BYTES ((size_t)32 << 10)

enum mode {
	MODE_ONCE,
	MODE_POLL,
	MODE_EVENTS,
};

struct reading {
	struct reader reader;
	enum mode mode;
	enum write_stream_form form;
	bool head;
	bool now; /* asked from the end on */
	bool base64;
	bool resolved; /* from is a place, not AT_TAIL */
	bool busy;     /* a page is on its way: a drain must not ask again */
	bool ended;
	uint64_t cursor;  /* the client's; 0: none */
	int64_t until_ms; /* mono */
	struct stream s;  /* of an execution: id, type and total alone */
};

static void drop(void *state)
{
	reader_close(&((struct reading *)state)->reader);
}

/* What a page says beside its messages. */
struct place {
	uint64_t next;
	bool up_to_date, closed;
};

/* --- a stream that is used lives on --- */

struct renewal {
	struct write write;
	struct stream_write ask;
	struct service *service;
};

static void renewed(struct write *w)
{
	struct renewal *r = (struct renewal *)w;
	struct service *s = r->service;

	free(r);
	service_write_end(s);
}

/* Nobody waits for it; when it cannot be written now, the next use will. */
static void renew(struct reading *r)
{
	struct service *s = r->reader.call->service;
	int64_t until = stream_renewal(&r->s, clock_wall_ms());
	struct renewal *n;

	if (until == 0 || r->head)
		return;
	n = calloc(1, sizeof(*n));
	if (!n)
		return;
	n->write.kind = WRITE_STREAM;
	n->write.mail.bytes = sizeof(*n);
	n->write.on_done = renewed;
	n->write.u.stream = &n->ask;
	n->ask.kind = STREAM_RENEW;
	n->ask.stream = r->s;
	n->service = s;
	service_write_begin(s);
	if (writer_post(s->o.store, &n->write) == OK) {
		r->s.expires_ms = until;
		return;
	}
	free(n);
	service_write_end(s);
}

/* --- answers --- */

static uint64_t cursor_of(const struct reading *r)
{
	uint32_t random;

	id_random(&random, sizeof(random));
	return write_stream_cursor(clock_wall_ms(), r->cursor, random);
}

static void place_headers(struct reading *r, const struct place *p)
{
	struct call *call = r->reader.call;

	durable_next(call, p->next);
	if (p->up_to_date)
		http_reply_header(call->x, "Stream-Up-To-Date", "true");
	if (p->closed)
		http_reply_header(call->x, "Stream-Closed", "true");
	if (r->mode == MODE_POLL && !p->closed)
		durable_number(call, "Stream-Cursor", cursor_of(r));
}

static void answer_head(struct reading *r, bool closed)
{
	struct call *call = r->reader.call;
	char type[STREAM_TYPE_BYTES];
	struct buf none;

	durable_next(call, r->s.total);
	if (closed)
		http_reply_header(call->x, "Stream-Closed", "true");
	if (r->s.ttl_s >= 0)
		durable_number(call, "Stream-TTL", (uint64_t)r->s.ttl_s);
	if (r->s.expires_at[0] != '\0')
		http_reply_header(
		    call->x, "Stream-Expires-At", r->s.expires_at);
	http_reply_header(call->x, "Cache-Control", "no-store");
	memcpy(type, r->s.type, sizeof(type));
	buf_init(&none, 1);
	call_reply(call, 200, type, &none);
}

/*
 * What tells this stream from another that had its name. Not the log's id: with
 * that the log could be asked for as if it were an execution.
 */
static void tag_of(const struct stream *s, char dst[2 * TAG_BYTES + 1])
{
	uint8_t hash[DIGEST_BYTES];

	digest_sha256(s->id.byte, sizeof(s->id.byte), hash);
	for (size_t i = 0; i < TAG_BYTES; i++)
		(void)snprintf(dst + 2 * i, 3, "%02x", (unsigned)hash[i]);
}

/* True: the client has it already, and was told so. */
static bool answer_known(
    struct reading *r, uint64_t from, const struct place *p)
{
	struct call *call = r->reader.call;
	const char *match = http_header(call->x, "If-None-Match");
	char tag[2 * TAG_BYTES + 1], etag[128];

	if (r->now)
		return false;
	tag_of(&r->s, tag);
	(void)snprintf(etag, sizeof(etag), "\"%s:%llu:%llu%s\"", tag,
	    (unsigned long long)from, (unsigned long long)p->next,
	    p->closed ? ":c" : "");
	http_reply_header(call->x, "ETag", etag);
	if (!match || (strcmp(match, "*") != 0 && !strstr(match, etag)))
		return false;
	call_reply_empty(call, 304);
	return true;
}

static void answer_page(
    struct reading *r, const struct page *page, const struct place *p)
{
	struct call *call = r->reader.call;
	char type[STREAM_TYPE_BYTES];
	struct buf b;

	place_headers(r, p);
	http_reply_header(call->x, "Cache-Control",
	    p->up_to_date ? "no-store"
			  : "private, max-age=60, stale-while-revalidate=300");
	if (r->mode == MODE_POLL && page->n == 0) {
		call_reply_empty(call, 204);
		return;
	}
	if (answer_known(r, page->first, p))
		return;
	buf_init(&b, WRITE_STREAM_MAX_BYTES);
	write_stream_body(&b, page, r->form);
	memcpy(type, r->s.type, sizeof(type));
	call_reply(call, 200, type, &b);
}

/* --- events --- */

static void look(struct reading *r);

static int64_t time_left(const struct reading *r)
{
	int64_t left = r->until_ms - clock_mono_ms();

	return left > 0 ? left : 0;
}

/* The socket has room. */
static void more(struct call *call)
{
	struct reading *r = call->state;

	if (r->busy)
		return;
	if (r->ended)
		call_end(call);
	else
		look(r);
}

static void begin_events(struct reading *r)
{
	struct call *call = r->reader.call;

	http_reply_header(call->x, "Cache-Control", "no-cache");
	http_reply_header(call->x, "X-Accel-Buffering", "no");
	if (r->base64)
		http_reply_header(
		    call->x, "Stream-SSE-Data-Encoding", "base64");
	call->on_ready = more;
	call_stream(call, 200, "text/event-stream");
}

/* Messages and how to go on behind them leave in one write. */
static void tell(
    struct reading *r, const struct page *page, const struct place *p)
{
	struct call *call = r->reader.call;
	bool first = !call->started;
	struct buf b;

	buf_init(&b, WRITE_STREAM_MAX_BYTES);
	write_stream_event(&b, page, r->form, r->base64);
	r->ended = p->closed || (page->n == 0 && time_left(r) == 0);
	if (first || page->n > 0 || p->closed)
		write_stream_control(
		    &b, &(struct write_stream_control){ .next = p->next,
			    .cursor = cursor_of(r),
			    .up_to_date = p->up_to_date,
			    .closed = p->closed });
	else if (!r->ended)
		buf_puts(&b, ": ping\n\n");
	if (buf_state(&b) != OK) {
		call_fail_err(call, buf_state(&b), NULL);
	} else if (b.len == 0) {
		/* Nothing is written, so nothing will drain. */
		call_end(call);
	} else {
		if (first)
			begin_events(r);
		(void)http_stream_write(call->x, b.data, b.len);
	}
	buf_fini(&b);
}

/* --- pages --- */

/* A page of a stream that has ${total} messages, and is ${closed} or open. */
static void take(
    struct reading *r, struct page *page, uint64_t total, bool closed)
{
	struct place p = { .next = page_next(page) };

	r->s.total = total;
	r->resolved = true;
	if (p.next > total)
		page->first = p.next = total;
	p.up_to_date = p.next == total;
	p.closed = closed && p.up_to_date;
	r->reader.q.from = p.next;
	if (r->head)
		answer_head(r, closed);
	else if (r->mode == MODE_EVENTS)
		tell(r, page, &p);
	else if (r->mode == MODE_POLL && page->n == 0 && !closed &&
		 time_left(r) > 0)
		look(r);
	else
		answer_page(r, page, &p);
}

static void on_page(
    struct reader *reader, enum err e, const struct why *why, struct page *page)
{
	struct reading *r = (struct reading *)reader;
	struct call *call = reader->call;

	r->busy = false;
	/* A stream that was deleted while it was read. */
	if (e == OK && r->form != WRITE_STREAM_EXECUTION &&
	    page->status == EXECUTION_CANCELLED)
		e = ERR_NOT_FOUND;
	if (call->started && (e != OK || service_still(call) != OK))
		call_end(call);
	else if (e != OK)
		call_fail_err(call, e, why);
	else
		take(r, page, page->total, execution_ended(page->status));
}

/* Messages of which the first is the source's. */
struct inherited_job {
	struct read_job job;
	struct stream s;
	struct page_query q;
	struct page page;
};

static void inherited_run(struct read_job *job, struct query *q)
{
	struct inherited_job *j = (struct inherited_job *)job;

	job->result = query_stream_page(q, &j->s, &j->q, &j->page);
}

static void inherited_done(struct read_job *job, struct call *call)
{
	struct inherited_job *j = (struct inherited_job *)job;
	struct reading *r = call->state;

	r->busy = false;
	if (job->result == OK)
		take(r, &j->page, j->page.total,
		    execution_ended(j->page.status));
	else if (call->started)
		call_end(call);
	else
		call_fail_err(call, job->result, &job->why);
}

static void inherited_drop(struct read_job *job)
{
	struct inherited_job *j = (struct inherited_job *)job;

	page_fini(&j->page);
	free(j);
}

static void look_above(struct reading *r)
{
	struct call *call = r->reader.call;
	struct inherited_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = inherited_run;
	j->job.done = inherited_done;
	j->job.drop = inherited_drop;
	j->s = r->s;
	j->q = r->reader.q;
	page_init(&j->page);
	(void)read_pool_ask(call, &j->job);
}

/* Ask for the next page; the first look never waits. */
static void look(struct reading *r)
{
	int64_t left = time_left(r);

	r->busy = true;
	renew(r);
	if (r->mode == MODE_EVENTS && left > PING_MS)
		left = PING_MS;
	if (r->reader.q.from < r->s.first)
		look_above(r);
	else if (r->mode == MODE_ONCE || !r->resolved)
		reader_read(&r->reader, READER_NOW, 0);
	else
		reader_read(&r->reader, READER_NEWS, left);
}

/* --- which stream --- */

struct lookup_job {
	struct read_job job;
	char owner[KEY_NAME_BYTES];
	char name[STREAM_NAME_BYTES];
	struct stream s;
};

static void lookup_run(struct read_job *job, struct query *q)
{
	struct lookup_job *j = (struct lookup_job *)job;

	job->result = query_stream(q, j->owner, j->name, &j->s);
}

static void lookup_done(struct read_job *job, struct call *call)
{
	struct lookup_job *j = (struct lookup_job *)job;
	struct reading *r = call->state;

	if (job->result == ERR_GONE) {
		call_refuse(call, PROBLEM_GONE, NULL,
		    "it was deleted; only forks of it can be read");
		return;
	}
	if (job->result != OK) {
		call_fail_err(call, job->result, &job->why);
		return;
	}
	r->s = j->s;
	r->reader.id = j->s.id;
	if (r->head) {
		answer_head(r, r->s.closed);
		return;
	}
	r->form =
	    stream_is_json(r->s.type) ? WRITE_STREAM_JSON : WRITE_STREAM_BYTES;
	r->base64 = r->form == WRITE_STREAM_BYTES &&
		    strncasecmp(r->s.type, "text/", 5) != 0;
	look(r);
}

static void lookup_drop(struct read_job *job)
{
	free(job);
}

static void look_up(struct reading *r, const char *name)
{
	struct call *call = r->reader.call;
	struct lookup_job *j = calloc(1, sizeof(*j));

	if (!j) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	j->job.run = lookup_run;
	j->job.done = lookup_done;
	j->job.drop = lookup_drop;
	memcpy(j->owner, call->who.owner, sizeof(j->owner));
	(void)snprintf(j->name, sizeof(j->name), "%s", name);
	(void)read_pool_ask(call, &j->job);
}

/* An execution is a stream of JSON that spool appends to. */
static void look_at_execution(struct reading *r, const char *text)
{
	struct call *call = r->reader.call;

	if (id_parse(text, strlen(text), &r->s.id) != OK) {
		call_fail_err(call, ERR_NOT_FOUND, NULL);
		return;
	}
	r->reader.id = r->s.id;
	r->form = WRITE_STREAM_EXECUTION;
	(void)snprintf(r->s.type, sizeof(r->s.type), "%s", "application/json");
	r->s.ttl_s = -1;
	look(r);
}

/*
 * The server stops: whoever waits goes on where it is, elsewhere or later. An
 * execution's readers are told its end.
 */
static void drained(struct call *call)
{
	struct reading *r = call->state;

	if (r->form == WRITE_STREAM_EXECUTION)
		return;
	r->until_ms = 0;
	if (r->reader.timer)
		reader_read(&r->reader, READER_NOW, 0);
}

/* --- what is asked --- */

/* ERR_INPUT, answered. */
static enum err read_offset(struct call *call, struct reading *r, bool live)
{
	char text[80];
	enum err e = http_query_value(call->x, "offset", text, sizeof(text));

	if (e == ERR_NOT_FOUND && live) {
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "offset",
		    "a live read says from where: offset=-1, now, or what "
		    "Stream-Next-Offset said");
		return ERR_INPUT;
	}
	if (e == ERR_NOT_FOUND || (e == OK && strcmp(text, "-1") == 0)) {
		r->reader.q.from = 0;
		return OK;
	}
	if (e == OK && strcmp(text, "now") == 0) {
		r->now = true;
		r->reader.q.from = AT_TAIL;
		return OK;
	}
	if (e == OK)
		e = stream_offset_parse(text, &r->reader.q.from);
	if (e == OK && r->reader.q.from > AT_TAIL)
		r->reader.q.from = AT_TAIL;
	if (e != OK)
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, "offset",
		    "offset must be sent once and be -1, now, or what "
		    "Stream-Next-Offset said");
	return e == OK ? OK : ERR_INPUT;
}

static void read_cursor(struct call *call, struct reading *r)
{
	char text[20], *end;
	unsigned long long v;

	if (http_query_value(call->x, "cursor", text, sizeof(text)) != OK ||
	    text[0] < '0' || text[0] > '9')
		return;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (*end == '\0' && errno == 0)
		r->cursor = v;
}

/* Anything but the two words is no live read. */
static enum mode read_mode(struct call *call)
{
	char text[16];

	if (http_query_value(call->x, "live", text, sizeof(text)) != OK)
		return MODE_ONCE;
	if (strcmp(text, "long-poll") == 0)
		return MODE_POLL;
	return strcmp(text, "sse") == 0 ? MODE_EVENTS : MODE_ONCE;
}

/* How long a long-poll waits: as the client says, in seconds, or POLL_MS. */
static enum err read_wait(struct call *call, enum mode mode, int64_t *ret_ms)
{
	static const char *const names[] = { "timeout", NULL };
	int64_t most = call->service->o.max_wait_ms, seconds = -1;

	if (mode == MODE_EVENTS) {
		*ret_ms = EVENTS_MS;
		return OK;
	}
	if (call_number(call, names, 0, 3600, &seconds) != OK)
		return ERR_INPUT;
	*ret_ms = seconds < 0 ? POLL_MS : seconds * 1000;
	if (*ret_ms > most)
		*ret_ms = most;
	return OK;
}

void front_durable_read(struct call *call)
{
	size_t n = strlen(DURABLE_EXECUTIONS);
	char name[STREAM_NAME_BYTES];
	struct reading *r;
	int64_t wait_ms;

	durable_headers(call);
	if (durable_name(call, name) != OK)
		return;
	r = call_state(call, sizeof(*r), drop);
	if (!r) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	reader_init(&r->reader, call, &(struct id){ { 0 } }, on_page);
	r->head = http_method(call->x) == HTTP_HEAD;
	r->mode = r->head ? MODE_ONCE : read_mode(call);
	if (read_offset(call, r, r->mode != MODE_ONCE) != OK ||
	    read_wait(call, r->mode, &wait_ms) != OK)
		return;
	read_cursor(call, r);
	r->until_ms = clock_mono_ms() + wait_ms;
	if (r->mode != MODE_ONCE)
		call_on_drain(call, drained);
	if (r->mode == MODE_EVENTS)
		r->reader.q.max_bytes = EVENTS_PAGE_BYTES;
	if (strncmp(name, DURABLE_EXECUTIONS, n) == 0)
		look_at_execution(r, name + n);
	else
		look_up(r, name);
}
