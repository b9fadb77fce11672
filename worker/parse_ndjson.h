/*
 * parse_ndjson: lines of JSON (application/x-ndjson) cut apart.
 *
 * Used by: decoder.          Thread: the owner's; pure.
 * Promises: the lines do not depend on how the bytes were fed. LF alone ends a
 * line; one of nothing but JSON's white space is no line. A byte order mark
 * counts only at the very start. Work is linear in the bytes; between lines at
 * most one line is in memory.
 */
#ifndef WORKER_PARSE_NDJSON_H
#define WORKER_PARSE_NDJSON_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "worker/dialect.h"

/*
 * Takes one line without its end, lent for the call; ${cut}: the stream ended
 * before the line did. Returns false to have no more: the rest of the bytes is
 * ignored.
 */
typedef bool parse_ndjson_fn(void *arg, struct text line, bool cut);

struct parse_ndjson {
	struct buf line; /* the part of a line that has come */
	size_t max;
	parse_ndjson_fn *on_line;
	void *arg;
	bool begun, stopped;
	enum err failed;
};

/* A parser at the start of a stream whose lines have ${max_bytes} at most. */
void parse_ndjson_init(struct parse_ndjson *p, size_t max_bytes,
    parse_ndjson_fn *on_line, void *arg);
void parse_ndjson_fini(struct parse_ndjson *p);

/* Feed bytes. Fails, from then on always: ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err parse_ndjson_feed(
    struct parse_ndjson *p, const char *bytes, size_t len);

/* The stream ended: what is left is told as a line that is cut. */
MUST_CHECK enum err parse_ndjson_end(struct parse_ndjson *p);

#endif
