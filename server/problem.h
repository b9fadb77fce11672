/*
 * problem: what went wrong, as a client is told: one table from code to HTTP
 * status, callable status, title and whether trying again may help.
 *
 * Used by: everything in server/ that refuses.     Thread: any; pure.
 * Promises: a code never changes its meaning; a detail never holds a prompt,
 * an answer or a key.
 */
#ifndef SERVER_PROBLEM_H
#define SERVER_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/base/id.h"

enum problem_code {
	PROBLEM_INTERNAL, /* ours; details are in the log */
	PROBLEM_BAD_JSON,
	PROBLEM_INVALID_ARGUMENT,
	PROBLEM_FAILED_PRECONDITION,
	PROBLEM_UNAUTHENTICATED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NOT_FOUND,
	PROBLEM_GONE,
	PROBLEM_NO_ROUTE,
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_UNSUPPORTED_MEDIA_TYPE,
	PROBLEM_UPGRADE_REQUIRED,
	PROBLEM_NOT_ENDED,
	PROBLEM_CONFLICT,
	PROBLEM_IDEMPOTENCY_MISMATCH,
	PROBLEM_RATE_LIMITED,
	PROBLEM_TOO_MANY_OPEN,
	PROBLEM_OVERLOADED,
	PROBLEM_DRAINING,
	PROBLEM_STORAGE_FULL,
	PROBLEM_STORAGE_ERROR,
	PROBLEM_DEADLINE_EXCEEDED,
	PROBLEM_EXECUTION_FAILED,
	PROBLEM_EXECUTION_CANCELLED,
};
#define PROBLEM_CODES 24

struct problem_kind {
	const char *code; /* "not_found" */
	int status;	  /* HTTP, REST */
	const char *callable;
	int callable_status; /* HTTP, callable */
	const char *title;
	bool retryable;
	bool never_retry; /* says x-should-retry: false */
};

struct problem {
	enum problem_code code;
	char detail[640];
	char field[128];	  /* which part of the request; "" none */
	int64_t retry_after_ms;	  /* 0: not said */
	char execution[ID_TEXT];  /* the execution meant; "" none */
	char execution_error[64]; /* its error.code; "" none */
	int64_t deleted_ms;	  /* gone since then; 0: not said */
	bool payload_deleted;	  /* gone are only its request and chunks */
};

const struct problem_kind *problem_kind(enum problem_code code);

/* Fill ${p}; ${field} may be NULL. */
void problem_set(struct problem *p, enum problem_code code, const char *field,
    const char *fmt, ...) PRINTF_LIKE(4, 5);

/*
 * What a client is told about ${e}; ${why} (may be NULL) is shown only where it
 * speaks about the client's own data.
 */
void problem_from_err(struct problem *p, enum err e, const struct why *why);

/*
 * What a client is told about ERR_GONE: since ${deleted_ms} (0: not known), all
 * of it or its payload.
 */
void problem_set_gone(struct problem *p, int64_t deleted_ms, bool payload_only);

/* application/problem+json (RFC 9457); ${instance} may be NULL. */
void problem_json(struct buf *b, const struct problem *p, const char *instance);

/* The callable's {"error":{…}} (one line). */
void problem_callable(struct buf *b, const struct problem *p);

#endif
