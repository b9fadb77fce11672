#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/dialect.h"

/* 0.5, -1 and 2, 0.1, lowest byte first. */
#define LINES "AAAAPwAAgL8=\nAAAAQM3MzD0=\n"
#define TWO                                                      \
	"{\"data\":[{\"index\":1,\"embedding\":[2,0.1]},"        \
	"{\"index\":0,\"embedding\":[0.5,-1]}],\"model\":\"m\"," \
	"\"usage\":{\"prompt_tokens\":5}}"

/* What was told of an answer. */
struct told {
	struct buf text;
	int64_t input, output;
	bool finished, failed;
	enum error_kind kind;
};

static void on_event(void *arg, const struct event *e)
{
	struct told *t = arg;

	assert_false(t->finished || t->failed);
	if (e->kind == EVENT_TEXT) {
		buf_add(&t->text, e->text.s, e->text.len);
	} else if (e->kind == EVENT_USAGE) {
		t->input = e->usage.input_tokens;
		t->output = e->usage.output_tokens;
	} else if (e->kind == EVENT_FINISH) {
		assert_int_equal(e->reason, FINISH_STOP);
		t->finished = true;
	} else if (e->kind == EVENT_ERROR) {
		t->kind = e->error.kind;
		t->failed = true;
	}
}

static struct told decode(const char *dialect, const char *type, size_t n,
    const char *body, size_t step)
{
	struct dialect_head head = {
		.status = 200, .content_type = type, .embeddings = n
	};
	struct told t = { .input = -2, .output = -2 };
	struct decoder *d = NULL;
	size_t len = strlen(body);

	buf_init(&t.text, 1 << 16);
	assert_int_equal(
	    decoder_new(dialect_find(dialect), &head, on_event, &t, &d), OK);
	for (size_t i = 0; i < len; i += step)
		decoder_feed(d, body + i, i + step < len ? step : len - i);
	decoder_end(d, true);
	assert_true(decoder_done(d));
	decoder_free(d);
	return t;
}

static void becomes_lines(
    const char *dialect, const char *type, const char *body, int64_t input)
{
	for (size_t step = 1; step <= strlen(body); step++) {
		struct told t = decode(dialect, type, 2, body, step);

		assert_true(t.finished);
		assert_int_equal(t.text.len, strlen(LINES));
		assert_memory_equal(t.text.data, LINES, t.text.len);
		assert_int_equal(t.input, input);
		assert_int_equal(t.output, 0);
		buf_fini(&t.text);
	}
}

static void embeddings_become_lines_of_text_in_every_dialect(void **state)
{
	(void)state;
	becomes_lines("openai", "application/json", TWO, 5);
	/* Not every server says what it sends. */
	becomes_lines("openai", NULL, TWO, 5);
	becomes_lines("ollama", "application/json; charset=utf-8",
	    "{\"model\":\"m\",\"embeddings\":[[0.5,-1],[2,0.1]],"
	    "\"prompt_eval_count\":6}",
	    6);
	becomes_lines("gemini", "application/json",
	    "{\"embeddings\":[{\"values\":[0.5,-1]},{\"values\":[2,0.1]}]}",
	    -1);
}

static void fails(
    const char *body, const char *type, size_t n, enum error_kind kind)
{
	struct told t = decode("openai", type, n, body, strlen(body));

	assert_true(t.failed);
	assert_int_equal(t.kind, kind);
	assert_int_equal(t.text.len, 0);
	buf_fini(&t.text);
}

static void what_are_no_embeddings_fails(void **state)
{
	static const char json[] = "application/json";

	(void)state;
	fails(TWO, json, 3, ERROR_PROTOCOL);
	fails(TWO, json, 1, ERROR_PROTOCOL);
	fails("{}", json, 2, ERROR_PROTOCOL);
	fails("{\"data\":[{\"embedding\":[1", json, 1, ERROR_TRUNCATED);
	fails("{\"data\":[{\"embedding\":[1]},{\"embedding\":[1,2]}]}", json, 2,
	    ERROR_PROTOCOL);
	fails("{\"error\":{\"message\":\"slow down\",\"code\":"
	      "\"rate_limit_exceeded\"}}",
	    json, 2, ERROR_RATE_LIMIT);
	fails("<html>", "text/html", 2, ERROR_PROTOCOL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    embeddings_become_lines_of_text_in_every_dialect),
		cmocka_unit_test(what_are_no_embeddings_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
