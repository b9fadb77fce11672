/* Lines of JSON: the same bytes in any cuts give the same lines. */
#include "worker/parse_ndjson.h"

#include "tests/fuzz/cuts.h"

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

static enum err feed(void *arg, const char *bytes, size_t len)
{
	return parse_ndjson_feed(arg, bytes, len);
}

/* Cut by ${seed}; 0: not at all. */
static enum err run(
    const uint8_t *data, size_t size, uint64_t seed, struct buf *out)
{
	struct parse_ndjson p;
	enum err rc;

	buf_init(out, 1 << 24);
	parse_ndjson_init(&p, MAX_LINE, on_line, out);
	rc = cuts_feed(data, size, seed, 40, feed, &p);
	if (rc == OK)
		rc = parse_ndjson_end(&p);
	parse_ndjson_fini(&p);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	enum err rc = run(data, size, 0, &whole);

	ASSERT(rc == run(data, size, cuts_seed(data, size), &cut));
	ASSERT(whole.len == cut.len);
	ASSERT(whole.len == 0 || memcmp(whole.data, cut.data, cut.len) == 0);
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
