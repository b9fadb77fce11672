/*
 * prefill: a request that asks to go on from what was already answered: the
 * partial answer goes along as a last message of the assistant's.
 *
 * Used by: run.     Thread: any; pure.
 * Promises: what comes back from an upstream that takes it begins exactly
 * where the partial answer ends. It is for text alone: whoever has seen
 * reasoning or a tool call cannot go on from it.
 */
#ifndef WORKER_PREFILL_H
#define WORKER_PREFILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"

/* How an upstream takes it. */
enum prefill {
	PREFILL_NO,  /* it would begin a new turn */
	PREFILL_YES, /* a last message of the assistant's is gone on from */
	/* The same, but it must not end in blanks (Anthropic). */
	PREFILL_TRIMMED,
	PREFILL_VLLM, /* as yes, and two members that say so */
};

/* "no", "yes", "trimmed", "vllm"; false for anything else. */
bool prefill_parse(const char *name, enum prefill *ret);

/* More text is not sent along. */
#define PREFILL_MAX_BYTES ((size_t)1 << 20)

/* Could ${request} (store/request.h) be gone on from at all? */
bool prefill_possible(const char *request, size_t len);

/*
 * How much of ${text} is sent. What is left of it are blanks, with which the
 * upstream may begin again: whoever shows what comes leaves those out.
 */
size_t prefill_len(enum prefill how, const struct buf *text);

/*
 * Append ${request}, changed so that it goes on from ${text}, of about
 * ${tokens}; max_output_tokens is what is left of it. Fails through the buffer.
 */
void prefill_write(struct buf *b, enum prefill how, const char *request,
    size_t len, const struct buf *text, int64_t tokens);

#endif
