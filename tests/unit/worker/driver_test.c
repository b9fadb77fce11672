/* What single drivers do with odd frames that no transcript has. */
#include "worker/dialect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What came out, readable. */
static void on_event(void *arg, const struct event *e)
{
	static const char *const names[] = { [EVENT_START] = "start",
		[EVENT_TEXT] = "text",
		[EVENT_REASONING] = "reasoning",
		[EVENT_REFUSAL] = "refusal",
		[EVENT_TOOL_START] = "call",
		[EVENT_TOOL_DELTA] = "delta",
		[EVENT_TOOL_END] = "end",
		[EVENT_USAGE] = "usage",
		[EVENT_FINISH] = "finish",
		[EVENT_ERROR] = "error",
		[EVENT_PING] = "ping" };
	struct buf *out = arg;

	buf_printf(out, "%s(", names[e->kind]);
	buf_add(out, e->text.s, e->text.len);
	buf_add(out, e->name.s, e->name.len);
	if (e->kind == EVENT_USAGE)
		buf_printf(out, "%lld %lld %lld",
		    (long long)e->usage.input_tokens,
		    (long long)e->usage.output_tokens,
		    (long long)e->usage.reasoning_tokens);
	if (e->kind == EVENT_FINISH) {
		buf_printf(out, "%s %s", dialect_finish_name(e->reason),
		    e->native.s == NULL ? "-" : "");
		buf_add(out, e->native.s, e->native.len);
	}
	if (e->kind == EVENT_ERROR) {
		buf_printf(out, "%s %s ", dialect_error_name(e->error.kind),
		    e->error.in_request ? "request" : "stream");
		buf_add(out, e->error.code.s, e->error.code.len);
	}
	buf_puts(out, ") ");
}

static void check(
    const char *dialect, const char *type, const char *body, const char *want)
{
	struct dialect_head head = { .status = 200, .content_type = type };
	struct decoder *d = NULL;
	struct buf out;

	buf_init(&out, 1 << 20);
	assert_int_equal(
	    decoder_new(dialect_find(dialect), &head, on_event, &out, &d), OK);
	decoder_feed(d, body, strlen(body));
	decoder_end(d, true);
	buf_putc(&out, '\0');
	assert_string_equal(out.data, want);
	decoder_free(d);
	buf_fini(&out);
}

#define LINE(text, done) "{\"message\":{\"content\":\"" text "\"}" done "}\n"
#define DONE ",\"done\":true,\"done_reason\":\"stop\""

static void lines_that_are_called_one_value_are_read_as_lines(void **state)
{
	static const char json[] = "application/json";

	(void)state;
	check("ollama", json, LINE("a", "") LINE("b", DONE),
	    "text(a) text(b) finish(stop stop) ");
	check("ollama", json, LINE("a", ""), "text(a) finish(unknown -) ");
	/* One line of many: it says that it is not the last. */
	check("ollama", json, LINE("a", ",\"done\":false"),
	    "text(a) error(truncated stream ) ");
	/* Nobody promised lines: what is no JSON breaks them off. */
	check("ollama", json, LINE("a", "") LINE("b", "") "{\"mess",
	    "text(a) text(b) error(truncated stream ) ");
	check("ollama", json, "{\"message\":{\"content\":\"a",
	    "error(truncated stream ) ");
	check("ollama", json, "no\n" LINE("b", DONE),
	    "error(truncated stream ) ");
	check("ollama", json, LINE("a", "") "{\"error\":\"gone\"}\n",
	    "text(a) error(server stream ) ");
	check("ollama", json, "{\"error\":\"gone\",\"message\":\"x\"}",
	    "error(server request ) ");
}

static void ollama_has_no_words_of_event_streams(void **state)
{
	(void)state;
	check("ollama", NULL, "[DONE]\n", "error(protocol stream ) ");
	check("ollama", NULL, ": ping\n", "error(protocol stream ) ");
	check("ollama", NULL, LINE("a", DONE) "[DONE]\n",
	    "text(a) finish(stop stop) ");
}

#define EVENT(json) "data: " json "\n\n"
#define STOP EVENT("{\"type\":\"message_stop\"}")
#define BLOCK(index, block)                                        \
	EVENT("{\"type\":\"content_block_start\",\"index\":" index \
	      ",\"content_block\":" block "}")
#define DELTA(index, delta)                                        \
	EVENT("{\"type\":\"content_block_delta\",\"index\":" index \
	      ",\"delta\":" delta "}")
#define TEXT(index, t) \
	DELTA(index, "{\"type\":\"text_delta\",\"text\":\"" t "\"}")
#define INPUT(index, t) \
	DELTA(index,    \
	    "{\"type\":\"input_json_delta\",\"partial_json\":\"" t "\"}")
#define BLOCK_STOP(index) \
	EVENT("{\"type\":\"content_block_stop\",\"index\":" index "}")

static void deltas_go_where_their_block_is(void **state)
{
	(void)state;
	/* interleaved, and an index that is used again for something else */
	check("anthropic", NULL,
	    BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\"}")
		BLOCK(
		    "1", "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"g\"}")
		    INPUT("1", "{}") INPUT("0", "[]") BLOCK_STOP("0") BLOCK(
			"0", "{\"type\":\"server_tool_use\"}") INPUT("0", "x")
			TEXT("0", "x") BLOCK_STOP("0") TEXT("0", "t") STOP,
	    "call(f) call(g) delta({}) delta([]) end([]) text(t) end({}) "
	    "finish(unknown -) ");
}

static void a_block_that_was_never_begun_has_text_but_no_call(void **state)
{
	(void)state;
	check("anthropic", NULL,
	    INPUT("0", "{}") TEXT("5", "t") BLOCK_STOP("5") BLOCK_STOP("-1")
		STOP,
	    "text(t) finish(unknown -) ");
}

static void blocks_without_end_have_a_ceiling(void **state)
{
	struct buf body;

	(void)state;
	buf_init(&body, 1 << 20);
	for (int i = 0; i < 32; i++)
		buf_printf(&body,
		    EVENT("{\"type\":\"content_block_start\",\"index\":%d,"
			  "\"content_block\":{\"type\":\"text\"}}"),
		    i);
	buf_puts(&body, TEXT("31", "t"));
	/* one more, of an index that is open, is that one anew */
	buf_puts(&body, BLOCK("31", "{\"type\":\"text\",\"text\":\"u\"}"));
	buf_puts(&body, BLOCK("32", "{\"type\":\"text\",\"text\":\"v\"}"));
	buf_putc(&body, '\0');
	check("anthropic", NULL, body.data,
	    "text(t) text(u) error(protocol stream upstream_too_large) ");
	buf_fini(&body);
}

static void counts_that_are_sums_never_overflow(void **state)
{
	(void)state;
	check("anthropic", NULL,
	    EVENT("{\"type\":\"message_start\",\"message\":{\"usage\":{"
		  "\"input_tokens\":9223372036854775807,"
		  "\"cache_read_input_tokens\":9223372036854775807,"
		  "\"cache_creation_input_tokens\":7}}}") TEXT("0", "t") STOP,
	    "text(t) usage(9223372036854775807 -1 -1) finish(unknown -) ");
	check("gemini", NULL,
	    EVENT("{\"candidates\":[{\"finishReason\":\"STOP\"}],"
		  "\"usageMetadata\":{\"promptTokenCount\":1,"
		  "\"toolUsePromptTokenCount\":9223372036854775807,"
		  "\"candidatesTokenCount\":-4,\"thoughtsTokenCount\":3}}"),
	    "usage(9223372036854775807 3 3) finish(stop STOP) ");
}

static void usage_is_known_when_the_frame_with_it_fails(void **state)
{
	(void)state;
	check("gemini", NULL,
	    EVENT("{\"usageMetadata\":{\"promptTokenCount\":5},\"error\":{"
		  "\"code\":503,\"status\":\"UNAVAILABLE\"}}"),
	    "usage(5 -1 -1) error(overloaded stream UNAVAILABLE) ");
	check("ollama", NULL,
	    "{\"error\":\"x\",\"prompt_eval_count\":2,\"eval_count\":3}\n",
	    "usage(2 3 -1) error(server stream ) ");
}

#define CANDIDATE(rest) EVENT("{\"candidates\":[{" rest "}]}")

static void a_reason_that_fails_speaks_in_its_own_words(void **state)
{
	(void)state;
	check("gemini", NULL,
	    CANDIDATE("\"finishReason\":\"MALFORMED_FUNCTION_CALL\","
		      "\"finishMessage\":\"no such function\""),
	    "error(bad_tool_call stream MALFORMED_FUNCTION_CALL) ");
	/* a later reason replaces it */
	check("gemini", NULL,
	    CANDIDATE("\"finishReason\":\"MALFORMED_FUNCTION_CALL\"")
		CANDIDATE("\"finishReason\":\"STOP\""),
	    "finish(stop STOP) ");
}

static void only_the_first_candidate_counts(void **state)
{
	(void)state;
	check("gemini", NULL,
	    EVENT("{\"candidates\":[{\"index\":1,\"content\":{\"parts\":[{"
		  "\"text\":\"no\"}]}},{\"content\":{\"parts\":[{\"text\":"
		  "\"yes\"},7,{\"functionCall\":\"f\"},{\"functionCall\":{}}]}"
		  ",\"finishReason\":\"STOP\"}]}"),
	    "text(yes) call() end({}) finish(tool_calls STOP) ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_that_are_called_one_value_are_read_as_lines),
		cmocka_unit_test(ollama_has_no_words_of_event_streams),
		cmocka_unit_test(deltas_go_where_their_block_is),
		cmocka_unit_test(
		    a_block_that_was_never_begun_has_text_but_no_call),
		cmocka_unit_test(blocks_without_end_have_a_ceiling),
		cmocka_unit_test(counts_that_are_sums_never_overflow),
		cmocka_unit_test(usage_is_known_when_the_frame_with_it_fails),
		cmocka_unit_test(a_reason_that_fails_speaks_in_its_own_words),
		cmocka_unit_test(only_the_first_candidate_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
