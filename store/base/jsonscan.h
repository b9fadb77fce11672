/*
 * jsonscan: walk through a JSON text (RFC 8259) in memory without a tree: each
 * value is a slice of the text, byte for byte, and is looked into only if
 * somebody asks.
 *
 * Used by: import (lines that must come out as they went in).
 * Thread: the owner's; pure.
 * Promises: what is walked over has been checked to be JSON (but for lone
 * surrogates in strings that nobody unescapes, and bytes that are no UTF-8:
 * see utf8_valid()). Nothing is allocated; nesting is bounded.
 */
#ifndef STORE_BASE_JSONSCAN_H
#define STORE_BASE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

#define JSONSCAN_MAX_DEPTH 256

/* A value, without white space around it. A string has its quotes. */
struct jsonscan_slice {
	const char *p; /* NULL: none */
	size_t len;
};

struct jsonscan {
	const char *text, *at, *end;
	const char *wrong; /* what is, after ERR_INPUT; static */
	bool fresh;	   /* just behind an opening bracket */
};

/* Begin at the start of ${text}, which is lent. */
void jsonscan_init(struct jsonscan *s, const char *text, size_t len);

/* Begin anew, inside the value ${v}. */
void jsonscan_into(struct jsonscan *s, struct jsonscan_slice v);

/* How far it is: after ERR_INPUT, where it is wrong. */
size_t jsonscan_offset(const struct jsonscan *s);

/* Pass one whole value. Fails: ERR_INPUT. */
MUST_CHECK enum err jsonscan_value(
    struct jsonscan *s, struct jsonscan_slice *ret);

/* Step into an object ('{') or an array ('['). Fails: ERR_INPUT. */
MUST_CHECK enum err jsonscan_open(struct jsonscan *s, char bracket);

/*
 * Inside an object: pass the next member's name and colon; its value comes next.
 * *${ret} is the name between its quotes, as it stands there. Fails:
 * ERR_NOT_FOUND, the object has ended and was left; ERR_INPUT.
 */
MUST_CHECK enum err jsonscan_member(
    struct jsonscan *s, struct jsonscan_slice *ret);

/* Inside an array: a value comes next. Fails as jsonscan_member(). */
MUST_CHECK enum err jsonscan_item(struct jsonscan *s);

/* Nothing but white space is left. Fails: ERR_INPUT. */
MUST_CHECK enum err jsonscan_end(struct jsonscan *s);

/* Is the slice ${word} itself? */
bool jsonscan_is(struct jsonscan_slice v, const char *word);

/*
 * Append what the string ${v} says to ${b}. Fails: ERR_INPUT (no string, a
 * surrogate alone); through the buffer.
 */
MUST_CHECK enum err jsonscan_text(struct jsonscan_slice v, struct buf *b);

/* A whole number without fraction and exponent. Fails: ERR_INPUT. */
MUST_CHECK enum err jsonscan_int(struct jsonscan_slice v, int64_t *ret);

#endif
