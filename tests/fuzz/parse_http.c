/* Any bytes as a request: no crash, and the same result however they are cut. */
#include "server/parse_http.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

#define MAX_BODY 4096

struct outcome {
	enum parse_http_result result;
	const struct parse_http_refusal *refusal;
	size_t used, body_len;
	char body[MAX_BODY];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void read_chunks(
    const char *data, size_t len, size_t step, struct outcome *out)
{
	struct parse_http_chunks c;
	size_t end = out->used;

	parse_http_chunks_init(&c, MAX_BODY);
	out->result = PARSE_HTTP_MORE;
	while (out->result == PARSE_HTTP_MORE && out->used < len) {
		const char *body = NULL;
		size_t used = 0, n = 0;

		if (out->used == end)
			end = step < len - end ? end + step : len;
		out->result = parse_http_chunks(
		    &c, data + out->used, end - out->used, &used, &body, &n);
		ASSERT(used <= end - out->used && n <= used);
		ASSERT(out->body_len + n <= MAX_BODY);
		if (n > 0)
			memcpy(out->body + out->body_len, body, n);
		out->body_len += n;
		out->used += used;
	}
	out->refusal = c.refusal;
}

/* What the fields say must be inside of what was read. */
static void walk_fields(const struct parse_http *p, const char *data)
{
	struct parse_http_slice name, value;
	uint32_t cursor = 0, n = 0;

	while (parse_http_field(p, data, &cursor, &name, &value)) {
		ASSERT(parse_http_token(data + name.at, name.len));
		ASSERT(parse_http_value(data + value.at, value.len));
		ASSERT(value.at + value.len <= p->head_bytes);
		n++;
	}
	ASSERT(n == p->n_fields);
}

static void read_all(
    const char *data, size_t len, size_t step, struct outcome *out)
{
	struct parse_http p;
	size_t seen = 0;

	memset(out, 0, sizeof(*out));
	parse_http_init(&p, 256, 1024);
	out->result = PARSE_HTTP_MORE;
	while (out->result == PARSE_HTTP_MORE && seen < len) {
		char *copy;

		seen = step < len - seen ? seen + step : len;
		copy = malloc(seen);
		ASSERT(copy != NULL);
		memcpy(copy, data, seen);
		out->result = parse_http_head(&p, copy, seen);
		free(copy);
	}
	out->refusal = p.refusal;
	if (out->result != PARSE_HTTP_DONE)
		return;
	ASSERT(p.head_bytes <= len);
	walk_fields(&p, data);
	out->used = p.head_bytes;
	if (p.chunked)
		read_chunks(data, len, step, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct outcome whole, cut;
	size_t step;

	if (len == 0)
		return 0;
	step = data[0] % 31 + (size_t)1;
	data++;
	len--;
	read_all((const char *)data, len, len + 1, &whole);
	read_all((const char *)data, len, step, &cut);
	ASSERT(whole.result == cut.result && whole.refusal == cut.refusal);
	ASSERT(whole.used == cut.used && whole.body_len == cut.body_len);
	ASSERT(memcmp(whole.body, cut.body, whole.body_len) == 0);
	return 0;
}
