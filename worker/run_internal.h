/*
 * run_internal: a run's private half, for run.c and run_end.c.
 *
 * Used by: run, run_end.          Thread: the pump's.
 */
#ifndef WORKER_RUN_INTERNAL_H
#define WORKER_RUN_INTERNAL_H

#include "worker/estimate.h"
#include "worker/run.h"
#include "worker/upstreams.h"

enum run_state {
	RUN_QUEUED,
	RUN_CONNECTING,
	RUN_WAITING,
	RUN_STREAMING,
	RUN_ENDED,
};
#define RUN_STATES 5

/* How it ends; written once, by the first of those who know. */
struct run_outcome {
	bool known;
	enum execution_status status;
	const char *code; /* NULL: completed */
	char *message;	  /* NULL: the code must do */
	enum finish_reason reason;
	char *native, *provider_code;
	int http_status;
	bool retryable;
	int64_t retry_after_ms; /* -1: not said */
};

struct run {
	struct run_env *env;
	enum run_state state;
	struct execution *execution;
	struct upstreams_target target; /* valid once begun */
	uint32_t attempt;		/* from 1 once begun */
	/* What happened, for run_turn() to act upon. */
	bool begun, connected, has_content, paused;
	bool streaming_asked; /* a stream was asked for */
	struct decoder *decoder;
	struct run_outcome outcome;
	/* Said by the upstream; NULL: not. */
	char *model, *provider, *upstream_id;
	char *warnings; /* as in struct dialect_request, or NULL */
	struct dialect_usage usage;
	struct estimate output;	 /* of all that was received */
	int64_t estimated_input; /* tokens */
	uint32_t n_events;
	uint64_t n_chunks; /* about: long ones are told in pieces */
	/* On the growing clock; 0: not yet. */
	int64_t made_ms, begun_ms, connected_ms, content_ms;
	int64_t since_ms; /* where the state's own deadline counts from */
	int64_t paused_ms;
};

/* Copies of what is kept of an upstream's words, cut at a code point. */
#define RUN_MAX_WORD_BYTES 256
#define RUN_MAX_MESSAGE_BYTES 4096

/* A copy, or NULL for an absent or empty text or without memory. */
char *run_word(struct text t);

/* Write down how it ends, unless that is known already. */
void run_complete(struct run *r, enum finish_reason reason, struct text native);
void run_fail(struct run *r, const char *code, bool retryable, const char *fmt,
    ...) PRINTF_LIKE(4, 5);
void run_fail_as_told(struct run *r, const struct dialect_error *e);
void run_fail_as_cancelled(struct run *r);

/* Say the end to the batch and the log, and count it. */
void run_say_end(struct run *r);

void run_outcome_fini(struct run_outcome *o);

#endif
