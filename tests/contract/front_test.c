/* The same page, the same problem, through each front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "server/front.h"
#include "server/write_page.h"

static void make(struct page *p)
{
	struct chunk c = { .attempt = 1, .kind = CHUNK_TEXT, .ts_ms = 1000 };

	page_init(p);
	p->status = EXECUTION_STREAMING;
	p->first = 5;
	for (const char *s = "abc"; *s; s++) {
		c.content = s;
		c.content_len = 1;
		chunk_pack(&p->records, &c, 0);
		p->n++;
	}
	p->total = 8;
}

/* The JSON of ${b}, out of its envelope and event if it has them. */
static json_t *open_up(struct buf *b, const char *envelope)
{
	const char *data =
	    b->data[0] == '{' ? NULL : memmem(b->data, b->len, "data: ", 6);
	size_t skip = 0;
	json_t *v, *in;

	/* An event: its data is one line, its last. */
	if (data) {
		skip = (size_t)(data - b->data) + 6;
		assert_true(skip == 6 || data[-1] == '\n');
		assert_memory_equal(b->data + b->len - 2, "\n\n", 2);
		assert_ptr_equal(memchr(data, '\n', b->len - skip + 6),
		    b->data + b->len - 2);
	}
	v = json_loadb(b->data + skip, b->len - skip, 0, NULL);
	assert_non_null(v);
	in = json_object_get(v, envelope);
	in = json_incref(in ? in : v);
	json_decref(v);
	buf_reset(b);
	return in;
}

static void every_front_shows_the_same_page(void **state)
{
	json_t *first = NULL;
	struct page page;
	struct buf b;

	(void)state;
	make(&page);
	buf_init(&b, 1 << 16);
	for (const struct front *const *f = front_all(); *f; f++) {
		json_t *v;

		(*f)->page(&b, &page);
		v = open_up(&b, "result");
		if (!first)
			first = json_incref(v);
		assert_true(json_equal(first, v));
		assert_int_equal(
		    json_array_size(json_object_get(v, "chunks")), 3);
		json_decref(v);
	}
	json_decref(first);
	buf_fini(&b);
	page_fini(&page);
}

static void every_front_tells_each_problem_by_its_code(void **state)
{
	struct problem p;
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 16);
	for (unsigned i = 0; i < PROBLEM_CODES; i++)
		for (const struct front *const *f = front_all(); *f; f++) {
			json_t *v, *details;

			problem_set(&p, i, "f", "words");
			(*f)->problem(&b, &p, "/x");
			v = open_up(&b, "error");
			details = json_object_get(v, "details");
			assert_string_equal(json_string_value(json_object_get(
						details ? details : v, "code")),
			    problem_kind(i)->code);
			assert_in_range((*f)->problem_status(&p), 400, 599);
			json_decref(v);
		}
	buf_fini(&b);
}

static void check_events(const struct front *f)
{
	struct page_cursor at = { 0 };
	uint64_t index = 5;
	struct page page;
	struct chunk c;
	struct buf b;
	json_t *v;

	make(&page);
	buf_init(&b, 1 << 16);
	while (page_each(&page, &at, &c)) {
		f->event_chunk(&b, &c);
		v = open_up(&b, "message");
		assert_int_equal(
		    json_integer_value(json_object_get(v, "index")), index++);
		json_decref(v);
	}
	f->event_result(&b, &page);
	v = open_up(&b, "result");
	assert_null(json_object_get(v, "chunks"));
	assert_int_equal(
	    json_integer_value(json_object_get(v, "next_index")), 8);
	json_decref(v);
	buf_fini(&b);
	page_fini(&page);
}

static void events_carry_the_page_chunk_by_chunk(void **state)
{
	int n = 0;

	(void)state;
	for (const struct front *const *f = front_all(); *f; f++)
		if ((*f)->event_chunk) {
			check_events(*f);
			n++;
		}
	assert_true(n >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_front_shows_the_same_page),
		cmocka_unit_test(every_front_tells_each_problem_by_its_code),
		cmocka_unit_test(events_carry_the_page_chunk_by_chunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
