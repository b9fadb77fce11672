#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/batch.h"

static const struct chunk text = {
	.attempt = 3,
	.kind = CHUNK_TEXT,
	.ts_ms = 1700000000123,
	.content = "a\0b",
	.content_len = 3,
	.meta = "{\"refusal\":true}",
	.meta_len = 16,
};

static void records_come_out_as_they_went_in(void **state)
{
	struct id a = id_new(), b = id_new();
	struct batch_start start = { 2, 1700000000001, "openai/gpt", 10 };
	struct batch_end end = { .status = EXECUTION_FAILED,
		.chunk = { .kind = CHUNK_END, .attempt = 2, .ts_ms = 9 },
		.metadata = "{\"x\":1}",
		.metadata_len = 7,
		.error_code = "timeout",
		.error_code_len = 7 };
	struct batch_record r;
	struct batch batch;
	size_t at = 0;

	(void)state;
	batch_init(&batch, 1 << 20);
	batch_start(&batch, &a, &start);
	batch_chunk(&batch, &b, &text);
	batch_end(&batch, &a, &end);
	batch_note(&batch, &b, &(struct batch_note){ "{\"y\":2}", 7 });
	assert_int_equal(batch_state(&batch), OK);
	assert_int_equal(batch.n, 4);

	assert_true(batch_each(&batch, &at, &r));
	assert_int_equal(r.kind, BATCH_START);
	assert_true(id_equal(&r.id, &a));
	assert_int_equal(r.u.start.attempt, 2);
	assert_int_equal(r.u.start.ts_ms, 1700000000001);
	assert_string_equal(r.u.start.target, "openai/gpt");

	assert_true(batch_each(&batch, &at, &r));
	assert_int_equal(r.kind, BATCH_CHUNK);
	assert_true(id_equal(&r.id, &b));
	assert_int_equal(r.u.chunk.ts_ms, text.ts_ms);
	assert_int_equal(r.u.chunk.attempt, 3);
	assert_int_equal(r.u.chunk.content_len, 3);
	assert_memory_equal(r.u.chunk.content, "a\0b", 3);
	assert_memory_equal(r.u.chunk.meta, text.meta, 16);

	assert_true(batch_each(&batch, &at, &r));
	assert_int_equal(r.kind, BATCH_END);
	assert_int_equal(r.u.end.status, EXECUTION_FAILED);
	assert_int_equal(r.u.end.chunk.kind, CHUNK_END);
	assert_string_equal(r.u.end.metadata, "{\"x\":1}");
	assert_string_equal(r.u.end.error_code, "timeout");

	assert_true(batch_each(&batch, &at, &r));
	assert_int_equal(r.kind, BATCH_NOTE);
	assert_true(id_equal(&r.id, &b));
	assert_int_equal(r.u.note.len, 7);
	assert_string_equal(r.u.note.text, "{\"y\":2}");
	assert_false(batch_each(&batch, &at, &r));
	batch_fini(&batch);
}

static void an_empty_batch_has_no_record(void **state)
{
	struct batch_record r;
	struct batch batch;
	size_t at = 0;

	(void)state;
	batch_init(&batch, 100);
	assert_int_equal(batch_state(&batch), OK);
	assert_false(batch_each(&batch, &at, &r));
	batch_fini(&batch);
}

static void a_batch_beyond_its_ceiling_says_so(void **state)
{
	struct id a = id_new();
	struct batch batch;

	(void)state;
	batch_init(&batch, 100);
	for (int i = 0; i < 10; i++)
		batch_chunk(&batch, &a, &text);
	assert_int_equal(batch_state(&batch), ERR_LIMIT);
	batch_fini(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_come_out_as_they_went_in),
		cmocka_unit_test(an_empty_batch_has_no_record),
		cmocka_unit_test(a_batch_beyond_its_ceiling_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
