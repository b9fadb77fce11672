#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "worker/worker.h"

static void refused(const char *lines, const char *word)
{
	struct why why = { "" };

	assert_int_equal(worker_headers_check(lines, &why), ERR_INPUT);
	if (strstr(why.text, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why.text, word);
	assert_null(strstr(why.text, "s3cret"));
}

static void taken(const char *lines)
{
	struct why why = { "" };

	if (worker_headers_check(lines, &why) != OK)
		fail_msg("refused: %s", why.text);
}

static void what_http_allows_may_be_sent(void **state)
{
	(void)state;
	taken("");
	taken("X-Title: shop\n");
	taken("api-key: abc\nOpenAI-Organization: org-1\nX_y!: a b:c\n");
}

static void what_spool_says_itself_is_refused_by_name(void **state)
{
	static const char *const ours[] = { "Host", "HOST", "content-length",
		"Transfer-Encoding", "Connection", "Content-Type", "Accept",
		"Expect", "anthropic-version" };
	static const char *const keys[] = { "Authorization", "x-api-key",
		"X-Goog-Api-Key", "proxy-authorization" };
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		snprintf(line, sizeof(line), "X-A: b\n%s: s3cret\n", ours[i]);
		refused(line, ours[i]);
	}
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(line, sizeof(line), "%s: s3cret\n", keys[i]);
		refused(line, "key_file");
	}
}

static void nothing_can_be_smuggled_in(void **state)
{
	(void)state;
	refused("X-A: s3cret\r\n", "characters");
	refused("X-A: s3cret\nHost: b\n", "Host");
	refused("X-A: s3cret\rHost: b\n", "characters");
	refused("X-A: s3cret\x7f\n", "characters");
	refused("X-A: s3cret\xc3\xa4\n", "characters");
	refused("X A: s3cret\n", "Name: value");
	refused(" X-A: s3cret\n", "Name: value");
	refused("X-A;\n", "Name: value");
	refused("s3cret\n", "Name: value");
	refused(": s3cret\n", "Name: value");
	refused("X-A: s3cret", "end its line");
	/* curl would take its own header of that name away */
	refused("User-Agent:\n", "spool's own");
	refused("X-A:\n", "no value");
	refused("X-A:   \n", "no value");
}

static void there_are_only_so_many_each_once(void **state)
{
	char lines[WORKER_MAX_HEADER_BYTES + 64];
	size_t n = 0;

	(void)state;
	refused("X-A: 1\nX-B: 2\nx-a: 3\n", "twice");
	for (int i = 0; i < WORKER_MAX_HEADERS; i++)
		n += (size_t)snprintf(
		    lines + n, sizeof(lines) - n, "X-%d: 1\n", i);
	taken(lines);
	snprintf(lines + n, sizeof(lines) - n, "X-More: 1\n");
	refused(lines, "more than 16");
	snprintf(lines, sizeof(lines), "X-A: %0*d\n",
	    WORKER_MAX_HEADER_BYTES - (int)strlen("X-A: \n"), 0);
	taken(lines);
	snprintf(lines, sizeof(lines), "X-A: %0*d\n",
	    WORKER_MAX_HEADER_BYTES - (int)strlen("X-A: \n") + 1, 0);
	refused(lines, "bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_http_allows_may_be_sent),
		cmocka_unit_test(what_spool_says_itself_is_refused_by_name),
		cmocka_unit_test(nothing_can_be_smuggled_in),
		cmocka_unit_test(there_are_only_so_many_each_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
