/*
 * jsonout: write JSON (RFC 8259) straight into a buffer, without a tree.
 *
 * Used by: everything that answers.          Thread: any; pure.
 * Promises: output is ASCII-safe JSON text in UTF-8; commas are put in by the
 * writer, so callers only say what comes next; after a line's end or a blank
 * ("data: ") a new text begins. Failure shows in the buffer.
 */
#ifndef STORE_BASE_JSONOUT_H
#define STORE_BASE_JSONOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"

/* Begin and end an object or an array, as a value. */
void jsonout_object(struct buf *b);
void jsonout_object_end(struct buf *b);
void jsonout_array(struct buf *b);
void jsonout_array_end(struct buf *b);

/* A member's name; its value must come next. ${key} needs no escapes. */
void jsonout_key(struct buf *b, const char *key);

/*
 * Values. ${s} must be well-formed UTF-8 (NUL allowed); U+2028 and U+2029 are
 * escaped so that the text is also JavaScript.
 */
void jsonout_string(struct buf *b, const char *s, size_t len);
void jsonout_int(struct buf *b, int64_t v);
void jsonout_bool(struct buf *b, bool v);
void jsonout_null(struct buf *b);

/* A value that is JSON text already; an empty one writes null. */
void jsonout_raw(struct buf *b, const char *json, size_t len);

/* "key":"text" / "key":number; a NULL ${s} writes null. */
void jsonout_member(struct buf *b, const char *key, const char *s);
void jsonout_member_int(struct buf *b, const char *key, int64_t v);

/* The escapes of a string's inside, without quotes or comma. */
void jsonout_escape(struct buf *b, const char *s, size_t len);

#endif
