#include "tests/unit/server/http_fixture.h"
#include "tests/unit/server/http_corpus.h"

/* Every case on a real connection: one answer, the right one, then the end. */

static struct fixture f;

static void on_request(struct http_exchange *x, void *arg)
{
	(void)arg;
	http_reply(x, 200, NULL, NULL);
}

static int start(void **state)
{
	struct http_options opt = { .on_request = on_request };

	(void)state;
	fixture_start(&f, &opt);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&f);
	return 0;
}

/* An interim 100 is no answer. */
static const char *behind_continue(const char *answer)
{
	return status_of(answer) == 100 ? strstr(answer, "\r\n\r\n") + 4
					: answer;
}

static void assert_answer(const struct http_case *c, size_t cut, int fd)
{
	const char *answer;
	struct buf b;

	buf_init(&b, 1 << 20);
	if (!hear(fd, &b, NULL) || b.len == 0)
		fail_msg("%s, cut at %zu: no orderly answer", c->name, cut);
	answer = behind_continue(b.data);
	if (status_of(answer) != c->status)
		fail_msg("%s, cut at %zu: status %d, want %d", c->name, cut,
		    status_of(answer), c->status);
	if (count_of(answer, "\r\nDate: ") != 1)
		fail_msg("%s, cut at %zu: %s", c->name, cut, answer);
	buf_fini(&b);
	close(fd);
}

static void each_request_gets_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];
		int fd = dial(&f);

		tell(fd, c->bytes, c->len);
		assert_answer(c, c->len, fd);
	}
}

static void each_request_cut_anywhere_gets_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];

		for (size_t cut = 1; cut < c->len; cut++) {
			int fd = dial(&f);

			tell(fd, c->bytes, cut);
			tell(fd, c->bytes + cut, c->len - cut);
			assert_answer(c, cut, fd);
		}
	}
}

static void each_request_byte_by_byte_gets_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < HTTP_CORPUS_CASES; i++) {
		const struct http_case *c = &http_corpus[i];
		int fd = dial(&f);

		for (size_t k = 0; k < c->len; k++)
			tell(fd, c->bytes + k, 1);
		assert_answer(c, 0, fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_gets_its_answer),
		cmocka_unit_test(each_request_cut_anywhere_gets_its_answer),
		cmocka_unit_test(each_request_byte_by_byte_gets_its_answer),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
