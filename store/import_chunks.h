/*
 * import_chunks: the chunks of an export's line, checked and packed.
 *
 * Used by: import_read.     Thread: any; pure.
 */
#ifndef STORE_IMPORT_CHUNKS_H
#define STORE_IMPORT_CHUNKS_H

#include "store/base/jsonscan.h"
#include "store/import.h"

/* Members of the line; they have been walked over already. */
struct import_parts {
	struct jsonscan_slice chunks;
	struct jsonscan_slice attempts; /* p NULL: all are of the first */
	struct jsonscan_slice text;	/* p NULL: not given */
	int64_t now_ms;
};

/*
 * Fill raw and segments of ${i}, whose record is complete. Fails: ERR_INPUT and
 * ${why}; ERR_NOMEM.
 */
MUST_CHECK enum err import_chunks(
    struct import *i, const struct import_parts *parts, struct why *why);

#endif
