/*
 * results_anthropic: Anthropic's models; it has no embeddings.
 *
 * Used by: dialect_anthropic.          Thread: any; pure.
 */
#ifndef WORKER_RESULTS_ANTHROPIC_H
#define WORKER_RESULTS_ANTHROPIC_H

#include <jansson.h>

#include "worker/results.h"

/* As in results.h, of the parsed body; *${ret} is zeroed by the caller. */
MUST_CHECK enum err results_anthropic_models(
    const json_t *root, struct results_models *ret);

#endif
