#include "server/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/uio.h>

#include <event2/buffer.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/* What is left of a body from here on is lent to libevent, not copied. */
#define LEND_BYTES 4096

#define MAX_REFUSAL (64 << 10)

static const char *reason(int status)
{
	switch (status) {
	case 101: return "Switching Protocols";
	case 200: return "OK";
	case 201: return "Created";
	case 202: return "Accepted";
	case 204: return "No Content";
	case 206: return "Partial Content";
	case 301: return "Moved Permanently";
	case 302: return "Found";
	case 303: return "See Other";
	case 304: return "Not Modified";
	case 307: return "Temporary Redirect";
	case 308: return "Permanent Redirect";
	case 400: return "Bad Request";
	case 401: return "Unauthorized";
	case 402: return "Payment Required";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 406: return "Not Acceptable";
	case 408: return "Request Timeout";
	case 409: return "Conflict";
	case 410: return "Gone";
	case 411: return "Length Required";
	case 412: return "Precondition Failed";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 415: return "Unsupported Media Type";
	case 416: return "Range Not Satisfiable";
	case 417: return "Expectation Failed";
	case 421: return "Misdirected Request";
	case 422: return "Unprocessable Content";
	case 426: return "Upgrade Required";
	case 428: return "Precondition Required";
	case 429: return "Too Many Requests";
	case 431: return "Request Header Fields Too Large";
	case 499: return "Client Closed Request";
	case 500: return "Internal Server Error";
	case 501: return "Not Implemented";
	case 502: return "Bad Gateway";
	case 503: return "Service Unavailable";
	case 504: return "Gateway Timeout";
	case 505: return "HTTP Version Not Supported";
	case 507: return "Insufficient Storage";
	case 529: return "Overloaded";
	default: return "Status";
	}
}

/* --- the head --- */

static bool is_one_line(const char *s)
{
	return strpbrk(s, "\r\n") == NULL;
}

void http_reply_header(
    struct http_exchange *x, const char *name, const char *value)
{
	ASSERT(parse_http_token(name, strlen(name)) && is_one_line(value));
	if (x->gone)
		return;
	if (strcasecmp(name, "Content-Encoding") == 0)
		x->coded = true;
	buf_puts(&x->headers, name);
	buf_add(&x->headers, ": ", 2);
	buf_puts(&x->headers, value);
	buf_add(&x->headers, "\r\n", 2);
}

static void put_uint(struct buf *b, uint64_t v)
{
	char text[24];
	char *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

/* Milliseconds with three decimals. */
static void put_ms(struct buf *b, int64_t us)
{
	uint64_t v = us < 0 ? 0 : (uint64_t)us;

	put_uint(b, v / 1000);
	buf_putc(b, '.');
	buf_putc(b, (char)('0' + v / 100 % 10));
	buf_putc(b, (char)('0' + v / 10 % 10));
	buf_putc(b, (char)('0' + v % 10));
}

void http_reply_timing(struct http_exchange *x, const char *name, double ms)
{
	ASSERT(parse_http_token(name, strlen(name)));
	if (x->gone)
		return;
	buf_puts(&x->timing, ", ");
	buf_puts(&x->timing, name);
	buf_puts(&x->timing, ";dur=");
	put_ms(&x->timing, (int64_t)(ms * 1000));
}

static inline void put(struct buf *b, const char *name, const char *value)
{
	buf_puts(b, name);
	buf_puts(b, value);
	buf_add(b, "\r\n", 2);
}

static void put_cors(struct buf *b, const struct http_exchange *x)
{
	if (x->origin != NULL) {
		put(b, "Access-Control-Allow-Origin: ", x->origin);
		put(b, "Access-Control-Expose-Headers: ",
		    "X-Request-Id, ETag, Retry-After, Location, "
		    "X-Execution-Id, Idempotency-Replayed, Server-Timing, "
		    "X-Workflow-Run-Id, "
		    "Stream-Next-Offset, Stream-Up-To-Date, Stream-Closed, "
		    "Stream-Cursor, Stream-TTL, Stream-Expires-At, "
		    "Stream-SSE-Data-Encoding, Producer-Epoch, Producer-Seq, "
		    "Producer-Expected-Seq, Producer-Received-Seq");
	}
	/* Caches must know even where there was no Origin. */
	if (x->conn->loop->server->gate.origins != NULL)
		put(b, "Vary: ", "Origin");
}

static void put_timing(struct buf *b, struct http_exchange *x)
{
	buf_puts(b, "Server-Timing: total;dur=");
	put_ms(b, (clock_mono_ns() - x->begun_ns) / 1000);
	if (buf_state(&x->timing) == OK)
		buf_add(b, x->timing.data, x->timing.len);
	buf_add(b, "\r\n", 2);
}

static void put_connection(struct buf *b, const struct http_exchange *x)
{
	if (x->upgraded)
		put(b, "Connection: ", "Upgrade");
	else if (x->close)
		put(b, "Connection: ", "close");
	else if (x->parse.minor == 0)
		put(b, "Connection: ", "keep-alive");
}

void http_reply_head(
    struct http_exchange *x, int status, const struct http_reply_shape *shape)
{
	struct http_loop *loop = x->conn->loop;
	struct buf *b = &loop->out;

	buf_reset(b);
	buf_add(b, "HTTP/1.1 ", 9);
	put_uint(b, (uint64_t)status);
	buf_putc(b, ' ');
	put(b, reason(status), "");
	put(b, "Date: ", http_loop_date(loop));
	if (loop->server->name != NULL)
		put(b, "Server: ", loop->server->name);
	if (shape->content_type != NULL)
		put(b, "Content-Type: ", shape->content_type);
	if (shape->coding != NULL)
		put(b, "Content-Encoding: ", shape->coding);
	if (shape->vary)
		put(b, "Vary: ", "Accept-Encoding");
	if (shape->length >= 0) {
		buf_puts(b, "Content-Length: ");
		put_uint(b, (uint64_t)shape->length);
		buf_add(b, "\r\n", 2);
	}
	if (x->chunked)
		put(b, "Transfer-Encoding: ", "chunked");
	put(b, "X-Content-Type-Options: ", "nosniff");
	put(b, "X-Request-Id: ", x->request_id);
	if (x->traceparent != NULL)
		put(b, "traceparent: ", x->traceparent);
	put_timing(b, x);
	put_cors(b, x);
	buf_add(b, x->headers.data, x->headers.len);
	put_connection(b, x);
	buf_add(b, "\r\n", 2);
}

/* --- sending --- */

static void free_lent(const void *data, size_t len, void *owned)
{
	(void)data;
	(void)len;
	free(owned);
}

/* Hand what the socket did not take to libevent. */
static bool queue_rest(struct http_conn *c, const struct iovec *iov, int n,
    size_t sent, char **owned)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	for (int i = 0; i < n; i++) {
		const char *data = iov[i].iov_base;
		size_t len = iov[i].iov_len;

		if (sent >= len) {
			sent -= len;
			continue;
		}
		data += sent;
		len -= sent;
		sent = 0;
		c->queued_bytes += len;
		if (i == n - 1 && *owned != NULL && len >= LEND_BYTES) {
			if (evbuffer_add_reference(
				out, data, len, free_lent, *owned) != 0)
				return false;
			*owned = NULL;
		} else if (evbuffer_add(out, data, len) != 0) {
			return false;
		}
	}
	return true;
}

void http_reply_pieces(
    struct http_conn *c, const struct iovec *iov, int n, char *owned)
{
	struct msghdr msg = { .msg_iovlen = (size_t)n };
	size_t total = 0;
	ssize_t sent = 0;
	bool was_empty = http_conn_pending(c) == 0;

	if (c->doomed)
		goto out;
	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	http_count(c->loop, HTTP_N_OUT, total);
	/*
	 * Most replies fit into the socket: sent at once they cost one call;
	 * through libevent it would be four.
	 */
	if (was_empty) {
		msg.msg_iov = (struct iovec *)(uintptr_t)iov;
		sent = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN && errno != EINTR) {
			c->doomed = true;
			goto out;
		}
		if (sent < 0)
			sent = 0;
	}
	if ((size_t)sent == total)
		goto out;
	if (was_empty) {
		c->moved_ms = c->loop->now_ms;
		c->taken_bytes = c->queued_bytes;
	}
	if (!queue_rest(c, iov, n, (size_t)sent, &owned))
		c->doomed = true;
	if (was_empty)
		http_due_arm(c);
out:
	if (c->doomed && !c->busy)
		http_conn_kick(c);
	free(owned);
}

void http_reply_send(
    struct http_conn *c, const void *data, size_t len, char *owned)
{
	struct buf *head = &c->loop->out;
	struct iovec iov[2] = {
		{ .iov_base = head->data, .iov_len = head->len },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = len },
	};

	if (buf_state(head) != OK)
		c->doomed = true;
	http_reply_pieces(c, iov, len > 0 ? 2 : 1, owned);
}

/* --- whole replies --- */

/* Another form of the same thing: its strong ETag is not this one's. */
static void weaken_etag(struct http_exchange *x)
{
	static const char name[] = "ETag: \"";
	struct buf *b = &x->headers;
	char *at = NULL;

	for (char *s = b->data; s != NULL && s < b->data + b->len;) {
		char *end = memchr(s, '\n', (size_t)(b->data + b->len - s));

		if (strncasecmp(s, name, sizeof(name) - 1) == 0)
			at = s + sizeof(name) - 2;
		s = end == NULL ? NULL : end + 1;
	}
	if (at != NULL) {
		size_t place = (size_t)(at - b->data);

		if (buf_room(b, 2) == NULL)
			return;
		memmove(b->data + place + 2, b->data + place, b->len - place);
		memcpy(b->data + place, "W/", 2);
		b->len += 2;
	}
}

/* Compress ${body} in place if that is asked for and makes it smaller. */
static void compress(
    struct http_exchange *x, struct http_reply_shape *shape, struct buf *body)
{
	struct http_loop *loop = x->conn->loop;
	struct buf small;

	if (body->len < loop->server->opt.gzip_bytes || x->coded ||
	    !http_gzip_fits(shape->content_type))
		return;
	shape->vary = true;
	if (!http_gzip_wanted(http_header(x, "Accept-Encoding")))
		return;
	buf_init(&small, body->len * 2 + 1024);
	if (http_gzip(&loop->gzip, body->data, body->len, &small) != OK ||
	    small.len >= body->len) {
		buf_fini(&small);
		return;
	}
	buf_fini(body);
	*body = small;
	shape->coding = "gzip";
	weaken_etag(x);
}

void http_reply_refusal(struct http_conn *c,
    const struct parse_http_refusal *why, struct buf *body,
    const char **ret_content_type)
{
	const struct http_options *opt = &c->loop->server->opt;

	buf_init(body, MAX_REFUSAL);
	*ret_content_type = "text/plain";
	if (opt->on_refusal != NULL)
		opt->on_refusal(body, ret_content_type, why->status, why->code,
		    why->detail);
	else
		buf_printf(body, "%s: %s\n", why->code, why->detail);
	if (buf_state(body) != OK)
		buf_reset(body);
}

/* An answer that could not be made whole becomes one that says so. */
static void mend(struct http_exchange *x, int *status,
    struct http_reply_shape *shape, struct buf *body)
{
	static const struct parse_http_refusal broken = { 500, "internal",
		"the answer could not be made" };

	if (buf_state(body) == OK && buf_state(&x->headers) == OK)
		return;
	buf_reset(&x->headers);
	buf_fini(body);
	http_reply_refusal(x->conn, &broken, body, &shape->content_type);
	*status = broken.status;
}

void http_reply_whole(struct http_exchange *x, int status,
    const char *content_type, struct buf *taken)
{
	struct http_reply_shape shape = { .content_type = content_type };
	struct buf body;
	bool bare = status == 204 || status == 304;
	size_t len;

	buf_init(&body, 0);
	if (taken != NULL) {
		body = *taken;
		buf_init(taken, body.max);
	}
	mend(x, &status, &shape, &body);
	if (!bare)
		compress(x, &shape, &body);
	shape.length = bare ? -1 : (int64_t)body.len;
	if (x->conn->loop->draining)
		x->close = true;
	http_reply_head(x, status, &shape);
	len = bare || x->head_only ? 0 : body.len;
	http_reply_send(x->conn, body.data, len, body.data);
	http_conn_answered(x->conn);
}

void http_reply_preflight(struct http_exchange *x)
{
	const char *asked = http_header(x, "Access-Control-Request-Headers");

	http_reply_header(x, "Access-Control-Allow-Methods",
	    "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
	if (asked != NULL)
		http_reply_header(x, "Access-Control-Allow-Headers", asked);
	http_reply_header(x, "Access-Control-Max-Age", "600");
	http_reply_whole(x, 204, NULL, NULL);
}

void http_reply(struct http_exchange *x, int status, const char *content_type,
    struct buf *body)
{
	ASSERT(status >= 200 && status <= 599);
	if (x->gone) {
		if (body != NULL)
			buf_fini(body);
		return;
	}
	ASSERT(x->number != 0 && x->conn->state == HTTP_CONN_OPEN);
	http_reply_whole(x, status, content_type, body);
}
