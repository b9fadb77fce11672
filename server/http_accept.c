#include "server/http_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/* Accepting happens on loop 0 alone; sockets are dealt out in turn. */

#define BACKLOG 1024
/* How long accepting rests when there are no descriptors. */
#define REST_MS 100
/* At most one line a second, however often it happens. */
#define SAY_MS 1000

/* A socket on its way to another loop. */
struct parcel {
	struct http_mail mail;
	int fd;
	struct sockaddr_storage peer;
};

static void forget(struct http_server *s, int fd, const struct sockaddr *sa)
{
	close(fd);
	atomic_fetch_sub(&s->open, 1);
	if (s->peers != NULL)
		http_peers_leave(s->peers, sa);
}

static void unpack(struct http_loop *loop, struct http_mail *m)
{
	struct parcel *p = (struct parcel *)m;

	http_conn_start(loop, p->fd, (struct sockaddr *)&p->peer);
	free(p);
}

static void send_away(struct http_server *s, struct http_loop *loop, int fd,
    const struct sockaddr *sa, size_t len)
{
	struct parcel *p = calloc(1, sizeof(*p));

	if (p == NULL || len > sizeof(p->peer)) {
		forget(s, fd, sa);
		free(p);
		return;
	}
	p->mail.fn = unpack;
	p->fd = fd;
	memcpy(&p->peer, sa, len);
	if (http_loop_post(loop, &p->mail) != OK) {
		forget(s, fd, sa);
		free(p);
	}
}

static void say(struct http_server *s, const char *event, const char *why)
{
	int64_t now = clock_mono_ms();

	if (s->said_ms != 0 && now - s->said_ms < SAY_MS)
		return;
	s->said_ms = now;
	log_warn("http", event, "open=%u why=%s", atomic_load(&s->open), why);
}

/* There is no room: a word, if it costs nothing, and good-bye. */
static void turn_away(int fd)
{
	static const char word[] = "HTTP/1.1 503 Service Unavailable\r\n"
				   "Content-Length: 0\r\nRetry-After: 1\r\n"
				   "Connection: close\r\n\r\n";

	(void)!send(fd, word, sizeof(word) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd,
    struct sockaddr *sa, int len, void *arg)
{
	struct http_server *s = arg;
	struct http_loop *loop;
	int one = 1;

	(void)l;
	if (atomic_fetch_add(&s->open, 1) >= s->opt.max_connections) {
		atomic_fetch_sub(&s->open, 1);
		say(s, "too many connections", "max_connections");
		turn_away(fd);
		return;
	}
	if (s->peers != NULL && !http_peers_enter(s->peers, sa)) {
		atomic_fetch_sub(&s->open, 1);
		say(s, "too many connections", "max_per_ip");
		turn_away(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	loop = &s->loops[s->next_loop++ % s->n_loops];
	if (loop->place == 0)
		http_conn_start(loop, fd, sa);
	else
		send_away(s, loop, fd, sa, (size_t)len);
}

static void each_listener(
    struct http_server *s, int (*fn)(struct evconnlistener *))
{
	for (unsigned i = 0; i < s->n_listeners; i++)
		fn(s->listeners[i]);
}

static void on_reopen(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	each_listener(arg, evconnlistener_enable);
}

static void on_error(struct evconnlistener *l, void *arg)
{
	struct http_server *s = arg;
	static const struct timeval rest = { .tv_usec = REST_MS * 1000 };
	int code = errno;

	(void)l;
	say(s, "accepting rests", strerror(code));
	each_listener(s, evconnlistener_disable);
	event_add(s->reopen, &rest);
}

void http_accept_stop(struct http_server *s)
{
	for (unsigned i = 0; i < s->n_listeners; i++)
		evconnlistener_free(s->listeners[i]);
	s->n_listeners = 0;
	if (s->reopen != NULL)
		event_free(s->reopen);
	s->reopen = NULL;
}

/*
 * "127.0.0.1:8080", "[::1]:0"; "localhost:8080" too: people write it. libevent
 * refuses port 0, so the port is read here.
 */
static bool read_address(
    const char *address, struct sockaddr_storage *ret, int *ret_len)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon == NULL ? 0 : (size_t)(colon - address);
	char text[64];
	char *end;
	unsigned long port;

	if (len == 0 || len + 3 > sizeof(text) || colon[1] < '0' ||
	    colon[1] > '9')
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end != '\0' || port > 65535)
		return false;
	if (len == 9 && memcmp(address, "localhost", 9) == 0)
		snprintf(text, sizeof(text), "127.0.0.1:1");
	else
		snprintf(text, sizeof(text), "%.*s:1", (int)len, address);
	memset(ret, 0, sizeof(*ret));
	*ret_len = sizeof(*ret);
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)ret, ret_len) !=
	    0)
		return false;
	/* The port has the same place in both families. */
	((struct sockaddr_in *)ret)->sin_port = htons((uint16_t)port);
	return true;
}

static enum err bound_address(int fd, char **ret)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char text[64], host[48];
	unsigned port;

	if (getsockname(fd, (struct sockaddr *)&ss, &len) != 0)
		return ERR_IO;
	port = ntohs(((struct sockaddr_in *)&ss)->sin_port);
	if (ss.ss_family == AF_INET6) {
		evutil_inet_ntop(AF_INET6,
		    &((struct sockaddr_in6 *)&ss)->sin6_addr, host,
		    sizeof(host));
		snprintf(text, sizeof(text), "[%s]:%u", host, port);
	} else {
		evutil_inet_ntop(AF_INET,
		    &((struct sockaddr_in *)&ss)->sin_addr, host, sizeof(host));
		snprintf(text, sizeof(text), "%s:%u", host, port);
	}
	*ret = strdup(text);
	return *ret == NULL ? ERR_NOMEM : OK;
}

static enum err err_of_bind(int code)
{
	switch (code) {
	case EADDRINUSE: return ERR_BUSY;
	case EACCES:
	case EPERM: return ERR_DENIED;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT: return ERR_INPUT;
	case ENOMEM: return ERR_NOMEM;
	default: return ERR_IO;
	}
}

enum err http_accept_listen(
    struct http_server *s, const char *address, struct why *why)
{
	struct sockaddr_storage ss;
	struct evconnlistener *l;
	int len, fd, one = 1;

	if (!read_address(address, &ss, &len)) {
		err_why(why,
		    "%s: not an address; write 127.0.0.1:8080 or "
		    "[::1]:8080",
		    address);
		return ERR_INPUT;
	}
	if (s->reopen == NULL)
		s->reopen = event_new(s->loops[0].base, -1, 0, on_reopen, s);
	if (s->reopen == NULL)
		return ERR_NOMEM;
	errno = 0;
	l = evconnlistener_new_bind(s->loops[0].base, on_accept, s,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
		LEV_OPT_DISABLED |
		(ss.ss_family == AF_INET6 ? LEV_OPT_BIND_IPV6ONLY : 0u),
	    BACKLOG, (struct sockaddr *)&ss, len);
	if (l == NULL) {
		err_why(
		    why, "cannot listen on %s: %s", address, strerror(errno));
		return err_of_bind(errno);
	}
	s->listeners[s->n_listeners++] = l;
	fd = evconnlistener_get_fd(l);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	evconnlistener_set_error_cb(l, on_error);
	/* The loop has not begun: nobody is accepted before it does. */
	evconnlistener_enable(l);
	return bound_address(fd, &s->addresses[s->n_listeners - 1]);
}
