/*
 * chunk: the waist coming down. One row of a log: what one upstream delta
 * became, in the form that is stored and that every front expands.
 *
 * Used by: dialects and runs (make them), the store (keeps them), fronts.
 * Thread: any; pure.
 * Promises: content is well-formed UTF-8 (NUL allowed) and never splits a code
 * point. A reader that appends the content of every chunk blindly gets the
 * answer's text, as long as no reset occurs: only text chunks have content.
 *
 * kind          content   metadata (JSON object; "kind" is added by fronts)
 * text          the delta {} or {"refusal":true}
 * reasoning     ""        {"text":"…"}
 * tool_call     ""        {"index":n,"phase":"start","id":"…","name":"…"}
 *                         {"index":n,"phase":"delta","arguments":"…"}
 *                         {"index":n,"phase":"end","arguments":"…","valid_json":b}
 * tool_start, tool_result, tool_error, source    as the tool or passage says
 * reset         ""        {"reason":"…"}: what came before is withdrawn
 * error         ""        {"code":"…","message":"…"}: an attempt failed, more follow
 * end           ""        {"status":"completed|failed|cancelled", …}: the last row
 */
#ifndef STORE_CHUNK_H
#define STORE_CHUNK_H

#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

/* The numbers are stored: append only. */
enum chunk_kind {
	CHUNK_TEXT = 0,
	CHUNK_REASONING = 1,
	CHUNK_TOOL_CALL = 2,
	CHUNK_TOOL_START = 3,
	CHUNK_TOOL_RESULT = 4,
	CHUNK_TOOL_ERROR = 5,
	CHUNK_SOURCE = 6,
	CHUNK_RESET = 7,
	CHUNK_ERROR = 8,
	CHUNK_END = 9,
};
#define CHUNK_KINDS 10

struct chunk {
	uint64_t index;	  /* place in its log, from 0, gap-free */
	uint32_t attempt; /* from 1 */
	enum chunk_kind kind;
	int64_t ts_ms;	     /* when it was received, wall clock */
	const char *content; /* lent; not NUL-terminated */
	size_t content_len;
	const char *meta; /* lent; a JSON object, or empty for {} */
	size_t meta_len;
};

/* The name of ${kind} as people and clients read it ("tool_call"). */
const char *chunk_kind_name(enum chunk_kind kind);

/*
 * Append the packed form of ${c}, without its index (its place says it):
 * kind, then LEB128 attempt, ts_ms - ${base_ms} (zigzag), content_len,
 * meta_len, then both texts. Fails through the buffer.
 */
void chunk_pack(struct buf *b, const struct chunk *c, int64_t base_ms);

/*
 * Read one packed chunk at *${p}, not past ${end}, and advance *${p}.
 * Lends: content and meta point into the packed bytes. The index is set to
 * ${index}. Fails: ERR_CORRUPT, nothing moved.
 */
MUST_CHECK enum err chunk_unpack(const char **p, const char *end,
    int64_t base_ms, uint64_t index, struct chunk *ret);

#endif
