/*
 * import_line: a line of an export, and the same with one thing changed.
 *
 * Used by: the tests of import and importer.
 */
#ifndef TESTS_STORE_IMPORT_LINE_H
#define TESTS_STORE_IMPORT_LINE_H

#include <stdlib.h>
#include <string.h>

#include "store/base/buf.h"

#define LINE_ID "019b8098-8b00-7000-8000-0123456789ab"
/* When the id says that it was made. */
#define LINE_CREATED "\"2026-01-02T21:23:59.360Z\""
#define LINE_NOW_MS INT64_C(1767500000000)

#define LINE_CHUNK_0                                        \
	"{\"index\":0,\"content\":\"Hello\",\"timestamp\":" \
	"\"2026-01-02T21:24:00.000Z\",\"metadata\":{\"kind\":\"text\"}}"
#define LINE_CHUNK_1                                                     \
	"{\"index\":1,\"content\":\"\",\"timestamp\":"                   \
	"\"2026-01-02T21:24:00.100Z\",\"metadata\":{\"kind\":\"reset\"," \
	"\"reason\":\"again\"}}"
#define LINE_CHUNK_2                                               \
	"{\"index\":2,\"content\":\"Hi \\u0000\\ud83c\\udf0a\","   \
	"\"timestamp\":\"2026-01-02T21:24:00.200Z\",\"metadata\":" \
	"{\"kind\":\"text\",\"attempt\":2,\"n\":1.50}}"
#define LINE_END                                                                     \
	"{\"index\":3,\"content\":\"\",\"timestamp\":"                               \
	"\"2026-01-02T21:24:00.300Z\",\"metadata\":{\"kind\":\"end\",\"attempt\":2," \
	"\"status\":\"completed\"}}"

#define LINE_CHUNKS LINE_CHUNK_0 "," LINE_CHUNK_1 "," LINE_CHUNK_2 "," LINE_END

#define LINE                                                                \
	"{\"execution_id\":\"" LINE_ID "\",\"status\":\"completed\","       \
	"\"owner\":\"shop\",\"model\":\"m\",\"target\":\"sim/m\","          \
	"\"prompt\":null,\"created_at\":" LINE_CREATED ","                  \
	"\"started_at\":\"2026-01-02T21:23:59.400Z\",\"first_chunk_at\":"   \
	"\"2026-01-02T21:24:00.000Z\",\"finished_at\":"                     \
	"\"2026-01-02T21:24:00.300Z\",\"total_chunks\":4,\"attempts\":2,"   \
	"\"error_code\":null,\"request\":{\"messages\":[{\"role\":\"user\"" \
	",\"content\":\"\\u00e9 1.0\"}]},\"metadata\":{\"a\":1.0e2,"        \
	"\"a\":\"\\/\"},\"idempotency_key\":\"k\",\"request_hash\":"        \
	"\"00112233445566778899aabbccddeeff"                                \
	"00112233445566778899aabbccddeeff\","                               \
	"\"chunks\":[" LINE_CHUNKS "],\"text\":\"Hi "                       \
	"\\u0000\xf0\x9f\x8c\x8a\",\"chunk_attempts\":[[0,1],[2,2]]}"

/* The same, of which only the record is left. */
#define LINE_GONE                                                         \
	"{\"execution_id\":\"" LINE_ID "\",\"status\":\"completed\","     \
	"\"owner\":\"shop\",\"model\":\"m\",\"target\":\"sim/m\","        \
	"\"prompt\":null,\"created_at\":" LINE_CREATED ","                \
	"\"started_at\":\"2026-01-02T21:23:59.400Z\",\"first_chunk_at\":" \
	"\"2026-01-02T21:24:00.000Z\",\"finished_at\":"                   \
	"\"2026-01-02T21:24:00.300Z\",\"total_chunks\":4,\"attempts\":2," \
	"\"error_code\":null,\"payload_deleted_at\":"                     \
	"\"2026-01-02T22:00:00.000Z\",\"request\":null,\"metadata\":"     \
	"{\"a\":1.0e2,\"a\":\"\\/\"},\"idempotency_key\":\"k\","          \
	"\"request_hash\":"                                               \
	"\"00112233445566778899aabbccddeeff"                              \
	"00112233445566778899aabbccddeeff\",\"payload_deleted\":true,"    \
	"\"chunks\":[],\"text\":\"\",\"chunk_attempts\":[]}"

/* ${line} with the first ${from} replaced by ${to}; for free(). */
static inline char *line_with(
    const char *line, const char *from, const char *to)
{
	const char *at = strstr(line, from);
	struct buf b;

	if (at == NULL)
		abort();
	buf_init(&b, (size_t)64 << 20);
	buf_add(&b, line, (size_t)(at - line));
	buf_puts(&b, to);
	buf_puts(&b, at + strlen(from));
	return buf_detach(&b, NULL);
}

#endif
