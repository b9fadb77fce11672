#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/write_page.h"

#define T0 1767322800000 /* 2026-01-02T03:00:00Z */

static void add(struct page *p, enum chunk_kind kind, int64_t ts_ms,
    const char *content, const char *meta)
{
	struct chunk c = { .attempt = 1,
		.kind = kind,
		.ts_ms = ts_ms,
		.content = content,
		.content_len = strlen(content),
		.meta = meta,
		.meta_len = strlen(meta) };

	chunk_pack(&p->records, &c, p->created_ms);
	p->n++;
}

static void make(struct page *p)
{
	page_init(p);
	p->status = EXECUTION_COMPLETED;
	p->created_ms = T0;
	p->attempt = 1;
	add(p, CHUNK_TEXT, T0 + 7, "a\"\n\xe2\x80\xa8", "");
	add(p, CHUNK_TOOL_CALL, T0 + 1045, "", "{\"@type\":\"x\",\"y\":1}");
	add(p, CHUNK_END, T0 + 1999, "", "{\"status\":\"completed\"}");
	p->total = p->n;
	buf_puts(&p->metadata, "{\"usage\":{\"@type\" : 1}}");
}

static json_t *render(const struct page *p)
{
	struct buf b;
	json_t *v;

	buf_init(&b, 1 << 20);
	write_page(&b, p);
	v = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(v);
	buf_fini(&b);
	return v;
}

static const char *text_of(const json_t *page, size_t i, const char *key)
{
	return json_string_value(json_object_get(
	    json_array_get(json_object_get(page, "chunks"), i), key));
}

static void a_final_page_says_all(void **state)
{
	struct page p;
	json_t *v;

	(void)state;
	make(&p);
	v = render(&p);
	assert_true(json_is_true(json_object_get(v, "completed")));
	assert_string_equal(
	    json_string_value(json_object_get(v, "status")), "completed");
	assert_int_equal(
	    json_integer_value(json_object_get(v, "total_chunks")), 3);
	assert_int_equal(
	    json_integer_value(json_object_get(v, "next_index")), 3);
	assert_int_equal(
	    json_integer_value(json_object_get(v, "retry_after_ms")), 0);
	assert_string_equal(text_of(v, 0, "content"), "a\"\n\xe2\x80\xa8");
	assert_string_equal(text_of(v, 1, "content"), "");
	assert_string_equal(
	    text_of(v, 0, "timestamp"), "2026-01-02T03:00:00.007Z");
	assert_string_equal(
	    text_of(v, 1, "timestamp"), "2026-01-02T03:00:01.045Z");
	assert_string_equal(
	    text_of(v, 2, "timestamp"), "2026-01-02T03:00:01.999Z");
	json_decref(v);
	page_fini(&p);
}

static void the_key_that_callables_throw_on_is_renamed(void **state)
{
	static const char plain[] =
	    "{\"a\":\"@type\",\"b\":\"\\\"@type\\\":\"}";
	struct page p;
	struct buf b;

	(void)state;
	make(&p);
	buf_init(&b, 1 << 20);
	write_page(&b, &p);
	buf_putc(&b, '\0');
	assert_null(strstr(b.data, "@type"));
	assert_non_null(strstr(b.data, "\"kind\":\"tool_call\",\"_type\":"));
	buf_fini(&b);
	/* As a value, or inside a text, it is nobody's key. */
	buf_init(&b, 100);
	write_page_json(&b, plain, sizeof(plain) - 1);
	assert_int_equal(b.len, sizeof(plain) - 1);
	assert_memory_equal(b.data, plain, b.len);
	buf_fini(&b);
	page_fini(&p);
}

static void completed_waits_for_the_last_chunk(void **state)
{
	struct page p;
	json_t *v;

	(void)state;
	make(&p);
	p.total = 4;
	v = render(&p);
	assert_true(json_is_false(json_object_get(v, "completed")));
	assert_int_equal(json_object_size(json_object_get(v, "metadata")), 0);
	json_decref(v);
	p.total = 3;
	p.status = EXECUTION_FAILED;
	v = render(&p);
	assert_true(json_is_true(json_object_get(v, "completed")));
	json_decref(v);
	page_fini(&p);
}

static void the_pause_follows_the_rate(void **state)
{
	struct page p = { .status = EXECUTION_STREAMING };

	(void)state;
	assert_int_equal(write_page_retry_ms(&p), 500);
	p.rate_milli = 40000; /* 40 a second */
	assert_int_equal(write_page_retry_ms(&p), 100);
	p.rate_milli = 5000;
	assert_int_equal(write_page_retry_ms(&p), 800);
	p.rate_milli = 1;
	assert_int_equal(write_page_retry_ms(&p), 2000);
	p.total = 1;
	assert_int_equal(write_page_retry_ms(&p), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_final_page_says_all),
		cmocka_unit_test(the_key_that_callables_throw_on_is_renamed),
		cmocka_unit_test(completed_waits_for_the_last_chunk),
		cmocka_unit_test(the_pause_follows_the_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
