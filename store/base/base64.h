/*
 * base64: RFC 4648 section 4, with padding.
 *
 * Used by: vectors, the embeddings front.          Thread: any; pure.
 */
#ifndef STORE_BASE_BASE64_H
#define STORE_BASE_BASE64_H

#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"

/* Append the text of ${len} bytes. Fails through the buffer. */
void base64_add(struct buf *b, const void *data, size_t len);

/*
 * Append the bytes of ${text}. Fails: ERR_INPUT (it is no such text, or its
 * padding is missing), and what was appended is undefined; through the buffer.
 */
MUST_CHECK enum err base64_read(struct buf *b, const char *text, size_t len);

#endif
