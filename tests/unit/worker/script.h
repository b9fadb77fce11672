/*
 * script: an upstream whose part the test plays itself, socket by socket: so
 * the test knows what was sent before what, without clocks.
 *
 * Used by: the worker's tests.     Thread: the test's.
 */
#ifndef TESTS_UNIT_WORKER_SCRIPT_H
#define TESTS_UNIT_WORKER_SCRIPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A part that is not played within this is a failed test, not a hung one. */
#define SCRIPT_PATIENCE_S 20

#define SCRIPT_HEAD                                              \
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" \
	"Transfer-Encoding: chunked\r\n\r\n"
#define SCRIPT_EVENT(delta, reason)                                  \
	"data: {\"id\":\"c1\",\"model\":\"m-served\",\"choices\":[{" \
	"\"index\":0,\"delta\":" delta ",\"finish_reason\":" reason "}]}\n\n"
#define SCRIPT_TEXT(t) SCRIPT_EVENT("{\"content\":\"" t "\"}", "null")
#define SCRIPT_DONE SCRIPT_EVENT("{}", "\"stop\"") "data: [DONE]\n\n"

struct script {
	int fd;
	char url[64];
};

static inline void script_check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static inline void script_open(struct script *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval patience = { .tv_sec = SCRIPT_PATIENCE_S };
	socklen_t len = sizeof(in);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	script_check(s->fd >= 0, "socket");
	setsockopt(s->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	script_check(bind(s->fd, (struct sockaddr *)&in, len) == 0, "bind");
	script_check(listen(s->fd, 1024) == 0, "listen");
	script_check(
	    getsockname(s->fd, (struct sockaddr *)&in, &len) == 0, "name");
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%u/v1",
	    ntohs(in.sin_port));
}

static inline void script_close(struct script *s)
{
	close(s->fd);
}

/* The next connection. */
static inline int script_accept(struct script *s)
{
	struct timeval patience = { .tv_sec = SCRIPT_PATIENCE_S };
	int one = 1, fd = accept(s->fd, NULL, NULL);

	script_check(fd >= 0, "accept");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

/* Read one request to its end; its head, and then its body, into ${dst}. */
static inline void script_hear(int fd, char *dst, size_t size)
{
	size_t len = 0, want = size - 1;
	char *body = NULL;

	while (len < want) {
		ssize_t n = recv(fd, dst + len, want - len, 0);

		script_check(n > 0, "request");
		len += (size_t)n;
		dst[len] = '\0';
		if (body == NULL && (body = strstr(dst, "\r\n\r\n")) != NULL) {
			const char *length = strcasestr(dst, "content-length:");

			script_check(length != NULL, "content-length");
			want = (size_t)(body + 4 - dst) +
			       strtoul(length + 15, NULL, 10);
			script_check(want < size, "request too large");
		}
	}
}

static inline bool script_send(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void script_say(int fd, const char *text)
{
	script_check(script_send(fd, text, strlen(text)), "send");
}

/* ${text} as one HTTP chunk. */
static inline void script_chunk(int fd, const char *text)
{
	char size[32];

	snprintf(size, sizeof(size), "%zx\r\n", strlen(text));
	script_say(fd, size);
	script_say(fd, text);
	script_say(fd, "\r\n");
}

/* Accept, hear, and begin a stream. */
static inline int script_stream(struct script *s)
{
	char request[8192];
	int fd = script_accept(s);

	script_hear(fd, request, sizeof(request));
	script_say(fd, SCRIPT_HEAD);
	return fd;
}

/* Wait until the other side has closed. */
static inline bool script_hung_up(int fd)
{
	char byte[64];
	ssize_t n;

	do
		n = recv(fd, byte, sizeof(byte), 0);
	while (n > 0);
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

#endif
