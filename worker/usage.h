/*
 * usage: reading token counts out of JSON.
 *
 * Used by: drivers, results.          Thread: any; pure.
 */
#ifndef WORKER_USAGE_H
#define WORKER_USAGE_H

#include <jansson.h>

#include "worker/dialect.h"

/* Member ${key}: a count, or -1 when it is missing, null or no count. */
int64_t usage_count(const json_t *object, const char *key);

/* Member ${key}: an amount of money, or -1 when it is missing or none. */
double usage_amount(const json_t *object, const char *key);

/* The same in 1e-12 dollars, exact as far as 15 digits are. */
int64_t usage_pusd(const json_t *object, const char *key);

/* Two counts together, none of them negative; the largest there is at most. */
int64_t usage_sum(int64_t a, int64_t b);

/*
 * Take in the usage object of the OpenAI kind when it has counts, in place of
 * what ${usage} had.
 */
void usage_openai(const json_t *object, struct dialect_usage *usage);

#endif
