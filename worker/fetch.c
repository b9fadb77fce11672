#include "worker/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "store/base/clock.h"
#include "store/base/digest.h"
#include "worker/address.h"
#include "worker/fetch_internal.h"
#include "worker/fetch_pool.h"
#include "worker/lookups.h"

/*
 * curl's read buffer, which each stream has all the time: its smallest. An
 * event is some 300 bytes, so that one read mostly takes what there is.
 */
#define READ_BYTES 1024L
/* Its smallest; only requests above 64 kB use it. */
#define UPLOAD_BYTES 16384L
#define KEEPALIVE_S 60L

struct fetch {
	struct fetch_pool *pool;
	CURL *easy;
	const struct fetch_events *events;
	void *arg;
	struct curl_slist *headers; /* one of them is a key */
	struct buf body;	    /* what is sent */
	size_t body_len;
	uint64_t taken, max_body_bytes;
	uint64_t name; /* of its host, see lookups.h */
	bool is_get, alone, added, has_head, refused, too_large, over;
	bool resolving, unheard; /* its host's name; nobody answers for it */
};

/* --- what curl calls --- */

static curl_socket_t on_open_socket(
    void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct fetch *f = arg;
	int fd;

	(void)purpose;
	f->resolving = false;
	if (!address_allowed(&a->addr)) {
		f->refused = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

/* A name, or an address that is called one, is about to be looked up. */
static int on_resolve(void *resolver, void *reserved, void *arg)
{
	struct fetch *f = arg;

	(void)resolver;
	(void)reserved;
	f->unheard =
	    !lookups_may(fetch_pool_lookups(f->pool), f->name, clock_mono_ms());
	f->resolving = !f->unheard;
	return f->unheard ? 1 : 0;
}

/* Just before the request is sent, on a new connection or a kept one. */
static int on_ready(
    void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct fetch *f = arg;

	(void)local;
	(void)remote_port;
	(void)local_port;
	if (!address_text_allowed(remote)) {
		f->refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	f->events->on_connected(f->arg);
	return CURL_PREREQFUNC_OK;
}

/* A response header's value, lent while the response lasts, or NULL. */
static const char *header(CURL *easy, const char *name)
{
	struct curl_header *h;

	if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK)
		return NULL;
	return h->value;
}

static size_t on_header(char *line, size_t one, size_t len, void *arg)
{
	struct fetch *f = arg;
	struct dialect_head head = { 0 };
	long status = 0;

	(void)one;
	/* the empty line ends a head; later ones are trailers */
	if (f->has_head || len > 2 || (line[0] != '\r' && line[0] != '\n'))
		return len;
	curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return len;
	f->has_head = true;
	head.status = (int)status;
	head.content_type = header(f->easy, "content-type");
	head.retry_after = header(f->easy, "retry-after");
	head.retry_after_ms = header(f->easy, "retry-after-ms");
	head.should_retry = header(f->easy, "x-should-retry");
	head.date = header(f->easy, "date");
	f->events->on_head(f->arg, &head);
	return len;
}

static size_t on_write(char *bytes, size_t one, size_t len, void *arg)
{
	struct fetch *f = arg;

	(void)one;
	if (len > f->max_body_bytes - f->taken) {
		f->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	if (f->events->on_body(f->arg, bytes, len) == FETCH_PAUSE)
		return CURL_WRITEFUNC_PAUSE;
	f->taken += len;
	return len;
}

/* --- */

/* Give the lines of ${lines}, "Name: value\n" each, to curl. */
static enum err take_headers(struct fetch *f, struct buf *lines)
{
	struct curl_slist *list;
	size_t from = 0;

	buf_putc(lines, '\n');
	if (buf_state(lines) != OK)
		return ERR_NOMEM;
	for (size_t i = 0; i < lines->len; i++) {
		unsigned char c = (unsigned char)lines->data[i];

		if (c != '\n' && (c < 0x20 || c == 0x7f) && c != '\t')
			return ERR_INPUT; /* a smuggled line, perhaps */
		if (c != '\n')
			continue;
		lines->data[i] = '\0';
		if (i > from) {
			list =
			    curl_slist_append(f->headers, lines->data + from);
			if (list == NULL)
				return ERR_NOMEM;
			f->headers = list;
		}
		from = i + 1;
	}
	/* curl would wait a second for "100 Continue" before large bodies */
	list = curl_slist_append(f->headers, "Expect:");
	if (list == NULL)
		return ERR_NOMEM;
	f->headers = list;
	return OK;
}

static CURLcode set_options(struct fetch *f, const char *url)
{
	CURL *e = f->easy;
	CURLcode rc = CURLE_OK;

#define SET(option, value)                                                 \
	do {                                                               \
		if (rc == CURLE_OK)                                        \
			rc = curl_easy_setopt(e, CURLOPT_##option, value); \
	} while (0)
	SET(PROTOCOLS_STR, "http,https");
	SET(URL, url);
	/* HTTP/2 would not bear pauses: see README.md */
	SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(NOSIGNAL, 1L);
	SET(QUICK_EXIT, 1L); /* or a removal waits for getaddrinfo() */
	SET(RESOLVER_START_FUNCTION, on_resolve);
	SET(RESOLVER_START_DATA, f);
	SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(DISALLOW_USERNAME_IN_URL, 1L);
	SET(FOLLOWLOCATION, 0L);
	SET(PROXY, "");
	SET(NETRC, (long)CURL_NETRC_IGNORED);
	SET(TCP_NODELAY, 1L);
	SET(TCP_KEEPALIVE, 1L);
	SET(TCP_KEEPIDLE, KEEPALIVE_S);
	SET(TCP_KEEPINTVL, KEEPALIVE_S);
	SET(BUFFERSIZE, READ_BYTES);
	SET(UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
	SET(USERAGENT, "spool/" SPOOL_VERSION);
	SET(HTTPHEADER, f->headers);
	if (f->alone) {
		SET(FRESH_CONNECT, 1L);
		SET(FORBID_REUSE, 1L);
	}
	if (f->is_get) {
		SET(HTTPGET, 1L);
	} else {
		SET(POST, 1L);
		SET(POSTFIELDS, f->body.data == NULL ? "" : f->body.data);
		SET(POSTFIELDSIZE_LARGE, (curl_off_t)f->body.len);
	}
	SET(OPENSOCKETFUNCTION, on_open_socket);
	SET(OPENSOCKETDATA, f);
	SET(PREREQFUNCTION, on_ready);
	SET(PREREQDATA, f);
	SET(HEADERFUNCTION, on_header);
	SET(HEADERDATA, f);
	SET(WRITEFUNCTION, on_write);
	SET(WRITEDATA, f);
	SET(PRIVATE, f);
#undef SET
	return rc;
}

static void wipe_request(struct dialect_request *r)
{
	if (r->headers.data != NULL)
		digest_wipe(r->headers.data, r->headers.cap);
	dialect_request_fini(r);
}

enum err fetch_start(struct fetch_pool *pool, struct dialect_request *request,
    uint64_t max_body_bytes, const struct fetch_events *events, void *arg,
    struct fetch **ret)
{
	struct fetch *f = calloc(1, sizeof(*f));
	enum err rc = ERR_NOMEM;

	if (f == NULL)
		goto out;
	*f = (struct fetch){ .pool = pool,
		.events = events,
		.arg = arg,
		.max_body_bytes = max_body_bytes };
	f->easy = curl_easy_init();
	if (f->easy == NULL)
		goto out;
	rc = take_headers(f, &request->headers);
	if (rc != OK)
		goto out;
	rc = ERR_NOMEM;
	buf_putc(&request->url, '\0');
	if (buf_state(&request->url) != OK || buf_state(&request->body) != OK)
		goto out;
	f->is_get = request->is_get;
	f->alone = request->alone;
	f->body = request->body;
	buf_init(&request->body, request->body.max);
	f->body_len = f->body.len;
	f->name = lookups_name(request->url.data);
	if (set_options(f, request->url.data) != CURLE_OK)
		goto out;
	rc = ERR_INPUT;
	if (curl_multi_add_handle(fetch_pool_multi(pool), f->easy) != CURLM_OK)
		goto out;
	f->added = true;
	*ret = f;
	f = NULL;
	rc = OK;
out:
	wipe_request(request);
	fetch_free(f);
	return rc;
}

static void forget_headers(struct fetch *f)
{
	for (struct curl_slist *h = f->headers; h != NULL; h = h->next)
		digest_wipe(h->data, strlen(h->data));
	curl_slist_free_all(f->headers);
	f->headers = NULL;
}

void fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	if (f->resolving && !f->over)
		lookups_give_up(
		    fetch_pool_lookups(f->pool), f->name, clock_mono_ms());
	if (f->added)
		curl_multi_remove_handle(fetch_pool_multi(f->pool), f->easy);
	curl_easy_cleanup(f->easy);
	forget_headers(f);
	buf_fini(&f->body);
	free(f);
}

void fetch_resume(struct fetch *f)
{
	CURLcode rc = curl_easy_pause(f->easy, CURLPAUSE_CONT);

	/* what was held back could not be given: nobody else will say so */
	if (rc != CURLE_OK)
		fetch_over(f, rc);
}

void fetch_forget_request(struct fetch *f)
{
	curl_off_t sent = 0;

	/*
	 * Once a head has come, curl never sends the request again: what it
	 * has sent whole it does not look at any more.
	 */
	if (!f->has_head || f->headers == NULL)
		return;
	curl_easy_getinfo(f->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if ((size_t)sent < f->body_len)
		return;
	curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, NULL);
	forget_headers(f);
	buf_fini(&f->body);
}

/* What broke, for a person; curl's words and the system's. */
static void say(const struct fetch *f, CURLcode result, char *dst, size_t size)
{
	long number = 0;

	curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &number);
	if (f->refused)
		snprintf(dst, size,
		    "its address is link-local or multicast, which is not "
		    "allowed");
	else if (f->unheard)
		snprintf(dst, size,
		    "its name was looked up %d times in %d s without an "
		    "answer; is the resolver well?",
		    LOOKUPS_OF_A_NAME, LOOKUPS_MS / 1000);
	else if (result == CURLE_COULDNT_CONNECT && number != 0)
		snprintf(dst, size, "%s: %s", curl_easy_strerror(result),
		    strerrordesc_np((int)number));
	else
		snprintf(dst, size, "%s", curl_easy_strerror(result));
}

void fetch_over(struct fetch *f, CURLcode result)
{
	char detail[256];

	if (f->over)
		return;
	f->over = true;
	if (result == CURLE_OK) {
		f->events->on_over(f->arg, FETCH_CLEAN, NULL);
		return;
	}
	say(f, result, detail, sizeof(detail));
	f->events->on_over(
	    f->arg, f->too_large ? FETCH_TOO_LARGE : FETCH_BROKEN, detail);
}
