/*
 * write_stream: messages of a stream as Durable Streams tells them: an answer's
 * body, or an event with what controls it.
 *
 * Used by: front_durable_read.     Thread: any; pure.
 * Promises: the same messages give the same bytes.
 */
#ifndef SERVER_WRITE_STREAM_H
#define SERVER_WRITE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/page.h"

/* Bytes that a rendered page may have. */
#define WRITE_STREAM_MAX_BYTES ((size_t)1 << 30)

enum write_stream_form {
	WRITE_STREAM_BYTES,	/* as they came, end to end */
	WRITE_STREAM_JSON,	/* an array of messages that are JSON */
	WRITE_STREAM_EXECUTION, /* an array of an execution's chunks */
};

/* The messages of ${page}. Fails through the buffer. */
void write_stream_body(
    struct buf *b, const struct page *page, enum write_stream_form form);

/*
 * The same as one event "data": each line of them is one of its own, or all is
 * base64. Nothing for an empty page.
 */
void write_stream_event(struct buf *b, const struct page *page,
    enum write_stream_form form, bool base64);

/* How a reader goes on behind what was told. */
struct write_stream_control {
	uint64_t next;
	uint64_t cursor;
	bool up_to_date, closed;
};

void write_stream_control(
    struct buf *b, const struct write_stream_control *control);

/*
 * The number that a reader sends back with its next question, so that caches
 * tell questions of different times apart: of 20 s each since 2024-10-09, and
 * above ${last} (0: none), by a step that is ${random}'s.
 */
uint64_t write_stream_cursor(int64_t now_ms, uint64_t last, uint32_t random);

#endif
