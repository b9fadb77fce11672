#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_internal.h"

/* The tail alone: the test is the writer, and a store holds nothing else. */

static struct tail_log *born(struct store *store, const char *owner)
{
	char name[KEY_NAME_BYTES];
	struct execution e = { .id = id_new(), .created_ms = 1000 };
	struct tail_log *l;

	snprintf(name, sizeof(name), "%s", owner);
	e.owner = name;
	l = tail_log_new(&e, 0);
	assert_non_null(l);
	tail_insert(store->tail, l);
	return l;
}

static void put(struct tail_news *news, struct buf *b, struct tail_stage *s,
    uint64_t index, enum chunk_kind kind)
{
	char text[40];
	struct chunk c = { .kind = kind, .attempt = 1, .content = text };

	c.content_len = (size_t)snprintf(
	    text, sizeof(text), "chunk %llu", (unsigned long long)index);
	s->offset = (uint32_t)b->len;
	chunk_pack(b, &c, 1000);
	s->len = (uint32_t)b->len - s->offset;
	s->next = 0;
	news->n++;
}

/* Announce ${n} chunks (at most 16) and ${status}. */
static void announce(struct store *store, struct tail_log *l, uint32_t n,
    enum execution_status status)
{
	struct tail_news news = { .status = status, .attempt = 1 };
	struct tail_stage stages[16];
	struct buf b;

	buf_init(&b, 1 << 16);
	for (uint32_t i = 0; i < n; i++) {
		put(&news, &b, &stages[i], chunklog_next(&l->log) + i,
		    CHUNK_TEXT);
		if (i > 0)
			stages[i - 1].next = i + 1;
	}
	news.bytes = b.data;
	news.stages = stages;
	news.first = n > 0;
	if (execution_ended(status)) {
		news.metadata = strdup("{\"done\":1}");
		news.metadata_len = 10;
	}
	if (n > 0)
		assert_int_equal(tail_reserve(store->tail, l, n, b.len), OK);
	tail_announce(store->tail, l, &news);
	buf_fini(&b);
}

static struct store *store_of(size_t cache_bytes)
{
	struct store *store = calloc(1, sizeof(*store));

	store->tail = tail_new(cache_bytes);
	return store;
}

static void drop(struct store *store)
{
	tail_free(store->tail);
	free(store);
}

static void count(void *arg, uint64_t number)
{
	*(uint64_t *)arg += number;
}

static void a_page_copies_head_and_chunks(void **state)
{
	struct page_query q = { 1, 2, 1 << 20 };
	struct store *store = store_of(1 << 20);
	struct tail_log *l = born(store, "ada");
	struct page_cursor at = { 0 };
	struct tail_head head;
	struct chunk c;
	struct page p;

	(void)state;
	page_init(&p);
	announce(store, l, 4, EXECUTION_STREAMING);
	assert_int_equal(tail_page(store, &l->id, "ada", &q, &p), OK);
	assert_int_equal(p.status, EXECUTION_STREAMING);
	assert_int_equal(p.total, 4);
	assert_int_equal(p.first, 1);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.created_ms, 1000);
	assert_int_equal(p.metadata.len, 0);
	assert_true(page_each(&p, &at, &c));
	assert_memory_equal(c.content, "chunk 1", 7);
	assert_false(page_final(&p));

	announce(store, l, 1, EXECUTION_COMPLETED);
	q.from = 9;
	assert_int_equal(tail_page(store, &l->id, NULL, &q, &p), OK);
	assert_int_equal(p.first, 9);
	assert_int_equal(p.n, 0);
	assert_int_equal(p.total, 5);
	assert_int_equal(p.metadata.len, 10);
	assert_true(page_final(&p));
	assert_int_equal(tail_head(store, &l->id, NULL, &head), OK);
	assert_int_equal(head.total, 5);
	assert_int_equal(head.status, EXECUTION_COMPLETED);
	page_fini(&p);
	drop(store);
}

static void another_owner_finds_nothing(void **state)
{
	struct page_query q = { 0, 1, 1 << 20 };
	struct store *store = store_of(1 << 20);
	struct tail_log *l = born(store, "ada");
	struct waiter w = { .wake = count };
	struct tail_head head;
	struct page p;

	(void)state;
	page_init(&p);
	assert_int_equal(
	    tail_page(store, &l->id, "bob", &q, &p), ERR_NOT_FOUND);
	assert_int_equal(tail_head(store, &l->id, "", &head), ERR_NOT_FOUND);
	assert_int_equal(tail_wait(store, &l->id, "bob", 0, &w), ERR_NOT_FOUND);
	page_fini(&p);
	drop(store);
}

static void a_waiter_wakes_once_and_only_for_more_than_it_saw(void **state)
{
	struct store *store = store_of(1 << 20);
	struct tail_log *l = born(store, "ada");
	uint64_t sum = 0;
	struct waiter a = { .wake = count, .arg = &sum, .number = 1 };
	struct waiter b = { .wake = count, .arg = &sum, .number = 10 };
	struct tail_stats stats;

	(void)state;
	announce(store, l, 1, EXECUTION_STREAMING);
	assert_int_equal(tail_wait(store, &l->id, NULL, 0, &a), ERR_CONFLICT);
	assert_int_equal(tail_wait(store, &l->id, NULL, 1, &a), OK);
	assert_int_equal(tail_wait(store, &l->id, "ada", 3, &b), OK);
	tail_stats(store, &stats);
	assert_int_equal(stats.waiters, 2);
	announce(store, l, 0, EXECUTION_STREAMING);
	assert_int_equal(sum, 0);
	announce(store, l, 2, EXECUTION_STREAMING);
	assert_int_equal(sum, 1);
	announce(store, l, 1, EXECUTION_STREAMING);
	assert_int_equal(sum, 11);
	announce(store, l, 1, EXECUTION_STREAMING);
	assert_int_equal(sum, 11);
	tail_stats(store, &stats);
	assert_int_equal(stats.waiters, 0);
	drop(store);
}

static void the_end_wakes_everybody(void **state)
{
	struct store *store = store_of(1 << 20);
	struct tail_log *l = born(store, "ada");
	uint64_t sum = 0;
	struct waiter w = { .wake = count, .arg = &sum, .number = 1 };

	(void)state;
	assert_int_equal(tail_wait(store, &l->id, NULL, 99, &w), OK);
	announce(store, l, 1, EXECUTION_CANCELLED);
	assert_int_equal(sum, 1);
	assert_int_equal(tail_wait(store, &l->id, NULL, 99, &w), ERR_CONFLICT);
	drop(store);
}

static void a_forgotten_waiter_is_not_called(void **state)
{
	struct store *store = store_of(1 << 20);
	struct tail_log *l = born(store, "ada");
	uint64_t sum = 0;
	struct waiter w = { .wake = count, .arg = &sum, .number = 1 };

	(void)state;
	tail_forget(store, &w); /* never armed */
	assert_int_equal(tail_wait(store, &l->id, NULL, 0, &w), OK);
	tail_forget(store, &w);
	tail_forget(store, &w);
	announce(store, l, 1, EXECUTION_COMPLETED);
	assert_int_equal(sum, 0);
	drop(store);
}

static void a_stopped_store_wakes_everybody(void **state)
{
	struct store *store = store_of(1 << 20);
	uint64_t sum = 0;
	struct waiter w[20];

	(void)state;
	for (size_t i = 0; i < 20; i++) {
		struct tail_log *l = born(store, "ada");

		w[i] =
		    (struct waiter){ .wake = count, .arg = &sum, .number = 1 };
		assert_int_equal(tail_wait(store, &l->id, NULL, 0, &w[i]), OK);
	}
	tail_wake_all(store->tail);
	assert_int_equal(sum, 20);
	drop(store);
}

static bool here(struct store *store, const struct id *id)
{
	struct tail_head head;

	return tail_head(store, id, NULL, &head) == OK;
}

static void the_least_recently_read_packed_log_leaves_first(void **state)
{
	struct store *store = store_of(1500);
	struct id id[8];
	struct tail_stats stats;

	(void)state;
	for (size_t i = 0; i < 8; i++) {
		struct tail_log *l = born(store, "ada");

		id[i] = l->id;
		announce(store, l, 1, EXECUTION_COMPLETED);
		if (i == 7) /* ended, but its rows are nowhere else yet */
			break;
		tail_packed(store->tail, l, 1, 0);
		assert_true(here(store, &id[0]));
	}
	assert_true(here(store, &id[0]));
	assert_false(here(store, &id[1]));
	assert_false(here(store, &id[2]));
	assert_true(here(store, &id[6]));
	assert_true(here(store, &id[7]));
	tail_stats(store, &stats);
	assert_true(stats.bytes <= 1500 + 600);
	assert_int_equal(stats.live, 0);
	drop(store);
}

static void an_old_part_that_was_packed_leaves_a_live_log(void **state)
{
	struct page_query q = { 0, 100, 1 << 20 };
	struct store *store = store_of(0);
	struct tail_log *l = born(store, "ada");
	struct page p;

	(void)state;
	page_init(&p);
	announce(store, l, 10, EXECUTION_STREAMING);
	tail_packed(store->tail, l, 8, 0);
	assert_int_equal(tail_page(store, &l->id, NULL, &q, &p), ERR_NOT_FOUND);
	q.from = 8;
	assert_int_equal(tail_page(store, &l->id, NULL, &q, &p), OK);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.total, 10);
	page_fini(&p);
	drop(store);
}

static void an_idle_live_log_is_small(void **state)
{
	struct store *store = store_of(0);
	struct tail_stats stats;

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		born(store, "somebody@example.org");
	tail_stats(store, &stats);
	assert_int_equal(stats.logs, 1000);
	assert_int_equal(stats.live, 1000);
	assert_true(stats.bytes <= 400 * 1000);
	drop(store);
}

static void every_log_is_found_among_many(void **state)
{
	static struct id id[5000];
	struct store *store = store_of(0);

	(void)state;
	for (size_t i = 0; i < 5000; i++)
		id[i] = born(store, "ada")->id;
	for (size_t i = 0; i < 5000; i++)
		assert_true(here(store, &id[i]));
	for (size_t i = 0; i < 5000; i += 2) {
		struct tail_log *l = tail_find(store->tail, &id[i]);

		announce(store, l, 1, EXECUTION_COMPLETED);
		tail_remove(store->tail, l);
	}
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(here(store, &id[i]), i % 2);
	drop(store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_copies_head_and_chunks),
		cmocka_unit_test(another_owner_finds_nothing),
		cmocka_unit_test(
		    a_waiter_wakes_once_and_only_for_more_than_it_saw),
		cmocka_unit_test(the_end_wakes_everybody),
		cmocka_unit_test(a_forgotten_waiter_is_not_called),
		cmocka_unit_test(a_stopped_store_wakes_everybody),
		cmocka_unit_test(
		    the_least_recently_read_packed_log_leaves_first),
		cmocka_unit_test(an_old_part_that_was_packed_leaves_a_live_log),
		cmocka_unit_test(an_idle_live_log_is_small),
		cmocka_unit_test(every_log_is_found_among_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
