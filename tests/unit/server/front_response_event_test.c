#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/body.h"
#include "server/front_response_event.h"

static const char done[] =
    "{\"finish_reason\":\"stop\",\"usage\":{\"input_tokens\":3,"
    "\"output_tokens\":4,\"total_tokens\":7,\"reasoning_tokens\":2}}";

struct row {
	enum chunk_kind kind;
	const char *content, *meta;
};

static const struct row rows[] = {
	{ CHUNK_REASONING, "", "{\"text\":\"hm \\\"so\\\"\"}" },
	{ CHUNK_TEXT, "Hel", "" },
	{ CHUNK_TEXT, "lo\n", "{}" },
	{ CHUNK_TEXT, "no", "{\"refusal\":true}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"start\",\"id\":\"c1\",\"name\":\"f\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"start\",\"id\":\"c2\",\"name\":\"g\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"delta\",\"arguments\":\"{\\\"a\\\"\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"delta\",\"arguments\":\":1}\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"end\",\"arguments\":\"{}\","
	    "\"valid_json\":true}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"end\",\"arguments\":\"{\\\"a\\\":1}\","
	    "\"valid_json\":true}" },
	{ CHUNK_END, "", "{\"status\":\"completed\"}" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* rows[${from}…${to}) of a log with ${all} rows, ended or not. */
static void make(struct page *p, const struct row *list, size_t from, size_t to,
    size_t all, enum execution_status status, const char *metadata)
{
	page_init(p);
	p->created_ms = 1700000000123;
	p->status = status;
	p->first = from;
	p->total = all;
	p->n = (uint32_t)(to - from);
	for (size_t i = from; i < to; i++) {
		struct chunk c = { .attempt = 1,
			.kind = list[i].kind,
			.ts_ms = 1700000005000,
			.content = list[i].content,
			.content_len = strlen(list[i].content),
			.meta = list[i].meta,
			.meta_len = strlen(list[i].meta) };

		chunk_pack(&p->records, &c, p->created_ms);
	}
	if (execution_ended(status))
		buf_puts(&p->metadata, metadata);
}

/* All events of ${list}, told in pages of ${step} rows. */
static void tell(struct buf *b, const struct row *list, size_t n, size_t step,
    uint64_t from, enum execution_status status, const char *metadata)
{
	struct telling *t =
	    front_response_event_new("m", body_responses_echo(NULL, 0), from);
	enum telling_state state = TELLING_ON;
	struct page page;

	assert_non_null(t);
	for (size_t i = 0; state == TELLING_ON && i < n; i += step) {
		size_t to = i + step < n ? i + step : n;

		make(&page, list, i, to, n, status, metadata);
		state = telling_page(t, b, &page, NULL);
		page_fini(&page);
	}
	assert_int_equal(state, TELLING_OVER);
	assert_int_equal(buf_state(b), OK);
	telling_free(t);
}

/* The data of all events, an array; each is as its lines say. */
static json_t *read_events(const struct buf *b, uint64_t from)
{
	const char *at = b->data, *end = b->data + b->len;
	json_t *list = json_array();

	while (at < end) {
		const char *data = memmem(at, (size_t)(end - at), "data: ", 6);
		const char *stop = memmem(at, (size_t)(end - at), "\n\n", 2);
		char want[128];
		json_t *v;

		assert_non_null(data);
		assert_non_null(stop);
		v = json_loadb(data + 6, (size_t)(stop - data) - 6, 0, NULL);
		assert_non_null(v);
		(void)snprintf(want, sizeof(want), "id: %zu\nevent: %s\n",
		    (size_t)from + json_array_size(list),
		    json_string_value(json_object_get(v, "type")));
		assert_int_equal(strlen(want), data - at);
		assert_memory_equal(at, want, strlen(want));
		assert_int_equal(
		    json_integer_value(json_object_get(v, "sequence_number")),
		    from + json_array_size(list));
		assert_int_equal(json_array_append_new(list, v), 0);
		at = stop + 2;
	}
	return list;
}

static void types_are(const json_t *events, const char *const *want, size_t n)
{
	assert_int_equal(json_array_size(events), n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(json_string_value(json_object_get(
					json_array_get(events, i), "type")),
		    want[i]);
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	assert_non_null(s);
	return s;
}

#define R "response."

static void rows_become_items_in_order(void **state)
{
	static const char *const want[] = { R "created", R "in_progress",
		R "output_item.added", R "reasoning_summary_part.added",
		R "reasoning_summary_text.delta",
		R "reasoning_summary_text.done",
		R "reasoning_summary_part.done", R "output_item.done",
		R "output_item.added", R "content_part.added",
		R "output_text.delta", R "output_text.delta",
		R "output_text.done", R "content_part.done",
		R "output_item.done", R "output_item.added",
		R "content_part.added", R "refusal.delta", R "refusal.done",
		R "content_part.done", R "output_item.done",
		R "output_item.added", R "output_item.added",
		R "function_call_arguments.delta",
		R "function_call_arguments.delta",
		R "function_call_arguments.delta",
		R "function_call_arguments.done", R "output_item.done",
		R "function_call_arguments.done", R "output_item.done",
		R "completed" };
	const json_t *output, *item;
	json_t *events;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell(&b, rows, N_ROWS, N_ROWS, 0, EXECUTION_COMPLETED, done);
	events = read_events(&b, 0);
	types_are(events, want, sizeof(want) / sizeof(want[0]));
	assert_string_equal(
	    text_of(json_array_get(events, 12), "text"), "Hello\n");
	item = json_object_get(
	    json_array_get(events, json_array_size(events) - 1), "response");
	assert_int_equal(
	    json_integer_value(json_object_get(item, "completed_at")),
	    1700000005);
	output = json_object_get(item, "output");
	assert_int_equal(json_array_size(output), 5);
	assert_string_equal(
	    text_of(json_array_get(output, 3), "arguments"), "{\"a\":1}");
	assert_string_equal(
	    text_of(json_array_get(output, 4), "arguments"), "{}");
	assert_string_equal(
	    text_of(json_array_get(output, 4), "call_id"), "c2");
	json_decref(events);
	buf_fini(&b);
}

static void however_the_rows_are_paged_the_bytes_are_the_same(void **state)
{
	struct buf whole, b;

	(void)state;
	buf_init(&whole, 1 << 20);
	tell(&whole, rows, N_ROWS, N_ROWS, 0, EXECUTION_COMPLETED, done);
	for (size_t step = 1; step < N_ROWS; step++) {
		buf_init(&b, 1 << 20);
		tell(&b, rows, N_ROWS, step, 0, EXECUTION_COMPLETED, done);
		assert_int_equal(b.len, whole.len);
		assert_memory_equal(b.data, whole.data, b.len);
		buf_fini(&b);
	}
	buf_fini(&whole);
}

static void from_an_event_on_is_the_rest_of_the_bytes(void **state)
{
	struct buf whole, b;
	json_t *events;
	size_t n;

	(void)state;
	buf_init(&whole, 1 << 20);
	tell(&whole, rows, N_ROWS, 3, 0, EXECUTION_COMPLETED, done);
	events = read_events(&whole, 0);
	n = json_array_size(events);
	json_decref(events);
	for (size_t from = 1; from < n; from++) {
		buf_init(&b, 1 << 20);
		tell(&b, rows, N_ROWS, 3, from, EXECUTION_COMPLETED, done);
		events = read_events(&b, from);
		assert_int_equal(json_array_size(events), n - from);
		assert_memory_equal(
		    b.data, whole.data + whole.len - b.len, b.len);
		json_decref(events);
		buf_fini(&b);
	}
	buf_init(&b, 1 << 20);
	tell(&b, rows, N_ROWS, 3, n, EXECUTION_COMPLETED, done);
	assert_int_equal(b.len, 0);
	buf_fini(&b);
	buf_fini(&whole);
}

/* The last event's response, of an answer that ended with ${metadata}. */
static void last_is(enum execution_status status, const char *metadata,
    const char *type, const char *want, const char *item_status)
{
	static const struct row some[] = {
		{ CHUNK_TEXT, "a", "" },
		{ CHUNK_END, "", "{}" },
	};
	const json_t *last, *r;
	json_t *events;
	struct buf b;

	buf_init(&b, 1 << 20);
	tell(&b, some, 2, 1, 0, status, metadata);
	events = read_events(&b, 0);
	last = json_array_get(events, json_array_size(events) - 1);
	r = json_object_get(last, "response");
	assert_string_equal(text_of(last, "type"), type);
	assert_string_equal(text_of(r, "status"), want);
	assert_string_equal(
	    text_of(json_array_get(json_object_get(r, "output"), 0), "status"),
	    item_status);
	assert_true(json_is_integer(
	    json_object_get(json_object_get(r, "usage"), "input_tokens")));
	if (status == EXECUTION_FAILED)
		assert_string_equal(
		    text_of(json_object_get(r, "error"), "code"),
		    "rate_limit_exceeded");
	else
		assert_true(json_is_null(json_object_get(r, "error")));
	json_decref(events);
	buf_fini(&b);
}

static void each_end_has_its_event(void **state)
{
	(void)state;
	last_is(
	    EXECUTION_COMPLETED, done, R "completed", "completed", "completed");
	last_is(EXECUTION_COMPLETED, "{\"finish_reason\":\"length\"}",
	    R "incomplete", "incomplete", "incomplete");
	last_is(EXECUTION_COMPLETED, "{\"finish_reason\":\"content_filter\"}",
	    R "incomplete", "incomplete", "incomplete");
	last_is(EXECUTION_CANCELLED, "{}", R "incomplete", "cancelled",
	    "incomplete");
	last_is(EXECUTION_FAILED,
	    "{\"error\":{\"code\":\"rate_limit\",\"message\":\"slow\"}}",
	    R "failed", "failed", "incomplete");
}

static void a_reset_of_what_was_said_ends_the_stream(void **state)
{
	static const struct row said[] = {
		{ CHUNK_TEXT, "a", "" },
		{ CHUNK_RESET, "", "{\"reason\":\"r\"}" },
		{ CHUNK_TEXT, "b", "" },
		{ CHUNK_END, "", "{}" },
	};
	json_t *events;
	const json_t *last;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell(&b, said, 4, 4, 0, EXECUTION_COMPLETED, done);
	events = read_events(&b, 0);
	last = json_array_get(events, json_array_size(events) - 1);
	assert_string_equal(text_of(last, "type"), "error");
	assert_string_equal(text_of(json_object_get(last, "error"), "message"),
	    text_of(last, "message"));
	json_decref(events);
	buf_fini(&b);
	/* Before anything was said there is nothing to withdraw. */
	buf_init(&b, 1 << 20);
	tell(&b, said + 1, 3, 1, 0, EXECUTION_COMPLETED, done);
	events = read_events(&b, 0);
	last = json_array_get(events, json_array_size(events) - 1);
	assert_string_equal(text_of(last, "type"), R "completed");
	json_decref(events);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_become_items_in_order),
		cmocka_unit_test(
		    however_the_rows_are_paged_the_bytes_are_the_same),
		cmocka_unit_test(from_an_event_on_is_the_rest_of_the_bytes),
		cmocka_unit_test(each_end_has_its_event),
		cmocka_unit_test(a_reset_of_what_was_said_ends_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
