#include "store/base/mailbox.h"

#include <errno.h>
#include <time.h>

#include "store/base/log.h"

void mailbox_init(struct mailbox *box, size_t max_mails, size_t max_bytes,
    mailbox_wake_fn *wake, void *wake_arg)
{
	pthread_condattr_t attr;

	*box = (struct mailbox){ .max_mails = max_mails,
		.max_bytes = max_bytes,
		.wake = wake,
		.wake_arg = wake_arg };
	box->tail = &box->head;
	ASSERT(pthread_mutex_init(&box->lock, NULL) == 0);
	ASSERT(pthread_condattr_init(&attr) == 0);
	ASSERT(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	ASSERT(pthread_cond_init(&box->filled, &attr) == 0);
	pthread_condattr_destroy(&attr);
}

void mailbox_fini(struct mailbox *box)
{
	ASSERT(box->head == NULL);
	pthread_cond_destroy(&box->filled);
	pthread_mutex_destroy(&box->lock);
}

static enum err post(struct mailbox *box, struct mail *mail, bool always)
{
	enum err rc = OK;
	bool first = false;

	pthread_mutex_lock(&box->lock);
	if (box->closed) {
		rc = ERR_STOPPED;
	} else if (!always &&
		   (box->n_mails >= box->max_mails ||
		       (box->n_mails > 0 &&
			   box->bytes + mail->bytes > box->max_bytes))) {
		rc = ERR_LIMIT;
	} else {
		first = box->head == NULL;
		mail->next = NULL;
		*box->tail = mail;
		box->tail = &mail->next;
		box->n_mails++;
		box->bytes += mail->bytes;
		if (first && box->wake == NULL)
			pthread_cond_signal(&box->filled);
	}
	pthread_mutex_unlock(&box->lock);
	if (first && box->wake != NULL)
		box->wake(box->wake_arg);
	return rc;
}

enum err mailbox_post(struct mailbox *box, struct mail *mail)
{
	return post(box, mail, false);
}

enum err mailbox_post_always(struct mailbox *box, struct mail *mail)
{
	return post(box, mail, true);
}

/* Called with the lock held. */
static struct mail *empty_out(struct mailbox *box)
{
	struct mail *head = box->head;

	box->head = NULL;
	box->tail = &box->head;
	box->n_mails = 0;
	box->bytes = 0;
	return head;
}

struct mail *mailbox_take(struct mailbox *box)
{
	struct mail *head;

	pthread_mutex_lock(&box->lock);
	head = empty_out(box);
	pthread_mutex_unlock(&box->lock);
	return head;
}

struct mail *mailbox_wait(struct mailbox *box, int timeout_ms)
{
	struct timespec until;
	struct mail *head;

	clock_gettime(CLOCK_MONOTONIC, &until);
	if (timeout_ms > 0) {
		until.tv_sec += timeout_ms / 1000;
		until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
	}
	pthread_mutex_lock(&box->lock);
	while (box->head == NULL && !box->closed) {
		if (timeout_ms < 0)
			pthread_cond_wait(&box->filled, &box->lock);
		else if (pthread_cond_timedwait(
			     &box->filled, &box->lock, &until) == ETIMEDOUT)
			break;
	}
	head = empty_out(box);
	pthread_mutex_unlock(&box->lock);
	return head;
}

void mailbox_close(struct mailbox *box)
{
	pthread_mutex_lock(&box->lock);
	box->closed = true;
	pthread_cond_broadcast(&box->filled);
	pthread_mutex_unlock(&box->lock);
	if (box->wake != NULL)
		box->wake(box->wake_arg);
}

bool mailbox_closed(struct mailbox *box)
{
	bool closed;

	pthread_mutex_lock(&box->lock);
	closed = box->closed;
	pthread_mutex_unlock(&box->lock);
	return closed;
}

size_t mailbox_bytes(struct mailbox *box)
{
	size_t bytes;

	pthread_mutex_lock(&box->lock);
	bytes = box->bytes;
	pthread_mutex_unlock(&box->lock);
	return bytes;
}
