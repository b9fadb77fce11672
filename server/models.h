/*
 * models: the worker's list of models, for those who ask and for those who
 * mistyped a name.
 *
 * Used by: front_rest_models, submit.          Thread: any.
 */
#ifndef SERVER_MODELS_H
#define SERVER_MODELS_H

#include <stdbool.h>
#include <stddef.h>

struct worker_models;

/* The place of the model called by the ${len} bytes of ${name}. */
bool models_find(
    const struct worker_models *m, const char *name, size_t len, size_t *ret);

/*
 * "did you mean \"openai/gpt-5.1\"?" into ${dst}; "" when nothing is near to
 * ${name}. Of long lists it looks at the beginning.
 */
void models_hint(
    const struct worker_models *m, const char *name, char *dst, size_t room);

#endif
