/*
 * import_file: the lines of a file or of stdin, plain or gzip, one at a time.
 *
 * Used by: cmd_import.     Thread: the main one.
 * Promises: memory for one line and a little; gzip is known by its first bytes,
 * and may be a row of members, as spool export writes it.
 */
#ifndef SERVER_CMD_IMPORT_FILE_H
#define SERVER_CMD_IMPORT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

struct import_file;

/* ${path} "-": stdin. Fails: as input_open(); ERR_NOMEM. */
MUST_CHECK enum err import_file_open(const char *path, size_t max_line_bytes,
    struct import_file **ret, struct why *why);

/*
 * The next line that is not empty, without its end, lent until the next call.
 * Fails: ERR_NOT_FOUND, that was all; ERR_LIMIT, it is longer than a line may
 * be: passed over, the next call goes on behind it; ERR_CORRUPT, the gzip data
 * is broken or cut off; ERR_IO; ERR_NOMEM. ${why} says it.
 */
MUST_CHECK enum err import_file_line(
    struct import_file *f, const char **ret, size_t *ret_len, struct why *why);

/* The last line's number, from 1, and where it began, unpacked, from 1. */
uint64_t import_file_number(const struct import_file *f);
uint64_t import_file_byte(const struct import_file *f);

/* NULL is nothing. */
void import_file_close(struct import_file *f);

#endif
