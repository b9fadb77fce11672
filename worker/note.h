/*
 * note: what a run would have the process after this one know, should this one
 * end before the run does: the attempts that are over and what they took, and
 * when the present one began.
 *
 * Used by: run (writes; reads what an earlier process wrote), worker, pump.
 * Thread: any; pure.
 */
#ifndef WORKER_NOTE_H
#define WORKER_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

struct attempts;
struct execution;

struct note {
	struct attempts *attempts; /* lent; all that are over */
	int64_t began_ms; /* the present attempt, wall clock; 0: see below */
	/* Where it can be gone on from (dialect.h); NULL: nowhere. */
	const char *token;
};

/* Append it as JSON. Fails through the buffer. */
void note_write(struct buf *b, const struct note *n);

/*
 * Read ${len} bytes of note_write() into ${ret}, whose attempts are
 * initialised and empty; its token is for note_fini(). What cannot be read is as if it had not been written:
 * the attempts are empty, began_ms is 0. Fails: ERR_NOMEM, the same.
 */
MUST_CHECK enum err note_read(const char *text, size_t len, struct note *ret);

/* Free what note_read() gave beside the attempts. */
void note_fini(struct note *n);

/* Does the note of ${e} say where its answer can be gone on from? */
bool note_holds(const struct execution *e);

/*
 * The number of the last attempt of ${e} that is over, as its note says; what
 * its log holds of later ones is in no sum. 0: none, or nothing is known.
 */
uint32_t note_settled(const struct execution *e);

#endif
