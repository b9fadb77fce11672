/*
 * tally: what executions used: one's own, and sums by day, owner and target.
 *
 * Used by: the writer (at an execution's end), query, check.
 * Thread: any; pure.
 * Promises: what is not known is told as such, and never as 0.
 */
#ifndef STORE_TALLY_H
#define STORE_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

#define TALLY_DAY_MS ((int64_t)86400000)

/* A millionth of a millionth of a dollar. */
#define TALLY_USD INT64_C(1000000000000)

/* Beyond these an upstream's word is not taken: not known. */
#define TALLY_MAX_TOKENS INT64_C(1000000000)
#define TALLY_MAX_PUSD (1000 * TALLY_USD)

/* What a day's sums of one owner and target stop at. */
#define TALLY_SUM_TOKENS INT64_C(1000000000000)
#define TALLY_SUM_PUSD INT64_C(9000000000000000000)

/* Each -1: not known. */
struct tally {
	int64_t input_tokens, output_tokens, cached_tokens, reasoning_tokens;
	int64_t cost_pusd;
};

/*
 * What the final metadata says: usage.input_tokens, output_tokens,
 * cached_input_tokens, reasoning_tokens, and cost_usd.
 */
void tally_read(const char *metadata, size_t len, struct tally *ret);

/* The day of ${ms}, counted from 1970-01-01 UTC. */
int64_t tally_day(int64_t ms);

/* By what sums are grouped. */
enum tally_by {
	TALLY_BY_DAY, /* UTC, of the end */
	TALLY_BY_OWNER,
	TALLY_BY_TARGET, /* upstream/model that served; "": none did */
	TALLY_IN_ALL,
};

/* Which sums; see query_usage(). */
struct tally_filter {
	enum tally_by by;
	const char *owner;	    /* NULL: anybody's */
	int64_t first_day, end_day; /* [first_day, end_day) */
	const char *after;	    /* the cursor: keys behind it; NULL: all */
	uint32_t limit;		    /* 1 … 1000 */
};

struct tally_row {
	int64_t day; /* by day */
	char *key;   /* by owner or target: its name; owned */
	uint64_t completed, failed, cancelled, attempts;
	struct tally sum;
	uint64_t priced; /* executions whose cost is known, and in the sum */
};

/* NULL is nothing. */
void tally_row_fini(struct tally_row *r);

#endif
