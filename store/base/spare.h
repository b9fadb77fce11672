/*
 * spare: an allocator for a library that does not look whether it got memory.
 * jansson 2.14 drops a character of the text it reads, or aborts, when its
 * buffer for that cannot grow. Between begin and end a block that cannot be had
 * is lent from a spare, and what was built with it is to be thrown away.
 *
 * Used by: json_in, body_json (around a parse); serve (gives it to jansson).
 * Thread: each has its own.
 * Promises: what is whole holds all that was read.
 */
#ifndef STORE_BASE_SPARE_H
#define STORE_BASE_SPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/err.h"

/*
 * A text of ${len} bytes is about to be read. Fails: ERR_NOMEM, there is no
 * spare for so much; spare_end() is not due then.
 */
MUST_CHECK enum err spare_begin(size_t len);

/* Did each get its memory since? Else free what was built, then end. */
bool spare_whole(void);

void spare_end(void);

/* malloc() and free(), also of what is lent. Outside of begin and end no more. */
void *spare_malloc(size_t n);
void spare_free(void *p);

#endif
