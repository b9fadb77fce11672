/*
 * ask_responses: requests to OpenAI's Responses API: an answer's creation, and
 * what is asked of one that goes on without us.
 *
 * Used by: dialect_responses.          Thread: any; pure.
 */
#ifndef WORKER_ASK_RESPONSES_H
#define WORKER_ASK_RESPONSES_H

#include "worker/ask.h"

void ask_responses(struct ask *a);

/* As dialect_attach() and dialect_abandon(), of the answer ${id}. */
void ask_responses_attach(const struct dialect_target *target, const char *id,
    int64_t after, struct dialect_request *ret);
void ask_responses_abandon(const struct dialect_target *target, const char *id,
    struct dialect_request *ret);

#endif
