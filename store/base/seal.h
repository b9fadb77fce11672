/*
 * seal: keeping a secret where others may read: AES-256-GCM (NIST SP 800-38D)
 * by libcrypto, with a key from a file.
 *
 * Used by: the vault's users.          Thread: any, once made.
 * Promises: what was sealed opens only with the same key and the same context,
 * whole; a nonce is never used twice. The key is wiped when it is freed.
 */
#ifndef STORE_BASE_SEAL_H
#define STORE_BASE_SEAL_H

#include <stdbool.h>
#include <stddef.h>

#include "store/base/buf.h"
#include "store/base/err.h"

struct seal;

#define SEAL_KEY_BYTES 32
/* So much longer is what is sealed than what it hides. */
#define SEAL_EXTRA_BYTES 37

/*
 * With the key in the file ${path}, exactly SEAL_KEY_BYTES that nobody but its
 * owner may read; and with that in ${previous} (NULL: none), for opening alone.
 * Fails: ERR_INPUT and ${why} names the file and says how to mend it; ERR_NOMEM.
 */
MUST_CHECK enum err seal_new(
    const char *path, const char *previous, struct seal **ret, struct why *why);
/* NULL is nothing. */
void seal_free(struct seal *s);

/*
 * Append ${len} bytes of ${secret}, sealed for ${context} (what it is, and
 * whose), to ${b}. Fails through the buffer.
 */
void seal_close(const struct seal *s, const char *context, const void *secret,
    size_t len, struct buf *b);

/*
 * Append what ${len} bytes of seal_close() hide to ${b}, which the caller
 * wipes. *${ret_old}: it was the previous key's. Fails: ERR_DENIED (another key
 * closed it), ERR_CORRUPT (it is not what was sealed, or of another context),
 * ERR_NOMEM, ERR_LIMIT (the buffer).
 */
MUST_CHECK enum err seal_open(const struct seal *s, const char *context,
    const void *sealed, size_t len, struct buf *b, bool *ret_old);

#endif
