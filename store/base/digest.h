/*
 * digest: SHA-256 and SHA-1 (FIPS 180-4) and comparing secrets, by libcrypto.
 *
 * Used by: keys, idempotency, the WebSocket handshake.          Thread: any.
 */
#ifndef STORE_BASE_DIGEST_H
#define STORE_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

/* SHA-256 of ${len} bytes into ${dst}. Panics when libcrypto has none. */
void digest_sha256(const void *data, size_t len, uint8_t dst[DIGEST_BYTES]);

/* SHA-1, which RFC 6455 section 4.2.2 asks for; protects nothing. */
#define DIGEST_SHA1_BYTES 20
void digest_sha1(const void *data, size_t len, uint8_t dst[DIGEST_SHA1_BYTES]);

/* Equal or not, in a time that does not depend on where they differ. */
bool digest_equal(const void *a, const void *b, size_t len);

/* Overwrite a secret so that the compiler cannot leave it out. */
void digest_wipe(void *data, size_t len);

#endif
