#include "server/telling.h"

#include <stdlib.h>
#include <string.h>

void *telling_new(const struct telling_kind *kind, size_t bytes)
{
	struct telling *t = calloc(1, bytes);

	if (t)
		t->kind = kind;
	return t;
}

void telling_free(struct telling *t)
{
	if (t && t->kind->fini)
		t->kind->fini(t);
	free(t);
}

void telling_event_of(struct telling *t, const char *type)
{
	t->mark = t->out->len;
	if (t->kind->ids)
		buf_printf(t->out, "id: %llu\n", (unsigned long long)t->n);
	if (type)
		buf_printf(t->out, "event: %s\n", type);
	buf_puts(t->out, "data: ");
}

void telling_event(struct telling *t)
{
	telling_event_of(t, NULL);
}

/* One code point of well-formed UTF-8, not ASCII; returns its bytes. */
static size_t code_point(const unsigned char *s, unsigned *ret)
{
	size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	*ret = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		*ret = *ret << 6 | (s[i] & 0x3fu);
	return n;
}

/* What is not ASCII is within strings: there it may be escaped. */
static void escape(struct telling *t)
{
	size_t len = t->out->len - t->mark, i = 0;
	unsigned char *event = malloc(len + 1);
	unsigned c;

	if (!event) {
		t->out->failed = ERR_NOMEM;
		return;
	}
	memcpy(event, t->out->data + t->mark, len);
	t->out->len = t->mark;
	while (i < len) {
		if (event[i] < 0x80) {
			buf_putc(t->out, (char)event[i++]);
			continue;
		}
		i += code_point(event + i, &c);
		if (c >= 0x10000)
			buf_printf(t->out, "\\u%04x\\u%04x",
			    0xd800 + ((c - 0x10000) >> 10),
			    0xdc00 + ((c - 0x10000) & 0x3ff));
		else
			buf_printf(t->out, "\\u%04x", c);
	}
	free(event);
}

void telling_event_end(struct telling *t)
{
	if (t->kind->ascii && t->out->failed == OK)
		escape(t);
	buf_puts(t->out, "\n\n");
	/* What is known is made all the same: the next event builds on it. */
	if (t->n++ < t->from && t->out->failed == OK)
		t->out->len = t->mark;
}

static void begin(struct telling *t, const struct page *page)
{
	t->begun = true;
	t->id = page->id;
	t->created_ms = page->created_ms;
	if (t->kind->begin)
		t->kind->begin(t);
}

enum telling_state telling_page(struct telling *t, struct buf *b,
    const struct page *page, struct problem *refusal)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	t->out = b;
	if (!t->begun)
		begin(t, page);
	while (!t->over && page_each(page, &at, &c))
		t->kind->chunk(t, &c);
	if (!t->over && page_final(page)) {
		if (refusal && t->n == 0 && t->kind->refuse &&
		    t->kind->refuse(t, page, refusal))
			return TELLING_REFUSED;
		t->kind->end(t, page);
		t->over = true;
	}
	t->out = NULL;
	return t->over ? TELLING_OVER : TELLING_ON;
}
