/*
 * reader: a cursor on one log for one call: from memory, else from the read
 * pool; now, or when there is news.
 *
 * Used by: the fronts' handlers. Embed it first in the call's state.
 * Thread: the call's loop.
 * Promises: after reader_read(), on_page is called once, perhaps before it
 * returns, unless reader_close() comes first or the read pool is full (the
 * call is then answered). The page is the handler's until on_page returns;
 * on_page may end the call or read on.
 */
#ifndef SERVER_READER_H
#define SERVER_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "server/call.h"
#include "store/base/id.h"
#include "store/page.h"
#include "store/tail.h"

/* Bytes of packed chunks in a page, unless one chunk is larger. */
#define READER_PAGE_BYTES ((size_t)1 << 20)
#define READER_PAGE_CHUNKS 1000

enum reader_until {
	READER_NOW,	/* whatever there is */
	READER_NEWS,	/* a chunk at from or later, or the end */
	READER_THE_END, /* the end of the execution */
};

struct reader {
	struct call *call;
	struct id id;
	struct page_query q;
	enum reader_until until;
	int64_t deadline_ms; /* mono */
	struct waiter waiter;
	struct http_timer *timer; /* non-NULL: waiting */
	/*
	 * OK and a page; or why not (ERR_NOT_FOUND …) and an empty one.
	 */
	void (*on_page)(struct reader *r, enum err e, const struct why *why,
	    struct page *page);
};

/* A reader of ${id} for ${call}; its owner is bound in every question. */
void reader_init(struct reader *r, struct call *call, const struct id *id,
    void (*on_page)(struct reader *r, enum err e, const struct why *why,
	struct page *page));

/* Disarm. Harmless twice, and on a reader that is all zero. */
void reader_close(struct reader *r);

/*
 * One page from r->q.from on; ${wait_ms} is how long to wait for what
 * ${until} says (then: whatever there is).
 */
void reader_read(struct reader *r, enum reader_until until, int64_t wait_ms);

#endif
