/*
 * probe: are the libraries that we are about to link the patched ones?
 *
 * event_get_version() says "2.1.12-stable" with and without the security
 * fixes, so this asks the library: an evhttp server on loopback is sent a
 * request with both Content-Length and Transfer-Encoding. A fixed libevent
 * answers 400. Exit status: 0 patched, 1 not; words on stderr.
 */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char smuggling[] = "POST / HTTP/1.1\r\nHost: localhost\r\n"
				"Content-Length: 4\r\n"
				"Transfer-Encoding: chunked\r\n\r\n"
				"0\r\n\r\n";

static void on_request(struct evhttp_request *request, void *arg)
{
	(void)arg;
	evhttp_send_reply(request, 200, "OK", NULL);
}

static void on_deadline(evutil_socket_t fd, short what, void *base)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(base);
}

/* The status that evhttp gives to the smuggling request; 0 if none. */
static int ask(void)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = evhttp_new(base);
	struct evhttp_bound_socket *bound;
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	struct timeval limit = { 0, 300000 };
	char reply[64] = "";
	int fd, status = 0;

	bound = evhttp_bind_socket_with_handle(http, "127.0.0.1", 0);
	if (bound == NULL)
		return 0;
	evhttp_set_gencb(http, on_request, NULL);
	getsockname(evhttp_bound_socket_get_fd(bound),
	    (struct sockaddr *)&address, &len);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    write(fd, smuggling, sizeof(smuggling) - 1) > 0) {
		event_base_once(
		    base, -1, EV_TIMEOUT, on_deadline, base, &limit);
		event_base_dispatch(base);
		if (recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT) > 0)
			sscanf(reply, "HTTP/1.%*d %d", &status);
	}
	close(fd);
	evhttp_free(http);
	event_base_free(base);
	return status;
}

int main(void)
{
	const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
	int status = ask();

	if (status != 400) {
		fprintf(stderr,
		    "probe: libevent %s lacks its security fixes (a smuggled "
		    "request got %d, not 400)\n",
		    event_get_version(), status);
		return 1;
	}
	if (curl->version_num < 0x075700) {
		fprintf(stderr, "probe: libcurl %s is older than 7.87\n",
		    curl->version);
		return 1;
	}
	if (sqlite3_libversion_number() < 3037000) {
		fprintf(stderr, "probe: SQLite %s is older than 3.37\n",
		    sqlite3_libversion());
		return 1;
	}
	return 0;
}
