/*
 * metadata: what is said of an execution once it has ended, as JSON.
 *
 * Used by: run, worker.     Thread: any; pure.
 * Promises: usage is always there: where the provider gave none it is
 * estimated and usage_source says so. No member is called "@type".
 */
#ifndef WORKER_METADATA_H
#define WORKER_METADATA_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/execution.h"
#include "worker/dialect.h"

struct attempts;

/* Why it did not complete; code NULL: it did. */
struct metadata_error {
	const char *code; /* "rate_limit", "idle_timeout" … */
	const char *message;
	int status; /* HTTP; 0: none */
	bool retryable;
	int64_t retry_after_ms;	   /* -1: not said */
	const char *provider_code; /* NULL: none */
};

/* All texts may be NULL unless said; a time of -1 was not reached. */
struct metadata {
	enum execution_status status;
	const char *model;  /* as served */
	const char *target; /* "upstream/model" */
	const char *provider, *upstream_id;
	const char *finish_reason; /* never NULL */
	const char *native_finish_reason;
	const char *warnings; /* a JSON array of objects, or "" */
	struct dialect_usage usage;
	int64_t estimated_input, estimated_output; /* tokens */
	const char *usage_source; /* NULL: as usage and the estimates say */
	struct metadata_error error;
	const struct attempts *attempts; /* NULL: not told */
	int64_t queued_ms, connect_ms, first_token_ms, total_ms;
};

/* Nothing known: all times and counts -1. */
void metadata_init(struct metadata *m);

/* Append the final metadata object. Fails through the buffer. */
void metadata_write(struct buf *b, const struct metadata *m);

/* Append the metadata object of the end chunk (store/chunk.h). */
void metadata_write_end(struct buf *b, const struct metadata *m);

#endif
