/*
 * front_openai_chunk: an execution as chat completion chunks (OpenAI's stream).
 *
 * Used by: front_openai_chat.          Thread: any; pure.
 * Promises: the role comes first, then deltas, one chunk with the finish
 * reason, the usage where it is wanted, [DONE]. What did not complete ends with
 * an error and without [DONE]. So does a reset once something was said: this
 * protocol cannot withdraw it.
 */
#ifndef SERVER_FRONT_OPENAI_CHUNK_H
#define SERVER_FRONT_OPENAI_CHUNK_H

#include <stdint.h>

#include "server/body.h"
#include "server/telling.h"

/*
 * A telling that names ${model} in each chunk ("": "default") and is written from
 * the event ${from} on. Gives: for telling_free(); NULL without memory.
 */
struct telling *front_openai_chunk_new(
    const char *model, enum body_usage usage, uint64_t from);

#endif
