#include "worker/scan_delta.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/worker/both_ways.h"

#define OBJECT "\"object\":\"chat.completion.chunk\""
#define DELTA(text) "{\"choices\":[{\"index\":0,\"delta\":{" text "}}]}"
#define CONTENT(json) DELTA("\"content\":" json)

/* ${data} is read, as ${want}; the parser finds the same. */
static void reads(const char *data, const char *want)
{
	size_t len = strlen(data);
	char *copy = malloc(len);
	struct buf scratch;
	struct text t = { NULL, 0 };
	bool quick;

	assert_non_null(copy);
	memcpy(copy, data, len);
	buf_init(&scratch, SCAN_DELTA_MAX_BYTES);
	if (!scan_delta(copy, len, &scratch, &t))
		fail_msg("not read: %s", data);
	assert_int_equal(t.len, strlen(want));
	assert_memory_equal(t.s, want, t.len);
	buf_fini(&scratch);
	free(copy);
	assert_true(both_ways(data, len, &quick));
}

/* ${data} is left to the parser. */
static void leaves(const char *data)
{
	bool quick;

	if (!both_ways(data, strlen(data), &quick))
		fail_msg("two meanings: %s", data);
	if (quick)
		fail_msg("read: %s", data);
}

static void what_providers_send_is_read(void **state)
{
	(void)state;
	reads("{\"id\":\"chatcmpl-1\"," OBJECT ",\"created\":1763700000,"
	      "\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\","
	      "\"system_fingerprint\":null,\"choices\":[{\"index\":0,\"delta\":"
	      "{\"content\":\" the\"},\"finish_reason\":null}],\"usage\":null,"
	      "\"obfuscation\":\"x1\"}",
	    " the");
	reads(
	    "{\"choices\":[{\"finish_reason\":null,\"index\":0,\"delta\":"
	    "{\"content\":\"a\"}}],\"created\":1,\"id\":\"c\",\"model\":\"m\","
	    "\"system_fingerprint\":\"b1\"," OBJECT "}",
	    "a");
	reads("{\"id\":\"g\",\"provider\":\"P\",\"model\":\"m\"," OBJECT
	      ",\"created\":1,\"choices\":[{\"index\":0,\"delta\":{\"role\":"
	      "\"assistant\",\"content\":\"a\"},\"finish_reason\":null,"
	      "\"native_finish_reason\":null,\"logprobs\":null}]}",
	    "a");
}

static void blanks_between_tokens_are_read(void **state)
{
	(void)state;
	reads(" { \"choices\" : [ { \"delta\" : { \"content\" : \"a b\" } "
	      "\t} ] , \"usage\" : null } ",
	    "a b");
}

static void escapes_are_read(void **state)
{
	(void)state;
	reads(CONTENT("\"a\\n\\\"\\\\\\/\\b\\f\\r\\tz\""), "a\n\"\\/\b\f\r\tz");
	reads(CONTENT("\"\\u00e9\\u20AC\\ud83d\\ude00\""), "é€😀");
	reads(CONTENT("\"é€😀\""), "é€😀");
	reads(CONTENT("\"\""), "");
}

static void odd_texts_are_left(void **state)
{
	(void)state;
	leaves(CONTENT("\"\\ud83d\""));
	leaves(CONTENT("\"\\ud83d\\u0041\""));
	leaves(CONTENT("\"\\ude00\""));
	leaves(CONTENT("\"\\u0000\""));
	leaves(CONTENT("\"\\u12\""));
	leaves(CONTENT("\"\\x\""));
	leaves(CONTENT("\"\xff\""));
	leaves(CONTENT("\"\xed\xa0\x80\""));
	leaves(CONTENT("\"\x01\""));
	leaves(CONTENT("\"open"));
	leaves(CONTENT("\"open\\"));
	leaves(CONTENT("null"));
	leaves(CONTENT("[\"a\"]"));
}

static void anything_else_of_interest_is_left(void **state)
{
	static const char *const others[] = {
		DELTA("\"content\":\"a\",\"content\":\"b\""),
		DELTA("\"content\":\"a\",\"content\":null"),
		DELTA("\"content\":\"a\",\"reasoning\":\"b\""),
		DELTA("\"content\":\"a\",\"refusal\":\"b\""),
		DELTA("\"content\":\"a\",\"tool_calls\":[]"),
		DELTA("\"content\":\"a\",\"new\":null"),
		DELTA("\"c\\u006fntent\":\"a\""),
		DELTA(""),
		"{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"a\"}}]}",
		"{\"choices\":[{\"index\":0.0,\"delta\":{\"content\":\"a\"}}]}",
		"{\"choices\":[{\"index\":00,\"delta\":{\"content\":\"a\"}}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"},\"delta\":{}}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"},"
		"\"finish_reason\":\"stop\"}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}},"
		"{\"delta\":{\"content\":\"b\"}}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"choices\":[]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}],\"usage\":{"
		"\"prompt_tokens\":1,\"completion_tokens\":2}}",
		"{\"error\":\"x\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"{\"object\":\"error\",\"choices\":[{\"delta\":{\"content\":"
		"\"a\"}}]}",
		"{\"created\":1e400,\"choices\":[{\"delta\":{\"content\":"
		"\"a\"}}]}",
		"{\"created\":01,\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"{\"id\":\"\xff\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"},}]}",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}x",
		"{\"choices\":[{\"delta\":{\"content\":\"a\"}}]",
		"[{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}]",
		"[DONE]",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		leaves(others[i]);
}

static void a_long_event_is_left(void **state)
{
	struct buf b;
	bool quick;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "{\"choices\":[{\"delta\":{\"content\":\"");
	while (b.len < SCAN_DELTA_MAX_BYTES)
		buf_putc(&b, 'a');
	buf_puts(&b, "\"}}]}");
	assert_true(both_ways(b.data, b.len, &quick));
	assert_false(quick);
	buf_fini(&b);
}

/* --- the transcripts' own events --- */

static struct {
	size_t seen, quick, mutants;
} lines;

/* Each byte in turn is another, or gone, or there twice. */
static void mutate(const char *line, size_t len)
{
	static const char others[] = "\"\\{},:0n \xc3\x01";
	char *copy = malloc(len + 1);
	bool quick;

	assert_non_null(copy);
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < sizeof(others) - 1; k++) {
			memcpy(copy, line, len);
			copy[i] = others[k];
			if (!both_ways(copy, len, &quick))
				fail_msg("%.*s", (int)len, copy);
		}
		memcpy(copy, line, i);
		memcpy(copy + i, line + i + 1, len - i - 1);
		if (!both_ways(copy, len - 1, &quick))
			fail_msg("%.*s", (int)len - 1, copy);
		memcpy(copy, line, i + 1);
		memcpy(copy + i + 1, line + i, len - i);
		if (!both_ways(copy, len + 1, &quick))
			fail_msg("%.*s", (int)len + 1, copy);
		lines.mutants++;
	}
	free(copy);
}

static int look_at(
    const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	FILE *f;

	(void)st;
	(void)ftw;
	if (kind != FTW_F || strstr(path, ".http-body") == NULL)
		return 0;
	f = fopen(path, "r");
	assert_non_null(f);
	while ((len = getline(&line, &room, f)) > 0) {
		bool quick;

		if (strncmp(line, "data: ", 6) != 0)
			continue;
		if (line[len - 1] == '\n')
			len--;
		if (!both_ways(line + 6, (size_t)len - 6, &quick))
			fail_msg("%s: %s", path, line);
		lines.quick += quick;
		if (lines.seen++ % 500 == 0 && len < 400)
			mutate(line + 6, (size_t)len - 6);
	}
	free(line);
	fclose(f);
	return 0;
}

static void recorded_events_mean_the_same_both_ways(void **state)
{
	(void)state;
	assert_int_equal(nftw("tests/transcripts", look_at, 16, FTW_PHYS), 0);
	print_message("%zu events, %zu of them quick; %zu places mutated\n",
	    lines.seen, lines.quick, lines.mutants);
	assert_true(lines.quick > lines.seen / 4);
	assert_true(lines.mutants > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_providers_send_is_read),
		cmocka_unit_test(blanks_between_tokens_are_read),
		cmocka_unit_test(escapes_are_read),
		cmocka_unit_test(odd_texts_are_left),
		cmocka_unit_test(anything_else_of_interest_is_left),
		cmocka_unit_test(a_long_event_is_left),
		cmocka_unit_test(recorded_events_mean_the_same_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
