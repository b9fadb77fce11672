#include "tests/unit/store/support.h"

#include "store/vault.h"

static struct provider_key some_key(
    const char *owner, const char *upstream, char fill)
{
	struct provider_key k = { .created_ms = 5, .sealed_len = 60 };

	snprintf(k.owner, sizeof(k.owner), "%s", owner);
	snprintf(k.upstream, sizeof(k.upstream), "%s", upstream);
	snprintf(k.hint, sizeof(k.hint), "wxyz");
	memset(k.sealed, fill, k.sealed_len);
	return k;
}

static enum err run(
    struct store *store, enum write_kind kind, const struct provider_key *k)
{
	struct job job;
	enum err rc;

	job_init(&job, kind);
	job.write.u.provider_key = k;
	rc = job_run(&job, store);
	job_fini(&job);
	return rc;
}

static void keys_are_kept_replaced_and_dropped(void **state)
{
	struct provider_key a = some_key("ada", "openai", 1);
	struct provider_key b = some_key("bob", "openai", 2);
	struct provider_key c = some_key("ada", "claude", 3), got, *list;
	struct place p;
	size_t n;

	(void)state;
	place_init(&p);
	place_open(&p);
	assert_int_equal(
	    vault_find(p.store, "ada", "openai", &got), ERR_NOT_FOUND);
	assert_int_equal(run(p.store, WRITE_PROVIDER_KEY_PUT, &a), OK);
	assert_int_equal(run(p.store, WRITE_PROVIDER_KEY_PUT, &b), OK);
	assert_int_equal(run(p.store, WRITE_PROVIDER_KEY_PUT, &c), OK);
	a.sealed[7] = 9;
	a.created_ms = 6;
	assert_int_equal(run(p.store, WRITE_PROVIDER_KEY_PUT, &a), OK);
	/* before and after a start */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    vault_find(p.store, "ada", "openai", &got), OK);
		assert_memory_equal(got.sealed, a.sealed, a.sealed_len);
		assert_int_equal(got.sealed_len, a.sealed_len);
		assert_int_equal(got.created_ms, 6);
		assert_string_equal(got.hint, "wxyz");
		assert_int_equal(
		    vault_find(p.store, "bob", "claude", &got), ERR_NOT_FOUND);
		assert_int_equal(vault_list(p.store, "ada", &list, &n), OK);
		assert_int_equal(n, 2);
		assert_string_equal(list[0].upstream, "claude");
		free(list);
		assert_int_equal(vault_list(p.store, NULL, &list, &n), OK);
		assert_int_equal(n, 3);
		assert_string_equal(list[2].owner, "bob");
		free(list);
		place_close(&p);
		place_open(&p);
	}
	assert_int_equal(run(p.store, WRITE_PROVIDER_KEY_DELETE, &a), OK);
	assert_int_equal(
	    run(p.store, WRITE_PROVIDER_KEY_DELETE, &a), ERR_NOT_FOUND);
	assert_int_equal(
	    vault_find(p.store, "ada", "openai", &got), ERR_NOT_FOUND);
	assert_int_equal(vault_find(p.store, "bob", "openai", &got), OK);
	place_close(&p);
	place_open(&p);
	assert_int_equal(vault_list(p.store, NULL, &list, &n), OK);
	assert_int_equal(n, 2);
	free(list);
	place_close(&p);
	place_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_kept_replaced_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
