#include "worker/inbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/worker_key.h"

struct inbox {
	struct mailbox orders, acks;
	/* What was taken out and not looked at yet: the pump's thread's. */
	struct mail *order, *ack;
	int fd;
	atomic_uint shares;
	atomic_bool stopping;
	_Atomic int64_t drain_ms;
};

static void on_filled(void *arg)
{
	inbox_wake(arg);
}

enum err inbox_new(struct inbox **ret)
{
	struct inbox *in = calloc(1, sizeof(*in));

	if (in == NULL)
		return ERR_NOMEM;
	in->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (in->fd < 0) {
		free(in);
		return ERR_IO;
	}
	atomic_init(&in->shares, 1);
	/* orders are bounded by reservations and requests, acks by batches */
	mailbox_init(&in->orders, SIZE_MAX, SIZE_MAX, on_filled, in);
	mailbox_init(&in->acks, SIZE_MAX, SIZE_MAX, on_filled, in);
	*ret = in;
	return OK;
}

static void give_up_share(struct inbox *in)
{
	if (atomic_fetch_sub(&in->shares, 1) > 1)
		return;
	mailbox_fini(&in->orders);
	mailbox_fini(&in->acks);
	close(in->fd);
	free(in);
}

void inbox_close(struct inbox *in)
{
	struct inbox_order *o;
	struct inbox_ack *a;

	if (in == NULL)
		return;
	mailbox_close(&in->orders);
	mailbox_close(&in->acks);
	while ((o = inbox_next_order(in)) != NULL)
		inbox_order_free(o);
	while ((a = inbox_next_ack(in)) != NULL)
		inbox_ack_free(a);
	give_up_share(in);
}

static enum err order(struct inbox *in, const struct inbox_order *model)
{
	struct inbox_order *o = malloc(sizeof(*o));
	enum err rc;

	if (o == NULL)
		return ERR_NOMEM;
	*o = *model;
	rc = mailbox_post_always(&in->orders, &o->mail);
	if (rc != OK)
		free(o);
	return rc;
}

enum err inbox_submit(
    struct inbox *in, struct execution **e, struct worker_key **key)
{
	enum err rc = order(
	    in, &(struct inbox_order){ .mail.bytes = sizeof(struct inbox_order),
		    .kind = INBOX_SUBMIT,
		    .execution = *e,
		    .key = *key });

	if (rc == OK) {
		*e = NULL;
		*key = NULL;
	}
	return rc;
}

enum err inbox_cancel(struct inbox *in, const struct id *id)
{
	return order(
	    in, &(struct inbox_order){ .mail.bytes = sizeof(struct inbox_order),
		    .kind = INBOX_CANCEL,
		    .id = *id });
}

void inbox_stop(struct inbox *in, int64_t drain_ms)
{
	atomic_store(&in->drain_ms, drain_ms);
	atomic_store(&in->stopping, true);
	inbox_wake(in);
}

void inbox_wake(struct inbox *in)
{
	uint64_t one = 1;
	ssize_t n;

	do
		n = write(in->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
	/* EAGAIN: the counter is full, so it is readable already */
}

int inbox_fd(const struct inbox *in)
{
	return in->fd;
}

void inbox_hush(struct inbox *in)
{
	uint64_t n;

	while (read(in->fd, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}

/* The next mail of a box, whose contents are held in *${held}. */
static struct mail *next(struct mailbox *box, struct mail **held)
{
	struct mail *m;

	if (*held == NULL)
		*held = mailbox_take(box);
	m = *held;
	if (m != NULL)
		*held = m->next;
	return m;
}

struct inbox_order *inbox_next_order(struct inbox *in)
{
	return (struct inbox_order *)next(&in->orders, &in->order);
}

void inbox_order_free(struct inbox_order *o)
{
	if (o == NULL)
		return;
	execution_free(o->execution);
	worker_key_free(o->key);
	free(o);
}

bool inbox_stopping(struct inbox *in, int64_t *ret_drain_ms)
{
	if (!atomic_load(&in->stopping))
		return false;
	*ret_drain_ms = atomic_load(&in->drain_ms);
	return true;
}

/* On the writer's thread. */
static void on_done(struct write *w)
{
	struct inbox_ack *a = (struct inbox_ack *)w;
	struct inbox *in = a->inbox;

	if (mailbox_post_always(&in->acks, &w->mail) != OK)
		inbox_ack_free(a); /* the pump is gone */
	give_up_share(in);
}

enum err inbox_post(struct inbox *in, struct store *store, struct batch *batch)
{
	struct inbox_ack *a = calloc(1, sizeof(*a));
	size_t max = batch->bytes.max;
	enum err rc;

	if (a == NULL)
		return ERR_NOMEM;
	a->inbox = in;
	a->write.kind = WRITE_BATCH;
	a->write.on_done = on_done;
	a->write.u.batch = *batch;
	a->write.mail.bytes = batch->bytes.len;
	atomic_fetch_add(&in->shares, 1);
	rc = writer_post(store, &a->write);
	if (rc != OK) {
		give_up_share(in);
		free(a);
		return rc;
	}
	batch_init(batch, max);
	return OK;
}

struct inbox_ack *inbox_next_ack(struct inbox *in)
{
	return (struct inbox_ack *)next(&in->acks, &in->ack);
}

void inbox_ack_free(struct inbox_ack *a)
{
	if (a == NULL)
		return;
	batch_fini(&a->write.u.batch);
	free(a);
}
