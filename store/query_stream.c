#include "store/query_internal.h"

#include <string.h>

#include "store/base/clock.h"
#include "store/store_internal.h"

/*
 * What memory knows better: what was announced, and no more. False: an open one
 * is not there, because it was closed and evicted since its record was read.
 */
static bool overlay(struct query *q, struct stream *s)
{
	struct tail_head head;

	if (tail_head(q->store, &s->id, NULL, &head) != OK)
		return s->closed;
	s->closed = execution_ended(head.status);
	s->total = head.total;
	return true;
}

enum err query_stream(
    struct query *q, const char *owner, const char *name, struct stream *ret)
{
	enum err rc = query_ready(q);
	bool sure = false;

	for (int i = 0; rc == OK && !sure && i < 2; i++) {
		rc = query_settled(
		    q, q->store->engine->stream_get(q->db, owner, name, ret));
		if (rc == OK)
			sure = overlay(q, ret);
	}
	if (rc != OK)
		return rc;
	if (ret->deleted_ms != 0)
		return ERR_GONE;
	return stream_expired(ret, clock_wall_ms()) ? ERR_NOT_FOUND : OK;
}

/* The log that has the place ${at} of ${s}, and where it stops to be its. */
static enum err log_at(struct query *q, const struct stream *s, uint64_t at,
    struct stream *ret, uint64_t *ret_bound)
{
	enum err rc = OK;

	*ret_bound = UINT64_MAX;
	for (*ret = *s; rc == OK && at < ret->first;) {
		*ret_bound = ret->first;
		rc = query_settled(q,
		    q->store->engine->stream_at(q->db, ret->source_row, ret));
	}
	return rc;
}

/* One page more behind what ${ret} has, of the log that has it. */
static enum err add_page(struct query *q, const struct stream *s,
    const struct page_query *pq, struct page *ret)
{
	struct page_query own = { page_next(ret), pq->limit - ret->n,
		pq->max_bytes - ret->records.len };
	struct stream from;
	struct page more;
	uint64_t bound;
	enum err rc;

	page_init(&more);
	rc = log_at(q, s, own.from, &from, &bound);
	if (own.limit > bound - own.from)
		own.limit = (uint32_t)(bound - own.from);
	if (rc == OK)
		rc = query_page(q, &from.id, NULL, &own, &more);
	if (rc == OK && more.n == 0 && own.from < s->first)
		rc = ERR_NOT_FOUND; /* it went meanwhile */
	if (rc == OK) {
		buf_add(&ret->records, more.records.data, more.records.len);
		ret->n += more.n;
		rc = buf_state(&ret->records);
	}
	if (rc == OK && own.from >= s->first) {
		ret->total = more.total;
		ret->status = more.status;
	}
	page_fini(&more);
	return rc;
}

enum err query_stream_page(struct query *q, const struct stream *s,
    const struct page_query *pq, struct page *ret)
{
	enum err rc = query_ready(q);
	bool done = false;

	ret->id = s->id;
	ret->first = pq->from;
	ret->total = s->total;
	ret->status = s->closed ? EXECUTION_COMPLETED : EXECUTION_STREAMING;
	while (rc == OK && !done && ret->n < pq->limit &&
	       ret->records.len < pq->max_bytes) {
		done = page_next(ret) >= s->first;
		rc = add_page(q, s, pq, ret);
	}
	return rc;
}

enum err query_streams(struct query *q, const char *owner, const char *after,
    uint32_t limit, struct stream *ret, uint32_t *ret_n,
    char ret_last[STREAM_NAME_BYTES], bool *ret_more)
{
	int64_t now_ms = clock_wall_ms();
	uint32_t n = 0, kept = 0;
	enum err rc = query_ready(q);

	if (rc == OK)
		rc = query_settled(q, q->store->engine->stream_list(
					  q->db, owner, after, limit, ret, &n));
	if (rc != OK)
		return rc;
	*ret_more = n == limit;
	if (n > 0)
		memcpy(ret_last, ret[n - 1].name, STREAM_NAME_BYTES);
	for (uint32_t i = 0; i < n; i++) {
		if (stream_expired(&ret[i], now_ms))
			continue;
		(void)overlay(q, &ret[i]);
		if (kept != i)
			ret[kept] = ret[i];
		kept++;
	}
	*ret_n = kept;
	return OK;
}
