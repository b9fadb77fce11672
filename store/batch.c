#include "store/batch.h"

#include <string.h>

#include "store/base/log.h"

/*
 * A record: kind (1 byte), id (16), then
 *   start  attempt u32, ts_ms i64, target as text
 *   chunk  chunk_pack() with base 0
 *   end    status u8, chunk_pack() with base 0, metadata, error_code as texts
 *   note   a text
 * A text is its length (u32), its bytes and a NUL, so that what is lent can
 * be given to C. Numbers are the machine's own: a batch never leaves it.
 */

void batch_init(struct batch *b, size_t max_bytes)
{
	buf_init(&b->bytes, max_bytes);
	b->n = 0;
}

void batch_fini(struct batch *b)
{
	buf_fini(&b->bytes);
	b->n = 0;
}

static void put_head(struct batch *b, enum batch_kind kind, const struct id *id)
{
	buf_putc(&b->bytes, (char)kind);
	buf_add(&b->bytes, id->byte, sizeof(id->byte));
	b->n++;
}

static void put_text(struct buf *b, const char *s, size_t len)
{
	uint32_t n = (uint32_t)len;

	if (len > UINT32_MAX) {
		b->failed = ERR_LIMIT;
		return;
	}
	buf_add(b, &n, sizeof(n));
	buf_add(b, s, len);
	buf_putc(b, '\0');
}

void batch_start(
    struct batch *b, const struct id *id, const struct batch_start *start)
{
	put_head(b, BATCH_START, id);
	buf_add(&b->bytes, &start->attempt, sizeof(start->attempt));
	buf_add(&b->bytes, &start->ts_ms, sizeof(start->ts_ms));
	put_text(&b->bytes, start->target, start->target_len);
}

void batch_chunk(struct batch *b, const struct id *id, const struct chunk *c)
{
	put_head(b, BATCH_CHUNK, id);
	chunk_pack(&b->bytes, c, 0);
}

void batch_end(
    struct batch *b, const struct id *id, const struct batch_end *end)
{
	ASSERT(execution_ended(end->status));
	ASSERT(end->chunk.kind == CHUNK_END);
	put_head(b, BATCH_END, id);
	buf_putc(&b->bytes, (char)end->status);
	chunk_pack(&b->bytes, &end->chunk, 0);
	put_text(&b->bytes, end->metadata, end->metadata_len);
	put_text(&b->bytes, end->error_code, end->error_code_len);
}

void batch_note(
    struct batch *b, const struct id *id, const struct batch_note *note)
{
	put_head(b, BATCH_NOTE, id);
	put_text(&b->bytes, note->text, note->len);
}

enum err batch_state(const struct batch *b)
{
	return buf_state(&b->bytes);
}

static const char *get(const char *p, const char *end, void *dst, size_t len)
{
	ASSERT((size_t)(end - p) >= len);
	memcpy(dst, p, len);
	return p + len;
}

static const char *get_text(
    const char *p, const char *end, const char **ret, size_t *ret_len)
{
	uint32_t len;

	p = get(p, end, &len, sizeof(len));
	ASSERT((size_t)(end - p) > len && p[len] == '\0');
	*ret = p;
	*ret_len = len;
	return p + len + 1;
}

static const char *get_chunk(const char *p, const char *end, struct chunk *ret)
{
	ASSERT(chunk_unpack(&p, end, 0, 0, ret) == OK);
	return p;
}

bool batch_each(const struct batch *b, size_t *offset, struct batch_record *ret)
{
	const char *p = b->bytes.data + *offset;
	const char *end = b->bytes.data + b->bytes.len;
	struct batch_end *last = &ret->u.end;
	unsigned char kind, status;

	if (*offset >= b->bytes.len)
		return false;
	p = get(p, end, &kind, 1);
	ASSERT(kind <= BATCH_NOTE);
	ret->kind = (enum batch_kind)kind;
	p = get(p, end, ret->id.byte, sizeof(ret->id.byte));
	switch (ret->kind) {
	case BATCH_START:
		p = get(p, end, &ret->u.start.attempt,
		    sizeof(ret->u.start.attempt));
		p = get(
		    p, end, &ret->u.start.ts_ms, sizeof(ret->u.start.ts_ms));
		p = get_text(
		    p, end, &ret->u.start.target, &ret->u.start.target_len);
		break;
	case BATCH_CHUNK: p = get_chunk(p, end, &ret->u.chunk); break;
	case BATCH_END:
		p = get(p, end, &status, 1);
		ASSERT(status < EXECUTION_STATUSES);
		last->status = (enum execution_status)status;
		p = get_chunk(p, end, &last->chunk);
		p = get_text(p, end, &last->metadata, &last->metadata_len);
		p = get_text(p, end, &last->error_code, &last->error_code_len);
		break;
	case BATCH_NOTE:
		p = get_text(p, end, &ret->u.note.text, &ret->u.note.len);
		break;
	}
	*offset = (size_t)(p - b->bytes.data);
	return true;
}
