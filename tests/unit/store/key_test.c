#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/key.h"

static void scopes_are_words_and_bits(void **state)
{
	unsigned bits = 0;
	char text[32];

	(void)state;
	assert_int_equal(key_scopes_parse("run", &bits, NULL), OK);
	assert_int_equal(bits, KEY_RUN);
	assert_int_equal(key_scopes_parse("admin,run,run", &bits, NULL), OK);
	assert_int_equal(bits, KEY_ADMIN | KEY_RUN);
	for (unsigned all = 1; all < 8; all++) {
		key_scopes_text(all, text, sizeof(text));
		assert_int_equal(key_scopes_parse(text, &bits, NULL), OK);
		assert_int_equal(bits, all);
	}
	key_scopes_text(7, text, sizeof(text));
	assert_string_equal(text, "run,read,admin");
	key_scopes_text(0, text, sizeof(text));
	assert_string_equal(text, "");
}

static void a_word_that_is_no_scope_is_named(void **state)
{
	static const char *const wrong[] = { "", ",", "run,", ",run", "Run",
		"runs", "ru", "run read", "run,write" };
	unsigned bits = 77;
	struct why why;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why.text[0] = '\0';
		assert_int_equal(
		    key_scopes_parse(wrong[i], &bits, &why), ERR_INPUT);
		assert_int_equal(bits, 77);
		assert_non_null(strstr(why.text, "run, read or admin"));
	}
	assert_non_null(strstr(why.text, "\"write\""));
}

static void scopes_are_cut_at_the_room_there_is(void **state)
{
	char text[20];

	(void)state;
	for (size_t room = 1; room < sizeof(text); room++) {
		memset(text, '#', sizeof(text));
		key_scopes_text(7, text, room);
		assert_true(strlen(text) < room);
		assert_int_equal(text[room], '#');
	}
}

static void a_secret_is_43_digits_behind_its_name(void **state)
{
	static const char digits[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char secret[KEY_SECRET_TEXT];

	(void)state;
	for (int i = 0; i < 100; i++) {
		key_secret_new(secret);
		assert_int_equal(strlen(secret), 6 + 43);
		assert_memory_equal(secret, "spool_", 6);
		assert_int_equal(strspn(secret + 6, digits), 43);
		/* 256 bits fill 42 digits and 4 bits of the last. */
		assert_int_equal((strchr(digits, secret[48]) - digits) % 4, 0);
	}
}

static void every_digit_of_a_secret_varies(void **state)
{
	char first[KEY_SECRET_TEXT], other[KEY_SECRET_TEXT];
	bool varies[43] = { false };

	(void)state;
	key_secret_new(first);
	for (int i = 0; i < 200; i++) {
		key_secret_new(other);
		for (int k = 0; k < 43; k++)
			varies[k] |= first[6 + k] != other[6 + k];
	}
	for (int k = 0; k < 43; k++)
		assert_true(varies[k]);
}

static void a_key_remembers_a_hash_and_a_hint_only(void **state)
{
	static const char secret[] =
	    "spool_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ";
	uint8_t want[DIGEST_BYTES];
	struct key k = { 0 };
	const char *bytes = (const char *)&k;

	(void)state;
	key_secret_set(&k, secret);
	digest_sha256(secret, strlen(secret), want);
	assert_memory_equal(k.hash, want, DIGEST_BYTES);
	assert_string_equal(k.hint, "spool_abcd\xe2\x80\xa6");
	assert_null(memmem(bytes, sizeof(k), "efgh", 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scopes_are_words_and_bits),
		cmocka_unit_test(a_word_that_is_no_scope_is_named),
		cmocka_unit_test(scopes_are_cut_at_the_room_there_is),
		cmocka_unit_test(a_secret_is_43_digits_behind_its_name),
		cmocka_unit_test(every_digit_of_a_secret_varies),
		cmocka_unit_test(a_key_remembers_a_hash_and_a_hint_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
