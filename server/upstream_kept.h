/*
 * upstream_kept: the answers of the simulation that go on when nobody hears
 * them, those asked for in the background. What is kept is the question: the
 * answer follows from it and the clock, so that it can be told again from any
 * event on, and nothing runs for it.
 *
 * Used by: upstream, upstream_answer.          Thread: any.
 * Promises: at most UPSTREAM_KEPT_MAX answers, whose questions have at most
 * UPSTREAM_KEPT_BYTES together, are kept: the oldest goes.
 */
#ifndef SERVER_UPSTREAM_KEPT_H
#define SERVER_UPSTREAM_KEPT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "server/upstream_plan.h"
#include "store/base/err.h"
#include "store/base/id.h"

#define UPSTREAM_KEPT_MAX 1024
#define UPSTREAM_KEPT_BYTES ((size_t)64 << 20)

struct upstream_kept_list;

/* Never changes but for the last two members. */
struct upstream_kept {
	struct id id;
	struct upstream_plan plan;
	int64_t created_s, start_ms; /* when its first token is due */
	char *body;		     /* of the request */
	size_t len;
	atomic_int_fast64_t cancelled_ms; /* of clock_mono_ms(); 0: not */
	atomic_uint holders;
};

/* NULL without memory. */
struct upstream_kept_list *upstream_kept_list_new(void);
/* Nobody holds an answer any more. NULL is nothing. */
void upstream_kept_list_free(struct upstream_kept_list *l);

/*
 * Keep what was asked with ${body}. Gives: *${ret}, for upstream_kept_drop().
 * Fails: ERR_NOMEM.
 */
MUST_CHECK enum err upstream_kept_add(struct upstream_kept_list *l,
    const struct upstream_plan *plan, const char *body, size_t len,
    struct upstream_kept **ret);

/* The one of ${id}, for upstream_kept_drop(); NULL: there is none (any more). */
struct upstream_kept *upstream_kept_find(
    struct upstream_kept_list *l, const struct id *id);

/* It says no more than what is due by now. Again is nothing. */
void upstream_kept_cancel(struct upstream_kept *k);

/* NULL is nothing. */
void upstream_kept_drop(struct upstream_kept *k);

#endif
