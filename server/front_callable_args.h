/*
 * front_callable_args: {"data":{…}} → what a callable asks for.
 *
 * Used by: front_callable_run.c.     Thread: any; pure.
 */
#ifndef SERVER_FRONT_CALLABLE_ARGS_H
#define SERVER_FRONT_CALLABLE_ARGS_H

#include <stdint.h>

#include "server/body.h"
#include "server/problem.h"
#include "store/base/err.h"
#include "store/base/id.h"

/*
 * The data of a callable's body, its 64-bit wrappers decoded; null reads as
 * {}. Gives: *ret, for json_decref(). Fails: ERR_INPUT and the problem.
 */
MUST_CHECK enum err front_callable_args_data(
    const char *text, size_t len, struct json_t **ret, struct problem *p);

struct callable_poll {
	struct id id;
	uint64_t from;
	uint32_t limit; /* 0: not given */
	int64_t wait_ms;
};

/* executionId, fromIndex?, limit?, wait_ms?; others are passed over. */
MUST_CHECK enum err front_callable_args_poll(
    const struct json_t *data, struct callable_poll *ret, struct problem *p);

/* What the final metadata says, for execute_prompt. */
struct callable_end {
	int64_t tokens;
	double cost; /* negative: not known */
	char code[64];
	char message[400];
};
void front_callable_args_end(
    const char *metadata, size_t len, struct callable_end *ret);

#endif
