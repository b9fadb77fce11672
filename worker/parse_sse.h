/*
 * parse_sse: an event stream (WHATWG HTML 9.2) cut into events, with what
 * model servers need beyond it: bare JSON and their own error field.
 *
 * Used by: decoder.          Thread: the owner's; pure.
 * Promises: the events do not depend on how the bytes were fed. LF, CR and
 * CRLF end lines; a byte order mark counts only at the very start. Work is
 * linear in the bytes; between events at most one event is in memory.
 */
#ifndef WORKER_PARSE_SSE_H
#define WORKER_PARSE_SSE_H

#include "worker/dialect.h"
#include "worker/json_in.h"

/* Event names are cut here; no name that means something is longer. */
#define PARSE_SSE_MAX_NAME 64

enum parse_sse_kind {
	PARSE_SSE_PING, /* a comment line, or an event whose data is empty */
	/*
	 * Data lines joined by LF, ended by a blank line. Or a bare JSON value:
	 * lines from one that begins with { or [ until its brackets balance,
	 * which servers append without any field name; it has no name.
	 */
	PARSE_SSE_EVENT,
	/* A line "error: {…}", told at once (llama.cpp before fall 2025). */
	PARSE_SSE_ERROR,
};

struct parse_sse_event {
	enum parse_sse_kind kind;
	struct text name; /* len 0: none */
	struct text data;
	bool cut; /* the stream ended before a blank line (or the bracket) */
};

/*
 * Takes one event, lent for the call. Returns false to have no more: the rest
 * of the bytes is ignored.
 */
typedef bool parse_sse_fn(void *arg, const struct parse_sse_event *e);

struct parse_sse {
	struct buf line;     /* the part of a line that has come */
	struct buf data;     /* data lines or bare JSON so far */
	struct text pending; /* a data line still in the caller's bytes */
	char name[PARSE_SSE_MAX_NAME];
	size_t name_len, n_data;
	size_t max;
	struct json_in_balance balance; /* of the bare JSON */
	parse_sse_fn *on_event;
	void *arg;
	bool begun, bare, skip_lf, stopped;
	enum err failed;
};

/*
 * A parser at the start of a stream. A line, and an event's data, may have
 * ${max_bytes} each.
 */
void parse_sse_init(
    struct parse_sse *p, size_t max_bytes, parse_sse_fn *on_event, void *arg);
void parse_sse_fini(struct parse_sse *p);

/* Feed bytes. Fails, from then on always: ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err parse_sse_feed(
    struct parse_sse *p, const char *bytes, size_t len);

/*
 * The stream ended: a last line counts without its end unless it is a
 * comment, and what is pending comes as an event that is cut.
 */
MUST_CHECK enum err parse_sse_end(struct parse_sse *p);

#endif
