/*
 * ask_anthropic: a request in the words of Anthropic's Messages.
 *
 * Used by: dialect_anthropic.          Thread: any; pure.
 */
#ifndef WORKER_ASK_ANTHROPIC_H
#define WORKER_ASK_ANTHROPIC_H

#include "worker/ask.h"

/* As build in driver.h. */
void ask_anthropic(struct ask *a);

/* As list in driver.h. */
void ask_anthropic_list(struct ask *a, const char *after);

#endif
