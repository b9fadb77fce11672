#include "worker/parse_sse.h"

#include <stdlib.h>
#include <string.h>

/* A larger buffer is not kept while the stream waits for its next event. */
#define KEEP_BYTES ((size_t)4 << 10)

void parse_sse_init(
    struct parse_sse *p, size_t max_bytes, parse_sse_fn *on_event, void *arg)
{
	*p = (struct parse_sse){
		.max = max_bytes, .on_event = on_event, .arg = arg
	};
	buf_init(&p->line, max_bytes);
	buf_init(&p->data, max_bytes);
}

void parse_sse_fini(struct parse_sse *p)
{
	buf_fini(&p->line);
	buf_fini(&p->data);
}

static void empty(struct buf *b)
{
	if (b->cap > KEEP_BYTES)
		buf_fini(b);
	else
		buf_reset(b);
}

/* Remember why ${b} could not hold more. */
static void note(struct parse_sse *p, const struct buf *b)
{
	enum err err = buf_state(b);

	if (err != OK && p->failed == OK)
		p->failed = err;
}

static void tell(struct parse_sse *p, enum parse_sse_kind kind,
    struct text name, struct text data, bool cut)
{
	struct parse_sse_event e = {
		.kind = kind, .name = name, .data = data, .cut = cut
	};

	if (!p->stopped && !p->on_event(p->arg, &e))
		p->stopped = true;
}

/* Move a data line that the caller still owns into our own buffer. */
static void keep_pending(struct parse_sse *p)
{
	if (p->pending.s == NULL)
		return;
	buf_add(&p->data, p->pending.s, p->pending.len);
	p->pending = (struct text){ NULL, 0 };
	note(p, &p->data);
}

/* Give what was collected, and be between events. */
static void dispatch(struct parse_sse *p, bool cut)
{
	struct text name = { p->name, p->name_len };
	struct text data = p->pending;

	if (data.s == NULL)
		data = (struct text){ p->data.data, p->data.len };
	if (p->bare)
		tell(p, PARSE_SSE_EVENT, (struct text){ NULL, 0 }, data, cut);
	else if (p->n_data > 0 && data.len > 0)
		tell(p, PARSE_SSE_EVENT, name, data, cut);
	else if (p->n_data > 0)
		tell(p, PARSE_SSE_PING, (struct text){ NULL, 0 },
		    (struct text){ NULL, 0 }, cut);
	p->pending = (struct text){ NULL, 0 };
	p->name_len = p->n_data = 0;
	p->bare = false;
	empty(&p->data);
}

static void data_line(struct parse_sse *p, const char *s, size_t len, bool lent)
{
	if (p->n_data++ == 0 && lent) {
		p->pending = (struct text){ s, len };
		return;
	}
	keep_pending(p);
	if (p->n_data > 1)
		buf_putc(&p->data, '\n');
	buf_add(&p->data, s, len);
	note(p, &p->data);
}

/* One more line of bare JSON; the rest of the line it ends in is dropped. */
static void bare_line(struct parse_sse *p, const char *s, size_t len, bool lent)
{
	size_t used;

	if (len == 0) {
		dispatch(p, false);
		return;
	}
	used = json_in_balance(&p->balance, s, len);
	if (p->balance.closed && p->data.len == 0 && lent) {
		p->pending = (struct text){ s, used };
	} else {
		if (p->data.len > 0)
			buf_putc(&p->data, '\n');
		buf_add(&p->data, s, used);
		note(p, &p->data);
	}
	if (p->balance.closed && p->failed == OK)
		dispatch(p, false);
}

static bool is(const char *s, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(s, word, len) == 0;
}

static void field_line(
    struct parse_sse *p, const char *s, size_t len, bool lent)
{
	const char *colon = memchr(s, ':', len), *value = s + len;
	size_t name_len = len, value_len = 0;

	if (colon != NULL) {
		name_len = (size_t)(colon - s);
		value = colon + 1;
		value_len = len - name_len - 1;
		if (value_len > 0 && *value == ' ') {
			value++;
			value_len--;
		}
	}
	if (is(s, name_len, "data")) {
		data_line(p, value, value_len, lent);
	} else if (is(s, name_len, "event")) {
		p->name_len =
		    value_len < sizeof(p->name) ? value_len : sizeof(p->name);
		memcpy(p->name, value, p->name_len);
	} else if (is(s, name_len, "error") && value_len > 0 && *value == '{') {
		tell(p, PARSE_SSE_ERROR, (struct text){ NULL, 0 },
		    (struct text){ value, value_len }, false);
	}
}

/* One line without its end; ${lent}: it lies in the bytes being fed. */
static void line(struct parse_sse *p, const char *s, size_t len, bool lent)
{
	if (len > p->max) {
		p->failed = ERR_LIMIT;
		return;
	}
	if (!p->begun) {
		p->begun = true;
		if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
			s += 3;
			len -= 3;
		}
	}
	if (p->bare) {
		bare_line(p, s, len, lent);
	} else if (len == 0) {
		dispatch(p, false);
	} else if (*s == ':') {
		tell(p, PARSE_SSE_PING, (struct text){ NULL, 0 },
		    (struct text){ NULL, 0 }, false);
	} else if (*s == '{' || *s == '[') {
		dispatch(p, false);
		p->bare = true;
		p->balance = (struct json_in_balance){ 0 };
		bare_line(p, s, len, lent);
	} else {
		field_line(p, s, len, lent);
	}
}

/* The line whose last part is ${s}. */
static void line_end(struct parse_sse *p, const char *s, size_t len)
{
	if (p->line.len == 0) {
		line(p, s, len, true);
		return;
	}
	buf_add(&p->line, s, len);
	note(p, &p->line);
	if (p->failed == OK)
		line(p, p->line.data, p->line.len, false);
	empty(&p->line);
}

/* The place of ${c} at or after ${from}, or ${len}. */
static size_t find(const char *bytes, size_t from, size_t len, char c)
{
	const char *at = memchr(bytes + from, c, len - from);

	return at == NULL ? len : (size_t)(at - bytes);
}

enum err parse_sse_feed(struct parse_sse *p, const char *bytes, size_t len)
{
	size_t i = 0, lf, cr, end;

	if (len == 0)
		return p->failed;
	/* Each kind of line end is looked for once, not once a line. */
	lf = find(bytes, 0, len, '\n');
	cr = find(bytes, 0, len, '\r');
	while (i < len && !p->stopped && p->failed == OK) {
		if (p->skip_lf) {
			p->skip_lf = false;
			if (bytes[i] == '\n') {
				i++;
				continue;
			}
		}
		if (lf < i)
			lf = find(bytes, i, len, '\n');
		if (cr < i)
			cr = find(bytes, i, len, '\r');
		end = lf < cr ? lf : cr;
		if (end == len) {
			buf_add(&p->line, bytes + i, len - i);
			note(p, &p->line);
			break;
		}
		line_end(p, bytes + i, end - i);
		p->skip_lf = bytes[end] == '\r';
		i = end + 1;
	}
	keep_pending(p);
	return p->failed;
}

enum err parse_sse_end(struct parse_sse *p)
{
	bool comment;

	if (p->failed != OK || p->stopped)
		return p->failed;
	comment = !p->bare && p->line.len > 0 && p->line.data[0] == ':';
	if (p->line.len > 0 && !comment)
		line_end(p, "", 0);
	keep_pending(p);
	if (p->failed == OK && (p->bare || p->n_data > 0))
		dispatch(p, true);
	p->stopped = true;
	return p->failed;
}
