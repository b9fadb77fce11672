/*
 * roster: a thread's jobs, by id: a hash table of what embeds an entry.
 *
 * Used by: pump.          Thread: the owner's; pure.
 */
#ifndef WORKER_ROSTER_H
#define WORKER_ROSTER_H

#include <stddef.h>

#include "store/base/err.h"
#include "store/base/id.h"

struct roster_entry {
	struct roster_entry *next; /* private */
	struct id id;
};

struct roster {
	struct roster_entry **bucket; /* private */
	size_t n_buckets, n;
};

/* Fails: ERR_NOMEM. */
MUST_CHECK enum err roster_init(struct roster *r);
/* The entries are the caller's. */
void roster_fini(struct roster *r);

/* Enter ${e}, whose id is set. Fails: ERR_CONFLICT, the id is there. */
MUST_CHECK enum err roster_add(struct roster *r, struct roster_entry *e);
void roster_drop(struct roster *r, struct roster_entry *e);

/* Lent, or NULL. */
struct roster_entry *roster_find(const struct roster *r, const struct id *id);

#endif
