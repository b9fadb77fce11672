/*
 * http_fixture: a real server on loopback, and clients on raw sockets.
 *
 * Used by: http_test, http_corpus_test.
 */
#ifndef TESTS_UNIT_SERVER_HTTP_FIXTURE_H
#define TESTS_UNIT_SERVER_HTTP_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/http.h"

/* No test waits longer for what must happen. */
#define PATIENCE_MS 10000

struct fixture {
	struct http_server *server;
	uint16_t port;
	/* Whenever the lock is free: each counts what has happened so far. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned held, gone, stuck;
	uint64_t number; /* of the exchange held last */
	struct http_loop *loop;
	size_t most_pending;
};

static inline void fixture_start(struct fixture *f, struct http_options *opt)
{
	static const char *const listen_at[] = { "127.0.0.1:0", NULL };
	struct why why = { "" };
	char text[64];

	memset(f, 0, sizeof(*f));
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	opt->listen = listen_at;
	opt->arg = f;
	if (http_server_start(opt, &f->server, &why) != OK)
		fail_msg("%s", why.text);
	assert_true(http_server_address(f->server, 0, text, sizeof(text)));
	f->port = (uint16_t)atoi(strrchr(text, ':') + 1);
}

static inline void fixture_stop(struct fixture *f)
{
	http_server_stop(f->server);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
}

/* Add one to ${what}, on the loop's thread. */
static inline void fixture_note(struct fixture *f, unsigned *what)
{
	pthread_mutex_lock(&f->lock);
	++*what;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

/* Wait until ${what} has come to ${n}. */
static inline void fixture_await(
    struct fixture *f, const unsigned *what, unsigned n)
{
	struct timespec until;
	int rc = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE_MS / 1000;
	pthread_mutex_lock(&f->lock);
	while (*what < n && rc == 0)
		rc = pthread_cond_timedwait(&f->changed, &f->lock, &until);
	pthread_mutex_unlock(&f->lock);
	assert_int_equal(rc, 0);
}

static inline int dial(const struct fixture *f)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(f->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval tv = { .tv_sec = PATIENCE_MS / 1000 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;

	assert_true(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	return fd;
}

/* Send what the server takes; it may have closed already. */
static inline void tell(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static inline void tell_text(int fd, const char *text)
{
	tell(fd, text, strlen(text));
}

/* Append what comes until ${until} was seen (NULL: until the end). */
static inline bool hear(int fd, struct buf *b, const char *until)
{
	char *p;
	ssize_t n;

	for (;;) {
		if (until != NULL && b->len > 0 &&
		    memmem(b->data, b->len, until, strlen(until)) != NULL)
			return true;
		p = buf_room(b, 4096);
		assert_non_null(p);
		n = recv(fd, p, 4096, 0);
		if (n <= 0) {
			p[0] = '\0';
			return until == NULL && n == 0;
		}
		b->len += (size_t)n;
		assert_non_null(buf_room(b, 1));
		b->data[b->len] = '\0';
	}
}

/* Send ${text} on a new connection, hear until the end; free() it. */
static inline char *ask(const struct fixture *f, const char *text)
{
	struct buf b;
	int fd = dial(f);
	char *answer;

	buf_init(&b, 64 << 20);
	tell_text(fd, text);
	(void)hear(fd, &b, NULL);
	close(fd);
	answer = buf_detach(&b, NULL);
	assert_non_null(answer);
	return answer;
}

static inline int status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? atoi(answer + 9) : 0;
}

static inline unsigned count_of(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strstr(text, word)) != NULL) {
		text += strlen(word);
		n++;
	}
	return n;
}

#endif
