/*
 * page: a copy of part of a log, with what a poll says beside it.
 *
 * Used by: tail and the engines (fill it), fronts (render it).
 * Thread: the owner's; a page shares nothing with the log it came from.
 */
#ifndef STORE_PAGE_H
#define STORE_PAGE_H

#include "store/base/buf.h"
#include "store/base/id.h"
#include "store/chunk.h"
#include "store/execution.h"

/* What to copy. */
struct page_query {
	uint64_t from;	  /* first index wanted */
	uint32_t limit;	  /* chunks at most; >= 1 */
	size_t max_bytes; /* packed bytes at most; one chunk always fits */
};

struct page {
	struct id id;
	enum execution_status status;
	uint64_t total;	     /* chunks in the log now */
	uint32_t attempt;    /* the newest attempt; 0 before the first */
	int64_t created_ms;  /* base of the packed stamps */
	uint64_t first;	     /* index of the first chunk here */
	uint32_t n;	     /* chunks here */
	struct buf records;  /* n packed chunks (chunk_pack) */
	struct buf metadata; /* final metadata, JSON; empty until the end */
	uint32_t rate_milli; /* chunks per 1000 s of late, 0 unknown */
};

/* Bytes that a page may hold whatever is asked. */
#define PAGE_MAX_BYTES ((size_t)4 << 20)
#define PAGE_MAX_CHUNKS 10000

/* An empty page; allocates nothing. */
void page_init(struct page *p);
void page_fini(struct page *p);

/* The index after the last chunk here (or page.first when it has none). */
uint64_t page_next(const struct page *p);

/*
 * True when the log has ended and this page reaches its end: then, and only
 * then, a front may say completed. An empty page at or beyond the end counts.
 */
bool page_final(const struct page *p);

/* A position in a page: {0} to begin. */
struct page_cursor {
	uint32_t i;
	size_t offset;
};

/*
 * The next chunk, lent from the page. False at the end. A page's records were
 * packed by this program, so a broken one is a panic.
 */
bool page_each(const struct page *p, struct page_cursor *at, struct chunk *ret);

#endif
