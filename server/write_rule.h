/*
 * write_rule: what a removal was to take, as the audit keeps it.
 *
 * Used by: front_ops_prune, cmd/pruner.          Thread: any; pure.
 */
#ifndef SERVER_WRITE_RULE_H
#define SERVER_WRITE_RULE_H

#include "store/base/buf.h"
#include "store/retention.h"

/* Append the members of an object: what ${r} limits, by POST /v1/prune's names. */
void write_rule_members(struct buf *b, const struct retention_rule *r);

#endif
