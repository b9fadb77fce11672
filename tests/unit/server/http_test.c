#include "tests/unit/server/http_fixture.h"

#include <time.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <zlib.h>

#include "store/base/clock.h"
#include "store/base/log.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n"
#define CLOSE "Connection: close\r\n\r\n"
#define FLOOD_BYTES (10u << 20)
#define BIG_BYTES 100000

static struct fixture f;

/* --- the handlers --- */

static void on_gone(struct http_exchange *x)
{
	(void)x;
	fixture_note(&f, &f.gone);
}

static void hold(struct http_exchange *x)
{
	http_on_gone(x, on_gone);
	pthread_mutex_lock(&f.lock);
	f.number = http_exchange_number(x);
	f.loop = http_exchange_loop(x);
	pthread_mutex_unlock(&f.lock);
	fixture_note(&f, &f.held);
}

static void reply_text(struct http_exchange *x, const char *text)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	buf_puts(&b, text);
	http_reply(x, 200, "text/plain", &b);
}

static void reply_big(struct http_exchange *x)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	while (b.len < BIG_BYTES)
		buf_puts(&b, "{\"text\":\"again\"},");
	http_reply_header(x, "ETag", "\"one\"");
	http_reply(x, 200, "application/json", &b);
}

/* Written so far is kept in the exchange's pointer. */
static void on_flood(struct http_exchange *x)
{
	static char page[16 << 10];
	uintptr_t sent = (uintptr_t)http_exchange_get(x);
	size_t pending = http_stream_write(x, page, sizeof(page));

	pthread_mutex_lock(&f.lock);
	if (pending > f.most_pending)
		f.most_pending = pending;
	pthread_mutex_unlock(&f.lock);
	if (pending >= 64 << 10)
		fixture_note(&f, &f.stuck);
	sent += sizeof(page);
	if (sent >= FLOOD_BYTES)
		http_stream_end(x);
	else
		http_exchange_set(x, (void *)sent);
}

static void on_hello(struct http_exchange *x)
{
	if (http_exchange_get(x) != NULL)
		return;
	http_exchange_set(x, x);
	http_stream_write(x, "hello", 5);
	hold(x);
}

static void on_cut(struct http_exchange *x)
{
	http_stream_write(x, "half", 4);
	http_stream_cut(x);
}

static void on_woken(struct http_exchange *x)
{
	reply_text(x, "woken");
}

/* Bytes come back in capitals; a point ends it. */
static size_t on_bytes(struct http_exchange *x, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = (char)(data[i] & ~0x20);

		if (data[i] == '.') {
			http_upgrade_close(x);
			return i + 1;
		}
		http_stream_write(x, &c, 1);
	}
	return len;
}

static void later(void *arg)
{
	uint64_t number;
	struct http_exchange *x;

	pthread_mutex_lock(&f.lock);
	number = f.number;
	pthread_mutex_unlock(&f.lock);
	x = http_exchange_find(arg, number);
	if (x != NULL)
		reply_text(x, "later");
}

static void reply_query(struct http_exchange *x)
{
	char text[8] = "none";
	enum err rc = http_query_value(x, "a b", text, sizeof(text));

	reply_text(x, rc == OK ? text : err_name(rc));
}

static void reply_echo(struct http_exchange *x)
{
	struct buf b;
	size_t len;
	const char *data = http_body(x, &len);

	buf_init(&b, 2 << 20);
	buf_add(&b, data, len);
	http_reply(x, 200, "text/plain", &b);
}

static void on_request(struct http_exchange *x, void *arg)
{
	const char *path = http_path(x);

	(void)arg;
	if (strcmp(path, "/hold") == 0) {
		http_on_wake(x, on_woken);
		hold(x);
	} else if (strcmp(path, "/later") == 0) {
		hold(x);
		assert_non_null(http_loop_after(
		    http_exchange_loop(x), 20, later, http_exchange_loop(x)));
	} else if (strcmp(path, "/echo") == 0) {
		reply_echo(x);
	} else if (strcmp(path, "/big") == 0) {
		reply_big(x);
	} else if (strcmp(path, "/flood") == 0) {
		http_on_gone(x, on_gone);
		http_stream(x, 200, "text/plain", on_flood);
	} else if (strcmp(path, "/hello") == 0) {
		http_on_gone(x, on_gone);
		http_stream(x, 200, "text/event-stream", on_hello);
	} else if (strcmp(path, "/cut") == 0) {
		http_stream(x, 200, "text/plain", on_cut);
	} else if (strcmp(path, "/upgrade") == 0) {
		http_on_gone(x, on_gone);
		http_upgrade(x, "shout", on_bytes, NULL);
	} else if (strcmp(path, "/header") == 0) {
		reply_text(x, http_header(x, "x-list"));
	} else if (strcmp(path, "/query") == 0) {
		reply_query(x);
	} else {
		http_reply_timing(x, "store", 1.5);
		reply_text(x, http_query(x));
	}
}

static int start_with(struct http_options opt)
{
	opt.on_request = on_request;
	fixture_start(&f, &opt);
	return 0;
}

static int start(void **state)
{
	static const char *const origins[] = { "http://app.example", NULL };
	static const char *const hosts[] = { "spool.example", NULL };

	(void)state;
	return start_with((struct http_options){
	    .loops = 2, .allow_origins = origins, .allow_hosts = hosts });
}

static int start_hasty(void **state)
{
	(void)state;
	return start_with((struct http_options){ .header_ms = 100,
	    .body_ms = 100,
	    .idle_ms = 200,
	    .stall_ms = 200 });
}

static int start_open(void **state)
{
	static const char *const any[] = { "*", NULL };

	(void)state;
	return start_with(
	    (struct http_options){ .allow_hosts = any, .allow_origins = any });
}

static int start_small(void **state)
{
	(void)state;
	return start_with(
	    (struct http_options){ .max_connections = 8, .max_per_ip = 2 });
}

static int start_narrow(void **state)
{
	(void)state;
	return start_with((struct http_options){
	    .max_body_bytes = 64 << 10, .max_bodies_bytes = 256 << 10 });
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&f);
	return 0;
}

static void assert_holds(const char *answer, const char *text)
{
	if (strstr(answer, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, answer);
}

static void assert_lacks(const char *answer, const char *text)
{
	if (strstr(answer, text) != NULL)
		fail_msg("\"%s\" in: %s", text, answer);
}

/* Ask; the answer has ${status} and holds ${text}, if not NULL. */
static void assert_answer(const char *request, int status, const char *text)
{
	char *answer = ask(&f, request);

	if (status_of(answer) != status)
		fail_msg("%d wanted, got: %s", status, answer);
	if (text != NULL)
		assert_holds(answer, text);
	free(answer);
}

static uint64_t open_now(void)
{
	struct http_stats stats;

	http_server_stats(f.server, &stats);
	return stats.open;
}

/* --- requests and replies --- */

static void pipelined_requests_are_answered_in_order(void **state)
{
	struct buf all, b;
	char want[32];
	const char *at;
	int fd = dial(&f);

	(void)state;
	buf_init(&all, 1 << 20);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 1000; i++)
		buf_printf(&all,
		    "GET /?n%d HTTP/1.1\r\nHost: localhost\r\n%s\r\n", i,
		    i == 999 ? "Connection: close\r\n" : "");
	tell(fd, all.data, all.len);
	assert_true(hear(fd, &b, NULL));
	at = b.data;
	for (int i = 0; i < 1000; i++) {
		snprintf(want, sizeof(want), "\r\n\r\nn%d", i);
		at = strstr(at, want);
		assert_non_null(at);
	}
	assert_int_equal(count_of(b.data, "HTTP/1.1 200 OK"), 1000);
	close(fd);
	buf_fini(&all);
	buf_fini(&b);
}

static void a_connection_is_used_again(void **state)
{
	struct http_stats before, after;
	int fd = dial(&f);
	struct buf b;

	(void)state;
	http_server_stats(f.server, &before);
	buf_init(&b, 1 << 20);
	for (int i = 0; i < 50; i++) {
		buf_reset(&b);
		tell_text(fd, GET("/?word") "\r\n");
		assert_true(hear(fd, &b, "\r\n\r\nword"));
	}
	http_server_stats(f.server, &after);
	assert_int_equal(after.requests - before.requests, 50);
	assert_true(after.connections - before.connections <= 1);
	close(fd);
	buf_fini(&b);
}

static void head_is_get_without_body(void **state)
{
	char *get = ask(&f, GET("/?abc") CLOSE);
	char *head =
	    ask(&f, "HEAD /?abc HTTP/1.1\r\nHost: localhost\r\n" CLOSE);

	(void)state;
	assert_holds(get, "Content-Length: 3\r\n");
	assert_holds(get, "\r\n\r\nabc");
	assert_holds(head, "Content-Length: 3\r\n");
	assert_string_equal(head + strlen(head) - 4, "\r\n\r\n");
	free(get);
	free(head);
}

static void head_of_a_stream_is_its_header(void **state)
{
	(void)state;
	assert_answer("HEAD /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
		      "HEAD /flood HTTP/1.1\r\nHost: localhost\r\n\r\n" GET(
			  "/?next") CLOSE,
	    200, "\r\n\r\nnext");
	fixture_await(&f, &f.gone, 2);
}

static void an_expecting_client_is_told_to_go_on(void **state)
{
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
		      "Expect: 100-continue\r\nContent-Length: 4\r\n" CLOSE);
	assert_true(hear(fd, &b, "\r\n\r\n"));
	assert_int_equal(status_of(b.data), 100);
	buf_reset(&b);
	tell_text(fd, "body");
	assert_true(hear(fd, &b, NULL));
	assert_int_equal(status_of(b.data), 200);
	assert_holds(b.data, "\r\n\r\nbody");
	close(fd);
	buf_fini(&b);
}

static void an_expecting_client_is_refused_before_it_sends(void **state)
{
	(void)state;
	assert_answer("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
		      "Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n",
	    413, "Connection: close");
}

static void a_chunked_body_comes_whole(void **state)
{
	(void)state;
	assert_answer("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
		      "Transfer-Encoding: chunked\r\n" CLOSE
		      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: u\r\n\r\n",
	    200, "\r\n\r\nabcdefg");
}

static void a_large_body_comes_whole(void **state)
{
	size_t len = 1 << 20;
	char *body = malloc(len + 1);
	int fd = dial(&f);
	struct buf b;

	(void)state;
	assert_non_null(body);
	memset(body, 'q', len);
	buf_init(&b, 2 << 20);
	tell_text(fd, "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
		      "Content-Length: 1048576\r\n" CLOSE);
	tell(fd, body, len);
	assert_true(hear(fd, &b, NULL));
	assert_int_equal(status_of(b.data), 200);
	assert_memory_equal(b.data + b.len - len, body, len);
	close(fd);
	free(body);
	buf_fini(&b);
}

/* A refused client that goes on sending can still read why. */
static void a_refusal_survives_what_the_client_sends(void **state)
{
	static char junk[1 << 20];
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, "POST / HTTP/1.1\r\nHost: localhost\r\n"
		      "Content-Length: 4194304\r\n\r\n");
	for (int i = 0; i < 4; i++)
		tell(fd, junk, sizeof(junk));
	(void)hear(fd, &b, "too_large");
	assert_int_equal(status_of(b.data), 413);
	close(fd);
	buf_fini(&b);
}

static void ceilings_have_their_statuses(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	buf_puts(&b, "GET /");
	for (int i = 0; i < 9000; i++)
		buf_putc(&b, 'a');
	buf_add(&b, " HTTP/1.1\r\nHost: localhost\r\n\r\n", 31);
	assert_answer(b.data, 414, "uri_too_long");
	buf_reset(&b);
	buf_puts(&b, GET("/") "A: ");
	for (int i = 0; i < 17000; i++)
		buf_putc(&b, 'a');
	buf_add(&b, "\r\n\r\n", 5);
	assert_answer(b.data, 431, "headers_too_large");
	buf_fini(&b);
}

static void http_1_0_is_spoken(void **state)
{
	(void)state;
	assert_answer("GET /?old HTTP/1.0\r\n\r\n", 200, "Connection: close");
	assert_answer("GET /?a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
		      "GET /?b HTTP/1.0\r\n\r\n",
	    200, "\r\n\r\nb");
	assert_answer("GET /flood HTTP/1.0\r\n\r\n", 200, "Connection: close");
}

static void a_repeated_header_is_joined(void **state)
{
	(void)state;
	assert_answer(GET("/header") "X-List: a\r\nX-Other: c\r\nx-list:\r\n"
				     "X-LIST: b\r\n" CLOSE,
	    200, "\r\n\r\na, , b");
}

static void a_query_is_decoded(void **state)
{
	(void)state;
	assert_answer(
	    GET("/query?b=1&a+b=x%2By+z") CLOSE, 200, "\r\n\r\nx+y z");
	assert_answer(GET("/query?a%20b") CLOSE, 200, "Content-Length: 0\r\n");
	assert_answer(GET("/query?ab=1") CLOSE, 200, "not_found");
	assert_answer(GET("/query?a+b=1&a%20b=2") CLOSE, 200, "input");
	assert_answer(GET("/query?a+b=%0") CLOSE, 200, "input");
	assert_answer(GET("/query?a+b=%00") CLOSE, 200, "input");
	assert_answer(GET("/query?a+b=12345678") CLOSE, 200, "input");
}

static void a_reply_says_what_is_expected_of_it(void **state)
{
	static const char *const wanted[] = { "\r\nDate: ",
		"\r\nX-Content-Type-Options: nosniff\r\n",
		"\r\nX-Request-Id: my.id-1\r\n",
		"\r\ntraceparent: 00-0123456789abcdef-01\r\n",
		"\r\nServer-Timing: total;dur=", ", store;dur=1.500\r\n" };
	char *answer =
	    ask(&f, GET("/") "X-Request-Id: my.id-1\r\n"
			     "traceparent: 00-0123456789abcdef-01\r\n" CLOSE);

	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		assert_holds(answer, wanted[i]);
	free(answer);
	answer = ask(&f, GET("/") "X-Request-Id: a b<script>\r\n" CLOSE);
	assert_lacks(answer, "script");
	assert_holds(answer, "\r\nX-Request-Id: ");
	free(answer);
}

/* --- gzip --- */

static void gzip_gives_back_what_went_in(void **state)
{
	static char plain[2 * BIG_BYTES];
	z_stream z = { .next_out = (Bytef *)plain, .avail_out = sizeof(plain) };
	int fd = dial(&f);
	struct buf b;
	char *body;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/big") "Accept-Encoding: br, gzip;q=0.5\r\n" CLOSE);
	assert_true(hear(fd, &b, NULL));
	assert_true(b.len < BIG_BYTES / 10);
	assert_holds(b.data, "\r\nContent-Encoding: gzip\r\n");
	assert_holds(b.data, "\r\nVary: Accept-Encoding\r\n");
	assert_holds(b.data, "\r\nETag: W/\"one\"\r\n");
	body = strstr(b.data, "\r\n\r\n") + 4;
	z.next_in = (Bytef *)body;
	z.avail_in = (uInt)(b.data + b.len - body);
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	inflateEnd(&z);
	assert_true(z.total_out >= BIG_BYTES);
	for (size_t i = 0; i + 17 <= z.total_out; i += 17)
		assert_memory_equal(plain + i, "{\"text\":\"again\"},", 17);
	close(fd);
	buf_fini(&b);
}

static void gzip_is_only_for_who_asks(void **state)
{
	static const char *const no[] = { "", "Accept-Encoding: gzip;q=0\r\n",
		"Accept-Encoding: br\r\n", "Accept-Encoding: *;q=0.0\r\n",
		"Accept-Encoding: gzip; q=0, *\r\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
		char request[256], *answer;

		snprintf(
		    request, sizeof(request), GET("/big") "%s" CLOSE, no[i]);
		answer = ask(&f, request);
		assert_lacks(answer, "Content-Encoding");
		assert_holds(answer, "\r\nVary: Accept-Encoding\r\n");
		assert_holds(answer, "\r\nETag: \"one\"\r\n");
		free(answer);
	}
}

/* --- who may ask --- */

static void a_listed_origin_may_read(void **state)
{
	static const char allow[] =
	    "\r\nAccess-Control-Allow-Origin: http://app.example\r\n";

	(void)state;
	assert_answer(
	    GET("/") "Origin: http://app.example\r\n" CLOSE, 200, allow);
	assert_answer("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
		      "Origin: http://app.example\r\n"
		      "Content-Length: 1048577\r\n" CLOSE,
	    413, allow);
	assert_answer(
	    GET("/cut") "Origin: http://app.example\r\n" CLOSE, 200, allow);
	assert_answer("POST / HTTP/1.1\r\nHost: spool.example:1\r\n"
		      "Origin: http://app.example\r\n"
		      "Sec-Fetch-Site: cross-site\r\n" CLOSE,
	    200, "\r\nVary: Origin\r\n");
}

static void a_foreign_origin_may_not(void **state)
{
	char *answer = ask(&f, GET("/") "Origin: http://b.example\r\n" CLOSE);

	(void)state;
	assert_int_equal(status_of(answer), 200);
	assert_lacks(answer, "Access-Control");
	free(answer);
	assert_answer(
	    GET("/upgrade") "Origin: http://b.example\r\nUpgrade: shout\r\n"
			    "Connection: upgrade\r\n\r\n" GET("/") CLOSE,
	    403, "origin_denied");
	assert_answer("OPTIONS / HTTP/1.1\r\nHost: localhost\r\n"
		      "Origin: http://b.example\r\n"
		      "Access-Control-Request-Method: POST\r\n" CLOSE,
	    403, NULL);
}

static void a_preflight_is_answered(void **state)
{
	char *answer = ask(&f,
	    "OPTIONS /x HTTP/1.1\r\nHost: localhost\r\n"
	    "Origin: http://app.example\r\n"
	    "Access-Control-Request-Method: POST\r\n"
	    "Access-Control-Request-Headers: authorization, x-a\r\n" CLOSE);

	(void)state;
	assert_int_equal(status_of(answer), 204);
	assert_holds(answer, "\r\nAccess-Control-Allow-Origin: http://app");
	assert_holds(
	    answer, "\r\nAccess-Control-Allow-Headers: authorization, x-a\r\n");
	assert_holds(answer, "\r\nAccess-Control-Max-Age: 600\r\n");
	assert_lacks(answer, "Content-Length");
	free(answer);
}

static void a_star_lets_anyone_in(void **state)
{
	(void)state;
	assert_answer("POST / HTTP/1.1\r\nHost: any.example\r\n"
		      "Origin: http://b.example\r\n" CLOSE,
	    200, "\r\nAccess-Control-Allow-Origin: http://b.example\r\n");
	assert_answer(
	    "GET / HTTP/1.1\r\nHost: 0.0.0.0:80\r\n" CLOSE, 421, "wrong_host");
}

/* --- clients that leave, or are slow --- */

static void a_held_client_that_closes_is_gone(void **state)
{
	int fd = dial(&f);

	(void)state;
	tell_text(fd, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	close(fd);
	fixture_await(&f, &f.gone, 1);
}

static void reset_and_close(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void a_reset_while_streaming_is_noticed(void **state)
{
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/hello") "\r\n");
	assert_true(hear(fd, &b, "5\r\nhello\r\n"));
	reset_and_close(fd);
	fixture_await(&f, &f.gone, 1);
	buf_fini(&b);
}

/* Send more than is read ahead, and leave in one of three ways. */
static void leave_with_much_unread(void (*leave)(int fd))
{
	/* Little enough for the kernel: an end behind more cannot be seen. */
	static char junk[80 << 10];
	int fd = dial(&f);

	tell_text(fd, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	tell(fd, junk, sizeof(junk));
	leave(fd);
	fixture_await(&f, &f.gone, 1);
}

static void plain_close(int fd)
{
	close(fd);
}

static void a_close_behind_unread_bytes_is_noticed(void **state)
{
	(void)state;
	leave_with_much_unread(plain_close);
}

static void a_reset_behind_unread_bytes_is_noticed(void **state)
{
	(void)state;
	leave_with_much_unread(reset_and_close);
}

/* Libevent calls again and again for a full buffer that may be read into. */
static void bytes_behind_a_held_request_cost_no_time(void **state)
{
	static const char ask[] = GET("/?next") "\r\n";
	static char junk[80 << 10];
	const size_t n = sizeof(ask) - 1;
	int fd = dial(&f);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	clock_t before;
	struct buf b;

	(void)state;
	buf_init(&b, 4 << 20);
	tell_text(fd, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	for (size_t i = 0; i + sizeof(ask) <= sizeof(junk); i += n)
		memcpy(junk + i, ask, n);
	tell(fd, junk, (sizeof(junk) - 1) / n * n);
	tell_text(fd, GET("/?last") CLOSE);
	before = clock();
	assert_int_equal(poll(&p, 1, 500), 0);
	assert_true(clock() - before < CLOCKS_PER_SEC / 4);
	/* And what was left in the socket is read in the end. */
	http_loop_wake(f.loop, f.number);
	assert_true(hear(fd, &b, NULL));
	assert_holds(b.data, "\r\n\r\nlast");
	close(fd);
	buf_fini(&b);
}

static void a_half_closed_client_gets_its_answer(void **state)
{
	static const char *const path[] = { "/?now", "/later" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = dial(&f);
		struct buf b;
		char request[128];

		buf_init(&b, 1 << 20);
		snprintf(request, sizeof(request),
		    "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path[i]);
		tell_text(fd, request);
		shutdown(fd, SHUT_WR);
		assert_true(hear(fd, &b, NULL));
		assert_holds(b.data, i == 0 ? "\r\n\r\nnow" : "\r\n\r\nlater");
		close(fd);
		buf_fini(&b);
	}
	assert_int_equal(f.gone, 0);
}

static void a_half_closed_client_that_is_held_is_gone(void **state)
{
	int fd = dial(&f);

	(void)state;
	tell_text(fd, GET("/hold") "\r\n");
	shutdown(fd, SHUT_WR);
	fixture_await(&f, &f.gone, 1);
	close(fd);
}

static void a_reader_that_does_not_read_costs_little(void **state)
{
	struct http_stats stats;
	int fd = dial(&f);
	int small = 4096;
	size_t most;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	tell_text(fd, GET("/flood") "\r\n");
	fixture_await(&f, &f.stuck, 1);
	for (int i = 0; i < 20; i++)
		assert_answer(GET("/?alive") CLOSE, 200, "alive");
	http_server_stats(f.server, &stats);
	assert_int_equal(stats.exchanges, 1);
	pthread_mutex_lock(&f.lock);
	most = f.most_pending;
	pthread_mutex_unlock(&f.lock);
	assert_true(most < 200 << 10);
	close(fd);
	fixture_await(&f, &f.gone, 1);
}

static void a_stream_comes_whole(void **state)
{
	char *answer = ask(&f, GET("/flood") CLOSE);

	(void)state;
	assert_int_equal(status_of(answer), 200);
	free(answer);
	assert_int_equal(f.gone, 0);
}

static void a_cut_stream_has_no_end(void **state)
{
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/cut") "\r\n");
	assert_true(hear(fd, &b, NULL));
	assert_holds(b.data, "4\r\nhalf\r\n");
	assert_lacks(b.data, "\r\n0\r\n");
	close(fd);
	buf_reset(&b);
	fd = dial(&f);
	tell_text(fd, "GET /cut HTTP/1.0\r\n\r\n");
	/* Without chunks only a reset tells. */
	assert_false(hear(fd, &b, NULL));
	close(fd);
	buf_fini(&b);
}

/* The server's own end of a connection on which ${text} was sent. */
static void assert_closed_with(const char *text, int status)
{
	int fd = dial(&f);
	struct buf b;

	buf_init(&b, 1 << 20);
	tell_text(fd, text);
	assert_true(hear(fd, &b, NULL));
	assert_int_equal(b.len == 0 ? 0 : status_of(b.data), status);
	close(fd);
	buf_fini(&b);
}

static void slow_requests_are_closed(void **state)
{
	(void)state;
	assert_closed_with("GET / HTTP/1.1\r\nHost: loc", 408);
	assert_closed_with("POST /echo HTTP/1.1\r\nHost: localhost\r\n"
			   "Content-Length: 3\r\n\r\nab",
	    408);
	assert_closed_with("", 0);
}

/* One byte now and then does not help. */
static void a_dripping_client_is_closed(void **state)
{
	static const char text[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	int64_t begun = clock_mono_ms();
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		struct pollfd p = { .fd = fd, .events = POLLIN };

		tell(fd, text + i, 1);
		if (poll(&p, 1, 20) > 0)
			break;
	}
	assert_true(hear(fd, &b, NULL));
	assert_int_equal(status_of(b.data), 408);
	assert_true(clock_mono_ms() - begun < 700);
	close(fd);
	buf_fini(&b);
}

static void a_stalled_reader_is_closed(void **state)
{
	int fd = dial(&f);

	(void)state;
	tell_text(fd, GET("/flood") "\r\n");
	fixture_await(&f, &f.gone, 1);
	close(fd);
}

/* Nobody needs a key to send a body: many at once may not fill the memory. */
static void bodies_have_a_ceiling_together(void **state)
{
	static const char head[] = "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
				   "Content-Length: 65000\r\n\r\n";
	static const char small[] = "POST /echo HTTP/1.1\r\nHost: localhost\r\n"
				    "Content-Length: 5\r\n" CLOSE "small";
	static char part[60000];
	int fds[16], refused = 0;
	struct buf b;

	(void)state;
	memset(part, 'a', sizeof(part));
	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < 16; i++) {
		fds[i] = dial(&f);
		tell_text(fds[i], head);
		tell(fds[i], part, sizeof(part));
	}
	for (size_t i = 0; i < 16; i++) {
		struct pollfd p = { .fd = fds[i], .events = POLLIN };

		if (poll(&p, 1, 200) == 0)
			continue;
		refused++;
		buf_reset(&b);
		assert_true(hear(fds[i], &b, "\r\n\r\n"));
		assert_int_equal(status_of(b.data), 503);
	}
	assert_in_range(refused, 8, 14);
	assert_answer(small, 200, "small");
	for (size_t i = 0; i < 16; i++)
		close(fds[i]);
	/* What they held is given back. */
	while (open_now() > 0)
		poll(NULL, 0, 1);
	fds[0] = dial(&f);
	tell_text(fds[0], head);
	tell(fds[0], part, sizeof(part));
	tell(fds[0], part, 5000);
	buf_reset(&b);
	assert_true(hear(fds[0], &b, "\r\n\r\n"));
	assert_int_equal(status_of(b.data), 200);
	close(fds[0]);
	buf_fini(&b);
}

/* The timer that fired meanwhile must not have been the last. */
static void a_client_that_was_held_for_long_is_idle_then(void **state)
{
	int fd = dial(&f);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	assert_int_equal(poll(&p, 1, 300), 0);
	http_loop_wake(f.loop, f.number);
	assert_true(hear(fd, &b, "woken"));
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(recv(fd, &(char){ 0 }, 1, 0), 0);
	close(fd);
	buf_fini(&b);
}

/* --- threads and ends --- */

static void a_wake_from_another_thread_arrives(void **state)
{
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/hold") CLOSE);
	fixture_await(&f, &f.held, 1);
	/* Numbers of nobody are normal. */
	for (uint64_t i = 0; i < 100000; i++)
		http_loop_wake(f.loop, i << 24 | 77);
	http_loop_wake(f.loop, f.number);
	assert_true(hear(fd, &b, NULL));
	assert_holds(b.data, "\r\n\r\nwoken");
	close(fd);
	buf_fini(&b);
}

struct letter {
	struct http_mail mail;
	struct http_loop *read_by;
};

static void read_letter(struct http_loop *loop, struct http_mail *m)
{
	struct letter *letter = (struct letter *)m;

	letter->read_by = loop;
	fixture_note(&f, &f.held);
}

static void mail_is_run_on_its_loop(void **state)
{
	struct letter letters[2] = { { .mail.fn = read_letter },
		{ .mail.fn = read_letter } };

	(void)state;
	assert_int_equal(http_server_loops(f.server), 2);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(http_loop_post(http_server_loop(f.server, i),
				     &letters[i].mail),
		    OK);
	fixture_await(&f, &f.held, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_ptr_equal(
		    letters[i].read_by, http_server_loop(f.server, i));
}

static void an_upgraded_connection_is_the_handlers(void **state)
{
	int fd = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(fd, GET("/upgrade") "Connection: upgrade\r\n"
				      "Upgrade: shout\r\n\r\nearly");
	assert_true(hear(fd, &b, "EARLY"));
	assert_int_equal(status_of(b.data), 101);
	assert_holds(b.data, "\r\nUpgrade: shout\r\n");
	assert_holds(b.data, "\r\nConnection: Upgrade\r\n");
	tell_text(fd, "late.");
	assert_true(hear(fd, &b, NULL));
	assert_holds(b.data, "EARLYLATE");
	close(fd);
	assert_int_equal(f.gone, 0);
	buf_fini(&b);
}

static void draining_closes_what_is_idle_and_ends_the_rest(void **state)
{
	int idle = dial(&f), held = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(idle, GET("/?x") "\r\n");
	assert_true(hear(idle, &b, "\r\n\r\nx"));
	tell_text(held, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	http_server_drain(f.server);
	assert_true(hear(idle, &b, NULL));
	http_loop_wake(f.loop, f.number);
	buf_reset(&b);
	assert_true(hear(held, &b, NULL));
	assert_holds(b.data, "\r\nConnection: close\r\n");
	close(idle);
	close(held);
	buf_fini(&b);
}

static void stopping_tells_every_open_exchange(void **state)
{
	int fd[10];

	(void)state;
	assert_int_equal(start(NULL), 0);
	for (int i = 0; i < 10; i++) {
		fd[i] = dial(&f);
		tell_text(fd[i],
		    i % 2 == 0 ? GET("/hold") "\r\n" : GET("/hello") "\r\n");
	}
	fixture_await(&f, &f.held, 10);
	http_server_stop(f.server);
	assert_int_equal(f.gone, 10);
	for (int i = 0; i < 10; i++)
		close(fd[i]);
}

static void stopping_frees_what_was_read_ahead(void **state)
{
	static char junk[256 << 10];
	int fd = dial(&f);

	(void)state;
	tell_text(fd, GET("/hold") "\r\n");
	fixture_await(&f, &f.held, 1);
	tell(fd, junk, sizeof(junk));
	close(fd);
}

static void connections_have_a_ceiling_per_address(void **state)
{
	int one = dial(&f), two = dial(&f);
	struct buf b;

	(void)state;
	buf_init(&b, 1 << 20);
	tell_text(one, GET("/?a") "\r\n");
	tell_text(two, GET("/?b") "\r\n");
	assert_true(hear(one, &b, "\r\n\r\na"));
	assert_true(hear(two, &b, "\r\n\r\nb"));
	assert_closed_with("", 503);
	close(one);
	while (open_now() > 1)
		sched_yield();
	assert_answer(GET("/?again") CLOSE, 200, "again");
	close(two);
	buf_fini(&b);
}

static void bad_addresses_are_refused(void **state)
{
	static const char *const bad[] = { "", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:8x", "nowhere:80",
		":80", "[::1:80" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *const at[] = { bad[i], NULL };
		struct http_options opt = { .listen = at,
			.on_request = on_request };
		struct http_server *s = NULL;
		struct why why = { "" };

		assert_int_equal(http_server_start(&opt, &s, &why), ERR_INPUT);
		assert_null(s);
		assert_true(why.text[0] != '\0');
	}
}

/* In a process of its own, with hardly any descriptors. */
static int live_without_descriptors(void)
{
	struct rlimit few = { .rlim_cur = 40, .rlim_max = 40 };
	struct http_options opt = { .on_request = on_request,
		.max_connections = 1000 };
	int fd[60], n = 0;
	char *answer;
	int status;

	if (setrlimit(RLIMIT_NOFILE, &few) != 0)
		return 1;
	fixture_start(&f, &opt);
	/* Each one takes two: ours, and the server's. */
	for (; n < 60; n++) {
		struct sockaddr_in sin = { .sin_family = AF_INET,
			.sin_port = htons(f.port),
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

		fd[n] = socket(AF_INET, SOCK_STREAM, 0);
		if (fd[n] < 0 ||
		    connect(fd[n], (struct sockaddr *)&sin, sizeof(sin)) != 0)
			break;
	}
	if (n == 60)
		return 2;
	while (n > 0)
		close(fd[--n]);
	answer = ask(&f, GET("/?back") CLOSE);
	status = status_of(answer);
	free(answer);
	fixture_stop(&f);
	return status == 200 ? 0 : 3;
}

static void running_out_of_descriptors_is_survived(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(live_without_descriptors());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define WITH(fixture, fact) cmocka_unit_test_setup_teardown(fact, fixture, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: it forks, and there are no threads yet. */
		cmocka_unit_test(running_out_of_descriptors_is_survived),
		WITH(start, pipelined_requests_are_answered_in_order),
		WITH(start, a_connection_is_used_again),
		WITH(start, head_is_get_without_body),
		WITH(start, head_of_a_stream_is_its_header),
		WITH(start, an_expecting_client_is_told_to_go_on),
		WITH(start, an_expecting_client_is_refused_before_it_sends),
		WITH(start, a_chunked_body_comes_whole),
		WITH(start, a_large_body_comes_whole),
		WITH(start, a_refusal_survives_what_the_client_sends),
		WITH(start, ceilings_have_their_statuses),
		WITH(start, http_1_0_is_spoken),
		WITH(start, a_repeated_header_is_joined),
		WITH(start, a_query_is_decoded),
		WITH(start, a_reply_says_what_is_expected_of_it),
		WITH(start, gzip_gives_back_what_went_in),
		WITH(start, gzip_is_only_for_who_asks),
		WITH(start, a_listed_origin_may_read),
		WITH(start, a_foreign_origin_may_not),
		WITH(start, a_preflight_is_answered),
		WITH(start_open, a_star_lets_anyone_in),
		WITH(start, a_held_client_that_closes_is_gone),
		WITH(start, a_reset_while_streaming_is_noticed),
		WITH(start, a_close_behind_unread_bytes_is_noticed),
		WITH(start, a_reset_behind_unread_bytes_is_noticed),
		WITH(start, bytes_behind_a_held_request_cost_no_time),
		WITH(start, a_half_closed_client_gets_its_answer),
		WITH(start, a_half_closed_client_that_is_held_is_gone),
		WITH(start, a_reader_that_does_not_read_costs_little),
		WITH(start, a_stream_comes_whole),
		WITH(start, a_cut_stream_has_no_end),
		WITH(start_hasty, slow_requests_are_closed),
		WITH(start_hasty, a_dripping_client_is_closed),
		WITH(start_hasty, a_stalled_reader_is_closed),
		WITH(start_hasty, a_client_that_was_held_for_long_is_idle_then),
		WITH(start, a_wake_from_another_thread_arrives),
		WITH(start, mail_is_run_on_its_loop),
		WITH(start, an_upgraded_connection_is_the_handlers),
		WITH(start, draining_closes_what_is_idle_and_ends_the_rest),
		cmocka_unit_test(stopping_tells_every_open_exchange),
		WITH(start, stopping_frees_what_was_read_ahead),
		WITH(start_narrow, bodies_have_a_ceiling_together),
		WITH(start_small, connections_have_a_ceiling_per_address),
		cmocka_unit_test(bad_addresses_are_refused),
	};

	log_setup(LOG_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
