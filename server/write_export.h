/*
 * write_export: executions with all their chunks, one a line (NDJSON), about a
 * page at a time: what was written may be sent before the next is read.
 *
 * Used by: front_rest_export (over HTTP), cmd/pruner (without a server).
 * Thread: one that may touch the disk, with its own query.
 */
#ifndef SERVER_WRITE_EXPORT_H
#define SERVER_WRITE_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/execution.h"
#include "store/key.h"
#include "store/page.h"
#include "store/query.h"

/* Records that are looked up at once. */
#define WRITE_EXPORT_BATCH 8

enum write_export_phase {
	WRITE_EXPORT_LIST,   /* the next records */
	WRITE_EXPORT_RECORD, /* begin a line */
	WRITE_EXPORT_CHUNKS, /* its chunks */
	WRITE_EXPORT_TEXT,   /* the same again, as one text */
	WRITE_EXPORT_DONE,
};

/* Where an export stands. The first members are the caller's to set. */
struct write_export {
	/* What is wanted; its limit is WRITE_EXPORT_BATCH. */
	struct query_filter f;
	char owner[KEY_NAME_BYTES]; /* what f.owner may point to */
	struct id after;	    /* what f.after may point to */
	/* Only these, in this order; NULL: what the filter says. */
	struct id *ids;
	size_t n_ids;
	/* What was written, to be taken out before the next step. */
	struct buf out;

	enum write_export_phase phase;
	struct execution found[WRITE_EXPORT_BATCH];
	uint32_t n, at;
	size_t at_id;
	struct page_query q;
	uint64_t begin;	     /* of the text: behind the last reset */
	bool deleted;	     /* since it was listed: its line is not whole */
	uint32_t attempt;    /* of the last chunk; 0 before the first */
	struct buf attempts; /* where each attempt's chunks begin */
};

/* An export of nothing, yet. */
void write_export_init(struct write_export *x);
/* Frees the ids, too. */
void write_export_fini(struct write_export *x);

/* ${to} goes on where ${from} stands; ${from} is empty, for fini. */
void write_export_move(struct write_export *to, struct write_export *from);

/*
 * Append to x->out. Its phase is then WRITE_EXPORT_DONE if that was all.
 * Fails: as query_list(), query_page(); ERR_NOMEM, ERR_LIMIT.
 */
MUST_CHECK enum err write_export_step(struct write_export *x, struct query *q);

#endif
