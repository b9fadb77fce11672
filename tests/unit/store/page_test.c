#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/page.h"

/* A page of ${n} chunks "0", "1", … from index ${first}. */
static struct page make(uint64_t first, uint32_t n)
{
	struct page p;

	page_init(&p);
	p.first = first;
	p.n = n;
	p.total = first + n;
	p.created_ms = 1000;
	for (uint32_t i = 0; i < n; i++) {
		char text[16];
		struct chunk c = {
			.attempt = 1, .ts_ms = 1000 + i, .content = text
		};

		c.content_len = (size_t)snprintf(text, sizeof(text), "%u", i);
		chunk_pack(&p.records, &c, p.created_ms);
	}
	return p;
}

static void an_empty_page_gives_nothing(void **state)
{
	struct page p;
	struct page_cursor at = { 0 };
	struct chunk c;

	(void)state;
	page_init(&p);
	assert_false(page_each(&p, &at, &c));
	assert_int_equal(page_next(&p), 0);
	p.first = 12;
	assert_int_equal(page_next(&p), 12);
	page_fini(&p);
}

static void each_gives_every_chunk_with_its_index(void **state)
{
	struct page p = make(40, 300);
	struct page_cursor at = { 0 };
	struct chunk c;
	uint32_t i = 0;

	(void)state;
	for (; page_each(&p, &at, &c); i++) {
		char text[16];

		snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(c.index, 40 + i);
		assert_int_equal(c.ts_ms, 1000 + i);
		assert_int_equal(c.content_len, strlen(text));
		assert_memory_equal(c.content, text, c.content_len);
	}
	assert_int_equal(i, 300);
	assert_int_equal(page_next(&p), 340);
	assert_false(page_each(&p, &at, &c)); /* stays at the end */
	page_fini(&p);
}

static void two_cursors_do_not_meet(void **state)
{
	struct page p = make(0, 3);
	struct page_cursor a = { 0 }, b = { 0 };
	struct chunk c;

	(void)state;
	assert_true(page_each(&p, &a, &c));
	assert_true(page_each(&p, &a, &c));
	assert_true(page_each(&p, &b, &c));
	assert_int_equal(c.index, 0);
	assert_true(page_each(&p, &a, &c));
	assert_int_equal(c.index, 2);
	page_fini(&p);
}

static void only_the_end_of_an_ended_log_is_final(void **state)
{
	struct page p = make(5, 3);

	(void)state;
	for (int s = 0; s < EXECUTION_STATUSES; s++) {
		bool ended = s >= EXECUTION_COMPLETED;

		p.status = (enum execution_status)s;
		p.total = 8;
		assert_int_equal(page_final(&p), ended);
		p.total = 9; /* one more to come */
		assert_false(page_final(&p));
	}
	page_fini(&p);
	/* An empty page at or beyond the end. */
	p = make(9, 0);
	p.status = EXECUTION_FAILED;
	p.total = 9;
	assert_true(page_final(&p));
	p.total = 4;
	assert_true(page_final(&p));
	page_fini(&p);
}

static void a_broken_page_is_our_own_bug(void **state)
{
	struct page p = make(0, 2);
	struct page_cursor at = { 0 };
	struct chunk c;
	int status;
	pid_t child;

	(void)state;
	p.records.len -= 1;
	assert_true(page_each(&p, &at, &c));
	child = fork();
	if (child == 0) {
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		page_each(&p, &at, &c);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	page_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_page_gives_nothing),
		cmocka_unit_test(each_gives_every_chunk_with_its_index),
		cmocka_unit_test(two_cursors_do_not_meet),
		cmocka_unit_test(only_the_end_of_an_ended_log_is_final),
		cmocka_unit_test(a_broken_page_is_our_own_bug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
