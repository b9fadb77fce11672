/*
 * ask_openai: a request in the words of Chat Completions.
 *
 * Used by: dialect_openai.          Thread: any; pure.
 */
#ifndef WORKER_ASK_OPENAI_H
#define WORKER_ASK_OPENAI_H

#include "worker/ask.h"

/* As build in driver.h. */
void ask_openai(struct ask *a);

/* As list in driver.h. */
void ask_openai_list(struct ask *a, const char *after);

/* As build_embeddings. */
void ask_openai_embeddings(struct ask *a);

#endif
