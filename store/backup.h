/*
 * backup: a copy of a store that is whole: verified, synced, its owner's alone,
 * and never in the place of another file; and a store made from one.
 *
 * Used by: the commands backup and restore, the server's /v1/backup.
 * Thread: one that may wait for the disk for long; never a loop, the writer.
 * Promises: what does not succeed leaves nothing behind; until the last moment
 * the target's name is not there.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <stdatomic.h>

#include "store/base/err.h"

/*
 * Copy the store at ${url}, which nobody else has open, to the file ${target}.
 * Fails: ERR_NOT_FOUND, ERR_BUSY, ERR_CONFLICT (${target} is there), ERR_INPUT,
 * ERR_FULL, ERR_CORRUPT (the copy does not pass: nor does the store), ERR_IO,
 * ERR_NOMEM, ERR_VERSION.
 */
MUST_CHECK enum err backup_alone(
    const char *url, const char *target, struct why *why);

/*
 * The copy ${part}, made by the writer (WRITE_COPY), becomes ${target}, which
 * lies on the same file system. ${part} is gone in any case. Stops soon after
 * *${cancel}. Fails: as above, ERR_STOPPED.
 */
MUST_CHECK enum err backup_finish(const char *part, const char *target,
    const atomic_bool *cancel, struct why *why);

/*
 * Make the store at ${url} of the backup ${from}, which stays. Fails:
 * ERR_CONFLICT (there is a store, or what is left of one), else as above.
 */
MUST_CHECK enum err backup_restore(
    const char *from, const char *url, struct why *why);

#endif
