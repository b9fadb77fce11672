/*
 * dialect: the driver interface: how an upstream speaks. Pure: bytes to events,
 * a request to bytes. No socket, no clock, no store.
 *
 * A driver is one file exporting one const struct dialect; dialect.c is the
 * only place that names them all. What all dialects need (framing, JSON that
 * is not quite JSON, tool-call fragments, the end of a stream, error classes)
 * is done once, around them.
 *
 * Used by: run, tests/transcripts.     Thread: the owner's of the decoder.
 * Promises: the events do not depend on how the bytes were split. Every
 * response ends with exactly one EVENT_FINISH or EVENT_ERROR, which is the
 * last event; bytes after it are ignored. All text is well-formed UTF-8.
 */
#ifndef WORKER_DIALECT_H
#define WORKER_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "store/base/err.h"

enum event_kind {
	EVENT_START, /* at most once: id, model, provider */
	EVENT_TEXT,
	EVENT_REASONING,
	EVENT_REFUSAL,
	EVENT_TOOL_START, /* index, id, name */
	EVENT_TOOL_DELTA, /* index, text: a fragment of the arguments */
	EVENT_TOOL_END,	  /* index, text: the whole arguments, valid_json */
	EVENT_USAGE,	  /* at most once, just before the terminal event */
	EVENT_FINISH,	  /* reason, native */
	EVENT_ERROR,
	EVENT_PING, /* liveness only; not progress */
};

enum finish_reason {
	FINISH_STOP,
	FINISH_LENGTH,
	FINISH_TOOL_CALLS,
	FINISH_CONTENT_FILTER,
	FINISH_PAUSE,
	FINISH_UNKNOWN,
};
const char *dialect_finish_name(enum finish_reason r);

enum error_kind {
	ERROR_AUTH,
	ERROR_PERMISSION,
	ERROR_QUOTA,
	ERROR_NOT_FOUND,
	ERROR_BAD_REQUEST,
	ERROR_CONTEXT_LENGTH,
	ERROR_TOO_LARGE,
	ERROR_TIMEOUT,
	ERROR_CONFLICT,
	ERROR_RATE_LIMIT,
	ERROR_OVERLOADED,
	ERROR_SERVER,
	ERROR_CONTENT_FILTER,
	ERROR_TRUNCATED,
	ERROR_EMPTY,
	ERROR_BAD_TOOL_CALL,
	ERROR_PROTOCOL,
	ERROR_NETWORK,
	ERROR_CANCELED,
};
/* "rate_limit" …; and whether trying again may help, before any override. */
const char *dialect_error_name(enum error_kind k);
bool dialect_error_retryable(enum error_kind k);

/* Text that is lent until the callback returns. NULL: absent. */
struct text {
	const char *s;
	size_t len;
};

/* Token counts; -1: the upstream did not say. */
struct dialect_usage {
	int64_t input_tokens, output_tokens, reasoning_tokens;
	int64_t cached_input_tokens, cache_write_tokens;
	int64_t cost_pusd; /* 1e-12 dollars; -1: not said */
	/* ollama's durations in ns; -1: not said */
	int64_t total_ns, load_ns, prompt_ns, output_ns;
};

struct dialect_error {
	enum error_kind kind;
	struct text message; /* never empty */
	int status;	     /* HTTP status or one named in the body; 0: none */
	struct text code;
	bool retryable;
	int64_t retry_after_ms; /* -1: not said */
	bool in_request;	/* phase request (true) or stream */
};

struct event {
	enum event_kind kind;
	struct text id, model, provider; /* START; TOOL_START uses id */
	struct text text;		 /* TEXT … TOOL_DELTA, TOOL_END */
	struct text name;		 /* TOOL_START */
	uint32_t index;		    /* TOOL_*: 0, 1, … by first appearance */
	bool valid_json;	    /* TOOL_END */
	struct dialect_usage usage; /* USAGE */
	enum finish_reason reason;  /* FINISH */
	struct text native; /* FINISH: as the provider said; may be absent */
	struct dialect_error error; /* ERROR */
};

/* Takes one event, which is lent for the call. */
typedef void dialect_sink_fn(void *arg, const struct event *e);

/* What came before the body. */
struct dialect_head {
	int status;		  /* HTTP status */
	const char *content_type; /* NULL: none */
	const char *retry_after, *retry_after_ms, *should_retry,
	    *date;	   /* or NULL */
	bool streaming;	   /* a streaming request was sent */
	size_t embeddings; /* so many were asked for; 0: an answer was */
	const char *token; /* it goes on from there; NULL: from its beginning */
};

struct dialect;
struct decoder;

/* The driver called "openai" …; NULL when there is none. */
const struct dialect *dialect_find(const char *name);
/* The names of all drivers, NULL-terminated. */
const char *const *dialect_names(void);

/*
 * A decoder for one response. Lends: ${head} for the call. Gives: *${ret} for
 * decoder_free(). Fails: ERR_NOMEM.
 */
MUST_CHECK enum err decoder_new(const struct dialect *d,
    const struct dialect_head *head, dialect_sink_fn *sink, void *arg,
    struct decoder **ret);
void decoder_free(struct decoder *d);

/*
 * Feed body bytes, split anyhow. The sink may be called, never with the
 * decoder freed inside. After memory ran out, or a line passed
 * DIALECT_MAX_LINE_BYTES, the terminal event is an EVENT_ERROR.
 */
void decoder_feed(struct decoder *d, const char *bytes, size_t len);

/* The body ended, properly (${clean}) or because the connection broke. */
void decoder_end(struct decoder *d, bool clean);

/*
 * The time is up: an upstream that has refused is believed without the rest of
 * its reasons. Any other answer is left as it is.
 */
void decoder_expire(struct decoder *d);

/*
 * What is known so far of what the answer took: the upstream's last words on
 * it, before EVENT_USAGE tells them. For an answer that is given up.
 */
struct dialect_usage decoder_usage(const struct decoder *d);

/*
 * Append where an answer that goes on without us can be gone on from, once all
 * that was told of it is kept; nothing when what came (a refusal) does not say.
 * False: it cannot be, now or ever.
 */
bool decoder_token(const struct decoder *d, struct buf *ret);

/* True once the terminal event was given: close the connection. */
bool decoder_done(const struct decoder *d);

/* One SSE event or NDJSON line (providers.md 2.3 asks for 1 MiB, caps at 8). */
#define DIALECT_MAX_LINE_BYTES ((size_t)8 << 20)
/* Bodies that are not streams. */
#define DIALECT_MAX_BODY_BYTES ((size_t)32 << 20)
#define DIALECT_MAX_ERROR_BYTES ((size_t)64 << 10)
/* The arguments of all tool calls of one answer: one must fit a chunk. */
#define DIALECT_MAX_TOOL_BYTES ((size_t)2 << 20)

/* --- requests --- */

struct dialect_target {
	const char *base_url; /* without a slash at the end */
	const char *model;    /* as the upstream calls it */
	const char *key;      /* NULL: none */
	/* "Name: value\n" lines to send as they are; NULL: none */
	const char *headers;
	/* openai.com itself wants max_completion_tokens, most others max_tokens */
	bool is_openai;
	/* answers may go on without us, and be kept for that */
	bool background;
};

struct dialect_request {
	struct buf url, body;
	struct buf
	    headers; /* "Name: value\n" lines, no CR; the key is among them */
	/*
	 * What was not sent as it was asked: a JSON array of {"field","message"}
	 * objects; empty: nothing.
	 */
	struct buf warnings;
	bool is_get; /* a question without a body */
	/* On a connection that nobody else's key is sent on, before or after. */
	bool alone;
};
void dialect_request_init(struct dialect_request *r);
void dialect_request_fini(struct dialect_request *r);

/*
 * Turn the normalised request (store/request.h) of ${len} bytes into what this
 * dialect sends to ${target}, with warnings of what only tunes the answer and
 * cannot be expressed. Fails: ERR_INPUT and ${why} names the member that cannot be
 * done without; ERR_NOMEM.
 */
MUST_CHECK enum err dialect_build(const struct dialect *d, const char *request,
    size_t len, const struct dialect_target *target,
    struct dialect_request *ret, struct why *why);

/*
 * Ask ${target}, whose model does not matter, for its list of models: from
 * where ${after} says that it goes on (struct results_models), or NULL. As
 * dialect_build().
 */
MUST_CHECK enum err dialect_build_models(const struct dialect *d,
    const struct dialect_target *target, const char *after,
    struct dialect_request *ret, struct why *why);

/*
 * The requests to hear the answer from where ${token} (decoder_token()) says on,
 * and to give it up. Fails: ERR_INPUT (the dialect knows no such thing),
 * ERR_NOMEM.
 */
MUST_CHECK enum err dialect_attach(const struct dialect *d,
    const struct dialect_target *target, const char *token,
    struct dialect_request *ret);
MUST_CHECK enum err dialect_abandon(const struct dialect *d,
    const struct dialect_target *target, const char *token,
    struct dialect_request *ret);

#endif
