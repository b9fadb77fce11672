/*
 * query_internal: what the files of a query share.
 *
 * Used by: query*.c.     Thread: the query's.
 */
#ifndef STORE_QUERY_INTERNAL_H
#define STORE_QUERY_INTERNAL_H

#include "store/query.h"

struct query {
	struct store *store;
	struct engine_db
	    *db; /* NULL after a failure: opened again when asked */
};

/* Connected, if it is possible. */
MUST_CHECK enum err query_ready(struct query *q);

/* After some failures a connection is only good for closing. Gives ${rc}. */
enum err query_settled(struct query *q, enum err rc);

#endif
