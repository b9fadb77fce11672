#include "server/http_internal.h"

#include <event2/buffer.h>

/*
 * From bytes to an exchange: the head is parsed where it lies in libevent's
 * buffer, judged at the gate, and only then is a body read.
 */

/* Up to here a body is not counted among all. */
#define SMALL_BODY ((size_t)16 << 10)

static const struct parse_http_refusal long_body = { 413, "body_too_large",
	"the body is too large" };
static const struct parse_http_refusal no_memory = { 503, "overloaded",
	"there is no memory for the request now" };
static const struct parse_http_refusal wrong_host = { 421, "wrong_host",
	"this server does not answer to that Host; allow_host lets it" };
static const struct parse_http_refusal cross_site = { 403, "origin_denied",
	"pages of this Origin may not call; cors_origin lets them" };

/* What is not in order goes no further; false: it was answered here. */
static bool pass_gate(struct http_conn *c)
{
	struct http_exchange *x = &c->x;
	const struct http_server *s = c->loop->server;
	const char *origin = http_header(x, "Origin");
	struct http_gate_question q = {
		.method = http_method(x),
		.upgrade = http_header(x, "Upgrade") != NULL,
		.host = x->host,
		.origin = origin,
	};
	bool cors = false;

	if (origin != NULL || q.upgrade || q.method > HTTP_HEAD) {
		q.fetch_site = http_header(x, "Sec-Fetch-Site");
		q.asked_method =
		    http_header(x, "Access-Control-Request-Method");
	}
	switch (http_gate_judge(&s->gate, &q, &cors)) {
	case HTTP_GATE_PASS:
		x->origin = cors ? origin : NULL;
		if (http_path(x)[0] == '/')
			return true;
		http_reply_header(
		    x, "Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
		http_reply_whole(x, 204, NULL, NULL);
		return false;
	case HTTP_GATE_PREFLIGHT:
		x->origin = cors ? origin : NULL;
		http_reply_preflight(x);
		return false;
	case HTTP_GATE_WRONG_HOST: http_conn_refuse(c, &wrong_host); break;
	case HTTP_GATE_CROSS_SITE: http_conn_refuse(c, &cross_site); break;
	}
	return false;
}

static void open_exchange(struct http_conn *c)
{
	const struct http_options *opt = &c->loop->server->opt;

	http_conn_move(c, HTTP_CONN_OPEN);
	c->x.number = http_loop_number(c->loop, c);
	http_count(c->loop, HTTP_N_EXCHANGES_BEGUN, 1);
	opt->on_request(&c->x, opt->arg);
}

static void begin_body(struct http_conn *c)
{
	static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct http_options *opt = &c->loop->server->opt;
	struct http_exchange *x = &c->x;
	size_t max = opt->max_body_bytes;

	if (opt->max_body != NULL) {
		size_t more = opt->max_body(x, opt->arg);

		max = more > max ? more : max;
	}
	buf_init(&x->body, max + 1);
	if (x->parse.chunked) {
		parse_http_chunks_init(&c->chunks, max);
	} else if (x->parse.length > max) {
		x->close = true;
		http_conn_refuse(c, &long_body);
		return;
	}
	http_conn_move(c, HTTP_CONN_BODY);
	if (x->parse.wants_continue && http_conn_ahead(c) == 0) {
		buf_reset(&c->loop->out);
		http_reply_send(c, go_on, sizeof(go_on) - 1, NULL);
	}
}

static void begin_request(struct http_conn *c, const char *data)
{
	struct http_exchange *x = &c->x;
	bool has_body = x->parse.chunked || x->parse.length > 0;
	enum err rc = http_request_take(x, data);

	evbuffer_drain(bufferevent_get_input(c->bev), x->parse.head_bytes);
	http_count(c->loop, HTTP_N_REQUESTS, 1);
	http_count(c->loop, HTTP_N_IN, x->parse.head_bytes);
	if (rc != OK) {
		/* What was made so far says close. */
		http_conn_refuse(c, &no_memory);
		return;
	}
	/* A body that nobody will read ends the connection. */
	if (has_body) {
		bool close = x->close;

		x->close = true;
		if (!pass_gate(c))
			return;
		x->close = close;
		begin_body(c);
	} else if (pass_gate(c)) {
		open_exchange(c);
	}
}

bool http_read_head(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	size_t len = evbuffer_get_length(in);
	size_t n = evbuffer_get_contiguous_space(in);
	enum parse_http_result r = PARSE_HTTP_MORE;
	char *data = NULL;

	if (len == 0 || http_conn_pending(c) >= HTTP_WRITE_AHEAD)
		return false;
	do {
		data = (char *)evbuffer_pullup(in, (ev_ssize_t)n);
		if (data == NULL) {
			c->doomed = true;
			return false;
		}
		r = parse_http_head(&c->x.parse, data, n);
		if (r != PARSE_HTTP_MORE || n == len)
			break;
		n = n < 2048 ? 4096 : n * 2;
		if (n > len)
			n = len;
	} while (true);
	switch (r) {
	case PARSE_HTTP_MORE:
		if (c->state == HTTP_CONN_IDLE)
			http_conn_move(c, HTTP_CONN_HEAD);
		return false;
	case PARSE_HTTP_DONE: begin_request(c, data); break;
	case PARSE_HTTP_REFUSED:
		http_request_blank(&c->x);
		http_conn_refuse(c, c->x.parse.refusal);
		break;
	}
	return true;
}

/* Bodies arrive before keys are looked at: all together have a ceiling. */
static bool count_body(struct http_conn *c)
{
	struct http_server *s = c->loop->server;
	struct http_exchange *x = &c->x;
	size_t more = x->body.cap - x->body_counted;

	if (x->body.cap <= SMALL_BODY || more == 0)
		return true;
	x->body_counted += more;
	return atomic_fetch_add(&s->body_bytes, more) + more <=
	       s->opt.max_bodies_bytes;
}

/* Move up to ${want} bytes of the body; false without memory. */
static bool take_body(struct http_conn *c, size_t want)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	char *dst = buf_room(&c->x.body, want + 1);

	if (dst == NULL || !count_body(c))
		return false;
	evbuffer_remove(in, dst, want);
	c->x.body.len += want;
	dst[want] = '\0';
	http_count(c->loop, HTTP_N_IN, want);
	return true;
}

/* Once for each piece of memory the look-ahead consists of. */
static enum parse_http_result read_chunks(struct http_conn *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev);
	enum parse_http_result r = PARSE_HTTP_MORE;

	while (r == PARSE_HTTP_MORE && evbuffer_get_length(in) > 0) {
		size_t n = evbuffer_get_contiguous_space(in);
		char *data = (char *)evbuffer_pullup(in, (ev_ssize_t)n);
		size_t used = 0, len = 0;
		const char *body = NULL;

		if (data == NULL)
			return PARSE_HTTP_REFUSED;
		r = parse_http_chunks(&c->chunks, data, n, &used, &body, &len);
		buf_add(&c->x.body, body, len);
		if (!count_body(c))
			return PARSE_HTTP_REFUSED;
		evbuffer_drain(in, used);
		http_count(c->loop, HTTP_N_IN, used);
	}
	if (r == PARSE_HTTP_DONE) {
		buf_putc(&c->x.body, '\0');
		if (buf_state(&c->x.body) == OK)
			c->x.body.len--;
	}
	return buf_state(&c->x.body) == OK ? r : PARSE_HTTP_REFUSED;
}

bool http_read_body(struct http_conn *c)
{
	struct http_exchange *x = &c->x;
	enum parse_http_result r = PARSE_HTTP_DONE;

	if (x->parse.chunked) {
		r = read_chunks(c);
	} else {
		size_t want = (size_t)x->parse.length - x->body.len;

		if (want > http_conn_ahead(c))
			want = http_conn_ahead(c);
		if (!take_body(c, want))
			r = PARSE_HTTP_REFUSED;
		else if (x->body.len < x->parse.length)
			r = PARSE_HTTP_MORE;
	}
	switch (r) {
	case PARSE_HTTP_MORE: return false;
	case PARSE_HTTP_DONE: open_exchange(c); break;
	case PARSE_HTTP_REFUSED:
		x->close = true;
		http_conn_refuse(
		    c, x->parse.chunked && c->chunks.refusal != NULL
			   ? c->chunks.refusal
			   : &no_memory);
		break;
	}
	return true;
}
