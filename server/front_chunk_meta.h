/*
 * front_chunk_meta: a look into a chunk's metadata, which this program wrote.
 *
 * Used by: the fronts that tell chunks in other words.     Thread: any; pure.
 */
#ifndef SERVER_FRONT_CHUNK_META_H
#define SERVER_FRONT_CHUNK_META_H

#include <stdbool.h>

#include "store/base/buf.h"
#include "store/base/jsonscan.h"
#include "store/chunk.h"

/* The value of member ${key}, as it stands there; p NULL when there is none. */
struct jsonscan_slice front_chunk_meta(const struct chunk *c, const char *key);

/* Is member ${key} the string ${word}? */
bool front_chunk_meta_is(
    const struct chunk *c, const char *key, const char *word);

/* Append that value's JSON text, or ${otherwise} when there is none. */
void front_chunk_meta_copy(struct buf *b, const struct chunk *c,
    const char *key, const char *otherwise);

#endif
