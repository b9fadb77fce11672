#include "store/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "store/base/log.h"

/* Looked up once: by name it costs more than hashing a key. */
static EVP_MD *sha256;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void look_up(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ASSERT(sha256 != NULL);
}

void digest_sha256(const void *data, size_t len, uint8_t dst[DIGEST_BYTES])
{
	unsigned int n = 0;

	pthread_once(&once, look_up);
	ASSERT(EVP_Digest(data, len, dst, &n, sha256, NULL) == 1);
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
