#include "store/tail_internal.h"

#include <stdlib.h>
#include <string.h>

#include "store/base/clock.h"
#include "store/base/log.h"

#define FIRST_BUCKETS 16
/* The rate looks back about this long, and is renewed no more often than … */
#define RATE_PAST_MS 2000
#define RATE_STEP_MS 50

static struct tail_shard *shard_of(struct tail *t, const struct id *id)
{
	return &t->shard[id_hash(id) >> 58];
}

static struct tail_log **bucket_of(struct tail_shard *s, const struct id *id)
{
	return &s->bucket[(size_t)(id_hash(id) >> 20) & (s->n_buckets - 1)];
}

struct tail *tail_new(size_t cache_bytes)
{
	struct tail *t = calloc(1, sizeof(*t));
	bool whole = t != NULL;

	for (size_t i = 0; t != NULL && i < TAIL_SHARDS; i++) {
		struct tail_shard *s = &t->shard[i];

		ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
		TAILQ_INIT(&s->lru);
		s->n_buckets = FIRST_BUCKETS;
		s->bucket = calloc(FIRST_BUCKETS, sizeof(struct tail_log *));
		whole = whole && s->bucket != NULL;
	}
	if (!whole) {
		tail_free(t);
		return NULL;
	}
	t->cache_bytes = cache_bytes;
	return t;
}

void tail_free(struct tail *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < TAIL_SHARDS; i++) {
		struct tail_shard *s = &t->shard[i];

		for (size_t k = 0; s->bucket != NULL && k < s->n_buckets; k++)
			while (s->bucket[k] != NULL) {
				struct tail_log *l = s->bucket[k];

				s->bucket[k] = l->next;
				tail_log_free(l);
			}
		free(s->bucket);
		pthread_mutex_destroy(&s->lock);
	}
	free(t);
}

struct tail_log *tail_log_new(const struct execution *e, uint64_t first)
{
	struct tail_log *l = calloc(1, sizeof(*l));

	if (l == NULL)
		return NULL;
	l->owner = strdup(e->owner);
	if (l->owner == NULL) {
		free(l);
		return NULL;
	}
	l->id = e->id;
	l->row = e->row;
	l->created_ms = e->created_ms;
	l->status = e->status;
	l->attempt = e->attempts;
	l->packed = first;
	l->rate_ms = clock_mono_ms();
	chunklog_init(&l->log, first);
	TAILQ_INIT(&l->waiters);
	return l;
}

void tail_log_free(struct tail_log *l)
{
	if (l == NULL)
		return;
	chunklog_fini(&l->log);
	free(l->owner);
	free(l->metadata);
	free(l);
}

/* Called with the lock held, whenever the log's memory has changed. */
static void charge(struct tail_shard *s, struct tail_log *l)
{
	size_t bytes = sizeof(*l) + strlen(l->owner) + 1 +
		       chunklog_memory(&l->log) + l->metadata_len;

	s->bytes += bytes - l->charged;
	l->charged = bytes;
}

/* Called with the lock held. Without memory the chains just grow longer. */
static void grow(struct tail_shard *s)
{
	struct tail_log **old = s->bucket, **bucket;
	size_t n = s->n_buckets;

	bucket = calloc(2 * n, sizeof(struct tail_log *));
	if (bucket == NULL)
		return;
	s->bucket = bucket;
	s->n_buckets = 2 * n;
	for (size_t i = 0; i < n; i++)
		while (old[i] != NULL) {
			struct tail_log *l = old[i];
			struct tail_log **at = bucket_of(s, &l->id);

			old[i] = l->next;
			l->next = *at;
			*at = l;
		}
	free(old);
}

struct tail_log *tail_find(struct tail *t, const struct id *id)
{
	struct tail_log *l = *bucket_of(shard_of(t, id), id);

	while (l != NULL && !id_equal(&l->id, id))
		l = l->next;
	return l;
}

void tail_insert(struct tail *t, struct tail_log *l)
{
	struct tail_shard *s = shard_of(t, &l->id);
	struct tail_log **at;

	ASSERT(tail_find(t, &l->id) == NULL);
	pthread_mutex_lock(&s->lock);
	if (s->n_logs >= s->n_buckets)
		grow(s);
	at = bucket_of(s, &l->id);
	l->next = *at;
	*at = l;
	s->n_logs++;
	if (!execution_ended(l->status))
		s->n_live++;
	charge(s, l);
	pthread_mutex_unlock(&s->lock);
}

enum err tail_reserve(
    struct tail *t, struct tail_log *l, uint32_t n, size_t bytes)
{
	struct tail_shard *s = shard_of(t, &l->id);
	enum err rc;

	pthread_mutex_lock(&s->lock);
	rc = chunklog_reserve(&l->log, n, bytes);
	charge(s, l);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void tail_weigh(struct tail *t, struct tail_log *l)
{
	struct tail_shard *s = shard_of(t, &l->id);

	pthread_mutex_lock(&s->lock);
	charge(s, l);
	pthread_mutex_unlock(&s->lock);
}

/*
 * An exponential mean whose weight grows with the time it covers. Called with
 * the lock held.
 */
static void rate_add(struct tail_log *l, uint32_t n)
{
	int64_t now = clock_mono_ms(), past = now - l->rate_ms;
	double fresh, weight;

	l->rate_n += n;
	if (past < RATE_STEP_MS)
		return;
	fresh = (double)l->rate_n * 1e6 / (double)past;
	weight = l->rate_milli == 0
		     ? 1
		     : (double)past / (double)(past + RATE_PAST_MS);
	fresh = l->rate_milli + weight * (fresh - l->rate_milli);
	l->rate_milli = fresh > UINT32_MAX ? UINT32_MAX : (uint32_t)fresh;
	l->rate_n = 0;
	l->rate_ms = now;
}

/* Called with the lock held: tell those who have seen less than there is. */
static void wake(struct tail_shard *s, struct tail_log *l, bool all)
{
	uint64_t total = chunklog_next(&l->log);
	struct waiter *w = TAILQ_FIRST(&l->waiters);

	while (w != NULL) {
		struct waiter *next = TAILQ_NEXT(w, link);

		if (all || w->seen < total) {
			TAILQ_REMOVE(&l->waiters, w, link);
			w->armed = false;
			s->n_waiters--;
			w->wake(w->arg, w->number);
		}
		w = next;
	}
}

void tail_announce(
    struct tail *t, struct tail_log *l, const struct tail_news *news)
{
	struct tail_shard *s = shard_of(t, &l->id);
	bool ended = execution_ended(news->status);

	ASSERT(news->status == l->status ||
	       execution_may_move(l->status, news->status));
	pthread_mutex_lock(&s->lock);
	for (uint32_t i = news->first; i != 0; i = news->stages[i - 1].next)
		chunklog_append(&l->log,
		    news->bytes + news->stages[i - 1].offset,
		    news->stages[i - 1].len);
	l->attempt = news->attempt;
	l->status = news->status;
	if (ended) {
		l->metadata = news->metadata;
		l->metadata_len = news->metadata_len;
		l->rate_milli = 0;
		s->n_live--;
		chunklog_seal(&l->log);
	} else if (news->n > 0) {
		rate_add(l, news->n);
	}
	charge(s, l);
	wake(s, l, ended);
	pthread_mutex_unlock(&s->lock);
}

/* Called with the lock held: out of the table, for tail_log_free(). */
static void unlink_log(struct tail *t, struct tail_shard *s, struct tail_log *l)
{
	struct tail_log **at = bucket_of(s, &l->id);

	ASSERT(execution_ended(l->status) && TAILQ_EMPTY(&l->waiters));
	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	if (l->cached) {
		TAILQ_REMOVE(&s->lru, l, lru);
		t->cached_bytes -= l->charged;
	}
	s->n_logs--;
	s->bytes -= l->charged;
}

/* Evict the log that was read the longest time ago; false without any. */
static bool evict_one(struct tail *t)
{
	struct tail_shard *oldest = NULL;
	struct tail_log *l = NULL;
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; i < TAIL_SHARDS; i++) {
		struct tail_shard *s = &t->shard[i];

		pthread_mutex_lock(&s->lock);
		l = TAILQ_FIRST(&s->lru);
		if (l != NULL && l->read_at < at) {
			at = l->read_at;
			oldest = s;
		}
		pthread_mutex_unlock(&s->lock);
	}
	if (oldest == NULL)
		return false;
	/* It may have been read since; whoever is first now will do. */
	pthread_mutex_lock(&oldest->lock);
	l = TAILQ_FIRST(&oldest->lru);
	unlink_log(t, oldest, l);
	pthread_mutex_unlock(&oldest->lock);
	tail_log_free(l);
	return true;
}

void tail_packed(
    struct tail *t, struct tail_log *l, uint64_t packed, size_t keep_bytes)
{
	struct tail_shard *s = shard_of(t, &l->id);
	bool ended = execution_ended(l->status);

	ASSERT(packed >= l->packed && packed <= chunklog_next(&l->log));
	l->packed = packed;
	pthread_mutex_lock(&s->lock);
	if (!ended) {
		chunklog_drop(&l->log, packed, keep_bytes);
		charge(s, l);
	} else if (packed == chunklog_next(&l->log) && !l->cached) {
		l->cached = true;
		l->read_at = atomic_fetch_add(&t->reads, 1);
		TAILQ_INSERT_TAIL(&s->lru, l, lru);
		t->cached_bytes += l->charged;
	}
	pthread_mutex_unlock(&s->lock);
	while (t->cached_bytes > t->cache_bytes && evict_one(t))
		;
}

void tail_remove(struct tail *t, struct tail_log *l)
{
	struct tail_shard *s = shard_of(t, &l->id);

	pthread_mutex_lock(&s->lock);
	unlink_log(t, s, l);
	pthread_mutex_unlock(&s->lock);
	tail_log_free(l);
}

void tail_wake_all(struct tail *t)
{
	for (size_t i = 0; i < TAIL_SHARDS; i++) {
		struct tail_shard *s = &t->shard[i];

		pthread_mutex_lock(&s->lock);
		for (size_t k = 0; k < s->n_buckets; k++)
			for (struct tail_log *l = s->bucket[k]; l != NULL;
			     l = l->next)
				wake(s, l, true);
		pthread_mutex_unlock(&s->lock);
	}
}
