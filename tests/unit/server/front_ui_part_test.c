#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/front_ui_part.h"

static const struct row {
	enum chunk_kind kind;
	const char *content, *meta;
} rows[] = {
	{ CHUNK_REASONING, "", "{\"text\":\"hm\"}" },
	{ CHUNK_TEXT, "a", "" },
	{ CHUNK_TEXT, "b", "" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"start\",\"id\":\"c\",\"name\":\"f\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"delta\",\"arguments\":\"{\\n\\\"x\\\":\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"end\",\"arguments\":"
	    "\"{\\n\\\"x\\\":1}\",\"valid_json\":true}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"start\",\"id\":\"d\",\"name\":\"g\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"end\",\"arguments\":\"{\","
	    "\"valid_json\":false}" },
	{ CHUNK_TEXT, "c", "" },
	{ CHUNK_END, "", "{}" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

#define EVENT(json) "data: {\"type\":" json "}\n\n"

static const char told[] = EVENT("\"start\",\"messageId\":\"m\"") EVENT(
    "\"start-step\"") EVENT("\"reasoning-start\",\"id\":\"1\"")
    EVENT("\"reasoning-delta\",\"id\":\"1\",\"delta\":\"hm\"") EVENT(
	"\"reasoning-end\",\"id\":\"1\"") EVENT("\"text-start\",\"id\":\"2\"")
	EVENT("\"text-delta\",\"id\":\"2\",\"delta\":\"a\"") EVENT(
	    "\"text-delta\",\"id\":\"2\",\"delta\":\"b\"")
	    EVENT("\"text-end\",\"id\":\"2\"") EVENT(
		"\"tool-input-start\",\"toolCallId\":\"c\",\"toolName\":\"f\"")
		EVENT("\"tool-input-delta\",\"toolCallId\":\"c\","
		      "\"inputTextDelta\":\"{\\n\\\"x\\\":\"")
		    EVENT("\"tool-input-available\",\"toolCallId\":\"c\","
			  "\"toolName\":\"f\",\"input\":{ \"x\":1}")
			EVENT(
			    "\"tool-input-start\",\"toolCallId\":\"d\",\"toolName\":\"g\"")
			    EVENT(
				"\"tool-input-error\",\"toolCallId\":\"d\",\"toolName\":\"g\","
				"\"input\":\"{\","
				"\"errorText\":\"the arguments are not valid JSON\"")
				EVENT("\"text-start\",\"id\":\"3\"") EVENT(
				    "\"text-delta\",\"id\":\"3\",\"delta\":\"c\"")
				    EVENT("\"text-end\",\"id\":\"3\"")
					EVENT("\"finish-step\"") EVENT(
					    "\"finish\",\"finishReason\":\"tool-calls\"") "data: [DONE]\n\n";

/* All of ${list} told, in pages of ${step} rows, from the part ${from} on. */
static void tell(struct buf *b, const struct row *list, size_t n, size_t step,
    uint64_t from, enum execution_status status, const char *metadata)
{
	struct telling *t = front_ui_part_new("m", from);
	enum telling_state state = TELLING_ON;

	assert_non_null(t);
	for (size_t i = 0; state == TELLING_ON && i < n; i += step) {
		struct page page;

		page_init(&page);
		page.status = status;
		page.first = i;
		page.total = n;
		for (size_t k = i; k < i + step && k < n; k++, page.n++) {
			struct chunk c = { .attempt = 1,
				.kind = list[k].kind,
				.content = list[k].content,
				.content_len = strlen(list[k].content),
				.meta = list[k].meta,
				.meta_len = strlen(list[k].meta) };

			chunk_pack(&page.records, &c, 0);
		}
		buf_puts(&page.metadata, metadata);
		state = telling_page(t, b, &page, NULL);
		page_fini(&page);
	}
	assert_int_equal(state, TELLING_OVER);
	telling_free(t);
}

static void is(const struct buf *b, const char *want)
{
	assert_int_equal(b->len, strlen(want));
	assert_memory_equal(b->data, want, b->len);
}

static void parts_begin_and_end_in_order_however_rows_are_paged(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	for (size_t step = 1; step <= N_ROWS; step++) {
		buf_reset(&b);
		tell(&b, rows, N_ROWS, step, 0, EXECUTION_COMPLETED,
		    "{\"finish_reason\":\"tool_calls\"}");
		is(&b, told);
	}
	buf_fini(&b);
}

static void from_a_part_on_is_the_rest_of_the_bytes(void **state)
{
	const char *rest = told;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	for (uint64_t from = 0; *rest; from++) {
		buf_reset(&b);
		tell(&b, rows, N_ROWS, 2, from, EXECUTION_COMPLETED,
		    "{\"finish_reason\":\"tool_calls\"}");
		is(&b, rest);
		rest = strstr(rest, "\n\n") + 2;
	}
	buf_fini(&b);
}

static void every_end_finishes(void **state)
{
	static const struct row half[] = { { CHUNK_TEXT, "a", "" },
		{ CHUNK_END, "", "{}" } };
	static const struct row twice[] = { { CHUNK_TEXT, "a", "" },
		{ CHUNK_RESET, "", "{}" }, { CHUNK_TEXT, "b", "" },
		{ CHUNK_END, "", "{}" } };
	static const char tail[] = EVENT("\"finish-step\"")
	    EVENT("\"finish\",\"finishReason\":\"error\"") "data: [DONE]\n\n";
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	tell(&b, half, 2, 2, 0, EXECUTION_FAILED,
	    "{\"error\":{\"code\":\"x\",\"message\":\"why\"}}");
	assert_non_null(memmem(b.data, b.len, "\"errorText\":\"why\"", 17));
	assert_memory_equal(b.data + b.len - strlen(tail), tail, strlen(tail));
	buf_reset(&b);
	tell(&b, half, 2, 2, 0, EXECUTION_CANCELLED, "{}");
	assert_non_null(memmem(b.data, b.len, "\"abort\"", 7));
	assert_non_null(
	    memmem(b.data, b.len, "\"finishReason\":\"other\"", 22));
	buf_reset(&b);
	tell(&b, twice, 4, 4, 0, EXECUTION_COMPLETED, "{}");
	assert_memory_equal(b.data + b.len - strlen(tail), tail, strlen(tail));
	assert_null(memmem(b.data, b.len, "\"delta\":\"b\"", 11));
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    parts_begin_and_end_in_order_however_rows_are_paged),
		cmocka_unit_test(from_a_part_on_is_the_rest_of_the_bytes),
		cmocka_unit_test(every_end_finishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
