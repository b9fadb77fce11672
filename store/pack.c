#include "store/pack.h"

#define ZSTD_LEVEL 3
/* Below this a frame's own bytes eat what it saves. */
#define PLAIN_BYTES 64
#define OUT_MAX_BYTES ((size_t)2 << 30)

enum err pack_init(struct pack *p)
{
	buf_init(&p->out, OUT_MAX_BYTES);
	p->zstd = ZSTD_createCCtx();
	if (p->zstd == NULL)
		return ERR_NOMEM;
	ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
	return OK;
}

void pack_fini(struct pack *p)
{
	ZSTD_freeCCtx(p->zstd);
	p->zstd = NULL;
	buf_fini(&p->out);
}

enum err pack_bytes(struct pack *p, const char *raw, struct engine_segment *s)
{
	size_t room, n;
	char *dst;

	s->codec = 0;
	s->payload = raw;
	s->payload_len = s->raw_len;
	if (s->raw_len <= PLAIN_BYTES)
		return OK;
	room = ZSTD_compressBound(s->raw_len);
	buf_reset(&p->out);
	dst = buf_room(&p->out, room);
	if (dst == NULL)
		return ERR_NOMEM;
	n = ZSTD_compress2(p->zstd, dst, room, raw, s->raw_len);
	if (ZSTD_isError(n))
		return ERR_NOMEM;
	if (n < s->raw_len) {
		s->codec = 1;
		s->payload = dst;
		s->payload_len = n;
	}
	return OK;
}

enum err pack_next(struct pack *p, const struct chunklog *l, uint64_t from,
    struct engine_segment *ret)
{
	struct engine_segment s = { .first = from };
	const char *raw;
	enum err rc;

	s.n = chunklog_slice(l, from, PACK_SEGMENT_BYTES, &raw, &s.raw_len);
	rc = pack_bytes(p, raw, &s);
	if (rc == OK)
		*ret = s;
	return rc;
}
