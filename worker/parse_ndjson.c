#include "worker/parse_ndjson.h"

#include <string.h>

/* A larger buffer is not kept while the stream waits for its next line. */
#define KEEP_BYTES ((size_t)4 << 10)

void parse_ndjson_init(struct parse_ndjson *p, size_t max_bytes,
    parse_ndjson_fn *on_line, void *arg)
{
	*p = (struct parse_ndjson){
		.max = max_bytes, .on_line = on_line, .arg = arg
	};
	buf_init(&p->line, max_bytes);
}

void parse_ndjson_fini(struct parse_ndjson *p)
{
	buf_fini(&p->line);
}

static bool blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
			return false;
	return true;
}

/* One whole line. */
static void line(struct parse_ndjson *p, const char *s, size_t len, bool cut)
{
	if (len > p->max) {
		p->failed = ERR_LIMIT;
		return;
	}
	if (!p->begun) {
		p->begun = true;
		if (len >= 3 && memcmp(s, "\xef\xbb\xbf", 3) == 0) {
			s += 3;
			len -= 3;
		}
	}
	if (!blank(s, len) && !p->on_line(p->arg, (struct text){ s, len }, cut))
		p->stopped = true;
}

static void keep(struct parse_ndjson *p, const char *s, size_t len)
{
	buf_add(&p->line, s, len);
	p->failed = buf_state(&p->line);
}

static void forget(struct parse_ndjson *p)
{
	if (p->line.cap > KEEP_BYTES)
		buf_fini(&p->line);
	else
		buf_reset(&p->line);
}

enum err parse_ndjson_feed(
    struct parse_ndjson *p, const char *bytes, size_t len)
{
	const char *lf;
	size_t n;

	while (len > 0 && !p->stopped && p->failed == OK) {
		lf = memchr(bytes, '\n', len);
		n = lf == NULL ? len : (size_t)(lf - bytes);
		if (lf == NULL || p->line.len > 0)
			keep(p, bytes, n);
		if (lf == NULL || p->failed != OK)
			break;
		if (p->line.len > 0)
			line(p, p->line.data, p->line.len, false);
		else
			line(p, bytes, n, false);
		forget(p);
		bytes += n + 1;
		len -= n + 1;
	}
	return p->failed;
}

enum err parse_ndjson_end(struct parse_ndjson *p)
{
	if (p->failed == OK && !p->stopped && p->line.len > 0)
		line(p, p->line.data, p->line.len, true);
	p->stopped = true;
	return p->failed;
}
