/*
 * answer: one answer of a model as it becomes events: what was told already,
 * what is held until the end, and what the end is.
 *
 * Used by: decoder, drivers.          Thread: the owner's; pure.
 * Promises: whatever the callers do, at most one EVENT_START and one
 * EVENT_USAGE come out, the latter just before the terminal event; exactly
 * one terminal event is the last one; no empty text is told; messages of
 * errors are redacted and short.
 */
#ifndef WORKER_ANSWER_H
#define WORKER_ANSWER_H

#include "worker/dialect.h"
#include "worker/tool_calls.h"

/* A longer native reason, or its message, is cut. */
#define ANSWER_MAX_REASON 256
#define ANSWER_MAX_MESSAGE ((size_t)4 << 10)

struct answer {
	dialect_sink_fn *sink;
	void *arg;
	bool started, content, done;
	struct dialect_usage usage; /* what is known so far */
	struct tool_calls calls;
	/* the last reason to stop that was told */
	bool has_reason, reason_fails;
	enum finish_reason reason;
	enum error_kind reason_kind;
	char native[ANSWER_MAX_REASON];
	size_t native_len;
	struct buf message; /* of a reason that fails; empty: none */
};

void answer_init(struct answer *a, dialect_sink_fn *sink, void *arg);
void answer_fini(struct answer *a);

/* Usage of which nothing is known. */
struct dialect_usage answer_usage_none(void);

void answer_ping(struct answer *a);

/* Told once, by the first call with an id or a model; absent texts: len 0. */
void answer_start(
    struct answer *a, struct text id, struct text model, struct text provider);

/* EVENT_TEXT, EVENT_REASONING or EVENT_REFUSAL; nothing when ${t} is empty. */
void answer_text(struct answer *a, enum event_kind kind, struct text t);

/*
 * A fragment of a function call. A whole one. The beginning of one, whose
 * fragments have ${index}, with ${input} in case none come; and its end.
 */
void answer_tool(struct answer *a, const struct tool_calls_fragment *f);
void answer_tool_whole(struct answer *a, struct text id, struct text name,
    const json_t *arguments);
void answer_tool_open(struct answer *a, int64_t index, struct text id,
    struct text name, const json_t *input);
void answer_tool_close(struct answer *a, int64_t index);

/*
 * The model stopped because of ${reason}; the provider's own word for it is
 * ${native}, and where it is a failure, ${message} says more. Replaces what was
 * said before; nothing when ${reason} is empty.
 */
void answer_reason(struct answer *a, struct text reason, struct text native,
    struct text message);

/* The model stopped, and nobody said why. */
void answer_stop(struct answer *a);

/* The end, told by the dialect's marker; or the body just ended. */
void answer_marker(struct answer *a);
void answer_eof(struct answer *a);

/* The answer failed. Usage comes before it unless it failed in the request. */
void answer_fail(struct answer *a, const struct dialect_error *e);

/* As answer_fail() in phase stream, with a message of our own. */
void answer_fail_as(struct answer *a, enum error_kind kind, const char *code,
    const char *message);

/* End it because of ${err}, which is ERR_NOMEM or ERR_LIMIT. */
void answer_fail_err(struct answer *a, enum err err);

#endif
