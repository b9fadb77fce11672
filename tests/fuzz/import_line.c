/*
 * Any bytes as a line of an export: refused with words, or an execution that is
 * dense and has one end, whose chunks unpack and are its own.
 */
#include <stdint.h>
#include <string.h>

#include "store/base/log.h"
#include "store/chunk.h"
#include "store/import.h"
#include "store/pack.h"
#include "store/page.h"
#include "tests/unit/store/import_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_into(const struct import *i)
{
	const char *p = i->raw.data, *end = p + i->raw.len;
	uint64_t n = 0, in_segments = 0;
	size_t at = 0;
	struct page page;
	struct chunk c;

	for (size_t k = 0; k < i->n_segments; k++) {
		ASSERT(i->segments[k].first == in_segments);
		ASSERT(i->segments[k].raw_at == at);
		in_segments += i->segments[k].n;
		at += i->segments[k].raw_len;
	}
	while (p < end) {
		ASSERT(chunk_unpack(&p, end, i->e.created_ms, n++, &c) == OK);
		ASSERT((c.kind == CHUNK_END) == (p == end));
	}
	ASSERT(at == i->raw.len);
	ASSERT(n == i->e.next_index && n == in_segments);
	ASSERT(execution_ended(i->e.status));
	page_init(&page);
	page.created_ms = i->e.created_ms;
	page.n = (uint32_t)n;
	buf_add(&page.records, i->raw.data, i->raw.len);
	at = 0;
	ASSERT(import_same_chunks(i, &page, &at) && at == i->raw.len);
	page_fini(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pack pack;
	const char *what;
	struct why why = { "" };
	struct import i;
	enum err rc;

	if (pack.zstd == NULL)
		ASSERT(pack_init(&pack) == OK);
	import_init(&i);
	rc = import_read(&i, (const char *)data, size, NULL, LINE_NOW_MS, &why);
	ASSERT(rc == OK || why.text[0] != '\0');
	if (rc == OK) {
		look_into(&i);
		ASSERT(import_pack(&i, &pack) == OK);
		ASSERT(import_same_record(&i, &i.e, &what));
	}
	import_fini(&i);
	return 0;
}
