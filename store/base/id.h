/*
 * id: UUIDv7 (RFC 9562 section 5.7), the name of an execution.
 *
 * Used by: everyone.          Thread: any.
 * Promises: ids made by one process are strictly increasing; 62 bits of each
 * are random. The last byte is the execution's bucket.
 */
#ifndef STORE_BASE_ID_H
#define STORE_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

struct id {
	uint8_t byte[16];
};

/* Room for the text form and its NUL. */
#define ID_TEXT 37

/* A new id of the present millisecond. Panics without a source of randomness. */
struct id id_new(void);

/* The lower-case text form into ${dst}, ID_TEXT bytes. */
void id_text(const struct id *id, char *dst);

/*
 * Read ${len} bytes of text (36, either case). Any UUID version is taken.
 * Fails: ERR_INPUT, *ret untouched.
 */
MUST_CHECK enum err id_parse(const char *text, size_t len, struct id *ret);

bool id_equal(const struct id *a, const struct id *b);
uint8_t id_bucket(const struct id *id);

/* A number for hash tables. */
uint64_t id_hash(const struct id *id);

/* Fill ${dst} with ${len} random bytes from the kernel. Panics if it cannot. */
void id_random(void *dst, size_t len);

#endif
