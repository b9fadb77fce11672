/*
 * openapi_internal: the tables that openapi writes down.
 *
 * A type, as these tables write it:
 *
 *	string integer number boolean object any	as JSON Schema has them
 *	integer 1..1000, number 0..2			with its limits
 *	time, id, uri					a string of that form
 *	a|b|c						one of these words
 *	Name						a schema of that name
 *	[]T						a list of T
 *	[](T or U)					a list of either
 *	T?						T or null
 *	T or U						either
 *
 * Thread: any; constant.
 */
#ifndef SERVER_OPENAPI_INTERNAL_H
#define SERVER_OPENAPI_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http.h"
#include "store/base/buf.h"

/* A member of an object. A name that ends in ? may be absent. */
struct openapi_member {
	const char *name;
	const char *type;
	const char *what; /* or NULL */
};

struct openapi_schema {
	const char *name;
	const char *what;
	/* Up to a NULL name. */
	const struct openapi_member *members;
	bool closed; /* others are refused */
};

/* What is sent in the query, or as a header. */
struct openapi_parameter {
	const char *name;
	const char *at; /* where it means this, a part of the path; NULL: all */
	const char *type;
	const char *what;
	bool header;
};

/* What a route takes and gives. */
struct openapi_operation {
	enum http_method method;
	const char *pattern;
	/*
	 * A type, behind "MEDIA:" unless it is JSON; NULL: no body. A body that
	 * may be left out ends in ?.
	 */
	const char *takes;
	/* "202 Started, 200 Started, 204": JSON, or MEDIA, or MEDIA:TYPE. */
	const char *gives;
	const char *headers; /* that it reads: "If-None-Match"; or NULL */
	/* What it reads of a query that may name anything; or NULL. */
	const char *query;
};

/* The objects that are named, *${ret_n} of them. */
const struct openapi_schema *openapi_schema_client(size_t *ret_n);
const struct openapi_schema *openapi_schema_call(size_t *ret_n);
const struct openapi_schema *openapi_schema_admin(size_t *ret_n);
const struct openapi_schema *openapi_schema_model(size_t *ret_n);

/* What is said of the routes, *${ret_n} of them. */
const struct openapi_operation *openapi_operation_table(size_t *ret_n);

/* NULL: nothing is said of it. */
const struct openapi_operation *openapi_operation_find(
    enum http_method method, const char *pattern);
const struct openapi_parameter *openapi_operation_parameter(
    const char *name, size_t len, const char *pattern);

/* Append the JSON Schema of ${type}, ${len} long, as a value. */
void openapi_type(struct buf *b, const char *type, size_t len);

/* Append {"Name":schema,…} of all objects, as a value. */
void openapi_type_schemas(struct buf *b);

#endif
