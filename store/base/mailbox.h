/*
 * mailbox: the only thing that crosses threads. Many post, one takes.
 *
 * Used by: the writer, workers, loops, the read pool.
 * Thread: mailbox_post() any; mailbox_take() and mailbox_wait() the owner's.
 * Promises: mails come out in the order in which they went in. A mail is
 * filled, posted and never touched again by its sender. The ceiling is given
 * at birth; the wake function runs only when the box stops being empty,
 * on the poster's thread, outside the lock, and must not block.
 */
#ifndef STORE_BASE_MAILBOX_H
#define STORE_BASE_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/err.h"

/* Embed it first in the struct that travels. */
struct mail {
	struct mail *next;
	size_t bytes; /* what it weighs against the ceiling */
};

typedef void mailbox_wake_fn(void *arg);

struct mailbox {
	/*
	 * Whenever the lock is free: head is NULL exactly when n_mails is 0;
	 * bytes is the sum over the list; a closed box takes no more mail.
	 */
	pthread_mutex_t lock;
	pthread_cond_t filled; /* for owners that wait on it */
	struct mail *head, **tail;
	size_t n_mails, max_mails;
	size_t bytes, max_bytes;
	bool closed;
	mailbox_wake_fn *wake; /* NULL: the owner waits in mailbox_wait() */
	void *wake_arg;
};

/* An empty box. ${wake} may be NULL. Panics when the system has no locks. */
void mailbox_init(struct mailbox *box, size_t max_mails, size_t max_bytes,
    mailbox_wake_fn *wake, void *wake_arg);

/* Forget the lock. The box must be empty and nobody may post any more. */
void mailbox_fini(struct mailbox *box);

/*
 * Takes ${mail} on OK. Fails: ERR_LIMIT when the ceiling is reached, ERR_STOPPED
 * when the box is closed; the mail is still the caller's.
 */
MUST_CHECK enum err mailbox_post(struct mailbox *box, struct mail *mail);

/*
 * As mailbox_post(), past the ceiling: for answers and cancellations, whose
 * number is bounded by the questions. Fails: ERR_STOPPED.
 */
MUST_CHECK enum err mailbox_post_always(struct mailbox *box, struct mail *mail);

/* Gives: all mails, oldest first, linked by next; NULL when empty. */
struct mail *mailbox_take(struct mailbox *box);

/*
 * Sleep until there is mail, the box is closed, or ${timeout_ms} passed
 * (negative: for ever). Returns as mailbox_take().
 */
struct mail *mailbox_wait(struct mailbox *box, int timeout_ms);

/* Take no more mail and wake the owner; what is inside stays for it. */
void mailbox_close(struct mailbox *box);

/* True when the box was closed. */
bool mailbox_closed(struct mailbox *box);

/* What waits in the box now, in bytes: for back-pressure and metrics. */
size_t mailbox_bytes(struct mailbox *box);

#endif
