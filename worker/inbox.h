/*
 * inbox: the messages into a worker's thread: orders from anybody, and its own
 * batches coming back from the writer. Waking is an eventfd.
 *
 * Used by: pump.
 * Thread: inbox_submit(), _cancel(), _stop() and _wake() any; the rest the
 * pump's.
 * Promises: orders come out as they went in. A batch that was posted comes
 * back exactly once; if the pump is gone by then, it is freed in silence: the
 * inbox has two kinds of owner, the pump and each batch under way, and lives
 * as long as the last of them.
 */
#ifndef WORKER_INBOX_H
#define WORKER_INBOX_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/id.h"
#include "store/writer.h"

struct inbox;
struct worker_key;

enum inbox_order_kind { INBOX_SUBMIT, INBOX_CANCEL };

struct inbox_order {
	struct mail mail;
	enum inbox_order_kind kind;
	struct execution *execution; /* INBOX_SUBMIT: owned */
	struct worker_key *key;	     /* the same; NULL: none */
	struct id id;		     /* INBOX_CANCEL */
};

/* A batch under way. */
struct inbox_ack {
	struct write write; /* first: it is what travels */
	struct inbox *inbox;
};

/* Fails: ERR_NOMEM, ERR_IO. */
MUST_CHECK enum err inbox_new(struct inbox **ret);

/* Refuse what comes from now on, drop what is inside, give up the pump's share. */
void inbox_close(struct inbox *in);

/* Takes both; *${key} may be NULL. Fails: ERR_NOMEM, ERR_STOPPED. */
MUST_CHECK enum err inbox_submit(
    struct inbox *in, struct execution **e, struct worker_key **key);
/* Fails: ERR_NOMEM, ERR_STOPPED. */
MUST_CHECK enum err inbox_cancel(struct inbox *in, const struct id *id);
/* Ask the thread to stop in ${drain_ms}. */
void inbox_stop(struct inbox *in, int64_t drain_ms);
/* Make it look around. */
void inbox_wake(struct inbox *in);

/* Readable when there is something; inbox_hush() makes it unreadable. */
int inbox_fd(const struct inbox *in);
void inbox_hush(struct inbox *in);

/* The next order, or NULL. Gives: for inbox_order_free(). */
struct inbox_order *inbox_next_order(struct inbox *in);
void inbox_order_free(struct inbox_order *o);

/* True, and for how long, when inbox_stop() was called. */
bool inbox_stopping(struct inbox *in, int64_t *ret_drain_ms);

/*
 * Post ${batch}, whose contents move; it is empty afterwards. Fails, nothing
 * moved: ERR_NOMEM; ERR_STOPPED or ERR_IO when the store is down.
 */
MUST_CHECK enum err inbox_post(
    struct inbox *in, struct store *store, struct batch *batch);

/* The next batch that came back, or NULL. Gives: for inbox_ack_free(). */
struct inbox_ack *inbox_next_ack(struct inbox *in);
void inbox_ack_free(struct inbox_ack *a);

#endif
