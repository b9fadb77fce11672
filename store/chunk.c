#include "store/chunk.h"

#include "store/base/log.h"

static const char *const kind_names[CHUNK_KINDS] = {
	[CHUNK_TEXT] = "text",
	[CHUNK_REASONING] = "reasoning",
	[CHUNK_TOOL_CALL] = "tool_call",
	[CHUNK_TOOL_START] = "tool_start",
	[CHUNK_TOOL_RESULT] = "tool_result",
	[CHUNK_TOOL_ERROR] = "tool_error",
	[CHUNK_SOURCE] = "source",
	[CHUNK_RESET] = "reset",
	[CHUNK_ERROR] = "error",
	[CHUNK_END] = "end",
};

const char *chunk_kind_name(enum chunk_kind kind)
{
	ASSERT((unsigned)kind < CHUNK_KINDS);
	return kind_names[kind];
}

static char *put_number(char *p, uint64_t v)
{
	while (v >= 0x80) {
		*p++ = (char)(v | 0x80);
		v >>= 7;
	}
	*p++ = (char)v;
	return p;
}

/* NULL when the number is cut or longer than 64 bits. */
static const char *get_number(const char *p, const char *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		unsigned char c = (unsigned char)*p++;

		if (shift == 63 && c > 1)
			return NULL;
		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = v;
			return p;
		}
	}
	return NULL;
}

void chunk_pack(struct buf *b, const struct chunk *c, int64_t base_ms)
{
	uint64_t ms = (uint64_t)c->ts_ms - (uint64_t)base_ms;
	char head[1 + 4 * 10];
	char *p = head;

	*p++ = (char)c->kind;
	p = put_number(p, c->attempt);
	p = put_number(p, ms << 1 ^ (0 - (ms >> 63)));
	p = put_number(p, c->content_len);
	p = put_number(p, c->meta_len);
	buf_add(b, head, (size_t)(p - head));
	buf_add(b, c->content, c->content_len);
	buf_add(b, c->meta, c->meta_len);
}

enum err chunk_unpack(const char **at, const char *end, int64_t base_ms,
    uint64_t index, struct chunk *ret)
{
	uint64_t attempt, ms, content_len, meta_len;
	const char *p = *at;
	unsigned char kind;

	if (p >= end)
		return ERR_CORRUPT;
	kind = (unsigned char)*p++;
	if (kind >= CHUNK_KINDS)
		return ERR_CORRUPT;
	if ((p = get_number(p, end, &attempt)) == NULL ||
	    (p = get_number(p, end, &ms)) == NULL ||
	    (p = get_number(p, end, &content_len)) == NULL ||
	    (p = get_number(p, end, &meta_len)) == NULL || attempt > UINT32_MAX)
		return ERR_CORRUPT;
	if (content_len > (uint64_t)(end - p) ||
	    meta_len > (uint64_t)(end - p) - content_len)
		return ERR_CORRUPT;
	*ret = (struct chunk){
		.index = index,
		.attempt = (uint32_t)attempt,
		.kind = (enum chunk_kind)kind,
		.ts_ms =
		    (int64_t)((uint64_t)base_ms + (ms >> 1 ^ (0 - (ms & 1)))),
		.content = p,
		.content_len = content_len,
		.meta = p + content_len,
		.meta_len = meta_len,
	};
	*at = p + content_len + meta_len;
	return OK;
}
