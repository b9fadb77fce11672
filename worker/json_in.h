/*
 * json_in: JSON text that strangers wrote, as jansson values.
 *
 * Used by: decoder, drivers, results.          Thread: any; pure.
 * Promises: what RFC 8259 calls JSON is read, also where jansson alone would
 * refuse it, so that one odd token never loses an answer:
 *  - ill-formed UTF-8 becomes U+FFFD, one per maximal subpart;
 *  - an unpaired surrogate escape becomes U+FFFD;
 *  - \u0000 is kept in values and becomes U+FFFD in names;
 *  - an integer beyond 64 bits becomes a real, a real beyond a double becomes
 *    the largest double; of members with the same name the last one counts.
 * What is not JSON (NaN, raw control characters, bytes after the value) is
 * refused. Memory is bounded: see the ceilings.
 */
#ifndef WORKER_JSON_IN_H
#define WORKER_JSON_IN_H

#include <jansson.h>

#include "worker/dialect.h"

/*
 * Ceilings on one text. Empty arrays cost jansson 45 bytes per byte of text,
 * so containers are counted before a large text is parsed.
 */
#define JSON_IN_MAX_DEPTH 2048 /* jansson's own */
#define JSON_IN_MAX_CONTAINERS ((size_t)1 << 18)
#define JSON_IN_MAX_VALUES ((size_t)1 << 22)

/*
 * Read ${len} bytes, any JSON value. Gives: *${ret} for json_decref(). Fails:
 * ERR_INPUT (not JSON), ERR_LIMIT (a ceiling), ERR_NOMEM.
 */
MUST_CHECK enum err json_in_parse(const char *text, size_t len, json_t **ret);

/* The text of a string, also an empty one; { NULL, 0 } of anything else. */
struct text json_in_text(const json_t *v);

/* Member ${key} of ${object} when it is a string that is not empty. */
struct text json_in_member(const json_t *object, const char *key);

/*
 * A number without a fraction that fits in 64 bits. Fails: false, *${ret} untouched.
 */
MUST_CHECK bool json_in_int(const json_t *v, int64_t *ret);

/*
 * Watches text go by, in any pieces, until the brackets that it began with
 * are balanced; knows strings and escapes, checks nothing else.
 */
struct json_in_balance {
	size_t depth;
	bool in_string, escaped, begun, closed;
};

/*
 * Look at the next ${len} bytes; returns how many belong to the value: ${len}
 * while it is open, fewer when it closed and something follows.
 */
size_t json_in_balance(struct json_in_balance *b, const char *s, size_t len);

#endif
