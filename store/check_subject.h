/*
 * check_subject: one execution under a check: what its record, its segments and
 * its live rows say, and whether they say the same.
 *
 * Used by: check.c.          Thread: the check's.
 */
#ifndef STORE_CHECK_SUBJECT_H
#define STORE_CHECK_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "store/check.h"
#include "store/check_live.h"
#include "store/engine.h"

struct check_trouble {
	bool there;
	enum check_kind kind;
	struct why what;
};

/* An execution that is being looked at. */
struct check_subject {
	int64_t row;
	struct id id;
	int64_t status, next_index, packed;
	bool holds;    /* its record is what was written */
	bool stream;   /* it is one: it has no end, and no request */
	int64_t first; /* where its log begins */
	char name[STREAM_NAME_BYTES]; /* a stream's */
	bool gone;     /* its payload has been deleted: there is no log */
	uint64_t next; /* the index that the next segment begins with */
	struct check_end end;
	struct check_trouble record, log; /* the first of each */
};

/* Begin with its record. */
void check_subject_record(
    struct check_subject *s, const struct engine_seen_execution *e);

/*
 * The next of its segments. ${alone}: nobody packs meanwhile, so that one
 * behind those that the record knows is wrong.
 */
void check_subject_segment(
    struct check_subject *s, const struct engine_seen_segment *seg, bool alone);

/*
 * All segments have been seen; ${run} is its live rows, or NULL. Returns how
 * many rows it has; none when its payload has been deleted.
 */
uint64_t check_subject_judge(
    struct check_subject *s, const struct check_run *run);

#endif
