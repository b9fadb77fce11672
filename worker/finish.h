/*
 * finish: why a model stopped: providers' words and what they mean.
 *
 * Used by: answer.          Thread: any; pure.
 */
#ifndef WORKER_FINISH_H
#define WORKER_FINISH_H

#include "worker/dialect.h"

/* What a word means: an end, or (some) a failure to be told at the end. */
struct finish {
	enum finish_reason reason;
	bool fails;
	enum error_kind kind; /* when it fails */
};

/* The meaning of ${native}, in any case; FINISH_UNKNOWN when it has none. */
struct finish finish_of(struct text native);

#endif
