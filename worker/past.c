#include "worker/past.h"

#include "store/execution.h"
#include "store/query.h"
#include "store/tail.h"
#include "worker/note.h"
#include "worker/prefill.h"
#include "worker/scan.h"

/* Of a log with more chunks than this, that many of the newest are counted. */
#define SAMPLED_FROM 128
#define SAMPLE 64

void past_init(struct past *p)
{
	*p = (struct past){ .only_text = true };
	buf_init(&p->text, PREFILL_MAX_BYTES);
}

void past_fini(struct past *p)
{
	buf_fini(&p->text);
}

/* Pages of a log from memory, or from ${*query}, opened when it must be. */
static enum err next_page(struct store *store, const struct execution *e,
    const struct page_query *q, struct query **query, struct page *ret)
{
	enum err rc = tail_page(store, &e->id, NULL, q, ret);

	if (rc != ERR_NOT_FOUND)
		return rc;
	rc = *query == NULL ? query_open(store, query) : OK;
	return rc == OK ? query_page(*query, &e->id, NULL, q, ret) : rc;
}

/* Count a chunk's text, as run.c counted it when it came. */
static void count(struct estimate *kept, const struct chunk *c)
{
	const char *key = c->kind == CHUNK_REASONING ? "text" : "arguments";
	struct scan_value v;

	estimate_add(kept, c->content, c->content_len);
	if (c->kind != CHUNK_REASONING && c->kind != CHUNK_TOOL_CALL)
		return;
	/* A call's end says again what its deltas said. */
	if (c->kind == CHUNK_TOOL_CALL &&
	    (!scan_member(c->meta, c->meta_len, "phase", &v) ||
		v.len != sizeof("\"delta\"") - 1))
		return;
	if (scan_member(c->meta, c->meta_len, key, &v) && v.len > 2)
		estimate_add(kept, v.s + 1, v.len - 2);
}

/* ${settled}: the last attempt whose words are in the note's sums. */
static void take(struct past *p, const struct chunk *c, uint32_t settled)
{
	if (c->attempt > settled)
		count(&p->kept, c);
	p->n_chunks++;
	if (c->kind == CHUNK_RESET) {
		buf_fini(&p->text);
		buf_init(&p->text, PREFILL_MAX_BYTES);
		p->shown = false;
		p->only_text = true;
		return;
	}
	if (c->kind == CHUNK_ERROR || c->kind == CHUNK_END)
		return;
	p->shown = true;
	p->cut |= c->attempt > settled;
	/* A refusal is text that says so. */
	p->only_text &= c->kind == CHUNK_TEXT && c->meta_len <= 2;
	if (p->only_text)
		buf_add(&p->text, c->content, c->content_len);
}

void past_read(struct store *store, const struct execution *e, struct past *ret)
{
	struct page_query q = { 0, PAGE_MAX_CHUNKS, PAGE_MAX_BYTES };
	uint32_t settled = note_settled(e);
	struct query *query = NULL;
	struct page page;
	struct chunk c;
	enum err rc;

	page_init(&page);
	while (
	    (rc = next_page(store, e, &q, &query, &page)) == OK && page.n > 0) {
		struct page_cursor at = { 0 };

		while (page_each(&page, &at, &c))
			take(ret, &c, settled);
		q.from = page_next(&page);
	}
	if (rc != OK)
		ret->shown = ret->cut = true;
	ret->only_text &= rc == OK && buf_state(&ret->text) == OK;
	page_fini(&page);
	query_close(query);
}

int64_t past_estimate(
    struct store *store, const struct execution *e, struct query **query)
{
	struct page_query q = { 0, PAGE_MAX_CHUNKS, PAGE_MAX_BYTES };
	uint32_t settled = note_settled(e);
	struct estimate kept = { 0 };
	struct tail_head head;
	struct page page;
	struct chunk c;
	uint64_t from = 0, skipped = 0;

	if (tail_head(store, &e->id, NULL, &head) == OK &&
	    head.total > SAMPLED_FROM)
		from = head.total - SAMPLE;
	q.from = from;
	page_init(&page);
	while (next_page(store, e, &q, query, &page) == OK && page.n > 0) {
		struct page_cursor at = { 0 };

		while (page_each(&page, &at, &c))
			if (c.attempt > settled)
				count(&kept, &c);
			else
				skipped++;
		q.from = page_next(&page);
	}
	page_fini(&page);
	if (q.from == from)
		return 0;
	/* Where the last attempt is seen from its beginning, that is all. */
	if (skipped > 0)
		return estimate_tokens(&kept);
	return estimate_tokens(&kept) * (int64_t)q.from /
	       (int64_t)(q.from - from);
}
