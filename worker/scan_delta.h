/*
 * scan_delta: the most frequent event there is, read without making a tree: a
 * chat.completion.chunk that says one piece of text and nothing else.
 *
 * Used by: dialect_openai.     Thread: any; pure.
 * Promises: where it reads a text, json_in_parse() and the dialect would find
 * that text, byte for byte, and nothing more to tell. Whatever is new to it or
 * in the least odd (an unknown member, a member twice, an escape in a name, a
 * fraction, bytes that are not UTF-8) it leaves to them.
 */
#ifndef WORKER_SCAN_DELTA_H
#define WORKER_SCAN_DELTA_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "worker/dialect.h"

/* Longer events are left to the parser, which counts what they hold. */
#define SCAN_DELTA_MAX_BYTES ((size_t)16 << 10)

/*
 * Gives: *${ret}, which may be empty, lent from ${data}, or from ${scratch}
 * (empty before) where it had escapes. False: let the parser read it; then
 * ${scratch} holds anything, and may have failed.
 */
MUST_CHECK bool scan_delta(
    const char *data, size_t len, struct buf *scratch, struct text *ret);

#endif
