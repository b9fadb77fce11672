/*
 * spare: an allocator for a library that does not look whether it got memory.
 * jansson 2.14 drops a character of the text it reads, or aborts, when its
 * buffer for that cannot grow. Between begin and end a block that cannot be had
 * is lent from a little that each thread has spare, and what was built with it
 * is to be thrown away.
 *
 * Used by: json_in, body_json (around a parse); serve (gives it to jansson).
 * Thread: each has its own.
 * Promises: what ended with true holds all that was read.
 */
#ifndef STORE_BASE_SPARE_H
#define STORE_BASE_SPARE_H

#include <stdbool.h>
#include <stddef.h>

/* Nothing of the spare is lent: what was built before is gone, or whole. */
void spare_begin(void);

/*
 * Did each get its memory since? Call it when what was built is known, and free
 * that first when this is false.
 */
bool spare_end(void);

/* malloc() and free(), also of what is lent. Outside of begin and end no more. */
void *spare_malloc(size_t n);
void spare_free(void *p);

#endif
