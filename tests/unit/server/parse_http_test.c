#include "server/parse_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/server/http_corpus.h"

/* What a request came to, to be compared between ways of cutting it. */
struct outcome {
	int status; /* 0: not at its end */
	size_t used;
	size_t body_len;
	char body[64];
};

/* A reader as a connection is: bytes come in pieces, are seen once more. */
struct reader {
	struct parse_http head;
	struct parse_http_chunks chunks;
	bool in_body, ended;
	size_t at;
	struct outcome out;
};

static void reader_init(struct reader *r)
{
	*r = (struct reader){ .at = 0 };
	parse_http_init(&r->head, 8 << 10, 16 << 10);
}

static void finish(struct reader *r, int status)
{
	r->ended = true;
	r->out.status = status;
	r->out.used = r->at;
}

static void keep(struct reader *r, const char *data, size_t len)
{
	assert_true(r->out.body_len + len <= sizeof(r->out.body));
	if (len > 0)
		memcpy(r->out.body + r->out.body_len, data, len);
	r->out.body_len += len;
}

static void feed_chunks(struct reader *r, const char *data, size_t len)
{
	enum parse_http_result rc = PARSE_HTTP_MORE;

	while (rc == PARSE_HTTP_MORE && r->at < len) {
		size_t used, n;
		const char *body = NULL;

		rc = parse_http_chunks(
		    &r->chunks, data + r->at, len - r->at, &used, &body, &n);
		assert_true(used > 0);
		keep(r, body, n);
		r->at += used;
	}
	if (rc == PARSE_HTTP_DONE)
		finish(r, 200);
	else if (rc == PARSE_HTTP_REFUSED)
		finish(r, r->chunks.refusal->status);
}

static void feed_body(struct reader *r, const char *data, size_t len)
{
	size_t n = (size_t)r->head.length - r->out.body_len;

	if (r->head.chunked) {
		feed_chunks(r, data, len);
		return;
	}
	if (r->head.length > 1 << 20) {
		finish(r, 413);
		return;
	}
	if (n > len - r->at)
		n = len - r->at;
	keep(r, data + r->at, n);
	r->at += n;
	if (r->out.body_len == r->head.length)
		finish(r, 200);
}

/* ${data} are the first ${len} bytes of the request. */
static void feed(struct reader *r, const char *data, size_t len)
{
	if (r->ended)
		return;
	if (!r->in_body) {
		switch (parse_http_head(&r->head, data, len)) {
		case PARSE_HTTP_MORE: return;
		case PARSE_HTTP_REFUSED:
			finish(r, r->head.refusal->status);
			return;
		case PARSE_HTTP_DONE: break;
		}
		r->in_body = true;
		r->at = r->head.head_bytes;
		parse_http_chunks_init(&r->chunks, 1 << 20);
	}
	feed_body(r, data, len);
}

/* A copy of exactly that size, so that a sanitizer sees a byte too far. */
static void feed_copy(struct reader *r, const char *data, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, data, len);
	feed(r, copy, len);
	free(copy);
}

static struct outcome outcome_whole(const char *data, size_t len)
{
	struct reader r;

	reader_init(&r);
	feed_copy(&r, data, len);
	return r.out;
}

static void assert_same(const char *name, size_t cut, const struct outcome *got,
    const struct outcome *want)
{
	if (got->status != want->status || got->used != want->used ||
	    got->body_len != want->body_len ||
	    memcmp(got->body, want->body, want->body_len) != 0)
		fail_msg("%s, cut at %zu: status %d, want %d", name, cut,
		    got->status, want->status);
}

static void each_request_gets_its_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];
		struct outcome got = outcome_whole(c->bytes, c->len);
		int want = c->gate && c->status != 413 ? 200 : c->status;

		if (got.status != want)
			fail_msg("%s: status %d, want %d", c->name, got.status,
			    want);
		if (want == 200 && got.used != c->len)
			fail_msg("%s: %zu bytes of %zu used", c->name, got.used,
			    c->len);
	}
}

static void a_request_cut_anywhere_is_the_same_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];
		struct outcome want = outcome_whole(c->bytes, c->len);

		for (size_t cut = 0; cut <= c->len; cut++) {
			struct reader r;

			reader_init(&r);
			feed_copy(&r, c->bytes, cut);
			feed_copy(&r, c->bytes, c->len);
			assert_same(c->name, cut, &r.out, &want);
		}
	}
}

static void a_request_byte_by_byte_is_the_same_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];
		struct outcome want = outcome_whole(c->bytes, c->len);
		struct reader r;

		reader_init(&r);
		for (size_t len = 1; len <= c->len; len++)
			feed_copy(&r, c->bytes, len);
		assert_same(c->name, c->len, &r.out, &want);
	}
}

/* ${n} letters between two texts: what status, whole and in pieces? */
static int status_of_long(const char *before, size_t n, const char *after)
{
	size_t a = strlen(before), z = strlen(after), len = a + n + z;
	char *data = malloc(len);
	struct outcome whole;
	struct reader r;

	assert_non_null(data);
	memcpy(data, before, a);
	memset(data + a, 'a', n);
	memcpy(data + a + n, after, z);
	whole = outcome_whole(data, len);
	reader_init(&r);
	for (size_t cut = 1; cut < len; cut += 97)
		feed(&r, data, cut);
	feed(&r, data, len);
	assert_int_equal(r.out.status, whole.status);
	free(data);
	return whole.status;
}

static void a_line_has_a_ceiling(void **state)
{
	static const char rest[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	size_t around = strlen("GET / HTTP/1.1");

	(void)state;
	assert_int_equal(status_of_long("GET /", 8192 - around, rest), 200);
	assert_int_equal(status_of_long("GET /", 8193 - around, rest), 414);
	assert_int_equal(status_of_long("GET /", 100000, rest), 414);
}

static void a_head_has_a_ceiling(void **state)
{
	static const char first[] = "GET / HTTP/1.1\r\nHost: a\r\nA: ";

	(void)state;
	assert_int_equal(status_of_long(first, 16000, "\r\n\r\n"), 200);
	assert_int_equal(status_of_long(first, 16400, "\r\n\r\n"), 431);
}

static int status_of_fields(int n)
{
	struct buf b;
	int status;

	buf_init(&b, 1 << 16);
	buf_puts(&b, "GET / HTTP/1.1\r\nHost: a\r\n");
	while (n-- > 1)
		buf_puts(&b, "A:\r\n");
	buf_puts(&b, "\r\n");
	status = outcome_whole(b.data, b.len).status;
	buf_fini(&b);
	return status;
}

static void fields_have_a_ceiling(void **state)
{
	(void)state;
	assert_int_equal(status_of_fields(PARSE_HTTP_MAX_FIELDS), 200);
	assert_int_equal(status_of_fields(PARSE_HTTP_MAX_FIELDS + 1), 431);
}

static void extensions_and_trailers_have_a_ceiling(void **state)
{
	static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\n"
				   "Transfer-Encoding: chunked\r\n\r\n";
	char text[256];

	(void)state;
	snprintf(text, sizeof(text), "%s3;", head);
	assert_int_equal(
	    status_of_long(text, 16000, "\r\nabc\r\n0\r\n\r\n"), 200);
	assert_int_equal(
	    status_of_long(text, 17000, "\r\nabc\r\n0\r\n\r\n"), 400);
	snprintf(text, sizeof(text), "%s0\r\nA:", head);
	assert_int_equal(status_of_long(text, 17000, "\r\n\r\n"), 400);
}

static void fields_are_given_in_order(void **state)
{
	static const char data[] = "GET /p?q=1 HTTP/1.1\r\nHost: h:1\r\n"
				   "A:  b c \t\r\nEmpty:\r\n\r\nrest";
	static const char *const want[] = { "Host", "h:1", "A", "b c", "Empty",
		"" };
	struct parse_http_slice name, value;
	struct parse_http p;
	uint32_t cursor = 0;
	size_t n = 0;

	(void)state;
	parse_http_init(&p, 100, 100);
	assert_int_equal(
	    parse_http_head(&p, data, sizeof(data) - 1), PARSE_HTTP_DONE);
	assert_int_equal(p.head_bytes, sizeof(data) - 1 - strlen("rest"));
	assert_int_equal(p.path.len, 2);
	assert_memory_equal(data + p.query.at, "q=1", 3);
	while (parse_http_field(&p, data, &cursor, &name, &value)) {
		assert_true(n < 6);
		assert_int_equal(name.len, strlen(want[n]));
		assert_memory_equal(data + name.at, want[n], name.len);
		assert_int_equal(value.len, strlen(want[n + 1]));
		assert_memory_equal(data + value.at, want[n + 1], value.len);
		n += 2;
	}
	assert_int_equal(n, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_status),
		cmocka_unit_test(a_request_cut_anywhere_is_the_same_request),
		cmocka_unit_test(a_request_byte_by_byte_is_the_same_request),
		cmocka_unit_test(a_line_has_a_ceiling),
		cmocka_unit_test(a_head_has_a_ceiling),
		cmocka_unit_test(fields_have_a_ceiling),
		cmocka_unit_test(extensions_and_trailers_have_a_ceiling),
		cmocka_unit_test(fields_are_given_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
