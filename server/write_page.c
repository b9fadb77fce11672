#include "server/write_page.h"

#include <stdio.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/jsonout.h"

/* The next "@type" that is an object's key; NULL when there is none. */
static const char *type_key(const char *from, const char *end)
{
	static const char word[] = "\"@type\"";
	const char *start = from, *at, *after;

	while ((at = memmem(from, (size_t)(end - from), word,
		    sizeof(word) - 1)) != NULL) {
		after = at + sizeof(word) - 1;
		while (after < end && strchr(" \t\r\n", *after) && *after)
			after++;
		/* Inside a string its quotes would be escaped. */
		if (after < end && *after == ':' &&
		    (at == start || at[-1] != '\\'))
			return at;
		from = at + 1;
	}
	return NULL;
}

void write_page_json(struct buf *b, const char *json, size_t len)
{
	const char *end = json + len, *at;
	bool first = true;

	while ((at = type_key(json, end)) != NULL) {
		if (first)
			jsonout_raw(b, json, (size_t)(at - json));
		else
			buf_add(b, json, (size_t)(at - json));
		first = false;
		buf_puts(b, "\"_type\"");
		json = at + sizeof("\"@type\"") - 1;
	}
	if (first)
		jsonout_raw(b, json, (size_t)(end - json));
	else
		buf_add(b, json, (size_t)(end - json));
}

void write_page_time(struct buf *b, int64_t ms)
{
	char text[CLOCK_TEXT];

	clock_text(ms, text);
	jsonout_string(b, text, strlen(text));
}

/* Chunks of one page mostly share their second: it is rendered once. */
struct stamp {
	int64_t second;
	size_t len; /* 0: nothing is rendered */
	char text[CLOCK_TEXT];
};

/* "2026-01-02T03:04:05.678Z" */
#define STAMP_BYTES 24
#define STAMP_MS 20 /* where its milliseconds are */

static void stamp_set(struct stamp *s, int64_t ms)
{
	int64_t second = ms / 1000;
	unsigned rest = (unsigned)(ms % 1000);

	if (ms < 0 || second != s->second || s->len != STAMP_BYTES) {
		clock_text(ms, s->text);
		s->second = second;
		s->len = strlen(s->text);
		return;
	}
	s->text[STAMP_MS] = (char)('0' + rest / 100);
	s->text[STAMP_MS + 1] = (char)('0' + rest / 10 % 10);
	s->text[STAMP_MS + 2] = (char)('0' + rest % 10);
}

/* A chunk's metadata, {…}, loses its brace: its members follow ours. */
static void members_put(struct buf *b, const char *meta, size_t len)
{
	struct buf renamed;

	buf_putc(b, ',');
	if (!type_key(meta, meta + len)) {
		buf_add(b, meta + 1, len - 1);
		return;
	}
	buf_init(&renamed, len + 64);
	write_page_json(&renamed, meta, len);
	if (buf_state(&renamed) == OK)
		buf_add(b, renamed.data + 1, renamed.len - 1);
	else
		b->failed = renamed.failed;
	buf_fini(&renamed);
}

#define PUT(b, literal) buf_add(b, literal, sizeof(literal) - 1)

/* A page has a thousand: what is the same in each is put down as it is. */
static void chunk_put(struct buf *b, const struct chunk *c, struct stamp *s)
{
	stamp_set(s, c->ts_ms);
	jsonout_object(b);
	PUT(b, "\"index\":");
	jsonout_int(b, (int64_t)c->index);
	PUT(b, ",\"content\":\"");
	jsonout_escape(b, c->content, c->content_len);
	PUT(b, "\",\"timestamp\":\"");
	buf_add(b, s->text, s->len);
	PUT(b, "\",\"metadata\":{\"kind\":\"");
	buf_puts(b, chunk_kind_name(c->kind));
	buf_putc(b, '"');
	/* Nearly all are the first one's: those do not say so. */
	if (c->attempt > 1) {
		PUT(b, ",\"attempt\":");
		buf_printf(b, "%u", (unsigned)c->attempt);
	}
	if (c->meta_len > 2)
		members_put(b, c->meta, c->meta_len);
	else
		buf_putc(b, '}');
	buf_putc(b, '}');
}

void write_page_chunk(struct buf *b, const struct chunk *c)
{
	struct stamp s = { 0 };

	chunk_put(b, c, &s);
}

int64_t write_page_retry_ms(const struct page *page)
{
	int64_t ms;

	if (page_final(page))
		return 0;
	/* More is there already: ask at once. */
	if (page_next(page) < page->total)
		return 0;
	if (page->rate_milli == 0)
		return 500;
	ms = 4 * (int64_t)1000000 / page->rate_milli;
	return ms < 100 ? 100 : ms > 2000 ? 2000 : ms;
}

static void head(struct buf *b, const struct page *p)
{
	char id[ID_TEXT];

	id_text(&p->id, id);
	jsonout_member(b, "execution_id", id);
	jsonout_member(b, "status", execution_status_name(p->status));
	jsonout_key(b, "completed");
	jsonout_bool(b, page_final(p));
	jsonout_member_int(b, "total_chunks", (int64_t)p->total);
}

static void foot(struct buf *b, const struct page *p)
{
	jsonout_member_int(b, "next_index", (int64_t)page_next(p));
	jsonout_member_int(b, "attempt", p->attempt);
	jsonout_key(b, "metadata");
	if (page_final(p) && p->metadata.len > 0)
		write_page_json(b, p->metadata.data, p->metadata.len);
	else
		jsonout_raw(b, "{}", 2);
	jsonout_member_int(b, "retry_after_ms", write_page_retry_ms(p));
}

void write_page_head(struct buf *b, const struct page *page)
{
	jsonout_object(b);
	head(b, page);
	foot(b, page);
	jsonout_object_end(b);
}

void write_page(struct buf *b, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct stamp s = { 0 };
	struct chunk c;

	jsonout_object(b);
	head(b, page);
	jsonout_key(b, "chunks");
	jsonout_array(b);
	while (page_each(page, &at, &c))
		chunk_put(b, &c, &s);
	jsonout_array_end(b);
	foot(b, page);
	jsonout_object_end(b);
}

void write_page_text(struct buf *b, const struct page *page)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	while (page_each(page, &at, &c))
		if (c.kind == CHUNK_TEXT)
			buf_add(b, c.content, c.content_len);
}
