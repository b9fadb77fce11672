#include "store/tail.h"

#include <string.h>

#include "store/base/log.h"
#include "store/store_internal.h"
#include "store/tail_internal.h"

/* Called with the lock held. */
static struct tail_log *find(
    struct tail_shard *s, const struct id *id, const char *owner)
{
	size_t i = (size_t)(id_hash(id) >> 20) & (s->n_buckets - 1);
	struct tail_log *l = s->bucket[i];

	while (l != NULL && !id_equal(&l->id, id))
		l = l->next;
	if (l != NULL && owner != NULL && strcmp(l->owner, owner) != 0)
		return NULL;
	return l;
}

static struct tail_shard *shard_of(struct store *store, const struct id *id)
{
	return &store->tail->shard[id_hash(id) >> 58];
}

/* Called with the lock held: what is read stays longer. */
static void touch(struct tail *t, struct tail_shard *s, struct tail_log *l)
{
	if (!l->cached)
		return;
	l->read_at = atomic_fetch_add(&t->reads, 1);
	TAILQ_REMOVE(&s->lru, l, lru);
	TAILQ_INSERT_TAIL(&s->lru, l, lru);
}

/* Called with the lock held. */
static enum err copy(
    const struct tail_log *l, const struct page_query *q, struct page *ret)
{
	enum err rc = chunklog_copy(&l->log, q, ret);

	if (rc != OK)
		return rc;
	buf_reset(&ret->metadata);
	buf_add(&ret->metadata, l->metadata, l->metadata_len);
	if (buf_state(&ret->metadata) != OK)
		return ERR_NOMEM;
	ret->id = l->id;
	ret->status = l->status;
	ret->total = chunklog_next(&l->log);
	ret->attempt = l->attempt;
	ret->created_ms = l->created_ms;
	ret->rate_milli = l->rate_milli;
	return OK;
}

enum err tail_page(struct store *store, const struct id *id, const char *owner,
    const struct page_query *q, struct page *ret)
{
	struct tail_shard *s = shard_of(store, id);
	struct tail_log *l;
	enum err rc = ERR_NOT_FOUND;

	pthread_mutex_lock(&s->lock);
	l = find(s, id, owner);
	if (l != NULL)
		rc = copy(l, q, ret);
	if (rc == OK)
		touch(store->tail, s, l);
	pthread_mutex_unlock(&s->lock);
	return rc;
}

enum err tail_head(struct store *store, const struct id *id, const char *owner,
    struct tail_head *ret)
{
	struct tail_shard *s = shard_of(store, id);
	struct tail_log *l;

	pthread_mutex_lock(&s->lock);
	l = find(s, id, owner);
	if (l != NULL) {
		*ret = (struct tail_head){ .status = l->status,
			.total = chunklog_next(&l->log),
			.rate_milli = l->rate_milli };
		touch(store->tail, s, l);
	}
	pthread_mutex_unlock(&s->lock);
	return l == NULL ? ERR_NOT_FOUND : OK;
}

enum err tail_wait(struct store *store, const struct id *id, const char *owner,
    uint64_t seen, struct waiter *w)
{
	struct tail_shard *s = shard_of(store, id);
	struct tail_log *l;
	enum err rc = OK;

	pthread_mutex_lock(&s->lock);
	l = find(s, id, owner);
	if (l == NULL) {
		rc = ERR_NOT_FOUND;
	} else if (execution_ended(l->status) ||
		   chunklog_next(&l->log) > seen) {
		rc = ERR_CONFLICT;
	} else if (atomic_load(&store->failed) != OK) {
		/* Set before everybody is woken, once, under this lock. */
		rc = ERR_IO;
	} else {
		w->id = *id;
		w->seen = seen;
		w->armed = true;
		TAILQ_INSERT_TAIL(&l->waiters, w, link);
		s->n_waiters++;
	}
	pthread_mutex_unlock(&s->lock);
	return rc;
}

void tail_forget(struct store *store, struct waiter *w)
{
	struct tail_shard *s = shard_of(store, &w->id);
	struct tail_log *l;

	pthread_mutex_lock(&s->lock);
	if (w->armed) {
		/* A log with waiters is live, and a live log is here. */
		l = find(s, &w->id, NULL);
		ASSERT(l != NULL);
		TAILQ_REMOVE(&l->waiters, w, link);
		w->armed = false;
		s->n_waiters--;
	}
	pthread_mutex_unlock(&s->lock);
}

void tail_stats(struct store *store, struct tail_stats *ret)
{
	struct tail_stats sum = { 0 };

	for (size_t i = 0; i < TAIL_SHARDS; i++) {
		struct tail_shard *s = &store->tail->shard[i];

		pthread_mutex_lock(&s->lock);
		sum.logs += s->n_logs;
		sum.live += s->n_live;
		sum.bytes += s->bytes;
		sum.waiters += s->n_waiters;
		pthread_mutex_unlock(&s->lock);
	}
	*ret = sum;
}
