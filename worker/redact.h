/*
 * redact: text from an upstream, fit to be stored and shown: without secrets,
 * well-formed, and short.
 *
 * Used by: answer, the only door that errors leave by.     Thread: any; pure.
 */
#ifndef WORKER_REDACT_H
#define WORKER_REDACT_H

#include "worker/dialect.h"

#define REDACT_MAX_BYTES ((size_t)4 << 10)

/*
 * Append ${t} to ${out}, at most REDACT_MAX_BYTES of it, with U+FFFD for what
 * is not UTF-8, and "[redacted]" for what looks like a key: after sk-, AIza,
 * Bearer, key= and their like. Masked keys ("sk-****abcd") stay as they are.
 * Fails through the buffer.
 */
void redact_text(struct buf *out, struct text t);

#endif
