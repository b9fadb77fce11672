#include "server/parse_http.h"

#include <string.h>
#include <strings.h>

/* Empty lines before a request that are forgiven (RFC 9112 section 2.2). */
#define MAX_EMPTY 4

enum { TOKEN = 1, VALUE = 2, TARGET = 4, NAME = 8 };

/*
 * What each byte may be: TOKEN of RFC 9110 section 5.6.2; VALUE in a field's
 * value, obs-text with it; TARGET in a request target; NAME in a host's name.
 */
static const uint8_t class_of[256] = {
	['\t'] = VALUE,
	[' '] = VALUE,
	['!'] = TOKEN | VALUE | TARGET,
	['"'] = VALUE | TARGET,
	['#'] = TOKEN | VALUE,
	['$' ... '\''] = TOKEN | VALUE | TARGET,
	['('] = VALUE | TARGET,
	[')'] = VALUE | TARGET,
	['*'] = TOKEN | VALUE | TARGET,
	['+'] = TOKEN | VALUE | TARGET,
	[','] = VALUE | TARGET,
	['-'] = TOKEN | VALUE | TARGET | NAME,
	['.'] = TOKEN | VALUE | TARGET | NAME,
	['/'] = VALUE | TARGET,
	['0' ... '9'] = TOKEN | VALUE | TARGET | NAME,
	[':' ... '@'] = VALUE | TARGET,
	['A' ... 'Z'] = TOKEN | VALUE | TARGET | NAME,
	['[' ... ']'] = VALUE | TARGET,
	['^'] = TOKEN | VALUE | TARGET,
	['_'] = TOKEN | VALUE | TARGET | NAME,
	['`'] = TOKEN | VALUE | TARGET,
	['a' ... 'z'] = TOKEN | VALUE | TARGET | NAME,
	['{'] = VALUE | TARGET,
	['|'] = TOKEN | VALUE | TARGET,
	['}'] = VALUE | TARGET,
	['~'] = TOKEN | VALUE | TARGET,
	[0x80 ... 0xff] = VALUE,
};

#define REFUSAL(name, status, code, detail)             \
	static const struct parse_http_refusal name = { \
		status,                                 \
		code,                                   \
		detail,                                 \
	}

REFUSAL(not_http, 400, "bad_request", "the bytes are not an HTTP/1.1 request");
REFUSAL(bare_line, 400, "bad_request", "a line must end in CR LF");
REFUSAL(many_empty, 400, "bad_request", "too many empty lines");
REFUSAL(bad_line, 400, "bad_request", "the request line is malformed");
REFUSAL(bad_target, 400, "bad_request", "the request target is malformed");
REFUSAL(bad_field, 400, "bad_request", "a header field is malformed");
REFUSAL(folded, 400, "bad_request", "a header field is folded");
REFUSAL(bad_host, 400, "bad_request", "there must be one valid Host");
REFUSAL(other_host, 400, "bad_request", "the target and Host name two hosts");
REFUSAL(bad_length, 400, "bad_request", "Content-Length must be one number");
REFUSAL(bad_coding, 400, "bad_request",
    "Transfer-Encoding must be chunked, once, without Content-Length");
REFUSAL(long_target, 414, "uri_too_long", "the request line is too long");
REFUSAL(long_head, 431, "headers_too_large", "the header fields are too large");
REFUSAL(no_method, 501, "not_implemented", "the method is not known here");
REFUSAL(no_version, 505, "version_not_supported", "only HTTP/1.1 and 1.0");
REFUSAL(no_expect, 417, "expectation_failed", "only 100-continue is known");

static bool all_of(const char *s, size_t len, uint8_t class)
{
	for (size_t i = 0; i < len; i++)
		if ((class_of[(uint8_t)s[i]] & class) == 0)
			return false;
	return true;
}

bool parse_http_token(const char *s, size_t len)
{
	return len > 0 && all_of(s, len, TOKEN);
}

bool parse_http_value(const char *s, size_t len)
{
	return all_of(s, len, VALUE);
}

static bool is_word(const char *s, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(s, word, len) == 0;
}

void parse_http_init(struct parse_http *p, size_t max_line, size_t max_head)
{
	*p = (struct parse_http){ .max_line = (uint32_t)max_line,
		.max_head = (uint32_t)max_head };
}

static struct parse_http_slice slice(
    const char *data, const char *from, const char *to)
{
	return (struct parse_http_slice){ (uint32_t)(from - data),
		(uint32_t)(to - from) };
}

static bool is_port(const char *s, size_t len)
{
	unsigned port = 0;

	if (len > 5)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		port = port * 10 + (unsigned)(s[i] - '0');
	}
	return port <= 65535;
}

bool parse_http_host(const char *s, size_t len)
{
	const char *end = s + len;
	const char *p = s;

	if (len == 0 || len > 300)
		return false;
	if (*p == '[') {
		p = memchr(s, ']', len);
		if (p == NULL || p - s < 3)
			return false;
		for (const char *q = s + 1; q < p; q++)
			if (strchr("0123456789abcdefABCDEF:.", *q) == NULL ||
			    *q == '\0')
				return false;
		p++;
	} else {
		while (p < end && (class_of[(uint8_t)*p] & NAME) != 0)
			p++;
		if (p == s)
			return false;
	}
	if (p == end)
		return true;
	return *p == ':' && is_port(p + 1, (size_t)(end - p - 1));
}

static bool find_method(const char *s, size_t len, uint8_t *ret)
{
	for (enum http_method m = HTTP_GET; m <= HTTP_OPTIONS; m++) {
		const char *name = http_method_name(m);

		if (strlen(name) == len && memcmp(name, s, len) == 0) {
			*ret = (uint8_t)m;
			return true;
		}
	}
	return false;
}

/* "http://host[:port]" at the beginning; moves *${from} behind it. */
static bool take_authority(
    struct parse_http *p, const char *data, const char **from, const char *end)
{
	const char *s = *from;
	const char *stop;

	if (end - s > 7 && strncasecmp(s, "http://", 7) == 0)
		s += 7;
	else if (end - s > 8 && strncasecmp(s, "https://", 8) == 0)
		s += 8;
	else
		return false;
	for (stop = s; stop < end && *stop != '/' && *stop != '?'; stop++)
		;
	if (!parse_http_host(s, (size_t)(stop - s)))
		return false;
	p->absolute = true;
	p->authority = slice(data, s, stop);
	*from = stop;
	return true;
}

static bool take_target(
    struct parse_http *p, const char *data, const char *s, const char *end)
{
	const char *mark;

	if (s == end || !all_of(s, (size_t)(end - s), TARGET))
		return false;
	if (*s != '/' &&
	    !(end - s == 1 && *s == '*' && p->method == HTTP_OPTIONS) &&
	    !take_authority(p, data, &s, end))
		return false;
	mark = s == end ? NULL : memchr(s, '?', (size_t)(end - s));
	p->path = slice(data, s, mark == NULL ? end : mark);
	if (mark != NULL)
		p->query = slice(data, mark + 1, end);
	return true;
}

/* method SP target SP HTTP/1.x */
static const struct parse_http_refusal *take_request_line(
    struct parse_http *p, const char *data, const char *s, size_t len)
{
	const char *end = s + len;
	const char *target = memchr(s, ' ', len);
	const char *version;

	if (target == NULL || !parse_http_token(s, (size_t)(target - s)))
		return &bad_line;
	target++;
	version = memchr(target, ' ', (size_t)(end - target));
	if (version == NULL)
		return &bad_line;
	version++;
	if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0 ||
	    version[5] < '0' || version[5] > '9' || version[6] != '.' ||
	    version[7] < '0' || version[7] > '9')
		return &bad_line;
	if (version[5] != '1')
		return &no_version;
	/* A higher minor is read as the highest that we know. */
	p->minor = version[7] == '0' ? 0 : 1;
	if (!find_method(s, (size_t)(target - 1 - s), &p->method))
		return &no_method;
	if (!take_target(p, data, target, version - 1))
		return &bad_target;
	return NULL;
}

static const struct parse_http_refusal *take_length(
    struct parse_http *p, const char *v, size_t len)
{
	uint64_t n = 0;

	if (p->has_length || len == 0)
		return &bad_length;
	for (size_t i = 0; i < len; i++) {
		if (v[i] < '0' || v[i] > '9')
			return &bad_length;
		/* Far past every ceiling: stay there, 413 says the rest. */
		n = n > UINT64_MAX / 16 ? UINT64_MAX / 2
					: n * 10 + (uint64_t)(v[i] - '0');
	}
	p->has_length = true;
	p->length = n;
	return NULL;
}

static void take_connection(struct parse_http *p, const char *v, size_t len)
{
	const char *end = v + len;

	while (v < end) {
		const char *stop = memchr(v, ',', (size_t)(end - v));
		const char *next = stop == NULL ? end : stop + 1;

		if (stop == NULL)
			stop = end;
		while (v < stop && (*v == ' ' || *v == '\t'))
			v++;
		while (v < stop && (stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		if (is_word(v, (size_t)(stop - v), "close"))
			p->close = true;
		else if (is_word(v, (size_t)(stop - v), "keep-alive"))
			p->keep_alive = true;
		else if (is_word(v, (size_t)(stop - v), "upgrade"))
			p->upgrade = true;
		v = next;
	}
}

/* What decides about framing and the connection; the rest is the caller's. */
static const struct parse_http_refusal *take_known(struct parse_http *p,
    const char *data, const char *name, size_t name_len, const char *v,
    size_t len)
{
	switch (name_len) {
	case 4:
		if (!is_word(name, 4, "host"))
			break;
		if (++p->n_hosts > 1 || !parse_http_host(v, len))
			return &bad_host;
		p->host = slice(data, v, v + len);
		break;
	case 6:
		if (!is_word(name, 6, "expect") || p->minor == 0)
			break;
		if (is_word(v, len, "100-continue"))
			p->wants_continue = true;
		else
			p->odd_expect = true;
		break;
	case 10:
		if (is_word(name, 10, "connection"))
			take_connection(p, v, len);
		break;
	case 14:
		if (is_word(name, 14, "content-length"))
			return take_length(p, v, len);
		break;
	case 17:
		if (!is_word(name, 17, "transfer-encoding"))
			break;
		if (p->chunked || !is_word(v, len, "chunked"))
			return &bad_coding;
		p->chunked = true;
		break;
	default: break;
	}
	return NULL;
}

/* name ":" OWS value OWS; the bounds of a line that may be malformed. */
static bool split_field(const char *s, size_t len, size_t *ret_name,
    const char **ret_value, size_t *ret_len)
{
	const char *colon = memchr(s, ':', len);
	const char *end = s + len;
	const char *v;

	if (colon == NULL)
		return false;
	v = colon + 1;
	while (v < end && (*v == ' ' || *v == '\t'))
		v++;
	while (v < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	*ret_name = (size_t)(colon - s);
	*ret_value = v;
	*ret_len = (size_t)(end - v);
	return true;
}

static const struct parse_http_refusal *take_field(
    struct parse_http *p, const char *data, const char *s, size_t len)
{
	size_t name_len, value_len;
	const char *value;

	if (*s == ' ' || *s == '\t')
		return &folded;
	if (++p->n_fields > PARSE_HTTP_MAX_FIELDS)
		return &long_head;
	if (!split_field(s, len, &name_len, &value, &value_len) ||
	    !parse_http_token(s, name_len) ||
	    !parse_http_value(value, value_len))
		return &bad_field;
	return take_known(p, data, s, name_len, value, value_len);
}

/* What can only be said when all fields are known. */
static const struct parse_http_refusal *take_end(
    struct parse_http *p, const char *data)
{
	p->head_bytes = p->line;
	if (p->n_hosts == 0 && p->minor > 0)
		return &bad_host;
	if (p->chunked && (p->has_length || p->minor == 0))
		return &bad_coding;
	if (p->absolute && p->n_hosts > 0 &&
	    (p->host.len != p->authority.len ||
		strncasecmp(data + p->host.at, data + p->authority.at,
		    p->host.len) != 0))
		return &other_host;
	if (p->absolute)
		p->host = p->authority;
	return p->odd_expect ? &no_expect : NULL;
}

/*
 * May a line begin with these ${len} bytes, its end seen or not? Asked before
 * the line is read, so that the answer is the same when it came in parts.
 */
static const struct parse_http_refusal *look_at_line(
    const struct parse_http *p, const char *s, size_t len)
{
	if (p->fields > 0)
		return p->line - p->fields + len > (size_t)p->max_head + 1
			   ? &long_head
			   : NULL;
	if (len > 0 && *s != '\r' && (class_of[(uint8_t)*s] & TOKEN) == 0)
		return &not_http;
	return len > (size_t)p->max_line + 1 ? &long_target : NULL;
}

enum parse_http_result parse_http_head(
    struct parse_http *p, const char *data, size_t len)
{
	while (p->refusal == NULL) {
		const char *s = data + p->line;
		const char *lf = memchr(data + p->seen, '\n', len - p->seen);
		size_t n = (size_t)((lf == NULL ? data + len : lf) - s);

		p->refusal = look_at_line(p, s, n);
		if (p->refusal != NULL)
			break;
		p->seen = (uint32_t)len;
		if (lf == NULL)
			return PARSE_HTTP_MORE;
		p->line = p->seen = (uint32_t)(lf + 1 - data);
		if (n == 0 || s[n - 1] != '\r') {
			p->refusal = &bare_line;
		} else if (p->fields == 0 && n == 1) {
			if (++p->n_empty > MAX_EMPTY)
				p->refusal = &many_empty;
		} else if (p->fields == 0) {
			p->refusal = take_request_line(p, data, s, n - 1);
			p->fields = p->line;
		} else if (n > 1) {
			p->refusal = take_field(p, data, s, n - 1);
		} else {
			p->refusal = take_end(p, data);
			if (p->refusal == NULL)
				return PARSE_HTTP_DONE;
		}
	}
	return PARSE_HTTP_REFUSED;
}

bool parse_http_field(const struct parse_http *p, const char *data,
    uint32_t *cursor, struct parse_http_slice *ret_name,
    struct parse_http_slice *ret_value)
{
	const char *s = data + p->fields + *cursor;
	const char *lf = memchr(s, '\n', p->head_bytes - p->fields - *cursor);
	size_t name_len, value_len;
	const char *value;

	if (lf == NULL || lf - s < 2 ||
	    !split_field(
		s, (size_t)(lf - s - 1), &name_len, &value, &value_len))
		return false;
	*ret_name = slice(data, s, s + name_len);
	*ret_value = slice(data, value, value + value_len);
	*cursor += (uint32_t)(lf + 1 - s);
	return true;
}
