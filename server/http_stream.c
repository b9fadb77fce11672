#include "server/http_internal.h"

#include <string.h>
#include <sys/uio.h>

#include "store/base/log.h"

/* Look at the stream again once the present call has returned. */
static void want_ready(struct http_conn *c)
{
	c->want_ready = true;
	http_conn_kick(c);
}

static void begin(struct http_exchange *x, int status, const char *content_type)
{
	struct http_reply_shape shape = { .content_type = content_type,
		.length = -1 };

	x->streaming = true;
	if (buf_state(&x->headers) != OK)
		buf_reset(&x->headers);
	if (x->conn->loop->draining)
		x->close = true;
	http_reply_head(x, status, &shape);
	http_reply_send(x->conn, NULL, 0, NULL);
}

void http_stream(struct http_exchange *x, int status, const char *content_type,
    void (*on_ready)(struct http_exchange *x))
{
	ASSERT(status >= 200 && status <= 599);
	if (x->gone)
		return;
	ASSERT(x->number != 0);
	x->chunked = x->parse.minor > 0;
	if (!x->chunked)
		x->close = true;
	x->on_ready = on_ready;
	http_conn_move(x->conn, HTTP_CONN_STREAM);
	begin(x, status, content_type);
	want_ready(x->conn);
}

/* "1f4\r\n" */
static size_t chunk_head(char dst[20], size_t len)
{
	size_t digits = 1;

	while (digits < 16 && len >> (4 * digits) != 0)
		digits++;
	for (size_t i = 0; i < digits; i++)
		dst[i] = "0123456789abcdef"[len >> (4 * (digits - 1 - i)) & 15];
	memcpy(dst + digits, "\r\n", 2);
	return digits + 2;
}

size_t http_stream_write(struct http_exchange *x, const void *data, size_t len)
{
	struct http_conn *c = x->conn;
	char head[20];
	struct iovec iov[3] = {
		{ .iov_base = head },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len },
		{ .iov_base = (void *)(uintptr_t) "\r\n", .iov_len = 2 },
	};

	if (x->gone)
		return 0;
	ASSERT(x->number != 0 && x->streaming);
	/* A chunk of no bytes would be the last one. */
	if (len == 0 || x->head_only)
		return http_conn_pending(c);
	if (x->chunked) {
		iov[0].iov_len = chunk_head(head, len);
		http_reply_pieces(c, iov, 3, NULL);
	} else {
		http_reply_pieces(c, iov + 1, 1, NULL);
	}
	if (http_conn_pending(c) < HTTP_WRITE_AHEAD && x->on_ready != NULL)
		want_ready(c);
	return http_conn_pending(c);
}

void http_stream_end(struct http_exchange *x)
{
	static const char last[] = "0\r\n\r\n";
	struct iovec iov = { .iov_base = (void *)(uintptr_t)last,
		.iov_len = sizeof(last) - 1 };

	if (x->gone)
		return;
	ASSERT(x->number != 0 && x->conn->state == HTTP_CONN_STREAM);
	if (x->chunked && !x->head_only)
		http_reply_pieces(x->conn, &iov, 1, NULL);
	http_conn_answered(x->conn);
}

void http_stream_cut(struct http_exchange *x)
{
	if (x->gone)
		return;
	ASSERT(x->number != 0 && x->conn->state == HTTP_CONN_STREAM);
	/* Without chunks an orderly close would look like the end. */
	x->conn->reset = !x->chunked;
	x->close = true;
	http_conn_answered(x->conn);
}

void http_stream_head_only(struct http_exchange *x)
{
	x->gone = true;
	if (x->on_gone != NULL)
		x->on_gone(x);
	http_conn_answered(x->conn);
}

void http_upgrade(struct http_exchange *x, const char *protocol,
    size_t (*on_bytes)(struct http_exchange *x, const char *data, size_t len),
    void (*on_ready)(struct http_exchange *x))
{
	if (x->gone)
		return;
	ASSERT(x->number != 0);
	http_reply_header(x, "Upgrade", protocol);
	x->upgraded = true;
	x->close = true;
	x->on_bytes = on_bytes;
	x->on_ready = on_ready;
	http_conn_move(x->conn, HTTP_CONN_UPGRADED);
	begin(x, 101, NULL);
	want_ready(x->conn);
}

bool http_upgradable(const struct http_exchange *x)
{
	return x->parse.method == HTTP_GET && x->parse.minor > 0 &&
	       !x->parse.chunked && x->parse.length == 0;
}

void http_upgrade_close(struct http_exchange *x)
{
	if (x->gone)
		return;
	ASSERT(x->number != 0 && x->conn->state == HTTP_CONN_UPGRADED);
	http_conn_answered(x->conn);
}
