/*
 * write_check: what a check says, as lines of JSON: {"finding":{…}},
 * {"progress":{…}}, and last {"done":{…}}.
 *
 * Used by: the route /v1/check, the command check.     Thread: any; pure.
 */
#ifndef SERVER_WRITE_CHECK_H
#define SERVER_WRITE_CHECK_H

#include "store/base/buf.h"
#include "store/check.h"

/* Append one line. Fails through the buffer. */
void write_check_finding(struct buf *b, const struct check_finding *f);
/* ${name}: "progress" or "done". */
void write_check_counts(
    struct buf *b, const char *name, const struct check *check);

#endif
