/* Lines of JSON: the same bytes in any cuts give the same lines. */
#include "worker/parse_ndjson.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

#define MAX_LINE 512 /* small, so that the ceiling is met */

static bool on_line(void *arg, struct text line, bool cut)
{
	struct buf *out = arg;

	buf_printf(out, "%d ", (int)cut);
	buf_add(out, line.s, line.len);
	buf_putc(out, '\x02');
	ASSERT(line.len <= MAX_LINE);
	ASSERT(line.len == 0 || memchr(line.s, '\n', line.len) == NULL);
	return true;
}

/* Feed with cuts drawn from ${seed}; 0: none. */
static enum err run(
    const uint8_t *data, size_t size, uint64_t seed, struct buf *out)
{
	struct parse_ndjson p;
	enum err err = OK;

	buf_init(out, 1 << 24);
	parse_ndjson_init(&p, MAX_LINE, on_line, out);
	for (size_t i = 0; i < size && err == OK;) {
		size_t n = size - i;
		char *copy;

		if (seed != 0) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			n = 1 + seed % (seed & 0x100 ? 3 : 40);
		}
		if (n > size - i)
			n = size - i;
		/* An own block: reading past it is seen. */
		copy = malloc(n);
		ASSERT(copy != NULL);
		memcpy(copy, data + i, n);
		err = parse_ndjson_feed(&p, copy, n);
		free(copy);
		i += n;
	}
	if (err == OK)
		err = parse_ndjson_end(&p);
	parse_ndjson_fini(&p);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	uint64_t seed = 1;
	enum err err, again;

	if (size > 0)
		seed = (uint64_t)data[size - 1] * 0x9e3779b97f4a7c15u + size;
	err = run(data, size, 0, &whole);
	again = run(data, size, seed, &cut);
	ASSERT(err == again);
	ASSERT(whole.len == cut.len);
	ASSERT(whole.len == 0 || memcmp(whole.data, cut.data, cut.len) == 0);
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
