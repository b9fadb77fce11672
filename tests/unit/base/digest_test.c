#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/base/digest.h"

static void assert_digest(const char *data, size_t len, const char *hex)
{
	uint8_t got[DIGEST_BYTES];
	char text[2 * DIGEST_BYTES + 1];

	digest_sha256(data, len, got);
	for (int i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(text, hex);
}

static void sha256_gives_the_standards_vectors(void **state)
{
	char *million = malloc(1000000);

	(void)state;
	memset(million, 'a', 1000000);
	assert_digest("", 0,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_digest("abc", 3,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_digest(million, 1000000,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	free(million);
}

static void equal_looks_at_every_byte(void **state)
{
	uint8_t a[DIGEST_BYTES] = { 1, 2, 3 }, b[DIGEST_BYTES];

	(void)state;
	memcpy(b, a, sizeof(a));
	assert_true(digest_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] ^= 0x80;
		assert_false(digest_equal(a, b, sizeof(a)));
		b[i] ^= 0x80;
	}
	assert_true(digest_equal(a, b, 0));
}

static void a_wiped_secret_is_gone(void **state)
{
	static const char none[16];
	char secret[16] = "do not remember";

	(void)state;
	digest_wipe(secret, sizeof(secret));
	assert_memory_equal(secret, none, sizeof(secret));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_standards_vectors),
		cmocka_unit_test(equal_looks_at_every_byte),
		cmocka_unit_test(a_wiped_secret_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
