/*
 * both_ways: one event of a stream, read by scan_delta() where it can be, and
 * by the parser alone; what is told must be the same.
 *
 * Used by: the tests and the fuzz target of scan_delta.
 */
#ifndef TESTS_WORKER_BOTH_WAYS_H
#define TESTS_WORKER_BOTH_WAYS_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "worker/dialect.h"
#include "worker/scan_delta.h"

static inline void both_ways_put(struct buf *out, struct text t)
{
	buf_printf(out, "%zu:", t.len);
	buf_add(out, t.s, t.len);
}

static inline void both_ways_event(void *arg, const struct event *e)
{
	struct buf *out = arg;

	buf_printf(out, "%d %u %d ", (int)e->kind, e->index, (int)e->reason);
	both_ways_put(out, e->id);
	both_ways_put(out, e->text);
	both_ways_put(out, e->name);
	both_ways_put(out, e->native);
	both_ways_put(out, e->error.message);
	buf_printf(out, " %lld %lld\n", (long long)e->usage.input_tokens,
	    (long long)e->usage.output_tokens);
}

/* All events of a stream that has begun, has ${data}, and is cut off. */
static inline void both_ways_run(
    const char *field, const char *data, size_t len, struct buf *out)
{
	static const char start[] =
	    "data: {\"id\":\"c\",\"choices\":[{\"delta\":{}}]}\n\n";
	struct dialect_head head = { .status = 200, .streaming = true };
	struct decoder *d = NULL;

	buf_init(out, (size_t)1 << 26);
	ASSERT(decoder_new(dialect_find("openai"), &head, both_ways_event, out,
		   &d) == OK);
	decoder_feed(d, start, sizeof(start) - 1);
	decoder_feed(d, field, strlen(field));
	decoder_feed(d, data, len);
	decoder_feed(d, "\n\n", 2);
	decoder_end(d, true);
	decoder_free(d);
}

/*
 * False: they tell different things. *${ret_quick}: scan_delta() read it.
 * Line ends in ${data} are taken for the blanks that they are in JSON.
 */
static inline bool both_ways(const char *data, size_t len, bool *ret_quick)
{
	struct buf quick, parsed, scratch;
	struct text t;
	char *copy = malloc(len + 1);
	bool same;

	ASSERT(copy != NULL);
	for (size_t i = 0; i < len; i++)
		copy[i] = data[i] == '\n' || data[i] == '\r' ? ' ' : data[i];
	copy = realloc(copy, len > 0 ? len : 1); /* past its end is seen */
	ASSERT(copy != NULL);
	buf_init(&scratch, SCAN_DELTA_MAX_BYTES);
	*ret_quick = scan_delta(copy, len, &scratch, &t);
	buf_fini(&scratch);
	both_ways_run("data: ", copy, len, &quick);
	/* an event with a name is not for scan_delta() */
	both_ways_run("event: message\ndata: ", copy, len, &parsed);
	same = quick.len == parsed.len &&
	       memcmp(quick.data, parsed.data, quick.len) == 0;
	buf_fini(&quick);
	buf_fini(&parsed);
	free(copy);
	return same;
}

#endif
