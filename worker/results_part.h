/*
 * results_part: what the answers of all upstreams that are no chat have in
 * common: texts, lists of models, rows of embeddings.
 *
 * Used by: results_*.          Thread: any; pure.
 */
#ifndef WORKER_RESULTS_PART_H
#define WORKER_RESULTS_PART_H

#include <jansson.h>

#include "worker/results.h"

/*
 * Copy a member that is a text; absent, empty or with a NUL inside: *${ret}
 * untouched. Fails: ERR_NOMEM.
 */
MUST_CHECK enum err results_part_text(
    const json_t *object, const char *key, char **ret);

/* A member that is a time of RFC 3339, in s since 1970; -1: it is none. */
int64_t results_part_time(const json_t *object, const char *key);

/*
 * Room for one model for each entry of ${data}. Fails: ERR_UPSTREAM (it is no
 * array), ERR_NOMEM.
 */
MUST_CHECK enum err results_part_models(
    const json_t *data, struct results_models *ret);

/* The next of them, of which nothing is known. */
struct results_model *results_part_model(struct results_models *r);

/* The last one is filled in: without an id it is dropped. */
void results_part_settle(struct results_models *r);

/*
 * The number of values in a row, an array or the base64 of little-endian
 * float32; -1: it is none.
 */
int64_t results_part_dims(const json_t *row);

/* The ${dims} values of a row. Fails: ERR_UPSTREAM (one is no number). */
MUST_CHECK enum err results_part_values(
    const json_t *row, float *dst, size_t dims);

/*
 * All rows of ${rows}, each found under ${key}, or the entry itself (NULL), in
 * their order. Fails: ERR_UPSTREAM, ERR_NOMEM.
 */
MUST_CHECK enum err results_part_rows(
    const json_t *rows, const char *key, struct results_embeddings *ret);

#endif
