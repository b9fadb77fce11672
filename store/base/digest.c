#include "store/base/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "store/base/log.h"

/*
 * Looked up once, and a context for each thread: by name, or with a new one
 * each time, that costs more than hashing a key.
 */
static EVP_MD *sha256;
static pthread_key_t context;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void context_free(void *ctx)
{
	EVP_MD_CTX_free(ctx);
}

static void look_up(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ASSERT(sha256 != NULL);
	ASSERT(pthread_key_create(&context, context_free) == 0);
}

static EVP_MD_CTX *own_context(void)
{
	EVP_MD_CTX *ctx = pthread_getspecific(context);

	if (ctx == NULL) {
		ctx = EVP_MD_CTX_new();
		ASSERT(ctx != NULL && pthread_setspecific(context, ctx) == 0);
	}
	return ctx;
}

void digest_sha256(const void *data, size_t len, uint8_t dst[DIGEST_BYTES])
{
	unsigned int n = 0;
	EVP_MD_CTX *ctx;

	pthread_once(&once, look_up);
	ctx = own_context();
	ASSERT(EVP_DigestInit_ex2(ctx, sha256, NULL) == 1 &&
	       EVP_DigestUpdate(ctx, data, len) == 1 &&
	       EVP_DigestFinal_ex(ctx, dst, &n) == 1);
	ASSERT(n == DIGEST_BYTES);
}

void digest_sha1(const void *data, size_t len, uint8_t dst[DIGEST_SHA1_BYTES])
{
	unsigned int n = 0;

	ASSERT(EVP_Digest(data, len, dst, &n, EVP_sha1(), NULL) == 1);
	ASSERT(n == DIGEST_SHA1_BYTES);
}

bool digest_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}

void digest_wipe(void *data, size_t len)
{
	OPENSSL_cleanse(data, len);
}
