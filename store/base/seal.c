#include "store/base/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/base/digest.h"
#include "store/base/log.h"

/* version, which key, nonce, tag, the secret */
#define VERSION 1
#define NAME_BYTES 8
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define AT_NAME 1
#define AT_NONCE (AT_NAME + NAME_BYTES)
#define AT_TAG (AT_NONCE + NONCE_BYTES)
#define AT_TEXT (AT_TAG + TAG_BYTES)

_Static_assert(AT_TEXT == SEAL_EXTRA_BYTES, "the header says how long it is");

struct key {
	uint8_t byte[SEAL_KEY_BYTES];
	uint8_t name[NAME_BYTES]; /* tells it from others, and nothing of it */
};

struct seal {
	struct key now, before;
	bool has_before;
};

static void name_key(struct key *k)
{
	static const char label[] = "spool seal key";
	uint8_t text[sizeof(label) + SEAL_KEY_BYTES], sum[DIGEST_BYTES];

	memcpy(text, label, sizeof(label));
	memcpy(text + sizeof(label), k->byte, SEAL_KEY_BYTES);
	digest_sha256(text, sizeof(text), sum);
	memcpy(k->name, sum, NAME_BYTES);
	digest_wipe(text, sizeof(text));
}

static enum err read_key(const char *path, struct key *ret, struct why *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	uint8_t byte[SEAL_KEY_BYTES + 1];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_why(why, "cannot read the key file %s: %s", path,
		    strerror(errno));
		goto refused;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
		err_why(why,
		    "others may read the key file %s: chmod 600 it, and take "
		    "another key if they may have",
		    path);
		goto refused;
	}
	n = read(fd, byte, sizeof(byte));
	if (n != SEAL_KEY_BYTES) {
		err_why(why,
		    "the key file %s must hold exactly %d bytes: head -c %d "
		    "/dev/urandom > %s",
		    path, SEAL_KEY_BYTES, SEAL_KEY_BYTES, path);
		digest_wipe(byte, sizeof(byte));
		goto refused;
	}
	close(fd);
	memcpy(ret->byte, byte, SEAL_KEY_BYTES);
	digest_wipe(byte, sizeof(byte));
	name_key(ret);
	return OK;
refused:
	if (fd >= 0)
		close(fd);
	return ERR_INPUT;
}

enum err seal_new(
    const char *path, const char *previous, struct seal **ret, struct why *why)
{
	struct seal *s = calloc(1, sizeof(*s));
	enum err rc;

	if (s == NULL)
		return ERR_NOMEM;
	rc = read_key(path, &s->now, why);
	if (rc == OK && previous != NULL) {
		s->has_before = true;
		rc = read_key(previous, &s->before, why);
	}
	if (rc == OK)
		*ret = s;
	else
		seal_free(s);
	return rc;
}

void seal_free(struct seal *s)
{
	if (s == NULL)
		return;
	digest_wipe(s, sizeof(*s));
	free(s);
}

void seal_close(const struct seal *s, const char *context, const void *secret,
    size_t len, struct buf *b)
{
	uint8_t *to = (uint8_t *)buf_room(b, SEAL_EXTRA_BYTES + len);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	int n = 0;

	if (to == NULL || c == NULL) {
		if (b->failed == OK)
			b->failed = ERR_NOMEM;
		EVP_CIPHER_CTX_free(c);
		return;
	}
	to[0] = VERSION;
	memcpy(to + AT_NAME, s->now.name, NAME_BYTES);
	ASSERT(RAND_bytes(to + AT_NONCE, NONCE_BYTES) == 1);
	ASSERT(EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, s->now.byte,
		   to + AT_NONCE) == 1);
	ASSERT(EVP_EncryptUpdate(c, NULL, &n, (const uint8_t *)context,
		   (int)strlen(context)) == 1);
	ASSERT(EVP_EncryptUpdate(c, to + AT_TEXT, &n, secret, (int)len) == 1);
	ASSERT(EVP_EncryptFinal_ex(c, to + AT_TEXT + n, &n) == 1);
	ASSERT(EVP_CIPHER_CTX_ctrl(
		   c, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, to + AT_TAG) == 1);
	EVP_CIPHER_CTX_free(c);
	b->len += SEAL_EXTRA_BYTES + len;
}

static const struct key *find(
    const struct seal *s, const uint8_t *name, bool *ret_old)
{
	*ret_old = false;
	if (memcmp(name, s->now.name, NAME_BYTES) == 0)
		return &s->now;
	*ret_old = true;
	if (s->has_before && memcmp(name, s->before.name, NAME_BYTES) == 0)
		return &s->before;
	return NULL;
}

enum err seal_open(const struct seal *s, const char *context,
    const void *sealed, size_t len, struct buf *b, bool *ret_old)
{
	uint8_t from[SEAL_EXTRA_BYTES];
	const struct key *key;
	EVP_CIPHER_CTX *c;
	bool whole, old;
	uint8_t *to;
	int n = 0;

	if (len < SEAL_EXTRA_BYTES || *(const uint8_t *)sealed != VERSION)
		return ERR_CORRUPT;
	memcpy(from, sealed, sizeof(from));
	key = find(s, from + AT_NAME, &old);
	if (key == NULL)
		return ERR_DENIED;
	len -= SEAL_EXTRA_BYTES;
	to = (uint8_t *)buf_room(b, len + 1);
	if (to == NULL)
		return b->failed;
	c = EVP_CIPHER_CTX_new();
	if (c == NULL)
		return ERR_NOMEM;
	whole =
	    EVP_DecryptInit_ex(
		c, EVP_aes_256_gcm(), NULL, key->byte, from + AT_NONCE) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, (const uint8_t *)context,
		(int)strlen(context)) == 1 &&
	    EVP_DecryptUpdate(c, to, &n,
		(const uint8_t *)sealed + SEAL_EXTRA_BYTES, (int)len) == 1 &&
	    EVP_CIPHER_CTX_ctrl(
		c, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, from + AT_TAG) == 1 &&
	    EVP_DecryptFinal_ex(c, to + n, &n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (!whole) {
		digest_wipe(to, len);
		return ERR_CORRUPT;
	}
	b->len += len;
	*ret_old = old;
	return OK;
}
