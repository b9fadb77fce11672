#include "server/durable.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "server/call.h"
#include "server/when.h"
#include "store/base/jsonscan.h"
#include "store/base/utf8.h"

#define BYTES "application/octet-stream"

void durable_headers(struct call *call)
{
	http_reply_header(
	    call->x, "Cross-Origin-Resource-Policy", "cross-origin");
}

void durable_next(struct call *call, uint64_t place)
{
	char text[STREAM_OFFSET_TEXT];

	stream_offset(place, text);
	http_reply_header(call->x, "Stream-Next-Offset", text);
}

void durable_number(struct call *call, const char *name, uint64_t n)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	http_reply_header(call->x, name, text);
}

static enum err wrong(struct call *call, const char *field, const char *rule)
{
	call_refuse(
	    call, PROBLEM_INVALID_ARGUMENT, field, "%s %s", field, rule);
	return ERR_INPUT;
}

/* --- names --- */

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded; false when it is no name. */
static bool decode_name(const char *p, size_t len, char dst[STREAM_NAME_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = (unsigned char)p[i];

		if (n == STREAM_NAME_BYTES - 1)
			return false;
		if (c == '%') {
			bool whole = i + 2 < len;
			int high = whole ? hex(p[i + 1]) : -1;
			int low = whole ? hex(p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = high * 16 + low;
			i += 2;
		}
		if (c == 0)
			return false;
		dst[n++] = (char)c;
	}
	dst[n] = '\0';
	return stream_name_valid(dst);
}

enum err durable_name(struct call *call, char dst[STREAM_NAME_BYTES])
{
	if (decode_name(call->args.arg[0].text, call->args.arg[0].len, dst))
		return OK;
	return wrong(call, "name",
	    "must be 1 to 255 printable ASCII characters without blanks and "
	    "\"%?#&\\, in parts between slashes that are not empty, . or ..");
}

enum err durable_own_name(struct call *call, char dst[STREAM_NAME_BYTES])
{
	enum err e = durable_name(call, dst);

	if (e != OK)
		return e;
	if (strncmp(dst, DURABLE_EXECUTIONS, strlen(DURABLE_EXECUTIONS)) == 0) {
		http_reply_header(call->x, "Allow", "GET, HEAD");
		call_refuse(call, PROBLEM_METHOD_NOT_ALLOWED, NULL,
		    "what lies below executions/ is written by executions; "
		    "it can be read");
		return ERR_INPUT;
	}
	if (strncmp(dst, "__ds/", 5) == 0 || strcmp(dst, "__ds") == 0 ||
	    strcmp(dst, "executions") == 0)
		return wrong(call, "name", "is reserved");
	return OK;
}

/* --- single headers --- */

/* A header into ${dst}; "" when absent. ERR_INPUT, answered: it is too long. */
static enum err read_text(
    struct call *call, const char *name, char *dst, size_t room)
{
	const char *value = http_header(call->x, name);

	dst[0] = '\0';
	if (value == NULL)
		return OK;
	if (strlen(value) >= room) {
		char rule[64];

		(void)snprintf(rule, sizeof(rule),
		    "may have at most %zu characters", room - 1);
		return wrong(call, name, rule);
	}
	memcpy(dst, value, strlen(value) + 1);
	return OK;
}

/* Digits alone, at most ${max}; ${strict}: no zero in front. */
static bool parse_count(
    const char *text, uint64_t max, bool strict, uint64_t *ret)
{
	uint64_t v = 0;

	if (text[0] == '\0' || (strict && text[0] == '0' && text[1] != '\0'))
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
		if (v > max)
			return false;
	}
	*ret = v;
	return true;
}

static bool in_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Begins with word/word. */
static bool is_type(const char *type)
{
	size_t n = 0;

	while (in_word(type[n]))
		n++;
	return n > 0 && type[n] == '/' && in_word(type[n + 1]);
}

static bool wants_close(const struct call *call)
{
	const char *value = http_header(call->x, "Stream-Closed");

	return value != NULL && strcasecmp(value, "true") == 0;
}

/* --- the body --- */

/* The messages of ${s} and no more: one value, or those of an array. */
static enum err scan_messages(
    struct jsonscan *s, struct durable *d, uint32_t room, uint32_t *ret_n)
{
	bool array = s->at < s->end && *s->at == '[';
	struct jsonscan_slice v;
	uint32_t n = 0;
	enum err e = OK;

	if (array)
		e = jsonscan_open(s, '[');
	while (e == OK) {
		e = array ? jsonscan_item(s) : OK;
		if (e == ERR_NOT_FOUND)
			break;
		if (e == OK)
			e = jsonscan_value(s, &v);
		if (e != OK)
			return e;
		if (n == room)
			return ERR_LIMIT;
		d->messages[n++] =
		    (struct stream_message){ .p = v.p, .len = v.len };
		if (!array)
			break;
	}
	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	*ret_n = n;
	return jsonscan_end(s);
}

/* ERR_LIMIT: too many messages. Not JSON is OK, and said. */
static enum err read_json(struct durable *d, struct stream_body *body)
{
	/* A value has a byte, and another is between two of them. */
	size_t room = body->len / 2 + 1, blank = 0;
	struct jsonscan s;
	enum err e;

	if (room > STREAM_MAX_BATCH)
		room = STREAM_MAX_BATCH;
	d->messages = calloc(room, sizeof(*d->messages));
	if (d->messages == NULL)
		return ERR_NOMEM;
	while (blank < body->len && strchr(" \t\r\n", body->bytes[blank]) &&
	       body->bytes[blank] != '\0')
		blank++;
	jsonscan_init(&s, body->bytes + blank, body->len - blank);
	e = utf8_valid(body->bytes, body->len)
		? scan_messages(&s, d, (uint32_t)room, &body->n_json)
		: ERR_INPUT;
	body->json = d->messages;
	body->is_json = e == OK;
	return e == ERR_INPUT ? OK : e;
}

/* ${type} "": not known yet. */
static enum err read_body(
    struct call *call, struct durable *d, const char *type)
{
	struct stream_append *a = &d->write.append;
	const char *bytes;
	enum err e = OK;

	bytes = http_body(call->x, &a->body.len);
	a->has_body = a->body.len > 0;
	if (!a->has_body)
		return OK;
	d->body = malloc(a->body.len);
	if (d->body == NULL) {
		call_fail_err(call, ERR_NOMEM, NULL);
		return ERR_NOMEM;
	}
	memcpy(d->body, bytes, a->body.len);
	a->body.bytes = d->body;
	if (type[0] == '\0' || stream_is_json(type))
		e = read_json(d, &a->body);
	if (e == ERR_LIMIT)
		call_refuse(call, PROBLEM_INVALID_ARGUMENT, NULL,
		    "at most %d messages in one append", STREAM_MAX_BATCH);
	else if (e != OK)
		call_fail_err(call, e, NULL);
	return e;
}

void durable_fini(struct durable *d)
{
	free(d->body);
	free(d->messages);
	d->body = NULL;
	d->messages = NULL;
}

/* --- PUT --- */

static enum err read_expiry(struct call *call, struct stream *s)
{
	const char *ttl = http_header(call->x, "Stream-TTL");
	const char *at = http_header(call->x, "Stream-Expires-At");
	uint64_t n = 0;

	s->ttl_s = -1;
	if (ttl != NULL && at != NULL)
		return wrong(call, "Stream-TTL",
		    "and Stream-Expires-At are two ways to say it; send one");
	if (ttl != NULL) {
		if (!parse_count(ttl, DURABLE_MAX_TTL_S, true, &n))
			return wrong(call, "Stream-TTL",
			    "must be a whole number of seconds, without sign "
			    "and zeros in front, a century at most");
		s->ttl_s = (int64_t)n;
	}
	if (at == NULL)
		return OK;
	if (strlen(at) >= STREAM_TIME_BYTES || strchr(at, 'T') == NULL ||
	    when_parse(at, &s->expires_ms) != OK || s->expires_ms < 1)
		return wrong(call, "Stream-Expires-At",
		    "must be a time like 2026-01-02T03:04:05Z");
	return read_text(
	    call, "Stream-Expires-At", s->expires_at, sizeof(s->expires_at));
}

static enum err read_fork(struct call *call, struct stream_write *sw)
{
	const char *from = http_header(call->x, "Stream-Forked-From");
	const char *at = http_header(call->x, "Stream-Fork-Offset");
	const char *sub = http_header(call->x, "Stream-Fork-Sub-Offset");
	struct stream *s = &sw->stream;
	size_t n = strlen(DURABLE_PREFIX);

	if (sub != NULL && from == NULL)
		return wrong(call, "Stream-Fork-Sub-Offset",
		    "says where a fork begins; send Stream-Forked-From, too");
	if (from == NULL)
		return OK;
	if (strncmp(from, DURABLE_PREFIX, n) != 0 ||
	    !decode_name(from + n, strlen(from) - n, s->source))
		return wrong(call, "Stream-Forked-From",
		    "must be a stream's path: /v1/stream/NAME");
	sw->at_tail = at == NULL;
	if (at != NULL && stream_offset_parse(at, &s->fork_at) != OK)
		return wrong(call, "Stream-Fork-Offset",
		    "must be an offset as Stream-Next-Offset says it");
	if (sub != NULL &&
	    !parse_count(sub, STREAM_MAX_NUMBER, true, &s->fork_sub))
		return wrong(call, "Stream-Fork-Sub-Offset",
		    "must be a whole number without sign and zeros in front");
	return OK;
}

enum err durable_create(struct call *call, struct durable *d)
{
	struct stream_write *sw = &d->write;
	struct stream *s = &sw->stream;
	enum err e;

	*d = (struct durable){ .write.kind = STREAM_CREATE };
	e = durable_own_name(call, s->name);
	if (e == OK)
		e = read_expiry(call, s);
	if (e == OK)
		e = read_fork(call, sw);
	if (e == OK)
		e = read_text(call, "Content-Type", s->type, sizeof(s->type));
	if (e != OK)
		return e;
	if (!is_type(s->type))
		(void)snprintf(s->type, sizeof(s->type), "%s",
		    s->source[0] != '\0' ? "" : BYTES);
	memcpy(s->owner, call->who.owner, sizeof(s->owner));
	sw->append.close = wants_close(call);
	return read_body(call, d, s->type);
}

/* --- POST --- */

static enum err read_producer(struct call *call, struct stream_tuple *t)
{
	const char *id = http_header(call->x, "Producer-Id");
	const char *epoch = http_header(call->x, "Producer-Epoch");
	const char *seq = http_header(call->x, "Producer-Seq");

	if (id == NULL && epoch == NULL && seq == NULL)
		return OK;
	if (id == NULL || epoch == NULL || seq == NULL)
		return wrong(call, "Producer-Id",
		    "Producer-Epoch and Producer-Seq must be sent together");
	if (id[0] == '\0')
		return wrong(call, "Producer-Id", "must not be empty");
	if (!parse_count(epoch, STREAM_MAX_NUMBER - 1, false, &t->epoch))
		return wrong(call, "Producer-Epoch",
		    "must be a whole number below 2^53");
	if (!parse_count(seq, STREAM_MAX_NUMBER - 1, false, &t->seq))
		return wrong(
		    call, "Producer-Seq", "must be a whole number below 2^53");
	return read_text(call, "Producer-Id", t->producer, sizeof(t->producer));
}

enum err durable_append(struct call *call, struct durable *d)
{
	struct stream_write *sw = &d->write;
	struct stream_append *a = &sw->append;
	enum err e;

	*d = (struct durable){ .write.kind = STREAM_APPEND };
	e = durable_own_name(call, sw->stream.name);
	if (e == OK)
		e = read_producer(call, &a->tuple);
	if (e == OK)
		e = read_text(call, "Stream-Seq", a->seq, sizeof(a->seq));
	if (e == OK)
		e = read_text(call, "Content-Type", a->type, sizeof(a->type));
	if (e != OK)
		return e;
	memcpy(sw->stream.owner, call->who.owner, sizeof(sw->stream.owner));
	a->close = wants_close(call);
	e = read_body(call, d, a->type[0] == '\0' ? BYTES : a->type);
	if (e != OK)
		return e;
	if (!a->has_body && !a->close)
		return wrong(call, "body",
		    "is empty; append something, or send Stream-Closed: true");
	if (a->has_body && a->type[0] == '\0')
		return wrong(
		    call, "Content-Type", "must be that of the stream");
	return OK;
}
