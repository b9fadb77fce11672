/*
 * execution: what the client knows. Its record, without its chunks.
 *
 * Used by: everyone above store/base.     Thread: the owner's.
 * Promises: stored states only grow: queued < streaming < completed | failed |
 * cancelled. An ended execution never changes (deletion aside).
 */
#ifndef STORE_EXECUTION_H
#define STORE_EXECUTION_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/digest.h"
#include "store/base/err.h"
#include "store/base/id.h"
#include "store/key.h"

/* The numbers are stored: never change them. */
enum execution_status {
	EXECUTION_QUEUED = 0,
	EXECUTION_STREAMING = 1,
	EXECUTION_COMPLETED = 2,
	EXECUTION_FAILED = 3,
	EXECUTION_CANCELLED = 4,
};
#define EXECUTION_STATUSES 5

struct execution {
	int64_t row; /* the engine's own number; 0 before it is stored */
	struct id id;
	enum execution_status status;
	char *owner;  /* never NULL once stored */
	char *model;  /* as asked; "" for the default */
	char *target; /* "upstream/model" that served; NULL before */
	char *prompt; /* "name@version", or NULL */
	int64_t created_ms, started_ms, first_chunk_ms,
	    finished_ms;     /* 0: not yet */
	uint64_t next_index; /* chunks stored; exact once ended */
	uint32_t attempts;
	char *request; /* the normalised request (request.h), JSON */
	size_t request_len;
	char *
	    metadata; /* the final metadata, JSON object; NULL before the end */
	size_t metadata_len;
	char *
	    note; /* its run's (store/batch.h), as store_unfinished() gives it */
	size_t note_len;
	char *error_code;      /* NULL unless failed or cancelled */
	char *idempotency_key; /* NULL without one */
	uint8_t request_hash[DIGEST_BYTES]; /* of what the client sent */
	/*
	 * What is stored of it: request, final metadata, and the chunks that
	 * are packed (as they are stored). A live tail counts as 0.
	 */
	uint64_t bytes;
	int64_t payload_deleted_ms; /* request and chunks are gone; 0: not */
};

/* The little of it that decides whether it may go. */
struct execution_brief {
	int64_t row;
	struct id id;
	char owner[KEY_NAME_BYTES];
	enum execution_status status;
	int64_t created_ms, finished_ms, payload_deleted_ms;
	uint64_t chunks, bytes; /* chunks: also those that are gone */
	uint64_t record_bytes;	/* of bytes: what stays without its payload */
};

/* "queued", "streaming", … */
const char *execution_status_name(enum execution_status s);

/* Fails: ERR_INPUT, *ret untouched. */
MUST_CHECK enum err execution_status_parse(
    const char *name, enum execution_status *ret);

/* True for completed, failed and cancelled. */
bool execution_ended(enum execution_status s);

/* May ${from} become ${to}? */
bool execution_may_move(enum execution_status from, enum execution_status to);

/* An all-empty record, or NULL. */
struct execution *execution_new(void);

/* Frees the record and its strings; NULL is nothing. */
void execution_free(struct execution *e);

/* Free the strings of an embedded record and clear it. */
void execution_fini(struct execution *e);

/* Gives: a deep copy, or NULL without memory. */
struct execution *execution_copy(const struct execution *e);

#endif
