/*
 * telling: a log retold in the events of a protocol that must remember what it
 * has said: one row may become no event, one or several.
 *
 * A protocol is a const struct telling_kind and a struct of its own that begins
 * with a struct telling. Its events are numbered 0, 1, … in the order of the log,
 * so a client that has seen N of them can go on at the next.
 *
 * Used by: events (drives it), the fronts that need more than event_chunk.
 * Thread: the owner's; pure.
 * Promises: events are a function of the rows alone: told again, also after a
 * restart, they are the same bytes.
 */
#ifndef SERVER_TELLING_H
#define SERVER_TELLING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/problem.h"
#include "store/base/buf.h"
#include "store/base/id.h"
#include "store/page.h"

struct telling;

struct telling_kind {
	/* Optional: once, before the first row; id and created_ms are known. */
	void (*begin)(struct telling *t);
	/* One row, in order, from index 0 on. */
	void (*chunk)(struct telling *t, const struct chunk *c);
	/* The end: the page that holds it, whose rows were told. */
	void (*end)(struct telling *t, const struct page *last);
	/*
	 * Optional. The execution has ended before any row became an event:
	 * true when the request is to be refused with ${ret} instead.
	 */
	bool (*refuse)(
	    struct telling *t, const struct page *last, struct problem *ret);
	/* Optional: free what the kind's own struct holds. */
	void (*fini)(struct telling *t);
	/* Each event is preceded by a line with its number: id: N */
	bool ids;
	/* Events are ASCII (JSON has escapes for the rest). */
	bool ascii;
	/* A row at a time: its clients want events in writes of their own. */
	bool apart;
};

/* Zeroed by telling_new(). */
struct telling {
	const struct telling_kind *kind;
	struct id id;	    /* the execution's */
	int64_t created_ms; /* … */
	struct buf *out;    /* where events go; set while one is asked for */
	uint64_t n;	    /* events so far */
	uint64_t from;	    /* those before it are known and not written */
	bool begun;
	bool over; /* set by the kind: nothing comes behind what was told */
	size_t mark;
};

/* ${bytes} of zeroed memory that begin with a telling; NULL without memory. */
void *telling_new(const struct telling_kind *kind, size_t bytes);
/* NULL is nothing. */
void telling_free(struct telling *t);

enum telling_state {
	TELLING_ON,	 /* more may follow */
	TELLING_OVER,	 /* that was all */
	TELLING_REFUSED, /* nothing was told: answer with the refusal */
};

/*
 * Tell what is in ${page}, which follows the one before it; append the events to
 * ${b}. ${refusal} NULL: it is too late to refuse.
 */
enum telling_state telling_page(struct telling *t, struct buf *b,
    const struct page *page, struct problem *refusal);

/* --- for kinds --- */

/* One event, with its type in a line of its own before: event: ${type} */
void telling_event_of(struct telling *t, const char *type);

/* One event: "data: ", what is appended to t->out in between, the end of it. */
void telling_event(struct telling *t);
void telling_event_end(struct telling *t);

#endif
