#include "server/http_internal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/* The two lengths before each field in an exchange's head. */
#define LENGTHS 4
/* Longer ones are not taken over from a client. */
#define MAX_ID 128

static const char *const method_names[] = {
	[HTTP_GET] = "GET",
	[HTTP_HEAD] = "HEAD",
	[HTTP_POST] = "POST",
	[HTTP_PUT] = "PUT",
	[HTTP_PATCH] = "PATCH",
	[HTTP_DELETE] = "DELETE",
	[HTTP_OPTIONS] = "OPTIONS",
};

const char *http_method_name(enum http_method m)
{
	ASSERT((size_t)m < sizeof(method_names) / sizeof(*method_names));
	return method_names[m];
}

static char *put_text(char *dst, const char *src, size_t len)
{
	memcpy(dst, src, len);
	dst[len] = '\0';
	return dst + len + 1;
}

static char *put_slice(
    char *dst, const char *data, struct parse_http_slice slice)
{
	return put_text(dst, data + slice.at, slice.len);
}

static char *put_field(char *dst, const char *data,
    struct parse_http_slice name, struct parse_http_slice value)
{
	uint16_t lengths[2] = { (uint16_t)name.len, (uint16_t)value.len };

	memcpy(dst, lengths, LENGTHS);
	dst = put_slice(dst + LENGTHS, data, name);
	return put_slice(dst, data, value);
}

/* A client's own id, if it is a word that harms no log and no header. */
static bool is_good_id(const char *id)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789-_.:+/=@~";
	size_t len = strlen(id);

	return len > 0 && len <= MAX_ID && strspn(id, good) == len;
}

static char *put_hex(char *dst, uint64_t v, int digits)
{
	while (digits-- > 0)
		*dst++ = "0123456789abcdef"[v >> (4 * digits) & 15];
	return dst;
}

/* Random per loop, then counted: unique, and costs nothing. */
static void make_id(struct http_exchange *x)
{
	struct http_loop *loop = x->conn->loop;
	char *p = put_hex(x->id_room, loop->id_seed, 12);

	*p++ = '-';
	p = put_hex(p, http_loop_number(loop, x->conn) >> 24, 8);
	*p = '\0';
	x->request_id = x->id_room;
}

static void name_request(struct http_exchange *x)
{
	const char *id = http_header(x, "X-Request-Id");
	const char *trace = http_header(x, "traceparent");

	if (id != NULL && is_good_id(id))
		x->request_id = id;
	else
		make_id(x);
	if (trace != NULL && strlen(trace) <= MAX_ID &&
	    strspn(trace, "0123456789abcdef-") == strlen(trace))
		x->traceparent = trace;
}

void http_request_blank(struct http_exchange *x)
{
	buf_init(&x->headers, HTTP_MAX_REPLY_HEAD);
	buf_init(&x->timing, HTTP_MAX_REPLY_HEAD / 4);
	x->close = true;
	x->head_only = x->parse.method == HTTP_HEAD;
	x->begun_ns = clock_mono_ns();
	make_id(x);
}

enum err http_request_take(struct http_exchange *x, const char *data)
{
	const struct parse_http *p = &x->parse;
	struct parse_http_slice name, value;
	uint32_t cursor = 0;
	char *dst;

	http_request_blank(x);
	/* CR LF and ": " make room for NULs, not for the lengths. */
	x->head = malloc(
	    p->head_bytes + p->host.len + p->n_fields * LENGTHS + (size_t)8);
	if (x->head == NULL)
		return ERR_NOMEM;
	dst = x->head;
	/* "http://host" asks for "/". */
	dst = p->path.len == 0 ? put_text(dst, "/", 1)
			       : put_slice(dst, data, p->path);
	x->query = dst;
	dst = put_slice(dst, data, p->query);
	x->host = dst;
	dst = put_slice(dst, data, p->host);
	x->fields = dst;
	while (parse_http_field(p, data, &cursor, &name, &value))
		dst = put_field(dst, data, name, value);
	x->fields_end = dst;
	x->close = p->close || (p->minor == 0 && !p->keep_alive) ||
		   x->conn->loop->draining;
	name_request(x);
	return OK;
}

void http_request_fini(struct http_exchange *x)
{
	struct http_conn *c = x->conn;
	struct http_note *note;

	free(x->head);
	if (x->body_counted > 0)
		atomic_fetch_sub(&c->loop->server->body_bytes, x->body_counted);
	buf_fini(&x->body);
	buf_fini(&x->headers);
	buf_fini(&x->timing);
	while ((note = x->notes) != NULL) {
		x->notes = note->next;
		free(note);
	}
	memset(x, 0, sizeof(*x));
	x->conn = c;
}

enum http_method http_method(const struct http_exchange *x)
{
	return (enum http_method)x->parse.method;
}

const char *http_path(const struct http_exchange *x)
{
	return x->head;
}

const char *http_query(const struct http_exchange *x)
{
	return x->query;
}

/* The next field called ${name} at or after ${from}; NULL: none. */
static const char *find_field(const struct http_exchange *x, const char *from,
    const char *name, size_t name_len, uint16_t *ret_len)
{
	while (from != NULL && from < x->fields_end) {
		const char *text = from + LENGTHS;
		uint16_t lengths[2];

		memcpy(lengths, from, LENGTHS);
		if (lengths[0] == name_len &&
		    strncasecmp(text, name, name_len) == 0) {
			*ret_len = lengths[1];
			return text + name_len + 1;
		}
		from = text + lengths[0] + lengths[1] + 2;
	}
	return NULL;
}

/* All values from ${first} on, joined; lent until the exchange's end. */
static const char *join_fields(struct http_exchange *x, const char *first,
    uint16_t len, const char *name, size_t name_len)
{
	struct http_note *note =
	    malloc(sizeof(*note) + (size_t)(x->fields_end - first) + 1);
	const char *v = first;
	char *dst;

	if (note == NULL)
		return first;
	dst = note->text;
	while (v != NULL) {
		/* A field's lengths and NULs are longer than ", ". */
		if (dst != note->text)
			dst = (char *)memcpy(dst, ", ", 2) + 2;
		dst = (char *)memcpy(dst, v, len) + len;
		v = find_field(x, v + len + 1, name, name_len, &len);
	}
	*dst = '\0';
	note->next = x->notes;
	x->notes = note;
	return note->text;
}

const char *http_header(const struct http_exchange *x, const char *name)
{
	size_t name_len = strlen(name);
	uint16_t len, next;
	const char *first = find_field(x, x->fields, name, name_len, &len);

	if (first == NULL ||
	    find_field(x, first + len + 1, name, name_len, &next) == NULL)
		return first;
	/* Rare; what is added is ours, not the caller's to see. */
	return join_fields(&x->conn->x, first, len, name, name_len);
}

const char *http_body(const struct http_exchange *x, size_t *ret_len)
{
	if (ret_len != NULL)
		*ret_len = x->body.len;
	return x->body.data == NULL ? "" : x->body.data;
}

const char *http_peer(const struct http_exchange *x)
{
	return x->conn->peer_text;
}

const char *http_request_id(const struct http_exchange *x)
{
	return x->request_id;
}

static int hex_digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

/* One character of a query at *${s}, decoded; -1: malformed. */
static int decode_one(const char **s, const char *end)
{
	const char *p = *s;
	int hi, lo;

	if (*p != '%') {
		*s = p + 1;
		return *p == '+' ? ' ' : (unsigned char)*p;
	}
	if (end - p < 3)
		return -1;
	hi = hex_digit(p[1]);
	lo = hex_digit(p[2]);
	*s = p + 3;
	/* A NUL would cut the string that we hand out. */
	return hi < 0 || lo < 0 || (hi | lo) == 0 ? -1 : hi << 4 | lo;
}

static bool is_named(const char *s, const char *end, const char *name)
{
	while (s < end && *name != '\0')
		if (decode_one(&s, end) != (unsigned char)*name++)
			return false;
	return s == end && *name == '\0';
}

/* The text between "name=" and '&'; ERR_INPUT when it is there twice. */
static enum err find_value(const char *query, const char *name,
    const char **ret_from, const char **ret_end)
{
	enum err rc = ERR_NOT_FOUND;

	while (*query != '\0') {
		const char *end = strchrnul(query, '&');
		const char *mark = memchr(query, '=', (size_t)(end - query));

		if (mark == NULL)
			mark = end;
		if (is_named(query, mark, name)) {
			if (rc == OK)
				return ERR_INPUT;
			rc = OK;
			*ret_from = mark < end ? mark + 1 : end;
			*ret_end = end;
		}
		query = *end == '&' ? end + 1 : end;
	}
	return rc;
}

enum err http_query_value(
    const struct http_exchange *x, const char *name, char *dst, size_t room)
{
	const char *s = NULL, *end = NULL;
	enum err rc = find_value(x->query, name, &s, &end);
	size_t len = 0;

	if (rc != OK)
		return rc;
	/* Twice: ${dst} is touched only when all is well. */
	for (const char *p = s; p < end; len++)
		if (decode_one(&p, end) < 0)
			return ERR_INPUT;
	if (len >= room)
		return ERR_INPUT;
	while (s < end)
		*dst++ = (char)decode_one(&s, end);
	*dst = '\0';
	return OK;
}

struct http_loop *http_exchange_loop(const struct http_exchange *x)
{
	return x->conn->loop;
}

uint64_t http_exchange_number(const struct http_exchange *x)
{
	return x->number;
}

void http_exchange_set(struct http_exchange *x, void *data)
{
	x->data = data;
}

void *http_exchange_get(const struct http_exchange *x)
{
	return x->data;
}

void http_on_gone(
    struct http_exchange *x, void (*on_gone)(struct http_exchange *x))
{
	x->on_gone = on_gone;
}

void http_on_drain(
    struct http_exchange *x, void (*on_drain)(struct http_exchange *x))
{
	x->on_drain = on_drain;
}

void http_on_wake(
    struct http_exchange *x, void (*on_wake)(struct http_exchange *x))
{
	x->on_wake = on_wake;
}
