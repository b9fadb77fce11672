/*
 * ask_ollama: a request in the words of Ollama's /api/chat.
 *
 * Used by: dialect_ollama.          Thread: any; pure.
 */
#ifndef WORKER_ASK_OLLAMA_H
#define WORKER_ASK_OLLAMA_H

#include "worker/ask.h"

/* As build in driver.h. */
void ask_ollama(struct ask *a);

/* As list in driver.h. */
void ask_ollama_list(struct ask *a, const char *after);

/* As build_embeddings. */
void ask_ollama_embeddings(struct ask *a);

#endif
