#include "store/page.h"

#include "store/base/log.h"

/* Room for one chunk larger than any query's max_bytes. */
#define RECORDS_MAX_BYTES ((size_t)64 << 20)
#define METADATA_MAX_BYTES ((size_t)1 << 20)

void page_init(struct page *p)
{
	*p = (struct page){ 0 };
	buf_init(&p->records, RECORDS_MAX_BYTES);
	buf_init(&p->metadata, METADATA_MAX_BYTES);
}

void page_fini(struct page *p)
{
	buf_fini(&p->records);
	buf_fini(&p->metadata);
}

uint64_t page_next(const struct page *p)
{
	return p->first + p->n;
}

bool page_final(const struct page *p)
{
	return execution_ended(p->status) && page_next(p) >= p->total;
}

bool page_each(const struct page *p, struct page_cursor *at, struct chunk *ret)
{
	const char *pos;

	if (at->i >= p->n)
		return false;
	pos = p->records.data + at->offset;
	if (chunk_unpack(&pos, p->records.data + p->records.len, p->created_ms,
		p->first + at->i, ret) != OK)
		log_panic(__FILE__, __LINE__, "a page holds a broken chunk");
	at->i++;
	at->offset = (size_t)(pos - p->records.data);
	return true;
}
