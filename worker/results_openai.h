/*
 * results_openai: model lists, embeddings and costs as servers of the OpenAI
 * kind tell them.
 *
 * Used by: dialect_openai.          Thread: any; pure.
 */
#ifndef WORKER_RESULTS_OPENAI_H
#define WORKER_RESULTS_OPENAI_H

#include <jansson.h>

#include "worker/results.h"

/* As in results.h, of the parsed body; *${ret} is zeroed by the caller. */
MUST_CHECK enum err results_openai_models(
    const json_t *root, struct results_models *ret);
MUST_CHECK enum err results_openai_embeddings(
    const json_t *root, struct results_embeddings *ret);
MUST_CHECK enum err results_openai_generation(
    const json_t *root, struct results_generation *ret);

#endif
