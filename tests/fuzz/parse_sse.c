/* Event streams: the same bytes in any cuts give the same events. */
#include "worker/parse_sse.h"

#include "tests/fuzz/cuts.h"

#define MAX_LINE 512 /* small, so that the ceiling is met */

static bool on_event(void *arg, const struct parse_sse_event *e)
{
	struct buf *out = arg;

	buf_printf(out, "%d%d ", (int)e->kind, (int)e->cut);
	buf_add(out, e->name.s, e->name.len);
	buf_putc(out, '\x01');
	buf_add(out, e->data.s, e->data.len);
	buf_putc(out, '\x02');
	ASSERT(e->data.len <= MAX_LINE);
	return true;
}

static enum err feed(void *arg, const char *bytes, size_t len)
{
	return parse_sse_feed(arg, bytes, len);
}

/* Cut by ${seed}; 0: not at all. */
static enum err run(
    const uint8_t *data, size_t size, uint64_t seed, struct buf *out)
{
	struct parse_sse p;
	enum err rc;

	buf_init(out, 1 << 24);
	parse_sse_init(&p, MAX_LINE, on_event, out);
	rc = cuts_feed(data, size, seed, 40, feed, &p);
	if (rc == OK)
		rc = parse_sse_end(&p);
	parse_sse_fini(&p);
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
