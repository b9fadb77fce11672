/*
 * prune_export: what is about to be removed, in a file first; then read back
 * from it, so that exactly that goes.
 *
 * Used by: cmd_prune.     Thread: the main one.
 */
#ifndef SERVER_CMD_PRUNE_EXPORT_H
#define SERVER_CMD_PRUNE_EXPORT_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#include "server/cmd/pruner.h"
#include "store/base/err.h"
#include "store/base/id.h"

struct prune_export;

/*
 * Write all that ${p}'s rule chooses to the new file ${path}, whole and on disk
 * when it returns; compressed when its name ends in .gz. Where nothing is chosen
 * no file is made. Fails, and there is no file: ERR_CONFLICT (it is there),
 * ERR_CANCELLED (*${interrupted} was set), as pruner_export().
 */
MUST_CHECK enum err prune_export_make(struct pruner *p, const char *path,
    const volatile sig_atomic_t *interrupted, struct prune_export **ret,
    struct why *why);

int64_t prune_export_lines(const struct prune_export *x);

/* The next up to PRUNER_IDS of the file; *${ret_n} 0: no more. Fails: ERR_IO. */
MUST_CHECK enum err prune_export_read(
    struct prune_export *x, struct id *ret, size_t *ret_n, struct why *why);

/* The file stays. NULL is nothing. */
void prune_export_free(struct prune_export *x);

#endif
