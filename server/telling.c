#include "server/telling.h"

#include <stdlib.h>

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

void telling_event(struct telling *t)
{
	t->mark = t->out->len;
	if (t->kind->ids)
		buf_printf(t->out, "id: %llu\n", (unsigned long long)t->n);
	buf_puts(t->out, "data: ");
}

void telling_event_end(struct telling *t)
{
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
