#include "store/writer_wait.h"

#include <pthread.h>
#include <stdbool.h>

struct waiting {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done; /* guarded by lock */
};

static void on_done(struct write *w)
{
	struct waiting *waiting = ((struct writer_waiting *)w)->waiting;

	pthread_mutex_lock(&waiting->lock);
	waiting->done = true;
	pthread_cond_signal(&waiting->changed);
	pthread_mutex_unlock(&waiting->lock);
}

enum err writer_wait(struct store *store, struct writer_waiting *w)
{
	struct waiting waiting = { .lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER };
	enum err rc;

	w->waiting = &waiting;
	w->write.on_done = on_done;
	w->write.mail.bytes = sizeof(*w);
	rc = writer_post(store, &w->write);
	if (rc != OK)
		return rc;
	pthread_mutex_lock(&waiting.lock);
	while (!waiting.done)
		pthread_cond_wait(&waiting.changed, &waiting.lock);
	pthread_mutex_unlock(&waiting.lock);
	pthread_cond_destroy(&waiting.changed);
	pthread_mutex_destroy(&waiting.lock);
	return w->write.result;
}
