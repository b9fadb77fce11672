/* Somebody waits for all that was posted: a batch that says nothing comes back. */
#include "store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "store/base/log.h"

/* How often the one who waits looks whether there is room on the disk. */
#define LOOK_MS 50

/* Has two owners: who waits, and the writer. The last one frees it. */
struct sync {
	struct write write; /* first: it is what travels */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool done, left;
};

static void sync_free(struct sync *s)
{
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->cond);
	free(s);
}

static void on_done(struct write *w)
{
	struct sync *s = (struct sync *)(void *)w;

	pthread_mutex_lock(&s->lock);
	s->done = true;
	if (s->left) {
		sync_free(s);
		return;
	}
	pthread_cond_signal(&s->cond);
	pthread_mutex_unlock(&s->lock);
}

/* Sleep until it is done, at most a moment. */
static void nap(struct sync *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&s->cond, &s->lock, &until);
}

enum err writer_sync(struct store *store)
{
	struct sync *s = calloc(1, sizeof(*s));
	enum err rc = OK;

	if (s == NULL)
		return ERR_NOMEM;
	s->write.kind = WRITE_BATCH;
	s->write.on_done = on_done;
	batch_init(&s->write.u.batch, 0);
	ASSERT(pthread_mutex_init(&s->lock, NULL) == 0);
	ASSERT(pthread_cond_init(&s->cond, NULL) == 0);
	rc = writer_post(store, &s->write);
	pthread_mutex_lock(&s->lock);
	if (rc == OK) {
		while (!s->done && writer_full_ms(store) == 0)
			nap(s);
		rc = s->done ? s->write.result : ERR_FULL;
		s->left = true;
		if (!s->done) {
			pthread_mutex_unlock(&s->lock);
			return rc;
		}
	}
	sync_free(s);
	return rc;
}
