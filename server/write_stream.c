#include "server/write_stream.h"

#include <string.h>

#include "server/write_page.h"
#include "store/base/jsonout.h"
#include "store/stream.h"

#define CURSOR_EPOCH_MS 1728432000000
#define CURSOR_MS 20000
#define CURSOR_MAX_STEP 180

static void write_array(
    struct buf *b, const struct page *page, enum write_stream_form form)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	buf_putc(b, '[');
	while (page_each(page, &at, &c)) {
		/* What is written member by member has its comma. */
		if (form == WRITE_STREAM_EXECUTION)
			write_page_chunk(b, &c);
		else
			jsonout_raw(b, c.content, c.content_len);
	}
	buf_putc(b, ']');
}

void write_stream_body(
    struct buf *b, const struct page *page, enum write_stream_form form)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	if (form != WRITE_STREAM_BYTES) {
		write_array(b, page, form);
		return;
	}
	while (page_each(page, &at, &c))
		buf_add(b, c.content, c.content_len);
}

/* CR, LF and CRLF all end a line: a client would take the rest for a field. */
static void write_lines(struct buf *b, const char *p, size_t len)
{
	const char *end = p + len;

	for (;;) {
		const char *from = p;

		while (p < end && *p != '\r' && *p != '\n')
			p++;
		buf_puts(b, "data:");
		buf_add(b, from, (size_t)(p - from));
		buf_putc(b, '\n');
		if (p == end)
			return;
		p += p[0] == '\r' && p + 1 < end && p[1] == '\n' ? 2 : 1;
	}
}

static void write_base64(struct buf *b, const char *data, size_t len)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = (const unsigned char *)data;

	for (; len > 0; p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 |
			     (len > 1 ? (uint32_t)p[1] << 8 : 0) |
			     (len > 2 ? p[2] : 0);

		buf_putc(b, digit[v >> 18]);
		buf_putc(b, digit[v >> 12 & 63]);
		buf_putc(b, len > 1 ? digit[v >> 6 & 63] : '=');
		buf_putc(b, len > 2 ? digit[v & 63] : '=');
		len -= len > 3 ? 3 : len;
	}
}

void write_stream_event(struct buf *b, const struct page *page,
    enum write_stream_form form, bool base64)
{
	struct buf body;

	if (page->n == 0)
		return;
	buf_init(&body, WRITE_STREAM_MAX_BYTES);
	write_stream_body(&body, page, form);
	buf_puts(b, "event: data\n");
	if (base64) {
		buf_puts(b, "data:");
		write_base64(b, body.data, body.len);
		buf_putc(b, '\n');
	} else {
		write_lines(b, body.data, body.len);
	}
	buf_putc(b, '\n');
	/* What is not whole must not be sent. */
	if (buf_state(&body) != OK)
		b->failed = buf_state(&body);
	buf_fini(&body);
}

void write_stream_control(
    struct buf *b, const struct write_stream_control *control)
{
	char offset[STREAM_OFFSET_TEXT];

	stream_offset(control->next, offset);
	buf_printf(
	    b, "event: control\ndata:{\"streamNextOffset\":\"%s\"", offset);
	if (control->closed)
		buf_puts(b, ",\"streamClosed\":true");
	else
		buf_printf(b, ",\"streamCursor\":\"%llu\"",
		    (unsigned long long)control->cursor);
	if (control->up_to_date)
		buf_puts(b, ",\"upToDate\":true");
	buf_puts(b, "}\n\n");
}

uint64_t write_stream_cursor(int64_t now_ms, uint64_t last, uint32_t random)
{
	uint64_t now = now_ms < CURSOR_EPOCH_MS
			   ? 0
			   : (uint64_t)(now_ms - CURSOR_EPOCH_MS) / CURSOR_MS;

	return last < now ? now : last + 1 + random % CURSOR_MAX_STEP;
}
