/*
 * import_internal: what reading the record and reading the chunks share.
 *
 * Used by: store/import*.c.     Thread: any; pure.
 */
#ifndef STORE_IMPORT_INTERNAL_H
#define STORE_IMPORT_INTERNAL_H

#include "store/base/jsonscan.h"
#include "store/import.h"

/* How far an id's stamp and created_ms may lie apart. */
#define IMPORT_STAMP_MS 60000

/*
 * "2026-01-02T03:04:05.678Z" with its quotes, and in no other form. Fails:
 * ERR_INPUT.
 */
MUST_CHECK enum err import_time(struct jsonscan_slice v, int64_t *ret_ms);

/* Not long before ${e} was made, and not in the future. */
bool import_plausible(const struct execution *e, int64_t now_ms, int64_t ms);

#endif
