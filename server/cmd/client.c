#include "server/cmd/client.h"

#include <curl/curl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cmd/client_reply.h"
#include "store/base/clock.h"
#include "store/base/digest.h"

#define MAX_REPLY_BYTES ((size_t)64 << 20)
#define MAX_PATH_BYTES ((size_t)8 << 10)
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 2000

struct client {
	CURL *curl;
	char *url;	     /* without a slash at the end */
	char *authorization; /* the header's line; NULL: none */
	int64_t timeout_ms, retry_ms;
	bool reached;			/* the server has answered before */
	const struct client_call *call; /* the one under way */
	bool ended_by_caller;
	struct buf reply;
	char error[CURL_ERROR_SIZE];
};

static const struct option_spec table[] = {
	{ .name = "url",
	    .letter = 'u',
	    .kind = OPTION_STRING,
	    .arg = "URL",
	    .fallback = "http://127.0.0.1:8080",
	    .group = "Server",
	    .help = "the server to ask",
	    .env = "SPOOL_URL" },
	{ .name = "key",
	    .kind = OPTION_SECRET,
	    .arg = "PATH",
	    .group = "Server",
	    .help = "a file with the key to ask with",
	    .env = "SPOOL_KEY" },
	{ .name = "timeout",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .fallback = "30s",
	    .min = 1,
	    .group = "Server",
	    .help = "for one request",
	    .env = "SPOOL_TIMEOUT" },
	{ .name = "retry",
	    .kind = OPTION_DURATION,
	    .arg = "TIME",
	    .fallback = "20s",
	    .group = "Server",
	    .help = "go on trying while the server is away or full; 0: once",
	    .env = "SPOOL_RETRY" },
	{ .name = NULL },
};

const struct option_spec *client_table(void)
{
	return table;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct client *c = arg;
	long status = 0;

	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	if (c->call->on_data && status >= 200 && status <= 299) {
		c->ended_by_caller =
		    !c->call->on_data(data, size * n, c->call->arg);
		return c->ended_by_caller ? 0 : size * n;
	}
	buf_add(&c->reply, data, size * n);
	return buf_state(&c->reply) ? 0 : size * n;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	struct client *c = arg;

	if (c->call->on_header)
		c->call->on_header(line, size * n, c->call->arg);
	return size * n;
}

static enum err check_url(const char *url, struct why *why)
{
	const char *host = strstr(url, "://");

	if ((strncmp(url, "http://", 7) != 0 &&
		strncmp(url, "https://", 8) != 0) ||
	    !host[3] || strpbrk(url, " \t\r\n?#")) {
		/* What has an @ may have a password, and is not repeated. */
		err_why(why,
		    "SPOOL_URL or --url must be like http://127.0.0.1:8080%s%.100s",
		    strchr(url, '@') ? "" : ", not ",
		    strchr(url, '@') ? "" : url);
		return ERR_INPUT;
	}
	if (strchr(host, '@')) {
		err_why(why, "no user or password in the URL: use SPOOL_KEY");
		return ERR_INPUT;
	}
	return OK;
}

static enum err set_key(struct client *c, const char *key, struct why *why)
{
	if (!key)
		return OK;
	for (const char *p = key; *p; p++)
		if (*p <= ' ' || *p >= 0x7f) {
			err_why(why,
			    "the key has blanks or characters that no key "
			    "has");
			return ERR_INPUT;
		}
	if (asprintf(&c->authorization, "Authorization: Bearer %s", key) < 0) {
		c->authorization = NULL;
		return ERR_NOMEM;
	}
	return OK;
}

static enum err set_curl(struct client *c)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return ERR_NOMEM;
	c->curl = curl_easy_init();
	if (!c->curl)
		return ERR_NOMEM;
	if (curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L) ||
	    curl_easy_setopt(c->curl, CURLOPT_PROTOCOLS_STR, "http,https") ||
	    curl_easy_setopt(c->curl, CURLOPT_FOLLOWLOCATION, 0L) ||
	    curl_easy_setopt(
		c->curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) ||
	    curl_easy_setopt(
		c->curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1") ||
	    curl_easy_setopt(c->curl, CURLOPT_QUICK_EXIT, 1L) ||
	    curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_body) ||
	    curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c) ||
	    curl_easy_setopt(c->curl, CURLOPT_HEADERFUNCTION, on_header) ||
	    curl_easy_setopt(c->curl, CURLOPT_HEADERDATA, c) ||
	    curl_easy_setopt(c->curl, CURLOPT_ERRORBUFFER, c->error) ||
	    curl_easy_setopt(
		c->curl, CURLOPT_USERAGENT, "spool/" SPOOL_VERSION))
		return ERR_NOMEM;
	return OK;
}

enum err client_open(
    const struct option_set *options, struct client **ret, struct why *why)
{
	const char *url = option_text(options, "url");
	struct client *c = NULL;
	enum err err;

	err = check_url(url, why);
	if (err)
		goto out;
	err = ERR_NOMEM;
	c = calloc(1, sizeof(*c));
	if (!c)
		goto out;
	buf_init(&c->reply, MAX_REPLY_BYTES);
	c->url = strdup(url);
	if (!c->url)
		goto out;
	for (size_t n = strlen(c->url); c->url[n - 1] == '/'; n--)
		c->url[n - 1] = '\0';
	c->timeout_ms = option_int(options, "timeout");
	c->retry_ms = option_int(options, "retry");
	err = set_key(c, option_text(options, "key"), why);
	if (!err)
		err = set_curl(c);
	if (err)
		goto out;
	*ret = c;
	c = NULL;
out:
	client_close(c);
	return err;
}

void client_close(struct client *c)
{
	if (!c)
		return;
	curl_easy_cleanup(c->curl);
	if (c->authorization)
		digest_wipe(c->authorization, strlen(c->authorization));
	free(c->authorization);
	free(c->url);
	buf_fini(&c->reply);
	free(c);
}

const char *client_url(const struct client *c)
{
	return c->url;
}

void client_path(struct buf *b, const char *fmt, ...)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (fmt[0] != '%' || fmt[1] != 's') {
			buf_putc(b, *fmt);
			continue;
		}
		for (const char *s = va_arg(ap, const char *); *s; s++)
			if (strchr(plain, *s))
				buf_putc(b, *s);
			else
				buf_printf(b, "%%%02X", (unsigned char)*s);
		fmt++;
	}
	va_end(ap);
}

/* --- one try --- */

static bool add(struct curl_slist **list, const char *line)
{
	struct curl_slist *longer;

	if (!line)
		return true;
	longer = curl_slist_append(*list, line);
	if (longer)
		*list = longer;
	return longer != NULL;
}

static enum err set_method(struct client *c, const struct client_call *call)
{
	static const char *const names[] = { [CLIENT_GET] = "GET",
		[CLIENT_POST] = "POST",
		[CLIENT_PUT] = "PUT",
		[CLIENT_DELETE] = "DELETE" };
	const char *body = call->body;
	bool sends =
	    call->method == CLIENT_POST || call->method == CLIENT_PUT || body;

	size_t len = call->body_len;

	if (sends && !call->type) {
		body = body ? body : "{}";
		len = strlen(body);
	} else if (sends && !body) {
		body = "";
	}
	if (curl_easy_setopt(c->curl, CURLOPT_HTTPGET, 1L) ||
	    (sends &&
		(curl_easy_setopt(c->curl, CURLOPT_POST, 1L) ||
		    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE_LARGE,
			(curl_off_t)len) ||
		    curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, body))) ||
	    curl_easy_setopt(
		c->curl, CURLOPT_CUSTOMREQUEST, names[call->method]))
		return ERR_NOMEM;
	return OK;
}

/* What has no length known is measured by its silences. */
static enum err set_times(struct client *c, const struct client_call *call)
{
	long ms = (long)(c->timeout_ms + call->wait_ms);
	bool streams = call->on_data != NULL;

	if (curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, streams ? 0L : ms) ||
	    curl_easy_setopt(
		c->curl, CURLOPT_LOW_SPEED_LIMIT, streams ? 1L : 0L) ||
	    curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME,
		streams ? (ms + 999) / 1000 : 0L) ||
	    curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, ms))
		return ERR_NOMEM;
	return OK;
}

static enum err curl_failed(
    const struct client *c, CURLcode code, struct why *why)
{
	const char *detail = c->error[0] ? c->error : curl_easy_strerror(code);

	if (code == CURLE_COULDNT_CONNECT ||
	    code == CURLE_COULDNT_RESOLVE_HOST) {
		err_why(why,
		    "no server answers at %s (%s): start one with \"spool "
		    "serve\", or set SPOOL_URL",
		    c->url, detail);
		return ERR_STOPPED;
	}
	if (code == CURLE_OPERATION_TIMEDOUT) {
		err_why(why, "%s did not answer in time", c->url);
		return ERR_TIMEOUT;
	}
	if (code == CURLE_OUT_OF_MEMORY)
		return ERR_NOMEM;
	if (code == CURLE_WRITE_ERROR && c->ended_by_caller)
		return ERR_CANCELLED;
	if (code == CURLE_WRITE_ERROR) {
		err_why(why, "the answer of %s is too large", c->url);
		return ERR_LIMIT;
	}
	err_why(why, "%s: %s", c->url, detail);
	/* Cut off: the server is about to come back, or is gone. */
	return code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
		       code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE
		   ? ERR_STOPPED
		   : ERR_IO;
}

static bool add_provider_key(struct curl_slist **headers, const char *key)
{
	struct buf text;
	bool added;

	if (!key)
		return true;
	buf_init(&text, MAX_PATH_BYTES);
	buf_printf(&text, "X-Provider-Key: %s", key);
	buf_putc(&text, '\0');
	added = buf_state(&text) == OK && add(headers, text.data);
	if (text.data)
		digest_wipe(text.data, text.len);
	buf_fini(&text);
	return added;
}

/* What goes along with every call, and with this one. */
static bool add_headers(struct curl_slist **list, const struct client *c,
    const struct client_call *call, struct buf *text)
{
	bool all;

	buf_reset(text);
	buf_printf(text, "Content-Type: %s",
	    call->type ? call->type : "application/json");
	buf_putc(text, '\0');
	all = !buf_state(text) && add(list, "Accept: application/json") &&
	      add(list, text->data) && add(list, "Expect:") &&
	      add(list, c->authorization);
	if (call->idempotency_key) {
		buf_reset(text);
		buf_printf(text, "Idempotency-Key: %s", call->idempotency_key);
		buf_putc(text, '\0');
		all = all && !buf_state(text) && add(list, text->data);
	}
	for (const char *const *h = call->headers; all && h && *h; h++)
		all = add(list, *h);
	return all;
}

static enum err try_once(struct client *c, const struct client_call *call,
    json_t **ret, struct why *why)
{
	struct curl_slist *headers = NULL;
	struct buf text;
	CURLcode code;
	long status = 0;
	enum err err = ERR_NOMEM;

	buf_init(&text, MAX_PATH_BYTES);
	buf_printf(&text, "%s%s", c->url, call->path);
	buf_putc(&text, '\0');
	if (buf_state(&text) ||
	    curl_easy_setopt(c->curl, CURLOPT_URL, text.data))
		goto out;
	if (!add_headers(&headers, c, call, &text) ||
	    !add_provider_key(&headers, call->provider_key) ||
	    curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers))
		goto out;
	err = set_times(c, call);
	if (!err)
		err = set_method(c, call);
	if (err)
		goto out;
	buf_reset(&c->reply);
	c->error[0] = '\0';
	c->call = call;
	c->ended_by_caller = false;
	code = curl_easy_perform(c->curl);
	if (code) {
		err = curl_failed(c, code, why);
		goto out;
	}
	c->reached = true;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
	err =
	    client_reply_read(c->url, call->path, status, &c->reply, ret, why);
out:
	if (c->curl)
		(void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(headers);
	buf_fini(&text);
	return err;
}

enum err client_call(struct client *c, const struct client_call *call,
    json_t **ret, struct why *why)
{
	int64_t until = clock_mono_ms() + c->retry_ms;
	int pause_ms = FIRST_PAUSE_MS;
	bool again =
	    call->again || (!call->on_data && (call->method != CLIENT_POST ||
						  call->idempotency_key));
	enum err err;

	for (;;) {
		err = try_once(c, call, ret, why);
		/* A server that was never there is not coming back. */
		if ((err != ERR_LIMIT && (err != ERR_STOPPED || !c->reached)) ||
		    !again || clock_mono_ms() + pause_ms > until)
			return err;
		poll(NULL, 0, pause_ms);
		pause_ms *= 2;
		if (pause_ms > LAST_PAUSE_MS)
			pause_ms = LAST_PAUSE_MS;
	}
}
