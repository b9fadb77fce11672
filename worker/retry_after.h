/*
 * retry_after: how long an upstream asks to be left alone.
 *
 * Used by: error_class.          Thread: any; pure.
 */
#ifndef WORKER_RETRY_AFTER_H
#define WORKER_RETRY_AFTER_H

#include <jansson.h>

#include "worker/error_class.h"

/*
 * Milliseconds, rounded up, never negative; -1: not said. The first readable
 * one of: retry-after-ms, retry-after as seconds (RFC 9110 10.2.3, with a
 * fraction) or as a date, and in ${e}, the object that tells the error, what
 * Google and OpenRouter put there.
 */
int64_t retry_after_find(const struct error_class_input *in, const json_t *e);

#endif
