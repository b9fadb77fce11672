#include "tests/sim/known.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/base/log.h"

#define PREFILL_BYTES ((size_t)8 << 20)

void known_fini(struct known *k)
{
	for (uint32_t i = 0; i < k->n_tries; i++) {
		if (k->tries[i] == NULL)
			continue;
		story_fini(&k->tries[i]->story);
		buf_fini(&k->tries[i]->prefill);
		free(k->tries[i]);
	}
	free(k->tries);
	free(k->hash);
	*k = (struct known){ 0 };
}

struct known_try *known_begin(struct known *k, uint32_t attempt)
{
	struct known_try *t;

	ASSERT(attempt > 0);
	if (attempt > k->n_tries) {
		k->tries = realloc(k->tries, attempt * sizeof(*k->tries));
		ASSERT(k->tries != NULL);
		memset(k->tries + k->n_tries, 0,
		    (attempt - k->n_tries) * sizeof(*k->tries));
		k->n_tries = attempt;
	}
	t = k->tries[attempt - 1];
	if (t == NULL) {
		t = calloc(1, sizeof(*t));
		ASSERT(t != NULL);
		k->tries[attempt - 1] = t;
	} else {
		story_fini(&t->story);
		buf_fini(&t->prefill);
		*t = (struct known_try){ 0 };
	}
	buf_init(&t->prefill, PREFILL_BYTES);
	k->attempt = attempt;
	return t;
}

void known_back(struct known *k)
{
	k->state = KNOWN_STORED;
	k->forgotten = k->bare = false;
	k->deleted_ms = 0;
}

const struct known_try *known_try(const struct known *k, uint32_t attempt)
{
	return attempt == 0 || attempt > k->n_tries ? NULL
						    : k->tries[attempt - 1];
}

static uint64_t mix(uint64_t h, const void *p, size_t len)
{
	const unsigned char *s = p;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), s += sizeof(word)) {
		memcpy(&word, s, sizeof(word));
		h = (h ^ word) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
	}
	for (; len > 0; len--)
		h = (h ^ *s++) * 0x100000001b3u;
	return h ^ h >> 29;
}

/* Never 0. */
static uint64_t hash_of(const struct chunk *c)
{
	uint64_t head[4] = { (uint64_t)c->kind, c->attempt, (uint64_t)c->ts_ms,
		c->content_len };
	uint64_t h = mix(0x5eed, head, sizeof(head));

	h = mix(h, c->content, c->content_len);
	return mix(h, c->meta, c->meta_len) | 1;
}

bool known_same(const struct known *k, const struct chunk *c)
{
	return c->index >= k->room || k->hash[c->index] == 0 ||
	       k->hash[c->index] == hash_of(c);
}

static bool saw_chunk(struct known *k, const struct page *p,
    const struct chunk *c, struct why *why)
{
	uint64_t hash = hash_of(c);
	bool last = c->index + 1 == p->total && execution_ended(p->status);

	while (c->index >= k->room) {
		size_t room = k->room == 0 ? 64 : 2 * k->room;

		k->hash = realloc(k->hash, room * sizeof(*k->hash));
		ASSERT(k->hash != NULL);
		memset(
		    k->hash + k->room, 0, (room - k->room) * sizeof(*k->hash));
		k->room = room;
	}
	if (k->hash[c->index] != 0 && k->hash[c->index] != hash) {
		err_why(
		    why, "chunk %" PRIu64 " is another than it was", c->index);
		return false;
	}
	k->hash[c->index] = hash;
	if ((c->kind == CHUNK_END) != last) {
		err_why(why, "chunk %" PRIu64 " of %" PRIu64 ": %s", c->index,
		    p->total, last ? "the last one is no end" : "a second end");
		return false;
	}
	return true;
}

/* A number that the final metadata has, or -1. */
static int64_t number_in(const struct buf *b, const char *name)
{
	const char *p =
	    b->len == 0 ? NULL : memmem(b->data, b->len, name, strlen(name));

	return p == NULL ? -1 : strtoll(p + strlen(name), NULL, 10);
}

/* Is it right that it has ended so? */
static bool saw_end(struct known *k, const struct page *p, struct why *why)
{
	uint64_t hash = mix(1, p->metadata.data, p->metadata.len) | 1;
	const struct known_try *t;
	int64_t tokens;

	if (p->metadata.len == 0) {
		err_why(why, "ended without metadata");
		return false;
	}
	if (k->metadata != 0 && k->metadata != hash) {
		err_why(why, "its final metadata has changed");
		return false;
	}
	k->metadata = hash;
	if (p->status != EXECUTION_COMPLETED || k->foreign)
		return true;
	t = known_try(k, k->attempt);
	if (t == NULL || t->taken < t->story.whole_at) {
		err_why(why,
		    "completed, but only %zu bytes of its answer were taken",
		    t == NULL ? 0 : t->taken);
		return false;
	}
	/* What comes behind the end may not have been waited for. */
	if (t->story.output_tokens < 0 || t->taken < t->story.bytes.len)
		return true;
	/* Of several attempts it is the sum. */
	tokens = number_in(&p->metadata, "\"output_tokens\":");
	if (tokens < t->story.output_tokens ||
	    (k->attempt == 1 && tokens > t->story.output_tokens)) {
		err_why(why,
		    "the upstream counted %" PRId64 " tokens, not %" PRId64,
		    t->story.output_tokens, tokens);
		return false;
	}
	return true;
}

static bool saw_head(
    struct known *k, uint64_t from, const struct page *p, struct why *why)
{
	bool was_ended = execution_ended(k->status);

	if (p->first != from) {
		err_why(why, "asked from %" PRIu64 ", it begins at %" PRIu64,
		    from, p->first);
	} else if (p->n > 0 && page_next(p) > p->total) {
		err_why(why,
		    "%" PRIu64 " chunks, but the page goes to %" PRIu64,
		    p->total, page_next(p));
	} else if (p->n == 0 && from < p->total) {
		err_why(why, "nothing from %" PRIu64 " on, of %" PRIu64, from,
		    p->total);
	} else if (p->total < k->total || (was_ended && p->total > k->total)) {
		err_why(why, "%" PRIu64 " chunks, there were %" PRIu64,
		    p->total, k->total);
	} else if (p->status < k->status ||
		   (was_ended && p->status != k->status)) {
		err_why(why, "its status went from %s to %s",
		    execution_status_name(k->status),
		    execution_status_name(p->status));
	} else {
		return true;
	}
	return false;
}

bool known_saw(
    struct known *k, uint64_t from, const struct page *p, struct why *why)
{
	struct page_cursor at = { 0 };
	struct chunk c;

	if (k->state == KNOWN_GONE && k->import_asked)
		known_back(k);
	if (k->state == KNOWN_GONE || k->state == KNOWN_NEVER) {
		err_why(why, "it is there, though it was %s",
		    k->state == KNOWN_GONE ? "deleted" : "refused");
		return false;
	}
	if (!saw_head(k, from, p, why))
		return false;
	while (page_each(p, &at, &c)) {
		if (c.index != from++) {
			err_why(why,
			    "chunk %" PRIu64 " where %" PRIu64 " was to be",
			    c.index, from - 1);
			return false;
		}
		if (!saw_chunk(k, p, &c, why))
			return false;
	}
	k->total = p->total;
	k->status = p->status;
	return !execution_ended(p->status) || saw_end(k, p, why);
}

/* --- words --- */

/* What stands, as bytes: what it was to go on from, and what it said. */
static bool stands(const struct known *k, const struct hearing *h,
    const struct buf *as, struct why *why)
{
	const struct known_try *t = known_try(k, h->attempt);
	size_t head = t == NULL ? 0 : t->prefill.len;

	if (h->more) {
		err_why(
		    why, "attempt %u is joined to more than text", h->attempt);
		return false;
	}
	if (as->len == head + h->at &&
	    (head == 0 || memcmp(as->data, t->prefill.data, head) == 0) &&
	    (h->at == 0 ||
		memcmp(as->data + head, t->story.text.data, h->at) == 0))
		return true;
	err_why(why,
	    "%zu bytes of attempt %u stand, the next goes on from %zu others",
	    head + h->at, h->attempt, as->len);
	return false;
}

/* Attempt ${attempt} has something to say. False: it may not do so here. */
static bool speaks(
    const struct known *k, uint32_t attempt, struct hearing *h, struct why *why)
{
	const struct known_try *t = known_try(k, attempt);

	if (attempt == h->attempt)
		return true;
	if (t == NULL || attempt < h->attempt) {
		err_why(
		    why, "attempt %u speaks behind %u", attempt, h->attempt);
		return false;
	}
	if (!stands(k, h, &t->prefill, why))
		return false;
	h->attempt = attempt;
	h->at = 0;
	return true;
}

static bool heard_text(const struct known *k, const struct chunk *c,
    struct hearing *h, struct why *why)
{
	const struct buf *text = &known_try(k, h->attempt)->story.text;

	if (c->content_len == 0)
		return true;
	if (c->content_len > text->len - h->at ||
	    memcmp(text->data + h->at, c->content, c->content_len) != 0) {
		err_why(why,
		    "chunk %" PRIu64 " is not what the upstream said at byte "
		    "%zu",
		    c->index, h->at);
		return false;
	}
	h->at += c->content_len;
	return true;
}

static bool heard_reset(const struct known *k, const struct chunk *c,
    struct hearing *h, struct why *why)
{
	const struct known_try *t = known_try(k, c->attempt);

	if (t == NULL || t->prefill.len > 0) {
		err_why(why, "attempt %u begins anew, and was to go on",
		    c->attempt);
		return false;
	}
	*h = (struct hearing){ .attempt = c->attempt };
	return true;
}

bool known_heard(const struct known *k, const struct page *p, struct hearing *h,
    struct why *why)
{
	bool done = page_final(p) && p->status == EXECUTION_COMPLETED;
	struct page_cursor cursor = { 0 };
	const struct known_try *t;
	struct chunk c;

	if (k->foreign)
		return true;
	while (page_each(p, &cursor, &c)) {
		if (c.kind == CHUNK_ERROR || (c.kind == CHUNK_END && !done))
			continue;
		if (c.kind == CHUNK_RESET) {
			if (!heard_reset(k, &c, h, why))
				return false;
			continue;
		}
		if (!speaks(k, c.attempt, h, why) || !heard_text(k, &c, h, why))
			return false;
		h->more |= c.kind != CHUNK_TEXT && c.kind != CHUNK_END;
	}
	t = known_try(k, h->attempt);
	if (done && (t == NULL || h->at != t->story.text.len)) {
		err_why(why, "completed with %zu bytes of text, of %zu", h->at,
		    t == NULL ? 0 : t->story.text.len);
		return false;
	}
	return true;
}
