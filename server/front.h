/*
 * front: the driver interface: how a client is served. A front is one const
 * struct front; route.c's table says which front serves which route.
 *
 * Used by: call (answers through it), the contract test.
 * Thread: any; the renderers are pure: page in, bytes out.
 */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include <stdbool.h>

#include "server/problem.h"
#include "store/base/buf.h"
#include "store/page.h"

struct front {
	const char *name;
	/*
	 * Its clients give up at the first refusal: who asks
	 * too often is answered later, not refused.
	 */
	bool patient;
	/* The answer to a poll. */
	void (*page)(struct buf *b, const struct page *page);
	/* The answer to a request that was refused. */
	const char *problem_type; /* content type */
	void (*problem)(
	    struct buf *b, const struct problem *p, const char *instance);
	int (*problem_status)(const struct problem *p);
	/*
	 * Its clients see nothing but events once they asked for them: a
	 * request with Accept: text/event-stream is refused by one, too.
	 */
	bool events_only;
	/* Optional: what streams; each appends one whole event. */
	void (*event_chunk)(struct buf *b, const struct chunk *c);
	void (*event_result)(struct buf *b, const struct page *last);
	void (*event_problem)(struct buf *b, const struct problem *p);
};

extern const struct front front_rest;
extern const struct front front_callable;
extern const struct front front_ops;
extern const struct front front_sse;
extern const struct front front_openai;
extern const struct front front_ui;
extern const struct front front_stream;
extern const struct front front_ws;
extern const struct front front_durable;

/* All of them, NULL-terminated. */
const struct front *const *front_all(void);

#endif
