/*
 * check: does the store hold what it promises? Each log dense from 0, its
 * segments readable, one end, in the last place, that says what the record
 * says; records whole; the file sound. It looks, it never mends.
 *
 * Used by: the command check (offline), the server's /v1/check (while it runs).
 * Thread: one at a time per check, which may change; never a loop.
 * Promises:
 *  - each step reads at most about 1 MiB in one statement or two, and holds no
 *    transaction afterwards: writers and the WAL do not notice;
 *  - what moves while it looks (rows to segments, executions that end or are
 *    deleted) is no finding: whatever seems wrong is looked at twice, the
 *    second time after everything that could explain it;
 *  - what deleting leaves for a while is counted, and no finding: live rows of
 *    nobody, and what the trash knows. Any other payload of nobody is one.
 * Bounded: CHECK_MAX_FINDINGS, and memory per execution with live rows.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"

struct store;
struct check;

#define CHECK_MAX_FINDINGS 1000

/* The names are stable: scripts read them. */
enum check_kind {
	CHECK_FILE,    /* the file is damaged */
	CHECK_LIVE,    /* a block of live rows cannot be read */
	CHECK_SEGMENT, /* a segment cannot be read */
	CHECK_GAP,     /* rows are missing */
	CHECK_OVERLAP, /* an index is there twice */
	CHECK_TOTAL,   /* the record counts other rows than there are */
	CHECK_END,     /* no end, several, or one that is not the last row */
	CHECK_STATUS,  /* end and record, or record and metadata, disagree */
	CHECK_RECORD,  /* the record, or its request, is not what was written */
	CHECK_ORPHAN,  /* a payload of nobody that the trash does not know */
	CHECK_TRASH,   /* what is there waits to be dropped */
	CHECK_TOMBSTONE, /* an execution is there and said to be deleted */
	CHECK_KEY,	 /* a key is damaged */
	CHECK_PROMPT,	 /* a prompt is damaged */
	CHECK_USAGE,	 /* the sums of usage say less than the executions */
	CHECK_STREAM,	 /* a stream's log, record or forks do not fit */
	CHECK_TOO_MANY,	 /* it gave up: mend these first */
};
#define CHECK_KINDS 17

struct check_finding {
	enum check_kind kind;
	bool has_id;
	struct id id; /* of the execution */
	struct why what;
	const char *mend; /* static */
};

const char *check_kind_name(enum check_kind k);

struct check_options {
	bool quick; /* the cheaper look at the file's pages */
	/* Told each finding, in a step; lent. May not call the check. */
	void (*on_finding)(void *arg, const struct check_finding *f);
	void *arg;
};

/*
 * A check of the store at ${url}, which nobody else has open: it is locked
 * until check_close(). Fails: ERR_NOT_FOUND, ERR_BUSY (a server runs), ERR_INPUT,
 * ERR_VERSION, ERR_CORRUPT (no store), ERR_IO, ERR_NOMEM; ${why} says it.
 */
MUST_CHECK enum err check_open_alone(const char *url,
    const struct check_options *options, struct check **ret, struct why *why);

/*
 * A check of a store that is in use, through a connection of its own. The
 * file's pages are looked at only while it is small (64 MiB): SQLite does that
 * in one go. Fails: ERR_IO, ERR_NOMEM, ERR_CORRUPT.
 */
MUST_CHECK enum err check_open(struct store *store,
    const struct check_options *options, struct check **ret, struct why *why);

/* NULL is nothing. */
void check_close(struct check *c);

/*
 * One step. *${ret_done}: there is no further one. Damage that ends the
 * reading is a finding, not a failure. Fails: ERR_IO, ERR_BUSY, ERR_NOMEM;
 * check_why() has the words, and the check is only good for closing.
 */
MUST_CHECK enum err check_step(struct check *c, bool *ret_done);

const struct why *check_why(const struct check *c);

struct check_counts {
	uint64_t executions, streams, chunks, segments;
	uint64_t stray_segments, stray_chunks; /* of nobody, soon dropped */
	uint64_t trash, tombstones; /* executions to be dropped; gone ones */
	uint64_t findings;
	bool pages; /* the file's pages were looked at */
};
void check_counts(const struct check *c, struct check_counts *ret);

#endif
