/*
 * openapi: THE table of routes as an OpenAPI 3.1 document, for people and for
 * programs that make clients of it.
 *
 * A new route needs nothing here: its path, its query's names, its key and how
 * it is refused come from route.c, what it takes and gives is then "an object".
 * Who wants to say more adds a line to openapi_operation.c, and what that names
 * to openapi_schema.c.
 *
 * Used by: front_ops (/openapi.json).          Thread: any; pure.
 */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include "store/base/buf.h"

/* Append the document to ${b}; it needs less than OPENAPI_MAX_BYTES. */
void openapi_json(struct buf *b);

#define OPENAPI_MAX_BYTES ((size_t)1 << 20)

#endif
