/*
 * write_page: a page of chunks as JSON, without a tree.
 *
 * {"execution_id", "status", "completed", "total_chunks", "chunks":
 *  [{"index", "content", "timestamp", "metadata": {"kind", …}}],
 *  "next_index", "attempt", "metadata", "retry_after_ms"}
 *
 * Used by: the fronts.          Thread: any; pure.
 * Promises: the same page gives the same bytes. completed is true for every
 * way to end, and only with the page that reaches the last chunk; metadata is
 * whole then and {} before. No object holds the key "@type" (callable clients
 * throw on it): it becomes "_type".
 */
#ifndef SERVER_WRITE_PAGE_H
#define SERVER_WRITE_PAGE_H

#include "store/base/buf.h"
#include "store/chunk.h"
#include "store/page.h"

/* Bytes that a rendered page may have: escapes make text up to 6 times it. */
#define WRITE_PAGE_MAX_BYTES ((size_t)512 << 20)

/* All fail through the buffer. */
void write_page(struct buf *b, const struct page *page);
/* The same without chunks. */
void write_page_head(struct buf *b, const struct page *page);
void write_page_chunk(struct buf *b, const struct chunk *c);

/* How long a client should wait before it asks again; 0: nothing will come. */
int64_t write_page_retry_ms(const struct page *page);

/* The text chunks' content, raw. */
void write_page_text(struct buf *b, const struct page *page);

/* JSON of ours or a provider's, with "@type" renamed. */
void write_page_json(struct buf *b, const char *json, size_t len);

/* "2026-01-02T03:04:05.678Z" as a JSON value. */
void write_page_time(struct buf *b, int64_t ms);

#endif
