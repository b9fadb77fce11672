/*
 * front_ending: what the final metadata of an execution says, for fronts that
 * tell it in the words of another protocol.
 *
 * Used by: the fronts.          Thread: any; pure.
 */
#ifndef SERVER_FRONT_ENDING_H
#define SERVER_FRONT_ENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "server/problem.h"
#include "store/page.h"

struct front_ending {
	enum execution_status status;
	char finish_reason[32]; /* "stop" …; "" not said */
	char model[256];	/* as served; "" not said */
	char code[64];		/* of the error; "" without one */
	char message[512];
	int64_t retry_after_ms; /* -1: not said */
	/* Tokens; -1: not said. */
	int64_t input, output, total, cached, reasoning;
	double cost_usd; /* < 0: not said */
	bool estimated;	 /* the tokens are, in part or all */
};

/* Read the final metadata of ${last}; what is not there stays empty. */
void front_ending_read(const struct page *last, struct front_ending *ret);

/* What a client is told who waited for ${id} and gets no answer. */
void front_ending_problem(
    const struct front_ending *e, const struct id *id, struct problem *ret);

/* Append the usage as chat completions have it; null when nothing is said. */
void front_ending_usage(struct buf *b, const struct front_ending *e);

#endif
