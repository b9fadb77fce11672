#include "store/import.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"
#include "store/pack.h"
#include "store/page.h"

void import_init(struct import *i)
{
	*i = (struct import){ 0 };
	buf_init(&i->raw, IMPORT_LINE_ALONE_BYTES);
	buf_init(&i->payload, IMPORT_LINE_ALONE_BYTES);
}

void import_fini(struct import *i)
{
	execution_fini(&i->e);
	buf_fini(&i->raw);
	buf_fini(&i->payload);
	free(i->segments);
	import_init(i);
}

/* --- owners --- */

static bool put_name(char *dst, const char *from, size_t len)
{
	if (len == 0 || len >= KEY_NAME_BYTES)
		return false;
	memcpy(dst, from, len);
	dst[len] = '\0';
	return true;
}

enum err import_owners_parse(
    const char *text, struct import_owners *ret, struct why *why)
{
	struct import_owners o = { 0 };

	for (const char *p = text; *p != '\0' || p == text;) {
		size_t len = strcspn(p, ","), equals = strcspn(p, "=,");
		size_t to = equals < len ? equals + 1 : 0;

		if (o.n == IMPORT_MAX_OWNERS) {
			err_why(why, "at most %d owners can be mapped",
			    IMPORT_MAX_OWNERS);
			return ERR_INPUT;
		}
		if ((to > 0 && !put_name(o.map[o.n].from, p, equals)) ||
		    !put_name(o.map[o.n].to, p + to, len - to) ||
		    memchr(p + to, '=', len - to) != NULL) {
			err_why(why,
			    "an owner is NAME or OLD=NEW, names of 1 to %d "
			    "bytes without = and commas",
			    KEY_NAME_BYTES - 1);
			return ERR_INPUT;
		}
		o.n++;
		p += len;
		if (*p == ',')
			p++;
	}
	*ret = o;
	return OK;
}

/* --- packing --- */

enum err import_pack(struct import *i, struct pack *p)
{
	for (size_t k = 0; k < i->n_segments; k++) {
		struct import_segment *to = &i->segments[k];
		struct engine_segment s = {
			.first = to->first, .n = to->n, .raw_len = to->raw_len
		};
		enum err rc = pack_bytes(p, i->raw.data + to->raw_at, &s);

		if (rc != OK)
			return rc;
		to->codec = s.codec;
		to->at = i->payload.len;
		to->len = s.payload_len;
		buf_add(&i->payload, s.payload, s.payload_len);
	}
	return buf_state(&i->payload) == OK ? OK : ERR_NOMEM;
}

/* --- comparing --- */

static bool same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The same JSON, byte for byte, but that "@type" may have become "_type". */
static bool same_json(const char *a, size_t a_len, const char *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++)
		if (a[i] != b[i] &&
		    (i == 0 || a[i - 1] != '"' || a_len - i < 6 ||
			memcmp(a + i + 1, "type\"", 5) != 0 ||
			(a[i] != '@' && a[i] != '_') ||
			(b[i] != '@' && b[i] != '_')))
			return false;
	return true;
}

bool import_same_record(
    const struct import *i, const struct execution *e, const char **ret_what)
{
	const struct execution *x = &i->e;

	if (x->status != e->status)
		*ret_what = "status";
	else if (!same_text(x->owner, e->owner))
		*ret_what = "owner";
	else if (!same_text(x->model, e->model))
		*ret_what = "model";
	else if (!same_text(x->target, e->target))
		*ret_what = "target";
	else if (!same_text(x->prompt, e->prompt))
		*ret_what = "prompt";
	else if (x->created_ms != e->created_ms)
		*ret_what = "created_at";
	else if (x->started_ms != e->started_ms)
		*ret_what = "started_at";
	else if (x->first_chunk_ms != e->first_chunk_ms)
		*ret_what = "first_chunk_at";
	else if (x->finished_ms != e->finished_ms)
		*ret_what = "finished_at";
	else if (x->next_index != e->next_index)
		*ret_what = "total_chunks";
	else if (x->attempts != e->attempts)
		*ret_what = "attempts";
	else if (!same_text(x->error_code, e->error_code))
		*ret_what = "error_code";
	else if (!same_text(x->idempotency_key, e->idempotency_key))
		*ret_what = "idempotency_key";
	else if (memcmp(x->request_hash, e->request_hash, DIGEST_BYTES) != 0)
		*ret_what = "request_hash";
	else if (x->payload_deleted_ms != e->payload_deleted_ms)
		*ret_what = "payload_deleted_at";
	else if (!same_json(
		     x->request, x->request_len, e->request, e->request_len))
		*ret_what = "request";
	else if (!same_json(x->metadata, x->metadata_len, e->metadata,
		     e->metadata_len))
		*ret_what = "metadata";
	else
		return true;
	return false;
}

static bool same_meta(const struct chunk *a, const struct chunk *b)
{
	/* {} and nothing are the same. */
	if (a->meta_len <= 2 || b->meta_len <= 2)
		return a->meta_len <= 2 && b->meta_len <= 2;
	return same_json(a->meta, a->meta_len, b->meta, b->meta_len);
}

bool import_same_chunks(
    const struct import *i, const struct page *page, size_t *at)
{
	const char *p = i->raw.data + *at, *end = i->raw.data + i->raw.len;
	struct page_cursor cursor = { 0 };
	struct chunk a, b;

	while (page_each(page, &cursor, &b)) {
		if (chunk_unpack(&p, end, i->e.created_ms, b.index, &a) != OK ||
		    a.attempt != b.attempt || a.kind != b.kind ||
		    a.ts_ms != b.ts_ms || a.content_len != b.content_len ||
		    memcmp(a.content, b.content, a.content_len) != 0 ||
		    !same_meta(&a, &b))
			return false;
	}
	*at = (size_t)(p - i->raw.data);
	return true;
}
