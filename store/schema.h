/*
 * schema: the files of schema/, embedded by scripts/embed, in order of name.
 *
 * Used by: migrate.          Thread: any; constant.
 */
#ifndef STORE_SCHEMA_H
#define STORE_SCHEMA_H

#include <stddef.h>

struct schema_file {
	const char
	    *name; /* "schema/sqlite/0001_init.sql"; NULL ends the table */
	const char *text; /* NUL-terminated */
	size_t len;
};

extern const struct schema_file schema_files[];

#endif
