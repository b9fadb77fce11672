#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/front_openai_chunk.h"
#include "server/front_openai_whole.h"

static const char done[] =
    "{\"finish_reason\":\"stop\",\"usage\":{\"input_tokens\":3,"
    "\"output_tokens\":4,\"total_tokens\":7,\"reasoning_tokens\":2},"
    "\"usage_source\":\"provider\",\"cost_usd\":0.5}";

struct row {
	enum chunk_kind kind;
	const char *content, *meta;
};

static const struct row rows[] = {
	{ CHUNK_REASONING, "", "{\"text\":\"hm \\\"so\\\"\"}" },
	{ CHUNK_TEXT, "Hel", "" },
	{ CHUNK_TEXT, "lo\n", "{}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"start\",\"id\":\"c1\",\"name\":\"f\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"start\",\"id\":\"c2\",\"name\":\"g\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"delta\",\"arguments\":\"{\\\"a\\\"\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"delta\",\"arguments\":\"{}\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"delta\",\"arguments\":\":1}\"}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"end\",\"arguments\":\"{\\\"a\\\":1}\","
	    "\"valid_json\":true}" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":1,\"phase\":\"end\",\"arguments\":\"{}\","
	    "\"valid_json\":true}" },
	{ CHUNK_END, "", "{\"status\":\"completed\"}" },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

/* A page of rows[${from}…${to}) of a log with ${all} rows, ended or not. */
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
			.ts_ms = 5,
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
static enum telling_state tell(struct buf *b, const struct row *list, size_t n,
    size_t step, enum body_usage usage, uint64_t from,
    enum execution_status status, const char *metadata, struct problem *p)
{
	struct telling *t = front_openai_chunk_new("m", usage, from);
	enum telling_state state = TELLING_ON;
	struct page page;

	assert_non_null(t);
	for (size_t i = 0; state == TELLING_ON && i < n; i += step) {
		size_t to = i + step < n ? i + step : n;

		make(&page, list, i, to, n, status, metadata);
		state = telling_page(t, b, &page, i == 0 ? p : NULL);
		page_fini(&page);
	}
	telling_free(t);
	return state;
}

/* The ${i}-th event's data; NULL when it is no JSON. */
static json_t *event(const struct buf *b, size_t i, char *ret_raw, size_t room)
{
	const char *at = b->data, *end = b->data + b->len;

	for (size_t k = 0;; k++) {
		const char *data = memmem(at, (size_t)(end - at), "data: ", 6);
		const char *stop;

		assert_non_null(data);
		stop = memmem(data, (size_t)(end - data), "\n\n", 2);
		assert_non_null(stop);
		if (k == i) {
			size_t len = (size_t)(stop - data) - 6;

			assert_true(len < room);
			memcpy(ret_raw, data + 6, len);
			ret_raw[len] = '\0';
			return json_loadb(ret_raw, len, 0, NULL);
		}
		at = stop + 2;
	}
}

static void delta_is(const struct buf *b, size_t i, const char *want)
{
	char raw[1024], *got;
	json_t *v = event(b, i, raw, sizeof(raw));
	json_t *choice = json_array_get(json_object_get(v, "choices"), 0);

	assert_non_null(v);
	got = json_dumps(json_object_get(choice, "delta"), JSON_COMPACT);
	assert_string_equal(got, want);
	assert_string_equal(
	    json_string_value(json_object_get(v, "model")), "m");
	assert_int_equal(
	    json_integer_value(json_object_get(v, "created")), 1700000000);
	free(got);
	json_decref(v);
}

static void rows_become_deltas_in_order(void **state)
{
	struct problem p;
	char raw[1024];
	struct buf b;
	json_t *v;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(tell(&b, rows, N_ROWS, N_ROWS, BODY_USAGE_FINISH, 0,
			     EXECUTION_COMPLETED, done, &p),
	    TELLING_OVER);
	delta_is(&b, 0, "{\"role\":\"assistant\",\"content\":\"\"}");
	delta_is(&b, 1, "{\"reasoning_content\":\"hm \\\"so\\\"\"}");
	delta_is(&b, 2, "{\"content\":\"Hel\"}");
	delta_is(&b, 3, "{\"content\":\"lo\\n\"}");
	delta_is(&b, 4,
	    "{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}");
	delta_is(&b, 6,
	    "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
	    "\"{\\\"a\\\"\"}}]}");
	delta_is(&b, 8,
	    "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":"
	    "\":1}\"}}]}");
	delta_is(&b, 9, "{}");
	v = event(&b, 9, raw, sizeof(raw));
	assert_string_equal(
	    json_string_value(json_object_get(
		json_array_get(json_object_get(v, "choices"), 0),
		"finish_reason")),
	    "stop");
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(v, "usage"), "total_tokens")),
	    7);
	json_decref(v);
	assert_null(event(&b, 10, raw, sizeof(raw)));
	assert_string_equal(raw, "[DONE]");
	buf_fini(&b);
}

static void usage_is_said_where_it_was_asked_for(void **state)
{
	struct problem p;
	char raw[1024];
	struct buf b;
	json_t *v;

	(void)state;
	buf_init(&b, 1 << 20);
	(void)tell(&b, rows, N_ROWS, N_ROWS, BODY_USAGE_EXTRA, 0,
	    EXECUTION_COMPLETED, done, &p);
	v = event(&b, 9, raw, sizeof(raw));
	assert_true(json_is_null(json_object_get(v, "usage")));
	json_decref(v);
	v = event(&b, 10, raw, sizeof(raw));
	assert_int_equal(json_array_size(json_object_get(v, "choices")), 0);
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(v, "usage"), "prompt_tokens")),
	    3);
	json_decref(v);
	buf_reset(&b);
	(void)tell(&b, rows, N_ROWS, N_ROWS, BODY_USAGE_NONE, 0,
	    EXECUTION_COMPLETED, done, &p);
	assert_null(memmem(b.data, b.len, "usage", 5));
	buf_fini(&b);
}

static void however_the_rows_are_paged_the_bytes_are_the_same(void **state)
{
	struct buf whole, b;
	struct problem p;

	(void)state;
	buf_init(&whole, 1 << 20);
	buf_init(&b, 1 << 20);
	(void)tell(&whole, rows, N_ROWS, N_ROWS, BODY_USAGE_EXTRA, 0,
	    EXECUTION_COMPLETED, done, &p);
	for (size_t step = 1; step < N_ROWS; step++) {
		buf_reset(&b);
		assert_int_equal(tell(&b, rows, N_ROWS, step, BODY_USAGE_EXTRA,
				     0, EXECUTION_COMPLETED, done, &p),
		    TELLING_OVER);
		assert_int_equal(b.len, whole.len);
		assert_memory_equal(b.data, whole.data, b.len);
	}
	buf_fini(&b);
	buf_fini(&whole);
}

static void from_an_event_on_is_the_rest_of_the_bytes(void **state)
{
	struct buf whole, b;
	struct problem p;

	(void)state;
	buf_init(&whole, 1 << 20);
	buf_init(&b, 1 << 20);
	(void)tell(&whole, rows, N_ROWS, N_ROWS, BODY_USAGE_EXTRA, 0,
	    EXECUTION_COMPLETED, done, &p);
	for (unsigned from = 0; from <= 13; from++) {
		char id[32];
		const char *at;

		(void)snprintf(id, sizeof(id), "id: %u\n", from);
		at = memmem(whole.data, whole.len, id, strlen(id));
		buf_reset(&b);
		(void)tell(&b, rows, N_ROWS, 3, BODY_USAGE_EXTRA, from,
		    EXECUTION_COMPLETED, done, &p);
		if (from > 11) {
			assert_int_equal(b.len, 0);
			continue;
		}
		assert_non_null(at);
		assert_int_equal(b.len, whole.data + whole.len - at);
		assert_memory_equal(b.data, at, b.len);
	}
	buf_fini(&b);
	buf_fini(&whole);
}

static void what_failed_before_it_spoke_is_refused(void **state)
{
	static const struct row none[] = { { CHUNK_END, "", "{}" } };
	static const char why[] = "{\"error\":{\"code\":\"rate_limit\","
				  "\"message\":\"slow down\","
				  "\"retry_after_ms\":1500}}";
	struct problem p = { 0 };
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(tell(&b, none, 1, 1, BODY_USAGE_FINISH, 0,
			     EXECUTION_FAILED, why, &p),
	    TELLING_REFUSED);
	assert_int_equal(b.len, 0);
	assert_string_equal(p.execution_error, "rate_limit");
	assert_string_equal(p.detail, "slow down");
	assert_int_equal(p.retry_after_ms, 1500);
	assert_int_equal(tell(&b, none, 1, 1, BODY_USAGE_FINISH, 0,
			     EXECUTION_FAILED, why, NULL),
	    TELLING_OVER);
	assert_non_null(memmem(b.data, b.len, "\"error\":{", 9));
	assert_null(memmem(b.data, b.len, "[DONE]", 6));
	buf_fini(&b);
}

static void half_an_answer_ends_with_its_error_and_never_with_done(void **state)
{
	static const struct row half[] = { { CHUNK_TEXT, "Hel", "" },
		{ CHUNK_END, "", "{}" } };
	struct problem p;
	char raw[1024];
	struct buf b;
	json_t *v;

	(void)state;
	buf_init(&b, 1 << 20);
	(void)tell(&b, half, 2, 2, BODY_USAGE_FINISH, 0, EXECUTION_FAILED,
	    "{\"error\":{\"code\":\"truncated\",\"message\":\"cut\"}}", &p);
	v = event(&b, 2, raw, sizeof(raw));
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(v, "error"), "code")),
	    "truncated");
	json_decref(v);
	assert_null(memmem(b.data, b.len, "[DONE]", 6));
	assert_null(memmem(b.data, b.len, "\"finish_reason\":\"", 17));
	buf_fini(&b);
}

static const struct row twice[] = { { CHUNK_RESET, "", "{}" },
	{ CHUNK_TEXT, "Hel", "" },
	{ CHUNK_TOOL_CALL, "",
	    "{\"index\":0,\"phase\":\"start\",\"id\":\"c\",\"name\":\"f\"}" },
	{ CHUNK_RESET, "", "{\"reason\":\"x\"}" }, { CHUNK_TEXT, "New", "" },
	{ CHUNK_END, "", "{}" } };

static void a_reset_of_what_was_said_ends_the_stream(void **state)
{
	struct problem p;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	assert_int_equal(tell(&b, twice, 6, 6, BODY_USAGE_FINISH, 0,
			     EXECUTION_COMPLETED, done, &p),
	    TELLING_OVER);
	assert_non_null(memmem(b.data, b.len, "Hel", 3));
	assert_null(memmem(b.data, b.len, "New", 3));
	assert_non_null(memmem(b.data, b.len, "\"error\":{", 9));
	assert_null(memmem(b.data, b.len, "[DONE]", 6));
	buf_fini(&b);
}

/* The completion that ${list} is, as one page. */
static json_t *whole_of(const struct row *list, size_t n)
{
	struct front_openai_whole w;
	struct front_ending e;
	struct page page;
	struct buf b;
	json_t *v;

	make(&page, list, 0, n, n, EXECUTION_COMPLETED, done);
	front_openai_whole_init(&w);
	front_openai_whole_take(&w, &page);
	assert_int_equal(front_openai_whole_state(&w), OK);
	front_ending_read(&page, &e);
	buf_init(&b, 1 << 20);
	front_openai_whole_write(&b, &w, &page, "m", &e);
	v = json_loadb(b.data, b.len, 0, NULL);
	assert_non_null(v);
	buf_fini(&b);
	front_openai_whole_fini(&w);
	page_fini(&page);
	return v;
}

static void message_is(const struct row *list, size_t n, const char *want)
{
	json_t *v = whole_of(list, n);
	char *got = json_dumps(
	    json_object_get(
		json_array_get(json_object_get(v, "choices"), 0), "message"),
	    JSON_COMPACT);

	assert_string_equal(got, want);
	free(got);
	json_decref(v);
}

static void the_whole_has_what_the_rows_had_behind_the_last_reset(void **state)
{
	static const struct row refusal[] = { { CHUNK_TEXT, "I wo",
						  "{\"refusal\":true}" },
		{ CHUNK_TEXT, "n't", "{\"refusal\":true}" },
		{ CHUNK_END, "", "{}" } };

	(void)state;
	message_is(rows, N_ROWS,
	    "{\"role\":\"assistant\",\"content\":\"Hello\\n\","
	    "\"refusal\":null,\"reasoning_content\":\"hm \\\"so\\\"\","
	    "\"tool_calls\":[{\"id\":\"c1\",\"type\":\"function\","
	    "\"function\":{\"name\":\"f\",\"arguments\":"
	    "\"{\\\"a\\\":1}\"}},{\"id\":\"c2\",\"type\":\"function\","
	    "\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}],"
	    "\"annotations\":[]}");
	message_is(twice, 6,
	    "{\"role\":\"assistant\",\"content\":\"New\",\"refusal\":null,"
	    "\"annotations\":[]}");
	message_is(refusal, 3,
	    "{\"role\":\"assistant\",\"content\":null,\"refusal\":"
	    "\"I won't\",\"annotations\":[]}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_become_deltas_in_order),
		cmocka_unit_test(usage_is_said_where_it_was_asked_for),
		cmocka_unit_test(
		    however_the_rows_are_paged_the_bytes_are_the_same),
		cmocka_unit_test(from_an_event_on_is_the_rest_of_the_bytes),
		cmocka_unit_test(what_failed_before_it_spoke_is_refused),
		cmocka_unit_test(
		    half_an_answer_ends_with_its_error_and_never_with_done),
		cmocka_unit_test(a_reset_of_what_was_said_ends_the_stream),
		cmocka_unit_test(
		    the_whole_has_what_the_rows_had_behind_the_last_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
