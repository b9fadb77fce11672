/*
 * audit: what was done to the store by whom: one row for an operation, however
 * many writes it takes.
 *
 * Used by: who posts such writes (writer.h), the writer, query_audit().
 * Thread: the owner's.
 * Promises: a row is written in the transaction that does what it says; the
 * newest AUDIT_ROWS are kept.
 */
#ifndef STORE_AUDIT_H
#define STORE_AUDIT_H

#include <stdint.h>

#include "store/base/id.h"

#define AUDIT_ROWS 100000

#define AUDIT_ACTOR_BYTES 128 /* each with its NUL */
#define AUDIT_ACTION_BYTES 32
#define AUDIT_SUBJECT_BYTES 256
#define AUDIT_DETAIL_BYTES 1024

struct audit {
	struct id operation;	       /* writes of the same one share a row */
	char actor[AUDIT_ACTOR_BYTES]; /* a key's id or label, "offline", … */
	char action[AUDIT_ACTION_BYTES];   /* "prune", "key.revoke", … */
	char subject[AUDIT_SUBJECT_BYTES]; /* to what: an id, a name, a rule */
	/* A JSON object. "" leaves what an earlier write of it said. */
	char detail[AUDIT_DETAIL_BYTES];
};

/* What an operation has deleted, or imported, so far. */
struct audit_counts {
	uint64_t executions, chunks, bytes;
};

/* A row. */
struct audit_entry {
	int64_t number;		/* grows; the cursor */
	int64_t at_ms, last_ms; /* of its first and its last write */
	struct audit what;
	struct audit_counts gone;
};

#endif
