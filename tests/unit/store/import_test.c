/* Lines of an export: what is taken of them, and what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/chunk.h"
#include "store/import.h"
#include "tests/unit/store/import_line.h"

static enum err read_line(struct import *i, const char *line, struct why *why)
{
	import_init(i);
	return import_read(i, line, strlen(line), NULL, LINE_NOW_MS, why);
}

static void a_line_becomes_its_record_and_its_chunks(void **state)
{
	struct import i;
	struct why why = { "" };
	const char *p, *end;
	struct chunk c[4];
	enum err rc = read_line(&i, LINE, &why);

	(void)state;
	if (rc != OK)
		fail_msg("%s", why.text);
	assert_int_equal(i.e.row, 0);
	assert_int_equal(i.e.status, EXECUTION_COMPLETED);
	assert_string_equal(i.e.owner, "shop");
	assert_string_equal(i.e.model, "m");
	assert_string_equal(i.e.target, "sim/m");
	assert_null(i.e.prompt);
	assert_null(i.e.error_code);
	assert_string_equal(i.e.idempotency_key, "k");
	assert_int_equal(i.e.request_hash[1], 0x11);
	assert_int_equal(i.e.request_hash[31], 0xff);
	assert_int_equal(i.e.created_ms, 1767389039360);
	assert_int_equal(i.e.started_ms, 1767389039400);
	assert_int_equal(i.e.first_chunk_ms, 1767389040000);
	assert_int_equal(i.e.finished_ms, 1767389040300);
	assert_int_equal(i.e.next_index, 4);
	assert_int_equal(i.e.attempts, 2);
	/* Byte for byte: no number, escape or order is changed. */
	assert_string_equal(i.e.metadata, "{\"a\":1.0e2,\"a\":\"\\/\"}");
	assert_string_equal(i.e.request,
	    "{\"messages\":[{\"role\":\"user\",\"content\":\"\\u00e9 1.0\"}]}");

	p = i.raw.data;
	end = p + i.raw.len;
	for (unsigned k = 0; k < 4; k++)
		assert_int_equal(
		    chunk_unpack(&p, end, i.e.created_ms, k, &c[k]), OK);
	assert_ptr_equal(p, end);
	assert_int_equal(c[0].attempt, 1);
	assert_int_equal(c[1].attempt, 1);
	assert_int_equal(c[2].attempt, 2);
	assert_int_equal(c[3].attempt, 2);
	assert_int_equal(c[0].meta_len, 0);
	assert_int_equal(c[1].kind, CHUNK_RESET);
	assert_memory_equal(c[1].meta, "{\"reason\":\"again\"}", 18);
	assert_int_equal(c[2].content_len, 8);
	assert_memory_equal(c[2].content, "Hi \0\xf0\x9f\x8c\x8a", 8);
	assert_int_equal(c[2].meta_len, 10);
	assert_memory_equal(c[2].meta, "{\"n\":1.50}", 10);
	assert_int_equal(c[3].kind, CHUNK_END);
	assert_int_equal(c[3].ts_ms, 1767389040300);
	assert_int_equal(i.n_segments, 1);
	assert_int_equal(i.segments[0].n, 4);
	import_fini(&i);
}

static void expect_taken(const char *line)
{
	struct why why = { "" };
	struct import i;

	if (read_line(&i, line, &why) != OK)
		fail_msg("%s\n%s", why.text, line);
	import_fini(&i);
}

static void white_space_and_another_order_do_not_matter(void **state)
{
	char *line =
	    line_with(LINE, "{\"execution_id\"", " { \"execution_id\" ");

	(void)state;
	expect_taken(line);
	free(line);
	line = line_with(LINE, "{\"kind\":\"reset\",\"reason\":\"again\"}",
	    "{ \"reason\":\"again\", \"kind\": \"reset\" }");
	expect_taken(line);
	free(line);
	/* What is null may be missing. */
	line = line_with(LINE, "\"prompt\":null,", "");
	expect_taken(line);
	free(line);
}

static void what_is_wrong_is_refused_and_said(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} bad[] = {
		{ "\"completed\",", "\"streaming\",", "had not ended" },
		{ "\"completed\",", "\"done\",", "\"status\" is none" },
		{ "\"completed\",", "\"failed\",", "no \"error_code\"" },
		{ "\"completed\",", "\"cancelled\",", "does not say so" },
		{ "\"error_code\":null", "\"error_code\":\"x\"",
		    "has an \"error_code\"" },
		{ "\"owner\":\"shop\"", "\"owner\":\"\"", "empty" },
		{ "\"owner\":\"shop\"",
		    "\"owner\":\"0123456789012345678901234567890123456789"
		    "012345678901234567890123\"",
		    "longer than 63" },
		{ "\"owner\":\"shop\"", "\"owner\":\"a\\u0000\"", "NUL" },
		{ "\"owner\":\"shop\",", "", "\"owner\" is missing" },
		{ "\"owner\":\"shop\"", "\"owner\":\"a\",\"owner\":\"b\"",
		    "there twice" },
		{ "\"owner\":\"shop\"", "\"owner\":\"a\",\"woner\":\"b\"",
		    "\"woner\" is not one" },
		{ "019b8098-8b00-7", "019b8098-8b00-4", "UUIDv7" },
		{ "019b8098-8b00-7", "019b8098-8b00-", "UUIDv7" },
		{ "019b8098", "019b8090", "another time" },
		{ LINE_CREATED, "\"2026-01-02 21:23:59.360Z\"",
		    "must be a time" },
		{ LINE_CREATED, "\"2026-02-30T21:23:59.360Z\"",
		    "must be a time" },
		{ "\"finished_at\":\"2026", "\"finished_at\":\"2025",
		    "not plausible" },
		{ "\"finished_at\":\"2026", "\"finished_at\":\"2027",
		    "not plausible" },
		{ "00.100Z", "00.100+00:00", "chunk 1: its timestamp" },
		{ "\"total_chunks\":4", "\"total_chunks\":5", "says 5" },
		{ "\"total_chunks\":4", "\"total_chunks\":3", "more chunks" },
		{ "\"total_chunks\":4", "\"total_chunks\":4.0", "a number" },
		{ "\"total_chunks\":4", "\"total_chunks\":-4", "a number" },
		{ "\"index\":1", "\"index\":2", "dense from 0" },
		{ "\"index\":0", "\"index\":1", "dense from 0" },
		{ "\"kind\":\"reset\"", "\"kind\":\"resets\"", "kind is none" },
		{ "\"kind\":\"reset\",", "", "no kind" },
		{ "\"content\":\"\",", "\"content\":\"x\",", "only text" },
		{ "\"content\":\"Hello\"", "\"content\":7", "must be a text" },
		{ "\"content\":\"Hello\"", "\"content\":\"\\ud800\"",
		    "must be a text" },
		{ "\"content\":\"Hello\",", "", "each once" },
		{ "\"content\":\"Hello\"", "\"contents\":\"Hello\"",
		    "nothing else" },
		{ "\"kind\":\"end\"", "\"kind\":\"text\"", "exactly one end" },
		{ "\"kind\":\"reset\",\"reason\":\"again\"",
		    "\"kind\":\"end\",\"status\":\"completed\"",
		    "exactly one end" },
		{ "\"kind\":\"end\",\"attempt\":2,\"status\":\"completed\"",
		    "\"kind\":\"end\",\"attempt\":2,\"status\":\"failed\"",
		    "does not say so" },
		{ "\"text\":\"Hi ", "\"text\":\"Ho ", "not what its chunks" },
		{ "\"text\":\"Hi ", "\"text\":\"HelloHi ",
		    "not what its chunks" },
		{ "[[0,1],[2,2]]", "[[0,1],[4,2]]", "chunk_attempts" },
		{ "[[0,1],[2,2]]", "[[1,1]]", "chunk_attempts" },
		{ "[[0,1],[2,2]]", "[[0,1],[3,2]]", "its attempt is not" },
		{ ",\"chunk_attempts\":[[0,1],[2,2]]", "",
		    "its attempt is not" },
		{ "[[0,1],[2,2]]", "[[0,1],[2,3]]", "its attempt is not" },
		{ "\"attempt\":2,\"n\"", "\"attempt\":3,\"n\"",
		    "its attempt is not" },
		{ "[[0,1],[2,2]]", "[[0,1],[0,2]]", "chunk_attempts" },
		{ "[[0,1],[2,2]]", "[[0,1,2]]", "chunk_attempts" },
		{ "[[0,1],[2,2]]", "[]", "chunk_attempts" },
		{ "\"metadata\":{\"a\"", "\"metadata\":[{\"a\"", "byte " },
		{ "\"request\":{", "\"request\":null,\"prompt2\":{",
		    "prompt2" },
		{ "\"0011", "\"001", "hex digits" },
		{ "\"0011", "\"00AA", "hex digits" },
		{ "\"chunk_attempts\"", "\"deleted\":true,\"chunk_attempts\"",
		    "was deleted while" },
		{ "\"chunk_attempts\"",
		    "\"payload_deleted\":true,\"chunk_attempts\"",
		    "goes with \"payload_deleted_at\"" },
		{ "\"request\":{",
		    "\"payload_deleted_at\":\"2026-01-02T03:04:05.678Z\","
		    "\"request\":{",
		    "goes with \"payload_deleted_at\"" },
		{ "Hello", "He\xffllo", "UTF-8" },
		{ "Hello", "He\nllo", "control character" },
		{ "\"chunks\":[", "\"chunks\":{\"a\":1},\"chunky\":[",
		    "chunky" },
		{ "}]},\"metadata\"", "}]},\"metadata\" \"metadata\"",
		    "colon" },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		char *line = line_with(LINE, bad[k].from, bad[k].to);
		struct why why = { "" };
		struct import i;

		if (read_line(&i, line, &why) != ERR_INPUT)
			fail_msg("taken: %s -> %s", bad[k].from, bad[k].to);
		if (strstr(why.text, bad[k].why) == NULL)
			fail_msg("%s -> %s: %s, not %s", bad[k].from, bad[k].to,
			    why.text, bad[k].why);
		import_fini(&i);
		free(line);
	}
}

static void a_record_whose_payload_was_deleted_is_taken_without_it(void **state)
{
	static const struct {
		const char *from, *to, *why;
	} bad[] = {
		{ "\"request\":null", "\"request\":{}",
		    "\"request\" is there" },
		{ "\"chunks\":[]", "\"chunks\":[" LINE_END "]",
		    "\"chunks\" must be []" },
		{ "\"text\":\"\"", "\"text\":\"a\"", "\"text\" must be" },
		{ "\"chunk_attempts\":[]", "\"chunk_attempts\":[[0,1]]",
		    "\"chunk_attempts\" must be" },
		{ "\"payload_deleted\":true", "\"payload_deleted\":false",
		    "\"payload_deleted\" is true" },
		{ "\"payload_deleted\":true,", "", "goes with" },
		{ "\"total_chunks\":4", "\"total_chunks\":0",
		    "one is the end" },
		{ "22:00:00.000Z", "22:00:00Z", "must be a time" },
		{ "2026-01-02T22", "2025-12-02T22", "not plausible" },
		{ "2026-01-02T22", "2027-01-02T22", "not plausible" },
		{ "\"chunks\":[],", "", "\"chunks\" is missing" },
	};
	struct why why = { "" };
	struct import i;

	(void)state;
	if (read_line(&i, LINE_GONE, &why) != OK)
		fail_msg("%s", why.text);
	assert_true(i.e.payload_deleted_ms > i.e.finished_ms);
	assert_null(i.e.request);
	assert_int_equal(i.n_segments, 0);
	assert_int_equal(i.e.next_index, 4);
	import_fini(&i);
	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
		char *line = line_with(LINE_GONE, bad[k].from, bad[k].to);

		if (read_line(&i, line, &why) != ERR_INPUT)
			fail_msg("taken: %s -> %s", bad[k].from, bad[k].to);
		if (strstr(why.text, bad[k].why) == NULL)
			fail_msg("%s -> %s: %s, not %s", bad[k].from, bad[k].to,
			    why.text, bad[k].why);
		import_fini(&i);
		free(line);
	}
}

static void a_line_cut_anywhere_is_refused(void **state)
{
	(void)state;
	for (size_t n = 0; n < strlen(LINE); n++) {
		struct why why = { "" };
		struct import i;

		import_init(&i);
		assert_int_equal(
		    import_read(&i, LINE, n, NULL, LINE_NOW_MS, &why),
		    ERR_INPUT);
		assert_true(why.text[0] != '\0');
		/* Whose line it was is known, once it is there. */
		if (n > 60 && n < strlen(LINE) - 1)
			assert_int_equal(i.e.id.byte[15], 0xab);
		import_fini(&i);
	}
}

static void a_failure_must_be_told_by_the_metadata_too(void **state)
{
	char *a = line_with(LINE, "\"completed\",", "\"failed\",");
	char *b =
	    line_with(a, "\"error_code\":null", "\"error_code\":\"idle\"");
	char *c =
	    line_with(b, "\"status\":\"completed\"", "\"status\":\"failed\"");
	char *d = line_with(c, "\"metadata\":{\"a\"",
	    "\"metadata\":{\"error\":{\"code\":\"idle\"},\"a\"");
	struct why why = { "" };
	struct import i;

	(void)state;
	assert_int_equal(read_line(&i, c, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "does not say the error"));
	import_fini(&i);
	expect_taken(d);
	free(a);
	free(b);
	free(c);
	free(d);
}

static void a_hash_is_needed_where_there_is_a_key(void **state)
{
	char *line = line_with(LINE, "\"request_hash\":\"0", "\"x\":\"0");
	char *without = line_with(LINE,
	    "\"request_hash\":\"00112233445566778899aabbccddeeff"
	    "00112233445566778899aabbccddeeff\",",
	    "");
	struct why why = { "" };
	struct import i;

	(void)state;
	free(line);
	assert_int_equal(read_line(&i, without, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "request_hash"));
	import_fini(&i);
	line = line_with(without, "\"idempotency_key\":\"k\",", "");
	expect_taken(line);
	free(line);
	free(without);
}

static void owners_are_mapped(void **state)
{
	struct import_owners o;
	struct why why = { "" };
	struct import i;

	(void)state;
	assert_int_equal(import_owners_parse("a=b,shop=store,c", &o, &why), OK);
	assert_int_equal(o.n, 3);
	import_init(&i);
	assert_int_equal(
	    import_read(&i, LINE, strlen(LINE), &o, LINE_NOW_MS, &why), OK);
	assert_string_equal(i.e.owner, "store");
	import_fini(&i);
	assert_int_equal(import_owners_parse("zed", &o, &why), OK);
	import_init(&i);
	assert_int_equal(
	    import_read(&i, LINE, strlen(LINE), &o, LINE_NOW_MS, &why), OK);
	assert_string_equal(i.e.owner, "zed");
	import_fini(&i);
	assert_int_equal(import_owners_parse("", &o, &why), ERR_INPUT);
	assert_int_equal(import_owners_parse("=a", &o, &why), ERR_INPUT);
	assert_int_equal(import_owners_parse("a=", &o, &why), ERR_INPUT);
	assert_int_equal(import_owners_parse("a=b=c", &o, &why), ERR_INPUT);
	assert_int_equal(import_owners_parse("a,,b", &o, &why), ERR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_becomes_its_record_and_its_chunks),
		cmocka_unit_test(white_space_and_another_order_do_not_matter),
		cmocka_unit_test(what_is_wrong_is_refused_and_said),
		cmocka_unit_test(
		    a_record_whose_payload_was_deleted_is_taken_without_it),
		cmocka_unit_test(a_line_cut_anywhere_is_refused),
		cmocka_unit_test(a_failure_must_be_told_by_the_metadata_too),
		cmocka_unit_test(a_hash_is_needed_where_there_is_a_key),
		cmocka_unit_test(owners_are_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
