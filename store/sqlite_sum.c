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

static uLong add_number(uLong crc, int type, int64_t n)
{
	uint8_t bytes[9] = { (uint8_t)type };

	for (int i = 0; i < 8; i++)
		bytes[1 + i] = (uint8_t)((uint64_t)n >> 8 * i);
	return crc32(crc, bytes, sizeof(bytes));
}

/* spool_sum(…): each value with its type, and its length where it has one. */
static void sum_values(sqlite3_context *ctx, int n, sqlite3_value **v)
{
	uLong crc = crc32(0, NULL, 0);
	const void *data;
	int type, len;

	for (int i = 0; i < n; i++) {
		type = sqlite3_value_type(v[i]);
		if (type == SQLITE_NULL || type == SQLITE_INTEGER) {
			crc = add_number(crc, type, sqlite3_value_int64(v[i]));
			continue;
		}
		data = sqlite3_value_blob(v[i]);
		len = sqlite3_value_bytes(v[i]);
		if (data == NULL && len > 0) {
			sqlite3_result_error_nomem(ctx);
			return;
		}
		crc = add_number(crc, type, len);
		/* Without bytes it would begin anew. */
		if (len > 0)
			crc = crc32_z(crc, data, (size_t)len);
	}
	sqlite3_result_int64(ctx, (sqlite3_int64)(uint32_t)crc);
}

int sqlite_sum_teach(sqlite3 *db)
{
	return sqlite3_create_function_v2(db, "spool_sum", -1,
	    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
	    sum_values, NULL, NULL, NULL);
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
