/*
 * results_ollama: what Ollama has (/api/tags) and its embeddings (/api/embed).
 *
 * Used by: dialect_ollama.          Thread: any; pure.
 */
#ifndef WORKER_RESULTS_OLLAMA_H
#define WORKER_RESULTS_OLLAMA_H

#include <jansson.h>

#include "worker/results.h"

/* As in results.h, of the parsed body; *${ret} is zeroed by the caller. */
MUST_CHECK enum err results_ollama_models(
    const json_t *root, struct results_models *ret);
MUST_CHECK enum err results_ollama_embeddings(
    const json_t *root, struct results_embeddings *ret);

#endif
