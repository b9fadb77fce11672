/*
 * store_internal: the parts of an open store, for its own files.
 *
 * Used by: store*.c, writer*.c, tail.c, query.c, keyring.c.
 */
#ifndef STORE_STORE_INTERNAL_H
#define STORE_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/engine.h"
#include "store/keyring_internal.h"
#include "store/vault_internal.h"
#include "store/store.h"
#include "store/tail_internal.h"
#include "store/writer_internal.h"

struct store {
	struct store_options options; /* its url is this: */
	char *url;
	const struct engine *engine;
	struct engine_db *db; /* the writer's, once it runs */
	struct tail *tail;
	struct keyring keyring;
	struct vault vault;
	struct writer writer;

	/* What had not ended at the start, until store_unfinished() gives it. */
	struct execution **unfinished;
	size_t n_unfinished, unfinished_room;

	/* failed_why is written once, before failed stops being OK. */
	atomic_int failed;
	struct why failed_why;

	/* Written by the writer, read by anyone; each stands alone. */
	atomic_uint_fast64_t commits, chunks, executions, deleted;
	atomic_uint_fast64_t commit_ns_sum, commit_ns_max;
	atomic_uint_fast64_t wal_bytes, db_bytes;
	atomic_uint_fast64_t free_bytes, disk_bytes, reserve_bytes;
	atomic_bool low;	     /* nothing new is taken */
	atomic_bool spent;	     /* what was set aside has been given */
	atomic_int_fast64_t full_ms; /* mono: no room since; 0: there is */
	atomic_bool cleaning;
	atomic_uint_fast64_t open_streams;
};

/*
 * Read back what the last process left: logs into the tail, work for the
 * packer, the list of the unfinished. Before the writer starts. Fails:
 * ERR_CORRUPT (${why}: which log is not dense), ERR_IO, ERR_NOMEM.
 */
MUST_CHECK enum err store_load(struct store *store, struct why *why);

/* Renew what stats say about the disk. On the writer's connection. */
void store_weigh(struct store *store);

/*
 * The store has stopped for good, by ${rc}. On the writer's thread; the first
 * call counts.
 */
void store_fail(struct store *store, enum err rc, const struct why *why);

#endif
