/*
 * POST /v1/embeddings: an execution like any other, whose answer is read at its
 * end, and written as the socket takes it: many vectors are many bytes.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "server/body.h"
#include "server/front_ending.h"
#include "server/front_handlers.h"
#include "server/front_openai.h"
#include "server/reader.h"
#include "server/service_internal.h"
#include "server/submit.h"
#include "server/write_page.h"
#include "store/base/base64.h"
#include "store/base/digest.h"
#include "store/base/jsonout.h"
#include "store/request.h"

#define WAIT_MS 600000
/* Of packed rows at a time. */
#define PAGE_BYTES ((size_t)32 << 10)
#define LINE_MAX_BYTES ((size_t)8 << 20)

struct asked {
	char model[REQUEST_MAX_MODEL_BYTES + 1];
	bool base64;
};

struct embeddings {
	struct reader reader;
	struct front_ending ending;
	struct buf line;  /* the one that has not ended */
	struct buf bytes; /* its values */
	uint64_t n;	  /* lines so far */
	bool telling, reading, over;
};

static void embeddings_drop(void *state)
{
	struct embeddings *s = state;

	reader_close(&s->reader);
	buf_fini(&s->line);
	buf_fini(&s->bytes);
}

/* --- the vectors --- */

static void write_values(struct buf *b, const struct buf *bytes)
{
	jsonout_array(b);
	for (size_t i = 0; i + 4 <= bytes->len; i += 4) {
		const uint8_t *at = (const uint8_t *)bytes->data + i;
		uint32_t v = (uint32_t)at[0] | (uint32_t)at[1] << 8 |
			     (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		char text[32];
		float f;
		int len;

		memcpy(&f, &v, sizeof(f));
		/* Nine digits give back every one. */
		len = snprintf(text, sizeof(text), "%.9g", (double)f);
		jsonout_raw(b, text, (size_t)len);
	}
	jsonout_array_end(b);
}

static void write_line(struct embeddings *s, struct buf *b, bool base64)
{
	/* The buffer may begin here; behind a line's end nothing is put in. */
	if (s->n > 0)
		buf_puts(b, ",\n");
	jsonout_object(b);
	jsonout_member(b, "object", "embedding");
	jsonout_member_int(b, "index", (int64_t)s->n++);
	jsonout_key(b, "embedding");
	if (base64) {
		jsonout_string(
		    b, s->line.data ? s->line.data : "", s->line.len);
	} else {
		buf_reset(&s->bytes);
		if (base64_read(&s->bytes, s->line.data, s->line.len) != OK)
			buf_reset(&s->bytes);
		if (buf_state(&s->bytes) != OK)
			b->failed = s->bytes.failed;
		write_values(b, &s->bytes);
	}
	jsonout_object_end(b);
	buf_reset(&s->line);
}

/* Lines do not end where chunks do. */
static void write_text(
    struct embeddings *s, struct buf *b, const char *at, size_t len)
{
	const struct asked *asked = s->reader.call->memo;

	while (len > 0) {
		const char *end = memchr(at, '\n', len);
		size_t n = end ? (size_t)(end - at) : len;

		buf_add(&s->line, at, n);
		if (!end)
			break;
		write_line(s, b, asked->base64);
		at += n + 1;
		len -= n + 1;
	}
	if (buf_state(&s->line) != OK)
		b->failed = s->line.failed;
}

static void write_foot(struct embeddings *s, struct buf *b)
{
	const struct asked *asked = s->reader.call->memo;
	const struct front_ending *e = &s->ending;
	int64_t input = e->input > 0 ? e->input : 0;

	buf_puts(b, "],");
	buf_puts(b, "\"model\":");
	jsonout_string(b, e->model[0] ? e->model : asked->model,
	    strlen(e->model[0] ? e->model : asked->model));
	jsonout_key(b, "usage");
	jsonout_object(b);
	jsonout_member_int(b, "prompt_tokens", input);
	jsonout_member_int(b, "total_tokens", input);
	jsonout_object_end(b);
	jsonout_object_end(b);
}

static void write_page_rows(
    struct embeddings *s, struct buf *b, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	if (page->first == 0)
		buf_puts(b, "{\"object\":\"list\",\"data\":[");
	while (page_each(page, &at, &c))
		if (c.kind == CHUNK_TEXT)
			write_text(s, b, c.content, c.content_len);
	s->over = page_final(page);
	if (s->over)
		write_foot(s, b);
}

/* --- reading --- */

static void more(struct call *call)
{
	struct embeddings *s = call->state;

	if (s->reading)
		return;
	if (s->over) {
		call_end(call);
		return;
	}
	s->reading = true;
	reader_read(&s->reader, READER_NOW, 0);
}

static void tell(struct embeddings *s, const struct page *page)
{
	struct call *call = s->reader.call;
	struct buf b;

	buf_init(&b, WRITE_PAGE_MAX_BYTES);
	write_page_rows(s, &b, page);
	/* White space: what is not written does not drain. */
	if (b.len == 0)
		buf_putc(&b, ' ');
	s->reader.q.from = page_next(page);
	if (buf_state(&b) != OK) {
		call_fail_err(call, buf_state(&b), NULL);
		buf_fini(&b);
		return;
	}
	if (!call->started) {
		call->on_ready = more;
		call_stream(call, 200, "application/json");
	}
	(void)http_stream_write(call->x, b.data, b.len);
	buf_fini(&b);
}

static void too_late(struct call *call, const struct id *id)
{
	struct problem p;

	problem_set(&p, PROBLEM_DEADLINE_EXCEEDED, NULL,
	    "no end within %d s; the execution goes on", WAIT_MS / 1000);
	id_text(id, p.execution);
	/* Asked again, it would be another execution. */
	http_reply_header(call->x, "x-should-retry", "false");
	call_fail(call, &p);
}

static void on_page(
    struct reader *r, enum err e, const struct why *why, struct page *page)
{
	struct embeddings *s = (struct embeddings *)r;
	struct problem p;

	s->reading = false;
	if (e != OK) {
		call_fail_err(r->call, e, why);
	} else if (s->telling) {
		tell(s, page);
	} else if (!execution_ended(page->status)) {
		too_late(r->call, &r->id);
	} else if (page->status != EXECUTION_COMPLETED) {
		front_ending_read(page, &s->ending);
		front_ending_problem(&s->ending, &r->id, &p);
		call_fail(r->call, &p);
	} else {
		front_ending_read(page, &s->ending);
		s->telling = s->reading = true;
		r->q.from = 0;
		r->q.limit = READER_PAGE_CHUNKS;
		r->q.max_bytes = PAGE_BYTES;
		reader_read(r, READER_NOW, 0);
	}
}

static void on_made(struct call *call, const struct submitted *made)
{
	struct embeddings *s = call_state(call, sizeof(*s), embeddings_drop);

	if (!s) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	buf_init(&s->line, LINE_MAX_BYTES);
	buf_init(&s->bytes, LINE_MAX_BYTES);
	front_openai_name(call, &made->id);
	if (made->existed)
		http_reply_header(call->x, "Idempotency-Replayed", "true");
	reader_init(&s->reader, call, &made->id, on_page);
	/* Until the end only the status is wanted: an empty page. */
	s->reader.q.from = INT64_MAX;
	s->reader.q.limit = 1;
	reader_read(&s->reader, READER_THE_END, WAIT_MS);
}

void front_openai_embeddings_create(struct call *call)
{
	uint8_t hash[DIGEST_BYTES];
	struct body_embeddings in;
	const char *body, *model;
	struct asked *asked;
	json_t *root = NULL;
	struct problem p;
	size_t len;
	enum err e;

	if (call_wants_json(call) != OK)
		return;
	body = http_body(call->x, &len);
	e = body_parse(body, len, &root, &p);
	if (e == OK)
		e = body_embeddings(root, &in, &p);
	json_decref(root);
	if (e != OK) {
		call_fail(call, &p);
		return;
	}
	asked = call_memo(call, sizeof(*asked), NULL);
	if (!asked) {
		body_create_fini(&in.create);
		call_fail_err(call, ERR_NOMEM, NULL);
		return;
	}
	model = json_string_value(json_object_get(in.create.members, "model"));
	(void)snprintf(
	    asked->model, sizeof(asked->model), "%s", model ? model : "");
	asked->base64 = in.base64;
	digest_sha256(body, len, hash);
	submit_start(call, &in.create, hash, on_made);
}
