#include "worker/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/redact.h"

/* What came out, readable. */
static void on_event(void *arg, const struct event *e)
{
	struct buf *out = arg;

	switch (e->kind) {
	case EVENT_START: buf_puts(out, "start "); break;
	case EVENT_TEXT:
		buf_printf(out, "text(%.*s) ", (int)e->text.len, e->text.s);
		break;
	case EVENT_USAGE: buf_puts(out, "usage "); break;
	case EVENT_FINISH:
		buf_printf(out, "finish(%s)", dialect_finish_name(e->reason));
		break;
	case EVENT_ERROR:
		buf_printf(out, "error(%s %s %.*s)",
		    dialect_error_name(e->error.kind),
		    e->error.in_request ? "request" : "stream",
		    (int)e->error.code.len,
		    e->error.code.len > 0 ? e->error.code.s : "");
		break;
	case EVENT_PING: buf_puts(out, "ping "); break;
	case EVENT_REASONING:
	case EVENT_REFUSAL:
	case EVENT_TOOL_START:
	case EVENT_TOOL_DELTA:
	case EVENT_TOOL_END: buf_puts(out, "other "); break;
	}
}

static struct decoder *begin(int status, const char *type, struct buf *out)
{
	struct dialect_head head = { .status = status, .content_type = type };
	struct decoder *d = NULL;

	buf_init(out, 1 << 20);
	assert_int_equal(
	    decoder_new(dialect_find("openai"), &head, on_event, out, &d), OK);
	return d;
}

static void end(struct decoder *d, struct buf *out, const char *want)
{
	decoder_end(d, true);
	assert_true(decoder_done(d));
	/* Nothing comes after the end. */
	decoder_feed(d, "data: [DONE]\n\n", 14);
	decoder_end(d, false);
	buf_putc(out, '\0');
	assert_string_equal(out->data, want);
	decoder_free(d);
	buf_fini(out);
}

static void check(
    int status, const char *type, const char *body, const char *want)
{
	struct buf out;
	struct decoder *d = begin(status, type, &out);

	decoder_feed(d, body, strlen(body));
	end(d, &out, want);
}

#define DELTA "{\"choices\":[{\"delta\":{\"content\":\"x\"}}]}"
#define WHOLE "{\"choices\":[{\"message\":{\"content\":\"x\"}}]}"

static void the_content_type_says_what_the_body_is(void **state)
{
	(void)state;
	check(200, "text/event-stream", "data: " DELTA "\n\n",
	    "text(x) error(truncated stream )");
	check(200, NULL, "data: " DELTA "\n\ndata: [DONE]\n\n",
	    "text(x) finish(unknown)");
	check(200, "Application/JSON; charset=utf-8", WHOLE,
	    "text(x) finish(unknown)");
	check(200, "application/json", "\xef\xbb\xbf \n" WHOLE,
	    "text(x) finish(unknown)");
	check(200, "application/jsonl", DELTA "\n",
	    "text(x) error(truncated stream )");
	check(200, "text/html;charset=utf-8", "<html>",
	    "error(protocol request )");
	check(200, "text/html", "", "error(protocol request )");
	check(201, NULL, "", "error(truncated stream )");
}

static void a_refusal_is_one_error(void **state)
{
	(void)state;
	check(401, "text/event-stream", "data: " DELTA "\n\n",
	    "error(auth request )");
	check(500, "text/html", "<html>", "error(server request )");
	check(302, NULL, "", "error(server request )");
	check(400, NULL, "{\"error\":{\"code\":\"slow_down\"}}",
	    "error(rate_limit request slow_down)");
}

static void whole_bodies_fail_in_the_request_or_in_the_stream(void **state)
{
	(void)state;
	check(200, "application/json", "{\"error\":{\"code\":429}}",
	    "error(rate_limit request )");
	check(200, "application/json", "[1,{\"error\":\"x\"}]",
	    "error(server request )");
	check(200, "application/json", "{\"error\":\"x\",\"choices\":[]}",
	    "error(server stream )");
	check(200, "application/json", "[" WHOLE ",{\"error\":\"x\"}]",
	    "text(x) error(server stream )");
	check(200, "application/json", "{", "error(truncated stream )");
	check(200, "application/json", "[]", "error(truncated stream )");
	check(200, "application/json", "", "error(truncated stream )");
	check(200, "application/json", "{\"choices\":[]}",
	    "error(empty stream )");
}

static void errors_in_a_stream_end_it(void **state)
{
	(void)state;
	check(200, NULL, "event: error\ndata: boom\n\ndata: " DELTA "\n\n",
	    "error(server stream )");
	check(200, NULL, "event: error\ndata: 7\n\n", "error(server stream )");
	check(200, NULL, "event: error\ndata: []\n\n", "error(server stream )");
	check(
	    200, NULL, "event: error\ndata: boom", "error(truncated stream )");
	check(200, NULL, "data: {\"error\":null,\"choices\":[]}\n\n",
	    "error(truncated stream )");
	check(200, NULL, "data: {\"type\":\"error\"}\n\n",
	    "error(server stream )");
	check(200, NULL,
	    "data: {\"error\":\"x\",\"usage\":{\"prompt_tokens\":1}}\n\n",
	    "usage error(server stream )");
	check(200, NULL, "data: {nope\n\n", "error(protocol stream )");
	check(200, NULL, "data: {nope", "error(truncated stream )");
}

static void arrays_are_frames_and_other_values_nothing(void **state)
{
	(void)state;
	check(200, NULL,
	    "data: 7\n\ndata: \"x\"\n\ndata: [" DELTA ",8," DELTA
	    "]\n\ndata:  [DONE] \n\n",
	    "text(x) text(x) finish(unknown)");
}

static void odd_tokens_lose_nothing(void **state)
{
	(void)state;
	check(200, NULL,
	    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":"
	    "\"\\ud83d\"}}],\"n\":99999999999999999999,\"\\u0000\":1}\n\n"
	    "data: {\"choices\":[{\"delta\":{\"content\":\"\\ude00\xff\"},"
	    "\"finish_reason\":\"stop\"}]}\n\n",
	    "text(\xef\xbf\xbd) text(\xef\xbf\xbd\xef\xbf\xbd) finish(stop)");
}

static void a_line_without_end_is_refused(void **state)
{
	struct buf out;
	struct decoder *d = begin(200, NULL, &out);
	size_t n = 1 << 16;
	char *block = malloc(n);

	(void)state;
	assert_non_null(block);
	memset(block, 'x', n);
	for (size_t fed = 0; fed <= DIALECT_MAX_LINE_BYTES; fed += n)
		decoder_feed(d, block, n);
	free(block);
	assert_true(decoder_done(d));
	end(d, &out, "error(protocol stream upstream_line_too_long)");
}

static void a_body_without_end_is_refused(void **state)
{
	struct buf out;
	struct decoder *d = begin(200, "application/json", &out);
	size_t n = 1 << 20;
	char *block = malloc(n);

	(void)state;
	assert_non_null(block);
	memset(block, ' ', n);
	for (size_t fed = 0; fed <= DIALECT_MAX_BODY_BYTES; fed += n)
		decoder_feed(d, block, n);
	free(block);
	assert_true(decoder_done(d));
	end(d, &out, "error(protocol stream upstream_too_large)");
}

static void depth_is_refused(void **state)
{
	struct buf out;
	struct decoder *d = begin(200, NULL, &out);

	(void)state;
	decoder_feed(d, "data:", 5);
	for (int i = 0; i < 100000; i++)
		decoder_feed(d, "[", 1);
	decoder_feed(d, "\n\n", 2);
	assert_true(decoder_done(d));
	end(d, &out, "error(protocol stream upstream_too_large)");
}

static void redacts(const char *in, const char *want)
{
	struct buf out;

	buf_init(&out, 65536);
	redact_text(&out, (struct text){ in, strlen(in) });
	buf_putc(&out, '\0');
	assert_string_equal(out.data, want);
	buf_fini(&out);
}

static void secrets_are_redacted(void **state)
{
	(void)state;
	redacts("bad key sk-proj-a1B2c3D4e5F6g7, see", "bad key sk-[redacted], "
						       "see");
	redacts("(AIzaSyA1234567890abcdef)", "(AIza[redacted])");
	redacts("Authorization: bearer abc123def456\n",
	    "Authorization: bearer [redacted]\n");
	redacts("http://h/x?key=abc123&a=1", "http://h/x?key=[redacted]&a=1");
	redacts("sk-proj-****abcd", "sk-proj-****abcd");
	redacts("disk-failure-on-node-17", "disk-failure-on-node-17");
	redacts("Bearer authentication is required",
	    "Bearer authentication is required");
	redacts("", "");
	redacts("a\xffz", "a\xef\xbf\xbdz");
}

static void messages_are_cut_between_code_points(void **state)
{
	char in[8000];
	struct buf out;

	(void)state;
	buf_init(&out, 65536);
	in[0] = 'x';
	for (size_t i = 1; i + 2 < sizeof(in); i += 3)
		memcpy(in + i, "\xe2\x82\xac", 3);
	redact_text(&out, (struct text){ in, 7999 });
	assert_true(out.len <= REDACT_MAX_BYTES);
	assert_true(out.len > REDACT_MAX_BYTES - 3);
	assert_int_equal(out.len % 3, 1);
	assert_memory_equal(out.data, in, out.len);
	buf_fini(&out);
}

static void a_refusal_without_end_is_one_when_enough_was_read(void **state)
{
	static const char much[4096] = "{\"error\":{\"message\":\"";
	struct buf out;
	struct decoder *d = begin(503, "application/json", &out);

	(void)state;
	for (size_t n = 0; n < DIALECT_MAX_ERROR_BYTES; n += sizeof(much)) {
		assert_false(decoder_done(d));
		decoder_feed(d, much, sizeof(much));
	}
	assert_true(decoder_done(d));
	end(d, &out, "error(overloaded request )");
}

static void a_refusal_is_believed_when_the_time_is_up(void **state)
{
	struct buf out;
	struct decoder *d = begin(401, "application/json", &out);

	(void)state;
	decoder_feed(d, "{\"err", 5);
	decoder_expire(d);
	assert_true(decoder_done(d));
	end(d, &out, "error(auth request )");

	/* what might still be an answer is not */
	d = begin(200, "application/json", &out);
	decoder_expire(d);
	assert_false(decoder_done(d));
	end(d, &out, "error(truncated stream )");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_content_type_says_what_the_body_is),
		cmocka_unit_test(a_refusal_is_one_error),
		cmocka_unit_test(
		    whole_bodies_fail_in_the_request_or_in_the_stream),
		cmocka_unit_test(errors_in_a_stream_end_it),
		cmocka_unit_test(arrays_are_frames_and_other_values_nothing),
		cmocka_unit_test(odd_tokens_lose_nothing),
		cmocka_unit_test(a_line_without_end_is_refused),
		cmocka_unit_test(a_body_without_end_is_refused),
		cmocka_unit_test(depth_is_refused),
		cmocka_unit_test(secrets_are_redacted),
		cmocka_unit_test(messages_are_cut_between_code_points),
		cmocka_unit_test(
		    a_refusal_without_end_is_one_when_enough_was_read),
		cmocka_unit_test(a_refusal_is_believed_when_the_time_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
