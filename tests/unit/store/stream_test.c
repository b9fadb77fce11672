#include "tests/unit/store/support.h"

/* --- the rules, without a store --- */

static struct stream text_stream(void)
{
	return (struct stream){ .type = "text/plain", .ttl_s = -1 };
}

static struct stream_append appending(const char *type, const char *bytes)
{
	struct stream_append a = { .has_body = bytes != NULL,
		.body = { .bytes = bytes,
		    .len = bytes == NULL ? 0 : strlen(bytes) } };

	strcpy(a.type, type);
	return a;
}

static void types_are_compared_without_case_and_parameters(void **state)
{
	(void)state;
	assert_true(
	    stream_same_type("Text/Plain; charset=utf-8", "text/plain"));
	assert_true(stream_is_json("application/JSON ;charset=utf-8"));
	assert_false(stream_is_json("application/json5"));
	assert_false(stream_same_type("text/plain", "text/html"));
}

static void an_offset_is_two_numbers_and_nothing_else(void **state)
{
	static const char *const bad[] = { "", "-1", "now", "0", "0_", "_0",
		"0_0 ", " 0_0", "0,0", "0_0_0", "0_0x", "+0_0" };
	char text[STREAM_OFFSET_TEXT];
	uint64_t place = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
		    stream_offset_parse(bad[i], &place), ERR_INPUT);
	assert_int_equal(place, 7);
	stream_offset(42, text);
	assert_string_equal(text, "0000000000000000_0000000000000042");
	assert_int_equal(stream_offset_parse(text, &place), OK);
	assert_int_equal(place, 42);
	assert_int_equal(
	    stream_offset_parse("9999999999999999_9999999999999999", &place),
	    OK);
	assert_true(place == UINT64_MAX);
	assert_int_equal(
	    stream_offset_parse("0_99999999999999999999999999999", &place), OK);
	assert_true(place == UINT64_MAX);
}

static void a_name_has_parts_that_are_something(void **state)
{
	static const char *const good[] = { "a", "a/b/c", "x.y_z~1", "a:b@c" };
	static const char *const bad[] = { "", "/", "a/", "/a", "a//b",
		"a/../b", ".", "a b", "a%20", "a?b", "a#b", "\x01",
		"\xc3\xa4" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(stream_name_valid(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(stream_name_valid(bad[i]));
}

static void a_sequence_must_rise_by_bytes(void **state)
{
	struct stream s = text_stream();
	struct stream_append a = appending("text/plain", "x");
	struct stream_producer none = { 0 };

	(void)state;
	strcpy(s.seq, "2");
	strcpy(a.seq, "10");
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_OUT_OF_ORDER);
	strcpy(a.seq, "2");
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_OUT_OF_ORDER);
	strcpy(a.seq, "20");
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_DONE);
}

static enum stream_outcome produced(
    uint64_t epoch, uint64_t seq, struct stream_producer known)
{
	struct stream s = text_stream();
	struct stream_append a = appending("text/plain", "x");

	strcpy(a.tuple.producer, "p");
	a.tuple.epoch = epoch;
	a.tuple.seq = seq;
	return stream_judge(&s, &a, &known);
}

static void a_producer_counts_without_gaps_and_repeats(void **state)
{
	const struct stream_producer none = { 0 }, at = { true, 3, 5 };

	(void)state;
	assert_int_equal(produced(9, 0, none), STREAM_DONE);
	assert_int_equal(produced(0, 1, none), STREAM_GAP);
	assert_int_equal(produced(3, 6, at), STREAM_DONE);
	assert_int_equal(produced(3, 5, at), STREAM_DUPLICATE);
	assert_int_equal(produced(3, 0, at), STREAM_DUPLICATE);
	assert_int_equal(produced(3, 7, at), STREAM_GAP);
	assert_int_equal(produced(2, 6, at), STREAM_FENCED);
	assert_int_equal(produced(4, 0, at), STREAM_DONE);
	assert_int_equal(produced(4, 6, at), STREAM_NEW_EPOCH);
}

static void what_closed_a_stream_may_come_again_and_nothing_else(void **state)
{
	struct stream s = text_stream();
	struct stream_append a = appending("text/plain", "x");
	struct stream_append close = appending("", NULL);
	const struct stream_producer none = { 0 };

	(void)state;
	s.closed = true;
	close.close = true;
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_CLOSED);
	assert_int_equal(stream_judge(&s, &close, &none), STREAM_DUPLICATE);
	s.closer = (struct stream_tuple){ "p", 1, 2 };
	a.tuple = s.closer;
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_DUPLICATE);
	a.tuple.seq = 3;
	assert_int_equal(stream_judge(&s, &a, &none), STREAM_CLOSED);
}

static void a_time_to_live_is_renewed_late_and_never_ends_early(void **state)
{
	struct stream s = text_stream();
	int64_t now = 1000000, until;

	(void)state;
	assert_int_equal(stream_renewal(&s, now), 0);
	s.ttl_s = 80;
	until = stream_renewal(&s, now);
	assert_int_equal(until, now + 90000);
	s.expires_ms = until;
	/* Within the eighth nothing is written, and 80 s are left. */
	assert_int_equal(stream_renewal(&s, now + 10000), 0);
	assert_int_equal(stream_renewal(&s, now + 10001), now + 10001 + 90000);
	assert_false(stream_expired(&s, until - 1));
	assert_true(stream_expired(&s, until));
}

/* --- streams in a store --- */

static int setup(void **state)
{
	struct place *p = malloc(sizeof(*p));

	place_init(p);
	place_open(p);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	place_fini(*state);
	free(*state);
	return 0;
}

/* A request that is waited for. */
static struct stream_write *asked(struct place *p, struct stream_write *sw)
{
	struct job job;

	job_init(&job, WRITE_STREAM);
	job.write.u.stream = sw;
	assert_int_equal(job_run(&job, p->store), OK);
	job_fini(&job);
	return sw;
}

static struct stream_write wanted(enum stream_write_kind kind, const char *name)
{
	struct stream_write sw = { .kind = kind, .stream = { .ttl_s = -1 } };

	strcpy(sw.stream.owner, "ada");
	strcpy(sw.stream.name, name);
	return sw;
}

static enum stream_outcome make(
    struct place *p, const char *name, struct stream *ret)
{
	struct stream_write sw = wanted(STREAM_CREATE, name);

	strcpy(sw.stream.type, "text/plain");
	asked(p, &sw);
	if (ret != NULL)
		*ret = sw.stream;
	return sw.outcome;
}

static enum stream_outcome append(
    struct place *p, const char *name, const char *bytes)
{
	struct stream_write sw = wanted(STREAM_APPEND, name);

	sw.append = appending("text/plain", bytes);
	sw.append.close = bytes == NULL;
	return asked(p, &sw)->outcome;
}

static enum stream_outcome fork_of(struct place *p, const char *source,
    const char *name, uint64_t at, uint64_t sub)
{
	struct stream_write sw = wanted(STREAM_CREATE, name);

	strcpy(sw.stream.source, source);
	sw.stream.fork_at = at;
	sw.stream.fork_sub = sub;
	return asked(p, &sw)->outcome;
}

static enum stream_outcome drop(struct place *p, const char *name)
{
	struct stream_write sw = wanted(STREAM_DELETE, name);

	return asked(p, &sw)->outcome;
}

static enum err look(struct place *p, const char *name, struct stream *ret)
{
	struct query *q;
	enum err rc;

	assert_int_equal(query_open(p->store, &q), OK);
	rc = query_stream(q, "ada", name, ret);
	query_close(q);
	return rc;
}

/* All bytes of a stream, wherever they lie. */
static void expect_text(struct place *p, const char *name, const char *text)
{
	struct stream s;
	struct query *q;
	struct page page;
	struct buf all;

	assert_int_equal(look(p, name, &s), OK);
	assert_int_equal(query_open(p->store, &q), OK);
	buf_init(&all, 1 << 20);
	for (uint64_t at = 0; at < s.total; at = page_next(&page)) {
		struct page_query pq = { at, 2, PAGE_MAX_BYTES };
		struct page_cursor cursor = { 0 };
		struct chunk c;

		page_init(&page);
		assert_int_equal(at < s.first
				     ? query_stream_page(q, &s, &pq, &page)
				     : query_page(q, &s.id, "ada", &pq, &page),
		    OK);
		assert_true(page.n > 0);
		while (page_each(&page, &cursor, &c))
			buf_add(&all, c.content, c.content_len);
		page_fini(&page);
	}
	assert_int_equal(all.len, strlen(text));
	assert_memory_equal(all.data == NULL ? "" : all.data, text, all.len);
	buf_fini(&all);
	query_close(q);
}

static void a_stream_keeps_what_is_appended_and_ends_when_it_is_closed(
    void **state)
{
	struct place *p = *state;
	struct stream s;

	assert_int_equal(append(p, "log", "x"), STREAM_NOT_THERE);
	assert_int_equal(make(p, "log", &s), STREAM_DONE);
	assert_int_equal(make(p, "log", NULL), STREAM_SAME);
	assert_int_equal(append(p, "log", "one "), STREAM_DONE);
	assert_int_equal(append(p, "log", "two"), STREAM_DONE);
	expect_text(p, "log", "one two");
	assert_int_equal(append(p, "log", NULL), STREAM_DONE);
	assert_int_equal(append(p, "log", "three"), STREAM_CLOSED);
	assert_int_equal(append(p, "log", NULL), STREAM_DUPLICATE);
	assert_int_equal(make(p, "log", NULL), STREAM_TAKEN);
	expect_text(p, "log", "one two");
	assert_int_equal(look(p, "log", &s), OK);
	assert_true(s.closed);
	assert_int_equal(s.total, 2);
}

static void streams_are_there_again_after_a_start(void **state)
{
	struct place *p = *state;
	struct store_stats stats;
	struct stream s;

	make(p, "open", NULL);
	make(p, "closed", NULL);
	make(p, "empty", NULL);
	append(p, "open", "a");
	append(p, "closed", "b");
	append(p, "closed", NULL);
	append(p, "empty", NULL);
	for (int i = 0; i < 2; i++) {
		place_close(p);
		place_open(p);
		store_stats(p->store, &stats);
		assert_int_equal(stats.open_streams, 1);
	}
	assert_int_equal(append(p, "open", "c"), STREAM_DONE);
	assert_int_equal(append(p, "closed", "d"), STREAM_CLOSED);
	assert_int_equal(append(p, "empty", "d"), STREAM_CLOSED);
	expect_text(p, "open", "ac");
	expect_text(p, "closed", "b");
	expect_text(p, "empty", "");
	assert_int_equal(look(p, "empty", &s), OK);
	assert_true(s.closed);
}

static void a_long_stream_is_packed_while_it_is_open(void **state)
{
	struct place *p = *state;
	char part[2049], *all = malloc(64 * 2048 + 1);
	struct stream s;

	make(p, "long", NULL);
	for (int i = 0; i < 64; i++) {
		memset(part, 'a' + i % 26, 2048);
		part[2048] = '\0';
		assert_int_equal(append(p, "long", part), STREAM_DONE);
		memcpy(all + i * 2048, part, 2049);
	}
	expect_text(p, "long", all);
	place_close(p);
	place_open(p);
	expect_text(p, "long", all);
	assert_int_equal(look(p, "long", &s), OK);
	assert_true(s.packed > 0);
	assert_int_equal(s.total, 64);
	free(all);
}

static void a_fork_has_what_was_there_and_goes_its_own_way(void **state)
{
	struct place *p = *state;

	make(p, "source", NULL);
	append(p, "source", "hello");
	append(p, "source", " world");
	assert_int_equal(fork_of(p, "nobody", "x", 0, 0), STREAM_NO_SOURCE);
	assert_int_equal(fork_of(p, "source", "x", 3, 0), STREAM_BEYOND);
	assert_int_equal(fork_of(p, "source", "x", 0, 6), STREAM_BEYOND);
	assert_int_equal(fork_of(p, "source", "x", 2, 1), STREAM_BEYOND);
	assert_int_equal(fork_of(p, "source", "one", 1, 0), STREAM_DONE);
	assert_int_equal(fork_of(p, "source", "one", 1, 0), STREAM_SAME);
	assert_int_equal(fork_of(p, "source", "one", 1, 2), STREAM_TAKEN);
	assert_int_equal(fork_of(p, "source", "cut", 0, 3), STREAM_DONE);
	append(p, "one", "!");
	append(p, "cut", "p");
	append(p, "source", "?");
	expect_text(p, "one", "hello!");
	expect_text(p, "cut", "help");
	assert_int_equal(fork_of(p, "cut", "deep", 1, 0), STREAM_DONE);
	assert_int_equal(fork_of(p, "one", "deeper", 1, 1), STREAM_DONE);
	expect_text(p, "deep", "hel");
	expect_text(p, "deeper", "hello!");
	place_close(p);
	place_open(p);
	expect_text(p, "one", "hello!");
	expect_text(p, "source", "hello world?");
	append(p, "one", "!");
	expect_text(p, "one", "hello!!");
}

static void forks_go_no_deeper_than_they_may(void **state)
{
	struct place *p = *state;
	char from[16] = "f0", name[16];
	enum stream_outcome o = STREAM_DONE;
	int depth = 0;

	make(p, from, NULL);
	append(p, from, "x");
	while (o == STREAM_DONE) {
		sprintf(name, "f%d", ++depth);
		o = fork_of(p, from, name, 1, 0);
		strcpy(from, name);
	}
	assert_int_equal(o, STREAM_TOO_DEEP);
	assert_int_equal(depth, STREAM_MAX_DEPTH);
	/* The whole chain goes with the last one. */
	for (int i = 0; i < depth; i++) {
		sprintf(name, "f%d", i);
		assert_int_equal(drop(p, name), STREAM_DONE);
	}
	for (int i = 0; i < depth; i++) {
		sprintf(name, "f%d", i);
		assert_int_equal(make(p, name, NULL), STREAM_DONE);
	}
}

static void what_forks_read_stays_until_the_last_of_them_goes(void **state)
{
	struct place *p = *state;
	struct stream s;

	make(p, "source", NULL);
	append(p, "source", "hello");
	fork_of(p, "source", "fork", 1, 0);
	fork_of(p, "fork", "second", 1, 0);
	assert_int_equal(drop(p, "source"), STREAM_DONE);
	assert_int_equal(drop(p, "source"), STREAM_GONE);
	assert_int_equal(append(p, "source", "x"), STREAM_GONE);
	assert_int_equal(make(p, "source", NULL), STREAM_TAKEN);
	assert_int_equal(fork_of(p, "source", "x", 0, 0), STREAM_SOURCE_GONE);
	assert_int_equal(look(p, "source", &s), ERR_GONE);
	assert_int_equal(drop(p, "fork"), STREAM_DONE);
	place_close(p);
	place_open(p);
	expect_text(p, "second", "hello");
	assert_int_equal(drop(p, "second"), STREAM_DONE);
	assert_int_equal(look(p, "source", &s), ERR_NOT_FOUND);
	assert_int_equal(look(p, "fork", &s), ERR_NOT_FOUND);
	assert_int_equal(make(p, "source", NULL), STREAM_DONE);
	expect_text(p, "source", "");
}

static void woken(void *arg, uint64_t number)
{
	atomic_store((atomic_uint_fast64_t *)arg, number);
}

static void who_waits_for_a_stream_is_told_that_it_goes(void **state)
{
	struct place *p = *state;
	atomic_uint_fast64_t told = 0;
	struct waiter w = { .wake = woken, .arg = &told, .number = 7 };
	struct stream s;

	make(p, "log", &s);
	assert_int_equal(tail_wait(p->store, &s.id, "ada", 0, &w), OK);
	assert_int_equal(drop(p, "log"), STREAM_DONE);
	assert_int_equal(atomic_load(&told), 7);
	assert_int_equal(look(p, "log", &s), ERR_NOT_FOUND);
}

static void what_has_expired_is_gone_at_once_and_then_dropped(void **state)
{
	struct place *p = *state;
	struct stream_write sw = wanted(STREAM_CREATE, "short");
	struct stream s;
	struct job job;

	strcpy(sw.stream.type, "text/plain");
	sw.stream.expires_ms = 1;
	strcpy(sw.stream.expires_at, "1970-01-01T00:00:00.001Z");
	asked(p, &sw);
	assert_int_equal(sw.outcome, STREAM_DONE);
	assert_int_equal(look(p, "short", &s), ERR_NOT_FOUND);
	assert_int_equal(append(p, "short", "x"), STREAM_NOT_THERE);
	assert_int_equal(make(p, "short", NULL), STREAM_DONE);
	assert_int_equal(append(p, "short", "x"), STREAM_DONE);
	/* By itself: the writer looks again with each turn after a while. */
	strcpy(sw.stream.name, "other");
	sw.stream.row = 0;
	asked(p, &sw);
	for (bool there = true; there;) {
		struct query *q;

		job_init(&job, WRITE_AUDIT);
		assert_int_equal(job_run(&job, p->store), OK);
		job_fini(&job);
		assert_int_equal(query_open(p->store, &q), OK);
		there = tail_head(p->store, &sw.stream.id, NULL,
			    &(struct tail_head){ 0 }) == OK;
		query_close(q);
	}
	expect_text(p, "short", "x");
}

static void a_thousand_producers_are_known_and_no_more(void **state)
{
	struct place *p = *state;
	struct stream_write sw = wanted(STREAM_APPEND, "log");

	make(p, "log", NULL);
	sw.append = appending("text/plain", "x");
	for (int i = 0; i <= STREAM_MAX_PRODUCERS; i++) {
		sprintf(sw.append.tuple.producer, "p%d", i);
		assert_int_equal(asked(p, &sw)->outcome, STREAM_DONE);
		strcpy(sw.stream.name, "log");
	}
	strcpy(sw.append.tuple.producer, "p1");
	assert_int_equal(asked(p, &sw)->outcome, STREAM_DUPLICATE);
	/* The one that was used the longest time ago is not known any more. */
	strcpy(sw.append.tuple.producer, "p0");
	sw.append.tuple.seq = 1;
	assert_int_equal(asked(p, &sw)->outcome, STREAM_GAP);
}

int main(void)
{
#define RULE(name) cmocka_unit_test(name)
#define STORED(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		RULE(types_are_compared_without_case_and_parameters),
		RULE(an_offset_is_two_numbers_and_nothing_else),
		RULE(a_name_has_parts_that_are_something),
		RULE(a_sequence_must_rise_by_bytes),
		RULE(a_producer_counts_without_gaps_and_repeats),
		RULE(what_closed_a_stream_may_come_again_and_nothing_else),
		RULE(a_time_to_live_is_renewed_late_and_never_ends_early),
		STORED(
		    a_stream_keeps_what_is_appended_and_ends_when_it_is_closed),
		STORED(streams_are_there_again_after_a_start),
		STORED(a_long_stream_is_packed_while_it_is_open),
		STORED(a_fork_has_what_was_there_and_goes_its_own_way),
		STORED(forks_go_no_deeper_than_they_may),
		STORED(what_forks_read_stays_until_the_last_of_them_goes),
		STORED(who_waits_for_a_stream_is_told_that_it_goes),
		STORED(what_has_expired_is_gone_at_once_and_then_dropped),
		STORED(a_thousand_producers_are_known_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
