/*
 * sqlite_sql: every question that SQLite is asked, as text.
 *
 * Used by: store/sqlite_*.c and the contract suite.     Thread: any; constant.
 * Promises: all are prepared at open, so a typo fails at start; values are
 * bound, in the order of ?1, ?2, …
 */
#ifndef STORE_SQLITE_SQL_H
#define STORE_SQLITE_SQL_H

#include <stdbool.h>

enum sqlite_sql {
	SQL_BEGIN,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SCHEMA_THERE,
	SQL_SCHEMA_VERSION,
	SQL_SCHEMA_APPLIED,
	SQL_PAGES,
	SQL_STATE_GET,
	SQL_STATE_EXECUTION,
	SQL_STATE_SEQ,
	SQL_CHUNK_LAST,
	SQL_EXECUTION_INSERT,
	SQL_REQUEST_INSERT,
	SQL_EXECUTION_BY_KEY,
	SQL_EXECUTION_START,
	SQL_EXECUTION_END,
	SQL_EXECUTION_DELETE,
	SQL_REQUEST_DELETE,
	SQL_SEGMENTS_DELETE,
	SQL_CHUNK_APPEND,
	SQL_CHUNK_OLDEST,
	SQL_CHUNK_DROP,
	SQL_SEGMENT_PUT,
	SQL_EXECUTION_PACKED,
	SQL_IMPORT_NOTE,
	SQL_IMPORT_FORGET,
	SQL_IMPORT_FIRST,
	SQL_IMPORT_DROP,
	SQL_IMPORT_EXECUTION,
	SQL_KEY_INSERT,
	SQL_KEY_REVOKE,
	SQL_KEYS,
	SQL_PROMPT_INSERT,
	SQL_PROMPT_VERSION,
	SQL_PROMPT_DELETE,
	SQL_LIVE_EXECUTIONS,
	SQL_LIVE_CHUNKS,
	SQL_FREE_PAGES,
	SQL_VACUUM_SOME,
	SQL_EXECUTION_GET,
	SQL_REQUEST_GET,
	/* Lists: the order of the eight is owner, status, order (sqlite_read.c). */
	SQL_LIST,
	SQL_LIST_ASC,
	SQL_LIST_STATUS,
	SQL_LIST_STATUS_ASC,
	SQL_LIST_OWNER,
	SQL_LIST_OWNER_ASC,
	SQL_LIST_OWNER_STATUS,
	SQL_LIST_OWNER_STATUS_ASC,
	SQL_PAGE_HEAD,
	SQL_SEGMENT_AT,
	SQL_SEGMENTS_FROM,
	SQL_PROMPT_GET,
	SQL_PROMPT_LIST,
	SQL_SEEN_EXECUTIONS,
	SQL_SEEN_SEGMENTS,
	SQL_SEEN_CHUNKS,
	SQL_INTEGRITY,
	SQL_INTEGRITY_QUICK,
	N_SQL,
};

struct sqlite_sql_text {
	const char *text;
	bool write; /* only the writing connection has it */
	bool hot;   /* its plan may hold no SCAN */
};

const struct sqlite_sql_text *sqlite_sql(enum sqlite_sql q);

#endif
