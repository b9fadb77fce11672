#include "worker/vectors.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "store/base/base64.h"

/* A line; no model's embeddings have a million values. */
#define MAX_LINE_BYTES ((size_t)8 << 20)

/* ${n} values, lowest byte first. */
static void write_row(
    struct buf *line, struct buf *bytes, const float *row, size_t n)
{
	buf_reset(line);
	buf_reset(bytes);
	for (size_t i = 0; i < n; i++) {
		uint32_t v;

		memcpy(&v, &row[i], sizeof(v));
		v = htole32(v);
		buf_add(bytes, &v, sizeof(v));
	}
	if (buf_state(bytes) != OK)
		line->failed = bytes->failed;
	else
		base64_add(line, bytes->data, bytes->len);
	buf_putc(line, '\n');
}

void vectors_tell(struct answer *a, const struct results_embeddings *r)
{
	const struct text none = { NULL, 0 }, stop = { "stop", 4 };
	struct buf line, bytes;

	buf_init(&line, MAX_LINE_BYTES);
	buf_init(&bytes, MAX_LINE_BYTES);
	answer_start(a, none,
	    r->model == NULL ? none
			     : (struct text){ r->model, strlen(r->model) },
	    none);
	for (size_t i = 0; i < r->n && !a->done; i++) {
		write_row(&line, &bytes, r->values + i * r->dims, r->dims);
		if (buf_state(&line) != OK)
			answer_fail_err(a, buf_state(&line));
		else
			answer_text(a, EVENT_TEXT,
			    (struct text){ line.data, line.len });
	}
	if (r->input_tokens >= 0)
		a->usage.input_tokens = r->input_tokens;
	a->usage.output_tokens = 0;
	answer_reason(a, stop, none, none);
	answer_marker(a);
	buf_fini(&line);
	buf_fini(&bytes);
}
