/*
 * writer_wait: a write that somebody waits for.
 *
 * Used by: threads of their own, commands.     Thread: any but a loop, a worker
 * and the writer.
 */
#ifndef STORE_WRITER_WAIT_H
#define STORE_WRITER_WAIT_H

#include "store/base/err.h"
#include "store/writer.h"

struct writer_waiting {
	struct write write; /* first; kind, audit and u are the caller's */
	void *waiting;	    /* writer_wait()'s own */
};

/*
 * Post w->write and wait until it is done. Returns its result, or why it could
 * not be posted.
 */
MUST_CHECK enum err writer_wait(struct store *store, struct writer_waiting *w);

#endif
