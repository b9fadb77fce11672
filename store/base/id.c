#include "store/base/id.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "store/base/clock.h"
#include "store/base/log.h"

/*
 * The last stamp given out: 48 bits of milliseconds and 12 bits of counter
 * (RFC 9562 section 6.2, method 1). Guarded by its lock; it only grows.
 */
static pthread_mutex_t stamp_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t stamp_last;

void id_random(void *dst, size_t len)
{
	char *p = dst;

	while (len > 0) {
		ssize_t n = getrandom(p, len, 0);

		ASSERT(n > 0);
		p += n;
		len -= (size_t)n;
	}
}

struct id id_new(void)
{
	uint64_t stamp = (uint64_t)clock_wall_ms() << 12;
	struct id id;

	pthread_mutex_lock(&stamp_lock);
	if (stamp <= stamp_last)
		stamp = stamp_last + 1;
	stamp_last = stamp;
	pthread_mutex_unlock(&stamp_lock);

	for (int i = 0; i < 6; i++)
		id.byte[i] = (uint8_t)(stamp >> (52 - 8 * i));
	id_random(id.byte + 8, 8);
	id.byte[6] = (uint8_t)(0x70 | ((stamp >> 8) & 0x0f));
	id.byte[7] = (uint8_t)stamp;
	id.byte[8] = (uint8_t)(0x80 | (id.byte[8] & 0x3f));
	return id;
}

void id_text(const struct id *id, char *dst)
{
	static const char hex[] = "0123456789abcdef";

	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*dst++ = '-';
		*dst++ = hex[id->byte[i] >> 4];
		*dst++ = hex[id->byte[i] & 15];
	}
	*dst = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

enum err id_parse(const char *text, size_t len, struct id *ret)
{
	struct id id;
	const char *p = text;

	if (len != ID_TEXT - 1)
		return ERR_INPUT;
	for (int i = 0; i < 16; i++) {
		int hi, lo;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
			return ERR_INPUT;
		hi = nibble(p[0]);
		lo = hi < 0 ? -1 : nibble(p[1]);
		if (lo < 0)
			return ERR_INPUT;
		id.byte[i] = (uint8_t)(hi << 4 | lo);
		p += 2;
	}
	*ret = id;
	return OK;
}

bool id_equal(const struct id *a, const struct id *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

uint8_t id_bucket(const struct id *id)
{
	return id->byte[15];
}

uint64_t id_hash(const struct id *id)
{
	uint64_t low;

	memcpy(&low, id->byte + 8, sizeof(low));
	return low * 0x9e3779b97f4a7c15u;
}
