#include "store/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "store/base/log.h"

void digest_sha256(const void *data, size_t len, uint8_t dst[DIGEST_BYTES])
{
	unsigned int n = 0;

	ASSERT(EVP_Digest(data, len, dst, &n, EVP_sha256(), NULL) == 1);
	ASSERT(n == DIGEST_BYTES);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void digest_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
