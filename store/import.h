/*
 * import: an ended execution that comes from an export, as it will be stored:
 * the record, and its chunks, packed.
 *
 * Used by: importer (reads and compares), the writer (stores it).
 * Thread: the owner's; pure.
 * Promises: what import_read() takes is whole and could have been written by
 * this store: indices dense from 0, one end, in the last place, that says what
 * the record says; or, of a record whose payload was deleted, no request and no
 * chunks. An export of it gives the line again.
 */
#ifndef STORE_IMPORT_H
#define STORE_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"
#include "store/execution.h"
#include "store/key.h"

struct page;
struct pack;

/* A line: where it comes through a server; where it is read from a file. */
#define IMPORT_LINE_BYTES ((size_t)64 << 20)
#define IMPORT_LINE_ALONE_BYTES ((size_t)1 << 30)

/* One day: how far times may be off from what is plausible. */
#define IMPORT_SLACK_MS ((int64_t)24 * 3600 * 1000)

struct import_segment {
	uint64_t first;
	uint32_t n, codec;
	size_t raw_at, raw_len; /* in raw */
	size_t at, len;		/* in payload, once it is packed */
};

struct import {
	struct execution e; /* row 0 */
	struct buf raw;	    /* chunk_pack()s, all of them */
	struct import_segment *segments;
	size_t n_segments, segments_room;
	struct buf payload;
};

/* Whose executions become whose. */
#define IMPORT_MAX_OWNERS 64
struct import_owners {
	size_t n;
	struct {
		char from[KEY_NAME_BYTES]; /* "": anybody's */
		char to[KEY_NAME_BYTES];
	} map[IMPORT_MAX_OWNERS];
};

/*
 * "NAME" (all become its), or "OLD=NEW,…". Fails: ERR_INPUT and ${why}.
 */
MUST_CHECK enum err import_owners_parse(
    const char *text, struct import_owners *ret, struct why *why);

void import_init(struct import *i);
void import_fini(struct import *i);

/*
 * Read one line of an export (server/README.md, "The export") into an empty
 * ${ret}, whose owner is mapped by ${owners} (NULL: nobody's). ${now_ms}: the
 * present. Fails: ERR_INPUT, and ${why} says what is wrong and where; then
 * ${ret} has the id if there is one (else zeroes). ERR_NOMEM.
 */
MUST_CHECK enum err import_read(struct import *ret, const char *line,
    size_t len, const struct import_owners *owners, int64_t now_ms,
    struct why *why);

/* Make the payload of each segment. Fails: ERR_NOMEM. */
MUST_CHECK enum err import_pack(struct import *i, struct pack *p);

/*
 * Is ${e} the record of ${i}? Whether "@type" or "_type" is the same: an export
 * cannot tell. Else *${ret_what} names what differs.
 */
bool import_same_record(
    const struct import *i, const struct execution *e, const char **ret_what);

/*
 * Are the chunks on ${page} those of ${i}, whose chunk page->first is at
 * *${at} in raw? Moves *${at} behind the last.
 */
bool import_same_chunks(
    const struct import *i, const struct page *page, size_t *at);

#endif
