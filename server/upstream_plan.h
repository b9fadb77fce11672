/*
 * upstream_plan: what one simulated answer will do: the options of all, changed
 * by the model's name, changed by the query string of the URL.
 *
 * Used by: upstream.          Thread: any; pure.
 */
#ifndef SERVER_UPSTREAM_PLAN_H
#define SERVER_UPSTREAM_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/upstream.h"
#include "store/base/err.h"

#define UPSTREAM_MODEL_BYTES 64

/* Members as in struct upstream_options, defaults filled in. */
struct upstream_plan {
	char model[UPSTREAM_MODEL_BYTES]; /* the name without its query */
	int64_t tokens;			  /* -1: as the text has */
	double rate;
	int64_t size; /* -1: words */
	int64_t first_ms;
	enum upstream_fault fault;
	int64_t after;
	int64_t status;
	double fault_share;
	uint64_t seed;
	bool stamp;
};

/* What ${o} says. Fails: ERR_INPUT, and ${why} names the member. */
MUST_CHECK enum err upstream_plan_init(
    struct upstream_plan *p, const struct upstream_options *o, struct why *why);

/*
 * Take over what ${model} ("sim-cut?after=5&rate=100") says. Fails:
 * ERR_NOT_FOUND (no such model), ERR_INPUT (its query); ${why} has the words.
 */
MUST_CHECK enum err upstream_plan_model(
    struct upstream_plan *p, const char *model, struct why *why);

/*
 * Take over "name=value&name=value"; "" is nothing. Fails: ERR_INPUT, and
 * ${why} names the member.
 */
MUST_CHECK enum err upstream_plan_query(
    struct upstream_plan *p, const char *query, struct why *why);

/* Of ${fault_share}, decide for the ${number}-th request: fault or fine. */
void upstream_plan_draw(struct upstream_plan *p, uint64_t number);

/* The ${i}-th model's name into ${dst}; false past the end. */
bool upstream_plan_model_name(unsigned i, char dst[UPSTREAM_MODEL_BYTES]);

/* A well-mixed number of two (splitmix64's finish). */
uint64_t upstream_plan_mix(uint64_t a, uint64_t b);

#endif
