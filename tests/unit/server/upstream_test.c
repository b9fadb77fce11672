#include "server/upstream.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/base/buf.h"
#include "store/base/clock.h"
#include "store/base/utf8.h"

#define MAX_BYTES ((size_t)64 << 20)
#define LONG_MS 20000

/* --- a client: HTTP/1.0, so that bodies come without chunks --- */

static int dial(const struct upstream *u)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	const char *port = strrchr(upstream_url(u), ':') + 1;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	to.sin_port = htons((uint16_t)strtol(port, NULL, 10));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static void send_all(int fd, const char *s, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, s, len, MSG_NOSIGNAL);

		assert_true(n > 0);
		s += n;
		len -= (size_t)n;
	}
}

static int ask(const struct upstream *u, const char *method, const char *path,
    const char *headers, const char *body)
{
	int fd = dial(u);
	struct buf b;

	buf_init(&b, MAX_BYTES);
	buf_printf(&b, "%s %s HTTP/1.0\r\nHost: localhost\r\n%s", method, path,
	    headers);
	if (body != NULL)
		buf_printf(&b,
		    "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n",
		    strlen(body));
	buf_printf(&b, "\r\n%s", body != NULL ? body : "");
	send_all(fd, b.data, b.len);
	buf_fini(&b);
	return fd;
}

/* Read once, at most ${ms}; false at the end or when nothing came. */
static bool read_some(int fd, struct buf *b, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *to = buf_room(b, 65536);
	ssize_t n;

	assert_non_null(to);
	if (poll(&p, 1, ms) != 1)
		return false;
	n = recv(fd, to, 65536, 0);
	if (n > 0)
		b->len += (size_t)n;
	return n > 0;
}

/* The whole answer, a string; for free(). */
static char *read_all(int fd)
{
	struct buf b;
	char *s;

	buf_init(&b, MAX_BYTES);
	while (read_some(fd, &b, LONG_MS))
		continue;
	close(fd);
	s = buf_detach(&b, NULL);
	return s;
}

/* Read until ${word} has come. */
static void read_until(int fd, struct buf *b, const char *word)
{
	do {
		assert_true(read_some(fd, b, LONG_MS));
	} while (memmem(b->data, b->len, word, strlen(word)) == NULL);
}

static char *fetch(const struct upstream *u, const char *method,
    const char *path, const char *headers, const char *body)
{
	return read_all(ask(u, method, path, headers, body));
}

static char *complete(const struct upstream *u, const char *body)
{
	return fetch(u, "POST", "/v1/chat/completions", "", body);
}

static int status_of(const char *answer)
{
	assert_true(strlen(answer) > 12);
	return (int)strtol(answer + 9, NULL, 10);
}

static const char *body_of(const char *answer)
{
	const char *p = strstr(answer, "\r\n\r\n");

	assert_non_null(p);
	return p + 4;
}

static json_t *json_of(const char *answer)
{
	json_t *v = json_loads(body_of(answer), 0, NULL);

	assert_non_null(v);
	return v;
}

/* --- a stream, understood --- */

struct told {
	struct buf text, arguments;
	char finish[32], tool[32];
	unsigned events, contents, roles, bad;
	json_int_t completion_tokens; /* -1: no usage */
	unsigned usage_nulls;
	bool done, error;
};

static void told_delta(struct told *t, const json_t *delta)
{
	const json_t *content = json_object_get(delta, "content");
	const json_t *f = json_object_get(
	    json_array_get(json_object_get(delta, "tool_calls"), 0),
	    "function");

	if (json_object_get(delta, "role") != NULL) {
		t->roles++;
		return;
	}
	if (json_is_string(content)) {
		t->contents++;
		buf_add(&t->text, json_string_value(content),
		    json_string_length(content));
	}
	if (json_object_get(f, "name") != NULL)
		snprintf(t->tool, sizeof(t->tool), "%s",
		    json_string_value(json_object_get(f, "name")));
	if (f != NULL)
		buf_puts(&t->arguments,
		    json_string_value(json_object_get(f, "arguments")));
}

static void told_event(struct told *t, const char *data, size_t len)
{
	json_t *v = json_loadb(data, len, 0, NULL);
	json_t *choice, *usage;
	const char *finish;

	t->events++;
	if (v == NULL) {
		t->bad++;
		return;
	}
	if (json_object_get(v, "error") != NULL) {
		t->error = true;
		json_decref(v);
		return;
	}
	assert_string_equal(json_string_value(json_object_get(v, "object")),
	    "chat.completion.chunk");
	choice = json_array_get(json_object_get(v, "choices"), 0);
	usage = json_object_get(v, "usage");
	if (json_is_null(usage))
		t->usage_nulls++;
	if (json_is_object(usage)) {
		assert_null(choice);
		t->completion_tokens = json_integer_value(
		    json_object_get(usage, "completion_tokens"));
	} else {
		assert_non_null(choice);
		told_delta(t, json_object_get(choice, "delta"));
		finish =
		    json_string_value(json_object_get(choice, "finish_reason"));
		if (finish != NULL)
			snprintf(t->finish, sizeof(t->finish), "%s", finish);
	}
	json_decref(v);
}

static struct told told_of(const char *answer)
{
	struct told t = { .completion_tokens = -1 };
	const char *p = body_of(answer), *all = p + strlen(p);

	buf_init(&t.text, MAX_BYTES);
	buf_init(&t.arguments, MAX_BYTES);
	while (p < all) {
		/* Not strstr(): sanitizers look at all 30 MB each time. */
		const char *end = memchr(p, '\n', (size_t)(all - p));

		if (end == NULL || end[1] != '\n') {
			t.bad++;
			break;
		}
		assert_false(t.done);
		assert_memory_equal(p, "data: ", 6);
		if (memcmp(p, "data: [DONE]\n", 13) == 0)
			t.done = true;
		else
			told_event(&t, p + 6, (size_t)(end - p) - 6);
		p = end + 2;
	}
	buf_putc(&t.text, '\0');
	buf_putc(&t.arguments, '\0');
	assert_true(utf8_valid(t.text.data, t.text.len));
	return t;
}

static void told_fini(struct told *t)
{
	buf_fini(&t->text);
	buf_fini(&t->arguments);
}

/* --- the simulation --- */

static struct upstream *start(double rate, const char *key)
{
	struct upstream_options o;
	struct upstream *u = NULL;
	struct why why = { "" };

	upstream_defaults(&o);
	o.rate = rate;
	o.first_ms = 0;
	o.key = key;
	if (upstream_start(&o, &u, &why) != OK)
		fail_msg("upstream_start: %s", why.text);
	return u;
}

/* Wait until as many as ${n} answers were left by their clients. */
static void await_cut(const struct upstream *u, uint64_t n)
{
	int64_t until = clock_mono_ms() + LONG_MS;
	struct upstream_stats s;

	do {
		assert_true(clock_mono_ms() < until);
		usleep(1000);
		upstream_stats(u, &s);
	} while (s.cut < n);
}

#define ASK(model, more)                                             \
	"{\"model\":\"" model "\",\"messages\":[{\"role\":\"user\"," \
	"\"content\":\"Why is the sky blue?\"}]" more "}"
#define STREAM ",\"stream\":true"
#define USAGE STREAM ",\"stream_options\":{\"include_usage\":true}"

static void a_stream_is_what_openai_sends(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim", USAGE));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(status_of(a), 200);
	assert_non_null(
	    strcasestr(a, "content-type: text/event-stream; charset=utf-8"));
	assert_int_equal(t.roles, 1);
	assert_int_equal(t.bad, 0);
	assert_true(t.contents > 20);
	assert_string_equal(t.finish, "stop");
	assert_int_equal(t.completion_tokens, t.contents);
	assert_int_equal(t.usage_nulls, t.events - 1);
	assert_true(t.done);
	assert_non_null(strstr(t.text.data, "simulated"));
	assert_non_null(strstr(t.text.data, "“Why is the sky blue?”."));
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void usage_comes_only_when_asked_for(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim", STREAM));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.completion_tokens, -1);
	assert_int_equal(t.usage_nulls, 0);
	assert_true(t.done);
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void a_whole_answer_has_the_same_text(void **state)
{
	struct upstream *u = start(0, NULL);
	char *stream = complete(u, ASK("sim", STREAM));
	char *whole = complete(u, ASK("sim", ""));
	struct told t = told_of(stream);
	json_t *v = json_of(whole), *choice;

	(void)state;
	choice = json_array_get(json_object_get(v, "choices"), 0);
	assert_string_equal(json_string_value(json_object_get(
				json_object_get(choice, "message"), "content")),
	    t.text.data);
	assert_string_equal(
	    json_string_value(json_object_get(choice, "finish_reason")),
	    "stop");
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(v, "usage"), "completion_tokens")),
	    t.contents);
	json_decref(v);
	told_fini(&t);
	free(stream);
	free(whole);
	upstream_stop(u);
}

static void max_tokens_end_it_with_length(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim", USAGE ",\"max_tokens\":5"));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.contents, 5);
	assert_int_equal(t.completion_tokens, 5);
	assert_string_equal(t.finish, "length");
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void a_prefill_is_continued(void **state)
{
	struct upstream *u = start(0, NULL);
	char *whole = complete(u, ASK("sim", STREAM));
	char *rest = complete(u,
	    "{\"model\":\"sim\",\"stream\":true,\"messages\":[{\"role\":"
	    "\"user\",\"content\":\"Why is the sky blue?\"},{\"role\":"
	    "\"assistant\",\"content\":\"This is a simul\"}]}");
	struct told t = told_of(whole), r = told_of(rest);

	(void)state;
	assert_string_equal(
	    r.text.data, t.text.data + strlen("This is a simul"));
	told_fini(&t);
	told_fini(&r);
	free(whole);
	free(rest);
	upstream_stop(u);
}

#define TOOLS                                                                  \
	",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"           \
	"\"look_up\",\"parameters\":{\"type\":\"object\",\"properties\":{"     \
	"\"query\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\"}}}}}" \
	"]"

static void a_prompt_about_a_tool_calls_it(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u,
	    "{\"model\":\"sim\",\"stream\":true,\"messages\":[{\"role\":"
	    "\"user\",\"content\":\"Use the tool, señor 🙂🙂🙂🙂\"}]" TOOLS
	    "}");
	char *none = complete(u, ASK("sim", STREAM TOOLS));
	char *forced = complete(
	    u, ASK("sim", STREAM TOOLS ",\"tool_choice\":\"required\""));
	struct told t = told_of(a), n = told_of(none), f = told_of(forced);
	json_t *v = json_loads(t.arguments.data, 0, NULL);

	(void)state;
	assert_string_equal(t.tool, "look_up");
	assert_string_equal(t.finish, "tool_calls");
	assert_true(t.events > 5);
	assert_string_equal(json_string_value(json_object_get(v, "query")),
	    "Use the tool, señor 🙂🙂🙂🙂");
	assert_true(json_is_integer(json_object_get(v, "limit")));
	assert_string_equal(n.tool, "");
	assert_string_equal(n.finish, "stop");
	assert_string_equal(f.tool, "look_up");
	json_decref(v);
	told_fini(&t);
	told_fini(&n);
	told_fini(&f);
	free(a);
	free(none);
	free(forced);
	upstream_stop(u);
}

static void models_are_listed(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = fetch(u, "GET", "/v1/models", "", NULL);
	json_t *v = json_of(a);

	(void)state;
	assert_int_equal(status_of(a), 200);
	assert_int_equal(json_array_size(json_object_get(v, "data")), 12);
	json_decref(v);
	free(a);
	upstream_stop(u);
}

static void check_error(char *a, int status, const char *code)
{
	json_t *v = json_of(a);
	const json_t *e = json_object_get(v, "error");

	assert_int_equal(status_of(a), status);
	assert_true(json_string_length(json_object_get(e, "message")) > 0);
	assert_true(json_is_string(json_object_get(e, "type")));
	assert_true(json_object_get(e, "param") != NULL);
	assert_string_equal(
	    json_string_value(json_object_get(e, "code")), code);
	json_decref(v);
	free(a);
}

static void wrong_requests_are_refused_in_openais_shape(void **state)
{
	static const char *const wrong[] = { "", "nope", "[]", "{}",
		"{\"model\":\"sim\"}", "{\"model\":5,\"messages\":[]}",
		"{\"model\":\"sim\",\"messages\":[]}",
		"{\"model\":\"sim\",\"messages\":[5]}",
		"{\"model\":\"sim\",\"messages\":[{\"role\":\"boss\","
		"\"content\":\"x\"}]}",
		"{\"model\":\"sim\",\"messages\":[{\"role\":\"user\"}]}",
		ASK("sim", ",\"max_tokens\":0"), ASK("sim", ",\"tools\":5"),
		ASK("sim?colour=red", "") };
	struct upstream *u = start(0, NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_error(
		    complete(u, wrong[i]), 400, "invalid_request_error");
	check_error(complete(u, ASK("gpt-4o", "")), 404, "model_not_found");
	check_error(
	    fetch(u, "GET", "/v1/nothing", "", NULL), 404, "model_not_found");
	check_error(fetch(u, "GET", "/v1/chat/completions", "", NULL), 405,
	    "method_not_allowed");
	check_error(fetch(u, "POST", "/v1/chat/completions?tokens=x", "",
			ASK("sim", "")),
	    400, "invalid_request_error");
	upstream_stop(u);
}

static void the_key_is_asked_for(void **state)
{
	struct upstream *u = start(0, "let-me-in");
	char *a;

	(void)state;
	check_error(complete(u, ASK("sim", "")), 401, "invalid_api_key");
	check_error(fetch(u, "GET", "/v1/models",
			"Authorization: Bearer wrong\r\n", NULL),
	    401, "invalid_api_key");
	a = fetch(u, "GET", "/v1/models", "Authorization: Bearer let-me-in\r\n",
	    NULL);
	assert_int_equal(status_of(a), 200);
	free(a);
	upstream_stop(u);
}

static void statuses_come_with_their_headers(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim-status?status=429", STREAM));

	(void)state;
	assert_non_null(strcasestr(a, "retry-after: 1\r\n"));
	check_error(a, 429, "rate_limit_exceeded");
	check_error(
	    complete(u, ASK("sim-status", STREAM)), 500, "server_error");
	check_error(complete(u, ASK("sim-status?status=503", "")), 503,
	    "server_is_overloaded");
	a = complete(u, ASK("sim-status?status=502", ""));
	assert_int_equal(status_of(a), 502);
	assert_non_null(strstr(a, "<html>"));
	free(a);
	upstream_stop(u);
}

static void a_cut_breaks_inside_an_event(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim-cut?after=4", STREAM));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.contents, 4);
	assert_int_equal(t.bad, 1);
	assert_false(t.done);
	assert_string_equal(t.finish, "");
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void no_end_stops_after_a_whole_event(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim-no-end?after=4", STREAM));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.contents, 4);
	assert_int_equal(t.bad, 0);
	assert_false(t.done);
	assert_string_equal(t.finish, "");
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void garbage_is_one_event_among_good_ones(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim-garbage", STREAM));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.bad, 1);
	assert_true(t.done);
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void an_error_ends_the_stream(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a = complete(u, ASK("sim-error", STREAM));
	struct told t = told_of(a);

	(void)state;
	assert_int_equal(t.contents, 3);
	assert_true(t.error);
	assert_string_equal(t.finish, "");
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void split_writes_make_the_same_text(void **state)
{
	struct upstream *u = start(0, NULL);
	char *fine = complete(u, ASK("sim", STREAM));
	char *split = complete(u, ASK("sim-split", STREAM));
	struct told t = told_of(fine), s = told_of(split);

	(void)state;
	assert_string_equal(s.text.data, t.text.data);
	assert_true(s.done);
	told_fini(&t);
	told_fini(&s);
	free(fine);
	free(split);
	upstream_stop(u);
}

static void a_stall_and_a_silence_last_until_the_client_leaves(void **state)
{
	struct upstream *u = start(0, NULL);
	struct upstream_stats s;
	struct buf b;
	int fd;

	(void)state;
	buf_init(&b, MAX_BYTES);
	fd = ask(u, "POST", "/v1/chat/completions", "",
	    ASK("sim-stall?after=2", STREAM));
	read_until(fd, &b, "\" is\"");
	assert_false(read_some(fd, &b, 100));
	upstream_stats(u, &s);
	assert_int_equal(s.cut, 0);
	assert_int_equal(s.tokens, 2);
	close(fd);
	await_cut(u, 1);
	buf_reset(&b);
	fd = ask(
	    u, "POST", "/v1/chat/completions", "", ASK("sim-silent", STREAM));
	assert_false(read_some(fd, &b, 100));
	assert_int_equal(b.len, 0);
	close(fd);
	await_cut(u, 2);
	buf_fini(&b);
	upstream_stop(u);
}

static void pings_are_comments_for_ever(void **state)
{
	struct upstream *u = start(0, NULL);
	struct buf b;
	int fd = ask(u, "POST", "/v1/chat/completions", "",
	    ASK("sim-pings?after=0", STREAM));

	(void)state;
	buf_init(&b, MAX_BYTES);
	read_until(fd, &b, ": ping\n\n");
	buf_reset(&b);
	read_until(fd, &b, ": ping\n\n");
	close(fd);
	await_cut(u, 1);
	buf_fini(&b);
	upstream_stop(u);
}

static void whole_answers_have_their_faults_too(void **state)
{
	static const char *const broken[] = { ASK("sim-cut", ""),
		ASK("sim-no-end", ""), ASK("sim-garbage", "") };
	struct upstream *u = start(0, NULL);
	char *a, *fine;

	(void)state;
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		a = complete(u, broken[i]);
		assert_int_equal(status_of(a), 200);
		assert_null(json_loads(body_of(a), 0, NULL));
		free(a);
	}
	a = complete(u, ASK("sim-error", ""));
	assert_int_equal(status_of(a), 200);
	assert_non_null(strstr(body_of(a), "\"error\""));
	free(a);
	a = complete(u, ASK("sim-split", ""));
	fine = complete(u, ASK("sim", ""));
	assert_int_equal(
	    strlen(body_of(a)), strlen(body_of(fine)) + strlen("-split"));
	free(a);
	free(fine);
	upstream_stop(u);
}

static void an_answer_too_large_to_hold_is_an_error(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a;

	(void)state;
	check_error(complete(u, ASK("sim?tokens=1000&size=60000", "")), 500,
	    "server_error");
	a = complete(u, ASK("sim-split?tokens=1000&size=60000", ""));
	assert_string_equal(body_of(a), "");
	free(a);
	upstream_stop(u);
}

static void the_pace_is_kept_without_drift(void **state)
{
	struct upstream *u = start(200, NULL);
	int64_t from = clock_mono_ms(), took;
	char *a = complete(u, ASK("sim?tokens=101", STREAM));

	(void)state;
	took = clock_mono_ms() - from;
	/* The last token is due 500 ms after the first. */
	assert_in_range(took, 495, 2500);
	free(a);
	upstream_stop(u);
}

static void a_client_that_does_not_read_stops_the_tokens(void **state)
{
	struct upstream *u = start(0, NULL);
	struct upstream_stats before, s = { 0 };
	uint64_t answers = 0;
	struct told t;
	char *a;
	int fd = ask(u, "POST", "/v1/chat/completions", "",
	    ASK("sim?tokens=60000&size=200", STREAM));

	(void)state;
	/* Each whole answer is many turns of the one loop. */
	do {
		before = s;
		for (int i = 0; i < 20; i++)
			free(complete(u, ASK("sim?tokens=1", STREAM)));
		upstream_stats(u, &s);
		s.tokens -= answers += 20;
	} while (s.tokens == 0 || s.tokens != before.tokens);
	assert_true(s.tokens < 60000);
	a = read_all(fd);
	t = told_of(a);
	assert_int_equal(t.contents, 60000);
	assert_int_equal(t.text.len - 1, 60000 * 200);
	assert_true(t.done);
	told_fini(&t);
	free(a);
	upstream_stop(u);
}

static void many_streams_share_a_loop(void **state)
{
	enum { N = 300 };
	struct upstream *u = start(50, NULL);
	struct upstream_stats s;
	int fds[N];

	(void)state;
	for (int i = 0; i < N; i++)
		fds[i] = ask(u, "POST", "/v1/chat/completions", "",
		    ASK("sim?tokens=50&first_ms=100", STREAM));
	for (int i = 0; i < N; i++) {
		char *a = read_all(fds[i]);

		assert_non_null(strstr(a, "data: [DONE]\n\n"));
		free(a);
	}
	upstream_stats(u, &s);
	assert_int_equal(s.streams, N);
	assert_int_equal(s.finished, N);
	assert_int_equal(s.tokens, N * 50);
	upstream_stop(u);
}

static void it_can_be_stopped_while_it_talks(void **state)
{
	struct upstream *u = start(10, NULL);
	struct buf b;
	int fds[20];

	(void)state;
	buf_init(&b, MAX_BYTES);
	for (int i = 0; i < 20; i++) {
		buf_reset(&b);
		fds[i] = ask(u, "POST", "/v1/chat/completions", "",
		    i % 2 ? ASK("sim", STREAM) : ASK("sim", ""));
		if (i % 2)
			read_until(fds[i], &b, "This");
	}
	upstream_stop(u);
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	buf_fini(&b);
}

static void wrong_options_are_named(void **state)
{
	struct upstream_options o;
	struct upstream *u = NULL;
	struct why why = { "" };

	(void)state;
	upstream_defaults(&o);
	o.fault_share = 2;
	assert_int_equal(upstream_start(&o, &u, &why), ERR_INPUT);
	assert_non_null(strstr(why.text, "fault_share"));
	upstream_defaults(&o);
	o.listen = "nowhere";
	assert_int_not_equal(upstream_start(&o, &u, &why), OK);
	assert_null(u);
	upstream_stop(NULL);
}

static void the_stats_are_served(void **state)
{
	struct upstream *u = start(0, NULL);
	char *a;
	json_t *v;

	(void)state;
	free(complete(u, ASK("sim?tokens=7", STREAM)));
	a = fetch(u, "GET", "/stats", "", NULL);
	v = json_of(a);
	assert_int_equal(json_integer_value(json_object_get(v, "finished")), 1);
	assert_int_equal(json_integer_value(json_object_get(v, "tokens")), 7);
	assert_int_equal(json_integer_value(json_object_get(v, "open")), 0);
	json_decref(v);
	free(a);
	upstream_stop(u);
}

static void what_goes_on_in_the_background_is_told_from_any_event(void **state)
{
	struct upstream_options o;
	struct upstream *u = NULL;
	struct why why = { "" };
	struct upstream_stats s;
	char path[128];
	const char *id;
	char *a, *b;

	(void)state;
	upstream_defaults(&o);
	o.rate = 0;
	o.first_ms = 0;
	o.dialect = "responses";
	assert_int_equal(upstream_start(&o, &u, &why), OK);
	a = fetch(u, "POST", "/v1/responses", "",
	    "{\"model\":\"sim?tokens=3\",\"input\":\"x\",\"stream\":true,"
	    "\"background\":true}");
	assert_int_equal(status_of(a), 200);
	id = strstr(a, "resp_");
	assert_non_null(id);
	snprintf(path, sizeof(path),
	    "/v1/responses/%.41s?stream=true&starting_after=4", id);
	b = fetch(u, "GET", path, "", NULL);
	assert_int_equal(status_of(b), 200);
	assert_null(strstr(b, "\"sequence_number\":4,"));
	assert_non_null(strstr(b, "\"sequence_number\":5,"));
	assert_non_null(strstr(b, "event: response.completed"));
	free(b);
	snprintf(path, sizeof(path), "/v1/responses/%.41s/cancel", id);
	b = fetch(u, "POST", path, "", "{}");
	assert_non_null(strstr(b, "\"status\":\"completed\""));
	upstream_stats(u, &s);
	assert_int_equal(s.requests, 1);
	assert_int_equal(s.resumed, 1);
	assert_int_equal(s.cancelled, 1);
	free(b);
	free(a);
	upstream_stop(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_what_openai_sends),
		cmocka_unit_test(usage_comes_only_when_asked_for),
		cmocka_unit_test(a_whole_answer_has_the_same_text),
		cmocka_unit_test(max_tokens_end_it_with_length),
		cmocka_unit_test(a_prefill_is_continued),
		cmocka_unit_test(a_prompt_about_a_tool_calls_it),
		cmocka_unit_test(models_are_listed),
		cmocka_unit_test(wrong_requests_are_refused_in_openais_shape),
		cmocka_unit_test(the_key_is_asked_for),
		cmocka_unit_test(statuses_come_with_their_headers),
		cmocka_unit_test(a_cut_breaks_inside_an_event),
		cmocka_unit_test(no_end_stops_after_a_whole_event),
		cmocka_unit_test(garbage_is_one_event_among_good_ones),
		cmocka_unit_test(an_error_ends_the_stream),
		cmocka_unit_test(split_writes_make_the_same_text),
		cmocka_unit_test(
		    a_stall_and_a_silence_last_until_the_client_leaves),
		cmocka_unit_test(pings_are_comments_for_ever),
		cmocka_unit_test(whole_answers_have_their_faults_too),
		cmocka_unit_test(an_answer_too_large_to_hold_is_an_error),
		cmocka_unit_test(the_pace_is_kept_without_drift),
		cmocka_unit_test(a_client_that_does_not_read_stops_the_tokens),
		cmocka_unit_test(many_streams_share_a_loop),
		cmocka_unit_test(it_can_be_stopped_while_it_talks),
		cmocka_unit_test(wrong_options_are_named),
		cmocka_unit_test(the_stats_are_served),
		cmocka_unit_test(
		    what_goes_on_in_the_background_is_told_from_any_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
