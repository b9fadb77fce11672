#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/process.h"

#define ROOM ((size_t)64 << 20)
#define READ_BYTES ((size_t)256 << 10)

struct connection {
	int fd;
	bool asking;
	struct buf out, in;
};

static int connect_to(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Send the next request; false: there is none. */
static bool ask(struct load *l, struct connection *c, size_t i)
{
	buf_reset(&c->out);
	c->asking = l->next(l->arg, i, &c->out);
	if (!c->asking)
		return false;
	/* requests are small: a socket that does not take one is broken */
	if (buf_state(&c->out) != OK ||
	    send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL) !=
		(ssize_t)c->out.len)
		die("a request could not be sent: %s", strerror(errno));
	return true;
}

/* Is a whole answer there? Its body, then. */
static bool answer(const struct connection *c, const char **body, size_t *len)
{
	static const char field[] = "\r\ncontent-length:";
	static const char coding[] = "\r\ntransfer-encoding: chunked";
	static const char last[] = "\r\n0\r\n\r\n";
	const char *end, *at;

	if (c->in.len == 0)
		return false;
	end = memmem(c->in.data, c->in.len, "\r\n\r\n", 4);
	if (end == NULL)
		return false;
	if (memcmp(c->in.data, "HTTP/1.1 2", 10) != 0)
		die("an answer is not 2xx:\n%.*s", (int)c->in.len, c->in.data);
	at = strcasestr(c->in.data, coding);
	if (at != NULL && at < end) {
		/* One answer at a time: its last chunk is what came last. */
		*body = end + 4;
		*len = (size_t)(c->in.data + c->in.len - *body);
		return *len >= 5 && memcmp(c->in.data + c->in.len - 7, last,
					sizeof(last) - 1) == 0;
	}
	at = strcasestr(c->in.data, field);
	if (at == NULL || at > end)
		die("an answer without a length");
	*body = end + 4;
	*len = strtoul(at + strlen(field), NULL, 10);
	return (size_t)(c->in.data + c->in.len - *body) >= *len;
}

/* Take what came; true when the answer is whole and was handed over. */
static bool take(struct load *l, struct connection *c, size_t i)
{
	const char *body;
	size_t len;
	ssize_t n;

	if (buf_room(&c->in, READ_BYTES) == NULL)
		die("no memory");
	n = recv(c->fd, c->in.data + c->in.len, READ_BYTES - 1, 0);
	if (n <= 0)
		die("a connection broke");
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	if (!answer(c, &body, &len))
		return false;
	l->answers++;
	if (l->on_answer != NULL)
		l->on_answer(l->arg, i, body, len);
	buf_reset(&c->in);
	return true;
}

static size_t open_all(struct load *l, struct connection *all, int epoll)
{
	size_t busy = 0;

	for (size_t i = 0; i < l->connections; i++) {
		struct epoll_event e = { EPOLLIN, { .u64 = i } };

		all[i].fd = connect_to(l->port);
		if (all[i].fd < 0 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, all[i].fd, &e) != 0)
			die("no connection: %s", strerror(errno));
		buf_init(&all[i].out, ROOM);
		buf_init(&all[i].in, ROOM);
	}
	for (size_t i = 0; i < l->connections; i++)
		busy += ask(l, &all[i], i);
	return busy;
}

void load_run(struct load *l)
{
	struct connection *all = calloc(l->connections, sizeof(*all));
	uint64_t start, end;
	size_t busy;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (all == NULL || epoll < 0)
		die("no memory");
	l->answers = 0;
	start = process_now_ns();
	end =
	    l->seconds > 0 ? start + (uint64_t)(l->seconds * 1e9) : UINT64_MAX;
	busy = open_all(l, all, epoll);
	while (busy > 0 && process_now_ns() < end) {
		struct epoll_event e[256];
		int n = epoll_wait(epoll, e, 256, 100);

		for (int k = 0; k < n; k++) {
			size_t i = e[k].data.u64;

			if (take(l, &all[i], i) && !ask(l, &all[i], i))
				busy--;
		}
	}
	l->elapsed_ns = process_now_ns() - start;
	for (size_t i = 0; i < l->connections; i++) {
		close(all[i].fd);
		buf_fini(&all[i].out);
		buf_fini(&all[i].in);
	}
	close(epoll);
	free(all);
}

bool load_get(int port, const char *path)
{
	char text[512];
	int fd = connect_to(port);
	ssize_t n;

	if (fd < 0)
		return false;
	n = snprintf(text, sizeof(text),
	    "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);
	n = send(fd, text, (size_t)n, MSG_NOSIGNAL);
	n = n < 0 ? n : recv(fd, text, sizeof(text) - 1, 0);
	close(fd);
	return n > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0;
}
