/*
 * ask_gemini: a request in the words of Gemini's generateContent.
 *
 * Used by: dialect_gemini.          Thread: any; pure.
 */
#ifndef WORKER_ASK_GEMINI_H
#define WORKER_ASK_GEMINI_H

#include "worker/ask.h"

/* As build in driver.h. */
void ask_gemini(struct ask *a);

/* As list in driver.h. */
void ask_gemini_list(struct ask *a, const char *after);

/* As build_embeddings. */
void ask_gemini_embeddings(struct ask *a);

#endif
