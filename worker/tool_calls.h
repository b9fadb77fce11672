/*
 * tool_calls: function calls put together from the fragments that servers of
 * the OpenAI kind send, with all their oddities (missing or repeated index,
 * id and name; interleaving; whole calls); and calls of servers that say
 * where each begins and ends.
 *
 * Used by: answer.          Thread: the owner's; pure.
 * Promises: events are numbered 0, 1, … by first appearance; a call's start
 * comes before its deltas, and the sum of its deltas is what its end says.
 * Work is linear in the bytes for a bounded number of calls.
 */
#ifndef WORKER_TOOL_CALLS_H
#define WORKER_TOOL_CALLS_H

#include "worker/dialect.h"
#include "worker/json_in.h"

#define TOOL_CALLS_MAX 512
#define TOOL_CALLS_MAX_ID_BYTES 1024
/* Of all arguments of one answer together. */
#define TOOL_CALLS_MAX_BYTES DIALECT_MAX_TOOL_BYTES

struct tool_calls {
	struct tool_call **all; /* by first appearance */
	size_t n, cap;
	size_t bytes;
	dialect_sink_fn *sink;
	void *arg;
};

/* One entry of delta.tool_calls. Absent texts have len 0. */
struct tool_calls_fragment {
	bool has_index;
	int64_t index;
	struct text id, name, arguments;
};

/*
 * Arguments as text: that of a string, JSON of an object or array, nothing of
 * anything else. Lends: *${ret} while ${arguments} and *${ret_made} live, which is
 * for free() and may be NULL. Fails: ERR_NOMEM.
 */
MUST_CHECK enum err tool_calls_arguments(
    const json_t *arguments, struct text *ret, char **ret_made);

void tool_calls_init(struct tool_calls *c, dialect_sink_fn *sink, void *arg);
void tool_calls_fini(struct tool_calls *c);

/*
 * Take one fragment in and tell what it says. Fails: ERR_LIMIT (a ceiling),
 * ERR_NOMEM.
 */
MUST_CHECK enum err tool_calls_add(
    struct tool_calls *c, const struct tool_calls_fragment *f);

/*
 * Take in a call that comes whole and is part of no other; it ends at once.
 * Fails: as tool_calls_add().
 */
MUST_CHECK enum err tool_calls_whole(
    struct tool_calls *c, const struct tool_calls_fragment *f);

/*
 * A call begins; fragments with ${f}'s index go on with it until it is closed.
 * What ${f} has as arguments counts only when none of them has any. Fails: as
 * tool_calls_add().
 */
MUST_CHECK enum err tool_calls_open(
    struct tool_calls *c, const struct tool_calls_fragment *f);

/* End the call last opened with ${index}, if there is one. Fails: ERR_NOMEM. */
MUST_CHECK enum err tool_calls_close(struct tool_calls *c, int64_t index);

/* End all calls that have not, in their order. Fails: ERR_NOMEM. */
MUST_CHECK enum err tool_calls_end(struct tool_calls *c);

#endif
