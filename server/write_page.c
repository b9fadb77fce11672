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
	char text[CLOCK_TEXT];
};

static void stamp_put(struct buf *b, struct stamp *s, int64_t ms)
{
	int64_t second = ms / 1000;
	unsigned rest = (unsigned)(ms % 1000);

	if (ms < 0 || second != s->second || s->text[0] == '\0') {
		clock_text(ms, s->text);
		s->second = second;
	}
	if (strlen(s->text) == 24 && ms >= 0) {
		s->text[20] = (char)('0' + rest / 100);
		s->text[21] = (char)('0' + rest / 10 % 10);
		s->text[22] = (char)('0' + rest % 10);
	}
	jsonout_string(b, s->text, strlen(s->text));
}

static void chunk_put(struct buf *b, const struct chunk *c, struct stamp *s)
{
	jsonout_object(b);
	jsonout_member_int(b, "index", (int64_t)c->index);
	jsonout_key(b, "content");
	jsonout_string(b, c->content ? c->content : "", c->content_len);
	jsonout_key(b, "timestamp");
	stamp_put(b, s, c->ts_ms);
	jsonout_key(b, "metadata");
	jsonout_object(b);
	jsonout_member(b, "kind", chunk_kind_name(c->kind));
	if (c->meta_len > 2) {
		/* {…} loses its brace: its members follow ours. */
		buf_putc(b, ',');
		if (type_key(c->meta, c->meta + c->meta_len)) {
			struct buf renamed;

			buf_init(&renamed, c->meta_len + 64);
			write_page_json(&renamed, c->meta, c->meta_len);
			if (buf_state(&renamed) == OK)
				buf_add(b, renamed.data + 1, renamed.len - 1);
			else
				b->failed = renamed.failed;
			buf_fini(&renamed);
		} else {
			buf_add(b, c->meta + 1, c->meta_len - 1);
		}
	} else {
		jsonout_object_end(b);
	}
	jsonout_object_end(b);
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
