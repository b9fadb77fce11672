#include "store/base/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#define SECRET "sk-very-secret"
#define LEN (sizeof(SECRET) - 1)

static char path[64], other[64];

/* A key file of ${n} bytes ${fill}. */
static void write_key(char *dst, char fill, size_t n, mode_t mode)
{
	char byte[64];
	int fd;

	strcpy(dst, "/tmp/spool-seal-XXXXXX");
	fd = mkstemp(dst);
	assert_true(fd >= 0);
	memset(byte, fill, sizeof(byte));
	assert_int_equal(write(fd, byte, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static struct seal *make(const char *previous)
{
	struct seal *s = NULL;

	assert_int_equal(seal_new(path, previous, &s, NULL), OK);
	return s;
}

static int set_up(void **state)
{
	(void)state;
	write_key(path, 'a', SEAL_KEY_BYTES, 0600);
	write_key(other, 'b', SEAL_KEY_BYTES, 0600);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return 0;
}

static void what_was_sealed_opens_and_is_not_seen(void **state)
{
	struct seal *s = make(NULL);
	struct buf one, two, open;
	bool old = true;

	(void)state;
	buf_init(&one, 1000);
	buf_init(&two, 1000);
	buf_init(&open, 1000);
	seal_close(s, "context", SECRET, LEN, &one);
	seal_close(s, "context", SECRET, LEN, &two);
	assert_int_equal(one.len, LEN + SEAL_EXTRA_BYTES);
	assert_null(memmem(one.data, one.len, SECRET, LEN));
	/* never the same twice */
	assert_memory_not_equal(one.data, two.data, one.len);
	assert_memory_not_equal(
	    one.data + SEAL_EXTRA_BYTES, two.data + SEAL_EXTRA_BYTES, LEN);
	assert_int_equal(
	    seal_open(s, "context", one.data, one.len, &open, &old), OK);
	assert_false(old);
	assert_int_equal(open.len, LEN);
	assert_memory_equal(open.data, SECRET, LEN);
	buf_fini(&one);
	buf_fini(&two);
	buf_fini(&open);
	seal_free(s);
}

static void one_bit_or_another_context_and_it_stays_closed(void **state)
{
	struct seal *s = make(NULL);
	struct buf sealed, open;
	bool old;

	(void)state;
	buf_init(&sealed, 1000);
	buf_init(&open, 1000);
	seal_close(s, "ada\nopenai", SECRET, LEN, &sealed);
	assert_int_equal(
	    seal_open(s, "bob\nopenai", sealed.data, sealed.len, &open, &old),
	    ERR_CORRUPT);
	for (size_t i = 0; i < 8 * sealed.len; i++) {
		sealed.data[i / 8] ^= (char)(1 << i % 8);
		assert_int_not_equal(seal_open(s, "ada\nopenai", sealed.data,
					 sealed.len, &open, &old),
		    OK);
		sealed.data[i / 8] ^= (char)(1 << i % 8);
	}
	for (size_t n = 0; n < sealed.len; n++)
		assert_int_equal(
		    seal_open(s, "ada\nopenai", sealed.data, n, &open, &old),
		    ERR_CORRUPT);
	assert_int_equal(open.len, 0);
	buf_fini(&sealed);
	buf_fini(&open);
	seal_free(s);
}

static void the_previous_key_opens_and_closes_nothing(void **state)
{
	struct seal *before = NULL, *now = make(other), *alone = make(NULL);
	struct buf sealed, fresh, open;
	bool old = false;

	(void)state;
	buf_init(&sealed, 1000);
	buf_init(&fresh, 1000);
	buf_init(&open, 1000);
	assert_int_equal(seal_new(other, NULL, &before, NULL), OK);
	seal_close(before, "c", SECRET, LEN, &sealed);
	assert_int_equal(
	    seal_open(now, "c", sealed.data, sealed.len, &open, &old), OK);
	assert_true(old);
	assert_int_equal(
	    seal_open(alone, "c", sealed.data, sealed.len, &open, &old),
	    ERR_DENIED);
	seal_close(now, "c", SECRET, LEN, &fresh);
	assert_int_equal(
	    seal_open(before, "c", fresh.data, fresh.len, &open, &old),
	    ERR_DENIED);
	assert_int_equal(
	    seal_open(alone, "c", fresh.data, fresh.len, &open, &old), OK);
	assert_false(old);
	buf_fini(&sealed);
	buf_fini(&fresh);
	buf_fini(&open);
	seal_free(before);
	seal_free(now);
	seal_free(alone);
}

static void a_key_file_that_is_none_is_refused_in_words(void **state)
{
	static const struct {
		size_t n;
		mode_t mode;
		const char *why;
	} cases[] = {
		{ 31, 0600, "exactly 32 bytes" },
		{ 33, 0600, "exactly 32 bytes" },
		{ 0, 0600, "exactly 32 bytes" },
		{ 32, 0640, "chmod 600" },
		{ 32, 0604, "chmod 600" },
	};
	struct seal *s = NULL;
	struct why why;
	char bad[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_key(bad, 'c', cases[i].n, cases[i].mode);
		assert_int_equal(seal_new(bad, NULL, &s, &why), ERR_INPUT);
		assert_non_null(strstr(why.text, cases[i].why));
		assert_non_null(strstr(why.text, bad));
		assert_int_equal(seal_new(path, bad, &s, &why), ERR_INPUT);
		unlink(bad);
	}
	assert_int_equal(seal_new("/nowhere/key", NULL, &s, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "/nowhere/key"));
	assert_int_equal(seal_new("/tmp", NULL, &s, &why), ERR_INPUT);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_sealed_opens_and_is_not_seen),
		TEST(one_bit_or_another_context_and_it_stays_closed),
		TEST(the_previous_key_opens_and_closes_nothing),
		TEST(a_key_file_that_is_none_is_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
