/*
 * A server on loopback whose memory runs out, in our own allocations and in
 * libevent's: a request is answered, refused or cut, and the next one is served.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "server/http.h"
#include "tests/fault/try_all.h"

#define BIG_BYTES 40000
#define PIECES 3
/* What libevent cannot read for want of memory ends by a deadline. */
#define DEADLINE_MS 100

/* A client waits no longer than this for what must come: all fails at once. */
#define PATIENCE_S 20

/* --- libevent's --- */

static void *event_malloc(size_t n)
{
	return scarcity_denies(SCARCITY_EVENT) ? NULL : __real_malloc(n);
}

static void *event_realloc(void *p, size_t n)
{
	return scarcity_denies(SCARCITY_EVENT) ? NULL : __real_realloc(p, n);
}

/* --- what is served --- */

static void reply_text(struct http_exchange *x, const char *text, size_t times)
{
	struct buf b;

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < times; i++)
		buf_puts(&b, text);
	http_reply_header(x, "X-Test", "yes");
	http_reply_timing(x, "test", 1.5);
	http_reply(x, 200, "text/plain", &b);
	buf_fini(&b);
}

static void on_piece(struct http_exchange *x)
{
	size_t n = (size_t)http_exchange_get(x);

	if (n < PIECES) {
		http_exchange_set(x, (void *)(n + 1));
		(void)http_stream_write(x, "piece\n", 6);
	} else {
		http_stream_end(x);
	}
}

static void on_later(void *arg)
{
	reply_text(arg, "later", 1);
}

static size_t on_bytes(struct http_exchange *x, const char *data, size_t len)
{
	(void)http_stream_write(x, data, len);
	http_upgrade_close(x);
	return len;
}

static void on_request(struct http_exchange *x, void *arg)
{
	const char *path = http_path(x), *body;
	char value[8];
	size_t len;

	(void)arg;
	if (strcmp(path, "/big") == 0) {
		reply_text(x, "0123456789", BIG_BYTES / 10);
	} else if (strcmp(path, "/stream") == 0) {
		http_stream(x, 200, "text/plain", on_piece);
	} else if (strcmp(path, "/later") == 0) {
		if (http_loop_after(http_exchange_loop(x), 1, on_later, x) ==
		    NULL)
			http_reply(x, 503, NULL, NULL);
	} else if (strcmp(path, "/up") == 0) {
		http_upgrade(x, "test", on_bytes, NULL);
	} else if (http_query_value(x, "q", value, sizeof(value)) == OK) {
		reply_text(x, value, 1);
	} else {
		body = http_body(x, &len);
		reply_text(x, len > 0 ? body : "plain", 1);
	}
}

/* --- who asks --- */

/* Each ends its connection, and must be answered with what it says. */
static const struct {
	const char *request, *answer;
} asked[] = {
	{ "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 200" },
	{ "GET /?q=v HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n"
	  "X-Request-Id: one\r\nConnection: close\r\n\r\n",
	    "HTTP/1.1 " },
	{ "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	  "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
	  "hello"
	  "POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
	    "abcde" },
	{ "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	  "Accept-Encoding: gzip\r\n\r\n",
	    "gzip" },
	{ "GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    "piece\n\r\n0\r\n" },
	{ "GET /later HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
	    "later" },
	{ "GET /up HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
	  "Upgrade: test\r\n\r\nbytes",
	    "bytes" },
	{ "GET /bad path HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400" },
};
#define N_ASKED (sizeof(asked) / sizeof(asked[0]))

/* Ask the ${i}-th on a connection of its own, to its end. Was it answered? */
static bool ask_one(uint16_t port, size_t i)
{
	static char answer[BIG_BYTES * 2];
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = PATIENCE_S };
	const char *request = asked[i].request;
	size_t got = 0;
	ssize_t n;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	(void)send(fd, request, strlen(request), MSG_NOSIGNAL);
	while ((n = recv(fd, answer + got, sizeof(answer) - got, 0)) > 0)
		got += (size_t)n;
	/* Neither answered nor cut would be a hang. */
	assert_true(n == 0 || errno != EAGAIN);
	close(fd);
	return memmem(answer, got, asked[i].answer, strlen(asked[i].answer)) !=
	       NULL;
}

static uint16_t port_of(const struct http_server *s)
{
	char text[64];

	assert_true(http_server_address(s, 0, text, sizeof(text)));
	return (uint16_t)atoi(strrchr(text, ':') + 1);
}

static enum err serve(struct http_server **ret)
{
	static const char *const listen_at[] = { "127.0.0.1:0", NULL };
	static const char *const hosts[] = { "example.com", NULL };
	struct why why = { "" };

	return http_server_start(&(struct http_options){ .listen = listen_at,
				     .allow_hosts = hosts,
				     .max_per_ip = 100,
				     .idle_ms = DEADLINE_MS,
				     .header_ms = DEADLINE_MS,
				     .body_ms = DEADLINE_MS,
				     .stall_ms = DEADLINE_MS,
				     .on_request = on_request },
	    ret, &why);
}

/* --- the scenarios --- */

static enum err a_start(void *arg)
{
	struct http_server *s = NULL;
	enum err rc = serve(&s);

	(void)arg;
	if (rc == OK)
		http_server_stop(s);
	return rc;
}

static enum err some_requests(void *arg)
{
	unsigned whose = scarcity_pause();
	struct http_server *s = NULL;
	bool all = true;

	(void)arg;
	assert_int_equal(serve(&s), OK);
	scarcity_resume(whose);
	for (size_t i = 0; i < N_ASKED; i++)
		all &= ask_one(port_of(s), i);
	whose = scarcity_pause();
	/* There is plenty again: who asks now is answered. */
	for (size_t i = 0; i < N_ASKED; i++)
		assert_true(ask_one(port_of(s), i));
	http_server_stop(s);
	scarcity_resume(whose);
	return all ? OK : ERR_NOMEM;
}

static void a_server_starts_or_says_why_not(void **state)
{
	(void)state;
	try_all("a start: ours", SCARCITY_OURS, a_start, NULL);
	try_all("a start: libevent's", SCARCITY_EVENT, a_start, NULL);
}

static void requests_are_answered_or_cut_and_the_next_is_served(void **state)
{
	(void)state;
	try_all("requests: ours", SCARCITY_OURS, some_requests, NULL);
	try_all("requests: libevent's", SCARCITY_EVENT, some_requests, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_starts_or_says_why_not),
		cmocka_unit_test(
		    requests_are_answered_or_cut_and_the_next_is_served),
	};

	event_set_mem_functions(event_malloc, event_realloc, free);
	return TRY_GROUP(tests);
}
