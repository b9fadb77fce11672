#include "store/chunklog.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

/* A first chunk is a token: an idle log must stay small. */
#define FIRST_ROOM_BYTES 128
#define FIRST_ROOM_CHUNKS 8

void chunklog_init(struct chunklog *l, uint64_t first)
{
	*l = (struct chunklog){ .first = first };
}

void chunklog_fini(struct chunklog *l)
{
	free(l->bytes);
	free(l->at);
	chunklog_init(l, l->first);
}

uint64_t chunklog_next(const struct chunklog *l)
{
	return l->first + l->n;
}

/* The offset at which the first ${i} chunks end. */
static uint32_t end_of(const struct chunklog *l, uint32_t i)
{
	return i < l->n ? l->at[i] : l->len;
}

/* The room to ask for when ${want} are needed: half as much again. */
static size_t grown(size_t room, size_t want, size_t least)
{
	size_t next = room + room / 2;

	if (next < least)
		next = least;
	return next < want ? want : next;
}

enum err chunklog_reserve(struct chunklog *l, uint32_t n, size_t bytes)
{
	size_t want = l->len + bytes, want_n = (size_t)l->n + n;
	size_t room, n_room;
	uint32_t *at;
	char *p;

	if (l->sealed)
		return ERR_SEALED;
	if (want > CHUNKLOG_MAX_BYTES || want_n > CHUNKLOG_MAX_BYTES)
		return ERR_LIMIT;
	if (want > l->room) {
		room = grown(l->room, want, FIRST_ROOM_BYTES);
		p = realloc(l->bytes, room);
		if (p == NULL)
			return ERR_NOMEM;
		l->bytes = p;
		l->room = (uint32_t)room;
	}
	if (want_n > l->n_room) {
		n_room = grown(l->n_room, want_n, FIRST_ROOM_CHUNKS);
		at = realloc(l->at, n_room * sizeof(*at));
		if (at == NULL)
			return ERR_NOMEM;
		l->at = at;
		l->n_room = (uint32_t)n_room;
	}
	return OK;
}

void chunklog_append(struct chunklog *l, const char *packed, uint32_t len)
{
	ASSERT(!l->sealed);
	ASSERT(l->n < l->n_room && l->room - l->len >= len);
	memcpy(l->bytes + l->len, packed, len);
	l->at[l->n++] = l->len;
	l->len += len;
}

/* Give back what is not used; when the system cannot, keep it. */
static void shrink(struct chunklog *l)
{
	uint32_t *at;
	char *p;

	if (l->n == 0) {
		free(l->bytes);
		free(l->at);
		l->bytes = NULL;
		l->at = NULL;
		l->room = 0;
		l->n_room = 0;
		return;
	}
	if (l->len > 0 && l->room > l->len) {
		p = realloc(l->bytes, l->len);
		if (p != NULL) {
			l->bytes = p;
			l->room = l->len;
		}
	}
	if (l->n > 0 && l->n_room > l->n) {
		at = realloc(l->at, l->n * sizeof(*at));
		if (at != NULL) {
			l->at = at;
			l->n_room = l->n;
		}
	}
}

void chunklog_seal(struct chunklog *l)
{
	ASSERT(!l->sealed);
	l->sealed = true;
	shrink(l);
}

/* How many chunks from the ${i}th on, at most ${max}, fit ${max_bytes}. */
static uint32_t fitting(
    const struct chunklog *l, uint32_t i, uint32_t max, size_t max_bytes)
{
	uint32_t low = 1, high = l->n - i < max ? l->n - i : max;

	if (high == 0)
		return 0;
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;

		if (end_of(l, i + mid) - l->at[i] <= max_bytes)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

enum err chunklog_copy(
    const struct chunklog *l, const struct page_query *q, struct page *ret)
{
	uint32_t i, n;

	if (q->from < l->first)
		return ERR_NOT_FOUND;
	ret->first = q->from;
	ret->n = 0;
	buf_reset(&ret->records);
	if (q->from >= chunklog_next(l))
		return OK;
	i = (uint32_t)(q->from - l->first);
	n = fitting(l, i,
	    q->limit < PAGE_MAX_CHUNKS ? q->limit : PAGE_MAX_CHUNKS,
	    q->max_bytes < PAGE_MAX_BYTES ? q->max_bytes : PAGE_MAX_BYTES);
	if (n == 0)
		return OK;
	buf_add(
	    &ret->records, l->bytes + l->at[i], end_of(l, i + n) - l->at[i]);
	if (buf_state(&ret->records) != OK)
		return ERR_NOMEM;
	ret->n = n;
	return OK;
}

size_t chunklog_bytes_from(const struct chunklog *l, uint64_t index)
{
	ASSERT(index >= l->first && index <= chunklog_next(l));
	return l->len - end_of(l, (uint32_t)(index - l->first));
}

uint32_t chunklog_slice(const struct chunklog *l, uint64_t from,
    size_t max_bytes, const char **ret, size_t *ret_len)
{
	uint32_t i, n;

	ASSERT(from >= l->first && from < chunklog_next(l));
	i = (uint32_t)(from - l->first);
	n = fitting(l, i, UINT32_MAX, max_bytes);
	*ret = l->bytes + l->at[i];
	*ret_len = end_of(l, i + n) - l->at[i];
	return n;
}

void chunklog_drop(struct chunklog *l, uint64_t before, size_t keep_bytes)
{
	uint32_t k = 0, gone;

	while (
	    k < l->n && l->first + k < before && l->len - l->at[k] > keep_bytes)
		k++;
	if (k == 0)
		return;
	gone = end_of(l, k);
	memmove(l->bytes, l->bytes + gone, l->len - gone);
	for (uint32_t i = k; i < l->n; i++)
		l->at[i - k] = l->at[i] - gone;
	l->first += k;
	l->n -= k;
	l->len -= gone;
	shrink(l);
}

size_t chunklog_memory(const struct chunklog *l)
{
	return l->room + l->n_room * sizeof(*l->at);
}
