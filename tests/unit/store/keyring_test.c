#include "tests/unit/store/support.h"

#include "store/keyring.h"

static struct key some_key(const char *secret, const char *owner)
{
	struct key k = { .id = id_new(),
		.scopes = KEY_RUN | KEY_READ,
		.created_ms = clock_wall_ms() };

	snprintf(k.label, sizeof(k.label), "test");
	snprintf(k.owner, sizeof(k.owner), "%s", owner);
	key_secret_set(&k, secret);
	return k;
}

static enum err add(struct store *store, const struct key *k)
{
	struct job job;
	enum err rc;

	job_init(&job, WRITE_KEY_ADD);
	job.write.u.key_add = *k;
	rc = job_run(&job, store);
	job_fini(&job);
	return rc;
}

static enum err revoke_key(
    struct store *store, const struct id *id, const char *owner)
{
	struct job job;
	enum err rc;

	job_init(&job, WRITE_KEY_REVOKE);
	job.write.u.key_revoke.id = *id;
	snprintf(job.write.u.key_revoke.owner, KEY_NAME_BYTES, "%s", owner);
	rc = job_run(&job, store);
	job_fini(&job);
	return rc;
}

static void keys_are_found_until_revoked_and_survive(void **state)
{
	struct place p;
	struct key k, got, *list;
	size_t n;

	(void)state;
	place_init(&p);
	place_open(&p);
	k = some_key("spool_one", "ada");
	assert_int_equal(keyring_find(p.store, k.hash, &got), ERR_NOT_FOUND);
	assert_int_equal(add(p.store, &k), OK);
	assert_int_equal(add(p.store, &k), ERR_CONFLICT);
	assert_int_equal(keyring_find(p.store, k.hash, &got), OK);
	assert_true(id_equal(&got.id, &k.id));
	assert_string_equal(got.owner, "ada");

	place_close(&p);
	place_open(&p);
	assert_int_equal(keyring_find(p.store, k.hash, &got), OK);
	assert_int_equal(revoke_key(p.store, &k.id, "bob"), ERR_NOT_FOUND);
	assert_int_equal(keyring_find(p.store, k.hash, &got), OK);
	assert_int_equal(revoke_key(p.store, &k.id, "ada"), OK);
	assert_int_equal(revoke_key(p.store, &k.id, ""), OK);
	assert_int_equal(keyring_find(p.store, k.hash, &got), ERR_NOT_FOUND);
	assert_int_equal(keyring_list(p.store, "ada", &list, &n), OK);
	assert_int_equal(n, 1);
	assert_true(list[0].revoked_ms > 0);
	free(list);
	place_close(&p);
	place_open(&p);
	assert_int_equal(keyring_find(p.store, k.hash, &got), ERR_NOT_FOUND);
	place_fini(&p);
}

static void an_expired_key_is_not_found(void **state)
{
	struct place p;
	struct key k, got;

	(void)state;
	place_init(&p);
	place_open(&p);
	k = some_key("spool_old", "ada");
	k.expires_ms = clock_wall_ms() - 1;
	assert_int_equal(add(p.store, &k), OK);
	assert_int_equal(keyring_find(p.store, k.hash, &got), ERR_NOT_FOUND);
	place_fini(&p);
}

static void each_of_many_keys_is_found(void **state)
{
	struct keyring *ring;
	struct store *store = calloc(1, sizeof(*store));
	struct key k[200], got, *list;
	char secret[32];
	size_t n;

	(void)state;
	ring = &store->keyring;
	keyring_init(ring);
	for (size_t i = 0; i < 200; i++) {
		snprintf(secret, sizeof(secret), "spool_%zu", i);
		k[i] = some_key(secret, i % 2 ? "ada" : "bob");
		k[i].created_ms = (int64_t)(1000 - i);
		assert_int_equal(keyring_reserve(ring, 1), OK);
		keyring_add(ring, &k[i]);
	}
	for (size_t i = 0; i < 200; i++) {
		assert_int_equal(keyring_find(store, k[i].hash, &got), OK);
		assert_true(id_equal(&got.id, &k[i].id));
	}
	assert_int_equal(keyring_list(store, NULL, &list, &n), OK);
	assert_int_equal(n, 200);
	for (size_t i = 1; i < n; i++)
		assert_true(list[i - 1].created_ms < list[i].created_ms);
	free(list);
	assert_int_equal(keyring_list(store, "ada", &list, &n), OK);
	assert_int_equal(n, 100);
	free(list);
	keyring_fini(ring);
	free(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_found_until_revoked_and_survive),
		cmocka_unit_test(an_expired_key_is_not_found),
		cmocka_unit_test(each_of_many_keys_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
