/*
 * results_gemini: Gemini's models and its embeddings, one or many.
 *
 * Used by: dialect_gemini.          Thread: any; pure.
 */
#ifndef WORKER_RESULTS_GEMINI_H
#define WORKER_RESULTS_GEMINI_H

#include <jansson.h>

#include "worker/results.h"

/* As in results.h, of the parsed body; *${ret} is zeroed by the caller. */
MUST_CHECK enum err results_gemini_models(
    const json_t *root, struct results_models *ret);
MUST_CHECK enum err results_gemini_embeddings(
    const json_t *root, struct results_embeddings *ret);

#endif
