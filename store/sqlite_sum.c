#include <string.h>
#include <zlib.h>

#include "store/sqlite_internal.h"

/* CRC-32: any one to three wrong bits, any burst of up to 32, else all but 2^-32. */
static uint32_t sum(int64_t key, int64_t n, const void *data, size_t len)
{
	uint8_t head[16];
	uLong crc;

	for (int i = 0; i < 8; i++) {
		head[i] = (uint8_t)((uint64_t)key >> 8 * i);
		head[8 + i] = (uint8_t)((uint64_t)n >> 8 * i);
	}
	crc = crc32(0, head, sizeof(head));
	return (uint32_t)crc32_z(crc, data, len);
}

void sqlite_sum(int64_t key, int64_t n, const void *data, size_t len,
    char ret[SQLITE_SUM_BYTES])
{
	uint32_t s = sum(key, n, data, len);

	for (int i = 0; i < SQLITE_SUM_BYTES; i++)
		ret[i] = (char)(s >> 8 * i);
}

bool sqlite_sum_holds(int64_t key, int64_t n, const void *data, size_t *len)
{
	char want[SQLITE_SUM_BYTES];

	if (data == NULL || *len < SQLITE_SUM_BYTES)
		return false;
	sqlite_sum(key, n, data, *len - SQLITE_SUM_BYTES, want);
	if (memcmp((const char *)data + *len - SQLITE_SUM_BYTES, want,
		SQLITE_SUM_BYTES) != 0)
		return false;
	*len -= SQLITE_SUM_BYTES;
	return true;
}
