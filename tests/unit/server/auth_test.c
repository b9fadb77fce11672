#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/auth.h"

#define SECRET "spool_0123456789"

/* A keyring of one key; ${arg} overrides its owner. */
static enum err find(
    void *arg, const uint8_t hash[DIGEST_BYTES], struct key *ret)
{
	struct key k = { .scopes = KEY_READ };

	strcpy(k.owner, arg ? arg : "ann");
	digest_sha256(SECRET, strlen(SECRET), k.hash);
	if (memcmp(hash, k.hash, DIGEST_BYTES) != 0)
		return ERR_NOT_FOUND;
	*ret = k;
	return OK;
}

static enum err check(const char *authorization, const char *api_key)
{
	struct principal who;
	struct problem p;

	return auth_check(authorization, api_key, find, NULL, &who, &p);
}

static void one_good_bearer_key_is_let_in(void **state)
{
	(void)state;
	assert_int_equal(check("Bearer " SECRET, NULL), OK);
	assert_int_equal(check("bearer   " SECRET, NULL), OK);
	assert_int_equal(check(NULL, SECRET), OK);
}

static void anything_else_is_refused(void **state)
{
	static const char *const bad[] = { "", "Bearer", "Bearer ",
		"Basic " SECRET, SECRET, "Bearer " SECRET "x", "Bearer spool_",
		"Bearer " SECRET ", Bearer " SECRET,
		"Bearer " SECRET " " SECRET, "Bearer\t" SECRET };

	(void)state;
	assert_int_equal(check(NULL, NULL), ERR_DENIED);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(check(bad[i], NULL), ERR_DENIED);
	assert_int_equal(check(NULL, SECRET ", " SECRET), ERR_DENIED);
	/* A bad Authorization is not mended by a good X-API-Key. */
	assert_int_equal(check("Basic x", SECRET), ERR_DENIED);
}

static void a_key_without_an_owner_is_nobody(void **state)
{
	char none[] = "";
	struct principal who;
	struct problem p;

	(void)state;
	assert_int_equal(
	    auth_check("Bearer " SECRET, NULL, find, none, &who, &p),
	    ERR_DENIED);
}

static void scopes_open_only_their_doors(void **state)
{
	struct principal read = { .owner = "a", .scopes = KEY_READ };
	struct principal admin = { .owner = "a", .scopes = KEY_ADMIN };

	(void)state;
	assert_true(auth_may(&read, KEY_READ | KEY_RUN));
	assert_false(auth_may(&read, KEY_RUN));
	assert_false(auth_may(&read, KEY_ADMIN));
	assert_true(auth_may(&admin, KEY_RUN));
	assert_string_equal(auth_filter(&read), "a");
	assert_null(auth_filter(&admin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_good_bearer_key_is_let_in),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(a_key_without_an_owner_is_nobody),
		cmocka_unit_test(scopes_open_only_their_doors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
