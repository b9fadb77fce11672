/*
 * utf8: is it UTF-8, and if not, make it so (Unicode 15, table 3-7).
 *
 * Used by: dialects, fronts, the log's readers.     Thread: any; pure.
 */
#ifndef STORE_BASE_UTF8_H
#define STORE_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"

/* True when ${len} bytes are well-formed UTF-8. NUL is a code point. */
bool utf8_valid(const char *s, size_t len);

/*
 * Append ${s} to ${b} with one U+FFFD for each maximal ill-formed subpart
 * (WHATWG practice). Fails through the buffer.
 */
void utf8_repair(struct buf *b, const char *s, size_t len);

/*
 * Append the code point ${cp} to ${b}; a surrogate or a value above U+10FFFF
 * becomes U+FFFD.
 */
void utf8_put(struct buf *b, unsigned cp);

/*
 * The largest n <= ${len} such that the first n bytes of well-formed ${s} do
 * not end inside a code point.
 */
size_t utf8_cut(const char *s, size_t len);

#endif
