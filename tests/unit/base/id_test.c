#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>

#include "store/base/clock.h"
#include "store/base/id.h"

#define SAMPLE "0192f5a1-7c3e-7abc-8def-0123456789ab"

static void an_id_is_a_uuid_of_version_7(void **state)
{
	struct id id;
	int64_t ms = 0;

	(void)state;
	clock_hold(1767323045678, 1);
	id = id_new();
	clock_hold(0, -1);
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id.byte[i];
	assert_int_equal(ms, 1767323045678);
	assert_int_equal(id.byte[6] & 0xf0, 0x70);
	assert_int_equal(id.byte[8] & 0xc0, 0x80);
}

/* More in one millisecond than the counter's twelve bits hold. */
static void ids_grow_also_when_the_clock_stands_or_goes_back(void **state)
{
	struct id last = id_new();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct id next;

		if (i == 10000)
			clock_hold(1, 1);
		next = id_new();
		assert_true(memcmp(&next, &last, sizeof(next)) > 0);
		last = next;
	}
	clock_hold(0, -1);
}

static void *make_ids(void *arg)
{
	struct id *ids = arg;

	for (int i = 0; i < 5000; i++)
		ids[i] = id_new();
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct id));
}

static void ids_of_many_threads_differ_in_their_stamps(void **state)
{
	enum { THREADS = 4, EACH = 5000 };
	struct id *ids = calloc(THREADS * EACH, sizeof(*ids));
	pthread_t thread[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, make_ids, ids + i * EACH),
		    0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	qsort(ids, THREADS * EACH, sizeof(*ids), compare);
	for (int i = 1; i < THREADS * EACH; i++)
		assert_true(memcmp(&ids[i - 1], &ids[i], 8) < 0);
	free(ids);
}

static void text_and_bytes_are_the_same_id(void **state)
{
	struct id id, upper;
	char text[ID_TEXT], big[] = SAMPLE;

	(void)state;
	assert_int_equal(id_parse(SAMPLE, 36, &id), OK);
	assert_int_equal(id.byte[0], 0x01);
	assert_int_equal(id.byte[15], 0xab);
	assert_int_equal(id_bucket(&id), 0xab);
	id_text(&id, text);
	assert_string_equal(text, SAMPLE);
	for (char *p = big; *p != '\0'; p++)
		if (*p >= 'a')
			*p = (char)(*p - 'a' + 'A');
	assert_int_equal(id_parse(big, 36, &upper), OK);
	assert_true(id_equal(&id, &upper));
	assert_int_equal(id_hash(&id), id_hash(&upper));
}

static void every_other_text_is_refused(void **state)
{
	struct id id = { { 9 } }, before = id;

	(void)state;
	for (size_t len = 0; len < 36; len++)
		assert_int_equal(id_parse(SAMPLE, len, &id), ERR_INPUT);
	assert_int_equal(id_parse(SAMPLE "0", 37, &id), ERR_INPUT);
	for (size_t i = 0; i < 36; i++) {
		char text[] = SAMPLE;

		text[i] = text[i] == '-' ? '0' : 'g';
		assert_int_equal(id_parse(text, 36, &id), ERR_INPUT);
		text[i] = '\0';
		assert_int_equal(id_parse(text, 36, &id), ERR_INPUT);
	}
	assert_true(id_equal(&id, &before));
}

static void random_bytes_differ(void **state)
{
	uint8_t a[1000] = { 0 }, b[1000] = { 0 };

	(void)state;
	id_random(a, sizeof(a));
	id_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 968, b + 968, 32); /* to the end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_a_uuid_of_version_7),
		cmocka_unit_test(
		    ids_grow_also_when_the_clock_stands_or_goes_back),
		cmocka_unit_test(ids_of_many_threads_differ_in_their_stamps),
		cmocka_unit_test(text_and_bytes_are_the_same_id),
		cmocka_unit_test(every_other_text_is_refused),
		cmocka_unit_test(random_bytes_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
