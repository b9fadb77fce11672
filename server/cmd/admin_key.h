/*
 * admin_key: see to it that somebody can administer a store.
 *
 * Used by: serve.     Thread: the main one, with the store open.
 */
#ifndef SERVER_CMD_ADMIN_KEY_H
#define SERVER_CMD_ADMIN_KEY_H

#include "store/base/err.h"

struct store;

/*
 * ${preset} (SPOOL_ADMIN_KEY; NULL: none) becomes an admin key, once. Without it,
 * a store that has no key at all gets one: it is printed on stdout when that is
 * a terminal, else written to admin.key (mode 0600) beside ${db}; an admin.key
 * that is there already is taken instead of a new one.
 * Fails: ERR_INPUT (the file), ERR_IO, ERR_NOMEM and what the writer says.
 */
MUST_CHECK enum err admin_key_ensure(
    struct store *store, const char *preset, const char *db, struct why *why);

#endif
