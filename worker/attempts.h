/*
 * attempts: what was tried for one execution, and what it took: the record that
 * the final metadata shows, and the sums of usage and cost.
 *
 * Used by: run, worker, metadata.     Thread: the owner's; pure.
 * Promises: usage is summed over all attempts, also those that came to
 * nothing; where a provider did not count, the estimate is in the sum, and
 * attempts_source() says so; so it is with costs and prices. No text is longer than ATTEMPTS_MAX_TEXT.
 */
#ifndef WORKER_ATTEMPTS_H
#define WORKER_ATTEMPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/execution.h"
#include "worker/dialect.h"

/* An execution is tried no more often. */
#define ATTEMPTS_MAX 32
#define ATTEMPTS_MAX_TEXT 200
/* More is no count: sums of it, here and in the store's books, would overflow. */
#define ATTEMPTS_MAX_TOKENS ((int64_t)1 << 40)

/* One attempt. */
struct attempts_item {
	uint32_t number;    /* as its chunks say; 0: nothing was sent */
	const char *target; /* "upstream/model" */
	enum execution_status status;
	const char *code;    /* error.code; NULL when completed */
	const char *message; /* NULL: none. Redacted by the caller */
	int http_status;     /* 0: none */
	int64_t started_ms;  /* wall clock */
	int64_t duration_ms; /* -1: not known */
};

struct price;

struct attempts {
	struct attempts_item *item; /* texts are its own */
	uint32_t n;
	struct dialect_usage sum;
	bool counted, estimated; /* something in the sum was */
	/* Of its cost: told by a provider, by prices; an attempt has none. */
	bool paid_told, paid_priced, unpaid;
};

/* What an attempt is billed by when its provider does not say. */
struct attempts_bill {
	const struct price *price; /* NULL: not known */
	int64_t estimated_input, estimated_output;
};

/* Nothing yet; allocates nothing. */
void attempts_init(struct attempts *a);
void attempts_fini(struct attempts *a);

/*
 * Add a copy of ${item}; past ATTEMPTS_MAX nothing. Fails: ERR_NOMEM, nothing
 * added.
 */
MUST_CHECK enum err attempts_add(
    struct attempts *a, const struct attempts_item *item);

/* Add what an attempt took; where ${u} has no count the estimate is taken. */
void attempts_take(struct attempts *a, const struct dialect_usage *u,
    int64_t estimated_input, int64_t estimated_output);

/*
 * Add what it cost: what its provider has told, else what was counted, or
 * estimated, times the price. What is not known is not 0: see below.
 */
void attempts_pay(struct attempts *a, const struct dialect_usage *u,
    const struct attempts_bill *bill);

/*
 * "provider", "prices", "none", or "mixed": by both, or of an attempt it is not
 * known.
 */
const char *attempts_cost_source(const struct attempts *a);

/* The highest number among them; 0: nothing was ever sent. */
uint32_t attempts_last(const struct attempts *a);

/* "provider", "estimated" or "mixed". */
const char *attempts_source(const struct attempts *a);

/* Append the record as a JSON array. Fails through the buffer. */
void attempts_write(struct buf *b, const struct attempts *a);

#endif
