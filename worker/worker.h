/*
 * worker: the only door to this room. Threads that run executions: each owns
 * a curl multi handle and its runs.
 *
 * Used by: submit, recovery, the cancel routes, serve.
 * Thread: worker_start() and worker_stop() the main one; the rest any.
 * Promises:
 *  - a submitted execution ends in a stored state, whatever its upstream does:
 *    connect, first-token, idle and total deadlines see to it;
 *  - a failed attempt is repeated, then made elsewhere, as far as the options
 *    and the request's "retry" and "on_interrupt" say; all are on record;
 *  - a cancel stops the upstream transfer in the worker's next turn;
 *  - upstreams are paused while the writer is behind.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "store/base/err.h"
#include "store/base/id.h"
#include "store/execution.h"

struct seal;
struct store;
struct worker;

/* The dialects that there are, NULL-terminated: "openai" … Thread: any. */
const char *const *worker_dialects(void);

#define WORKER_MAX_HEADERS 16
#define WORKER_MAX_HEADER_BYTES 4096 /* all of an upstream's */

/*
 * May ${lines}, "Name: value\n" each, be sent to an upstream besides what is
 * sent anyway? Fails: ERR_INPUT, and ${why} names the header, never a value.
 * Thread: any.
 */
MUST_CHECK enum err worker_headers_check(const char *lines, struct why *why);

/* One upstream, as configured. Strings are copied by worker_start(). */
struct worker_upstream {
	const char *name;     /* [a-z0-9_-]+ */
	const char *dialect;  /* one of worker_dialects() */
	const char *base_url; /* http:// or https://, operator's word */
	const char *key;      /* NULL: none. Never logged */
	const char *model; /* default model; NULL: the caller must name one */
	bool is_openai;	   /* api.openai.com's own spelling of parameters */
	/* A request's model with a slash may be one of its models. */
	bool any_model;
	/*
	 * Where the dialect has answers that go on without us (responses):
	 * they are asked for, unless this says no. A cut, or a crash, then
	 * costs nothing, but the upstream keeps what it says for a while.
	 */
	bool foreground;
	/*
	 * Does it go on from a last message of the assistant's? "no", "yes",
	 * "trimmed" (unless that ends in blanks), "vllm" (yes, with vLLM's
	 * members for it). NULL: "no".
	 */
	const char *prefill;
	/*
	 * Whose prices its models have: "none", or what stands before "/model" in
	 * the price file or in another upstream's list ("openrouter/openai").
	 * NULL: those it lists itself.
	 */
	const char *prices;
	/* Sent with each request, as worker_headers_check() takes it; NULL:
	 * none. Never logged. */
	const char *headers;
};

/* A name and the targets it means, the first to be asked first. Copied. */
struct worker_model {
	const char *name;	    /* no slash */
	const char *const *targets; /* "upstream/model" or "upstream" */
	size_t n_targets;	    /* 1 to 8 */
};

struct worker_options {
	struct store *store;
	const struct worker_upstream *upstreams;
	size_t n_upstreams;
	const char *default_upstream; /* NULL: the first */
	const struct worker_model *models;
	size_t n_models;
	const char *default_model; /* NULL: the default upstream's own */
	unsigned threads;	   /* 0: 1 */
	unsigned max_live;	   /* executions at once; 0: 10,000 */
	/* Deadlines in ms; 0: the default beside it */
	int64_t connect_ms;	/* 10,000 */
	int64_t first_token_ms; /* 120,000 */
	int64_t idle_ms;  /* 120,000: no parsed event, pings do not count */
	int64_t total_ms; /* 1,800,000: all attempts of an execution */
	/* Attempts at one target; 0: 1. Waits between them, without a hint. */
	unsigned retry_attempts;
	int64_t retry_base_ms, retry_max_ms; /* 500; 8,000 */
	/*
	 * What to do when an answer breaks off half-way and the request does
	 * not say: "fail", "restart", "continue", "auto". NULL: "fail".
	 */
	const char *on_interrupt;
	/*
	 * What is done at a start with what the process before left half-way
	 * (a crash, or a stop whose time was up): "fail", "restart",
	 * "continue" (where that can be, else restart). A request that says
	 * on_interrupt is never gone on with in another way. NULL: "fail".
	 */
	const char *recover;
	/* Failures in a row after which an upstream rests; 0: never. */
	unsigned circuit_failures;
	int64_t circuit_cooldown_ms; /* 10,000 */
	uint64_t max_answer_bytes;   /* of one upstream body; 0: 256 MiB */
	size_t max_backlog_bytes;    /* pause upstreams above it; 0: 16 MiB */
	/*
	 * How old an upstream's list of models may be before it is asked again,
	 * at somebody's question; 0: they are never asked.
	 */
	int64_t models_ttl_ms;
	const char *price_file; /* worker/prices_file.h; NULL: none */
	/* Opens owners' keys in the store's vault; lent. NULL: none are used. */
	const struct seal *seal;
};

/*
 * Start the threads. Fails: ERR_INPUT (${why}: an upstream's name, URL or
 * dialect is wrong), ERR_NOMEM.
 */
MUST_CHECK enum err worker_start(
    const struct worker_options *options, struct worker **ret, struct why *why);

/* Is there an upstream called ${name}? */
bool worker_has_upstream(const struct worker *w, const char *name);

/*
 * Would ${model} ("", the name of a model, "upstream/model", or a model of the
 * default upstream) be served? *${ret_target}, the first target it means
 * ("upstream/model"), is for free(). Fails: ERR_INPUT and ${why} lists what is
 * configured.
 */
MUST_CHECK enum err worker_resolve(const struct worker *w, const char *model,
    char **ret_target, struct why *why);

/*
 * Room for one more execution? Reserves it until worker_submit() or
 * worker_release(). Fails: ERR_LIMIT (say 503 and retry), ERR_STOPPED.
 */
MUST_CHECK enum err worker_reserve(struct worker *w);
void worker_release(struct worker *w);

/*
 * Takes ${*e}, a stored execution that has not ended, whose place was reserved
 * (recovery need not reserve). Never blocks: fit for the writer's thread.
 * Fails: ERR_STOPPED, ERR_NOMEM, and the next start will find it; the place
 * is free again.
 */
MUST_CHECK enum err worker_submit(struct worker *w, struct execution **e);

/* --- a provider's key that comes with a request --- */

struct worker_key;

/*
 * The member of a stored request that says that a key came with it: its value
 * is the upstream that the key is for.
 */
#define WORKER_KEY_MEMBER "provider_key"

/*
 * Read ${text}, "KEY" for the upstream that ${model} asks first, or
 * "UPSTREAM=KEY" for one of those that it asks. A KEY alone has no = but at its
 * end. Gives: *${ret} for worker_key_free(). Fails: ERR_INPUT (${why} never has
 * the key in it), ERR_NOMEM.
 */
MUST_CHECK enum err worker_key_read(const struct worker *w, const char *model,
    const char *text, struct worker_key **ret, struct why *why);
/* Wipes it. NULL is nothing. */
void worker_key_free(struct worker_key *k);
/* Whose it is; lent. */
const char *worker_key_upstream(const struct worker_key *k);

/*
 * Is there a key for any upstream that ${model} asks (${key}, which may be NULL,
 * one of ${owner}'s own, a configured one), or does one do without?
 * Fails: ERR_INPUT, and ${why} says how to give one.
 */
MUST_CHECK enum err worker_key_check(const struct worker *w, const char *model,
    const char *owner, const struct worker_key *key, struct why *why);

/*
 * worker_submit() with ${*key}, which it takes, too (*${key} may be NULL). The
 * run alone has it. Its request has WORKER_KEY_MEMBER: after a crash it is
 * settled, not run.
 */
MUST_CHECK enum err worker_submit_with(
    struct worker *w, struct execution **e, struct worker_key **key);

/*
 * End ${id} as cancelled; nothing happens when it is not (or no longer) run
 * here. Never blocks. Fails: ERR_STOPPED, ERR_NOMEM.
 */
MUST_CHECK enum err worker_cancel(struct worker *w, const struct id *id);

/*
 * Is ${e}, which had not ended when the last process did, to be run, or run on?
 * True: worker_submit() it, whole as store_unfinished() gave it. False:
 * worker_settle() it. What was queued is run, unless a key came with it; what
 * was begun, as recover says, and whatever it says when the upstream goes on
 * with the same answer meanwhile.
 */
bool worker_recovers(const struct worker *w, const struct execution *e);

/*
 * Settle an execution that a crash interrupted: end it as failed with
 * error.code "interrupted" ("provider_key_lost": it needed a key that came with
 * it), its chunks kept. Used before worker_submit()s at
 * start, on the main thread. Posts to the writer.
 */
MUST_CHECK enum err worker_settle(struct worker *w, const struct execution *e);
/* All are settled: give back what that needed. */
void worker_settled(struct worker *w);

/* --- the models that can be asked for --- */

/*
 * A list of models, as JSON in the shape of OpenAI's. It does not change, and
 * is freed by the last who drops it. Thread: any.
 */
struct worker_models;

/*
 * Gives: the present list, at once, for worker_models_drop(). Configured names
 * come first, then the default upstream's models, then all as "upstream/model".
 * An upstream whose list cannot be had keeps its last one.
 */
struct worker_models *worker_models(struct worker *w);
/* NULL is nothing. */
void worker_models_drop(struct worker_models *m);

/*
 * Have lists that are too old (${now}: all) asked for anew, beside the caller.
 * Returns what worker_models_listed() wants to know, or 0 when the present list
 * will do meanwhile: all upstreams have been asked once.
 */
uint64_t worker_models_want(struct worker *w, bool now);
/* Has it been done? */
bool worker_models_listed(const struct worker *w, uint64_t what);

/* All of it, lent: {"object":"list","data":[…],"upstreams":[…]}. */
const char *worker_models_text(const struct worker_models *m, size_t *ret_len);
/* Another for other contents. */
const char *worker_models_tag(const struct worker_models *m);
/* The ${i}-th model's name (NULL past the end) and object, lent. */
const char *worker_models_name(const struct worker_models *m, size_t i);
const char *worker_models_entry(
    const struct worker_models *m, size_t i, size_t *ret_len);

struct worker_stats {
	uint64_t submitted, completed, failed, cancelled; /* since the start */
	uint64_t live, streaming, paused;		  /* now */
	uint64_t upstream_bytes, events;		  /* since the start */
};
void worker_stats(const struct worker *w, struct worker_stats *ret);

/* How an upstream fares; its name is lent while the worker lives. */
struct worker_upstream_state {
	const char *name;
	const char *state; /* "well", "rests", "probing" */
	unsigned failures; /* in a row, since it answered last */
	int64_t rests_ms;  /* so long nobody asks it who has another; 0 */
};

/* The ${i}-th as configured; false past the last. */
bool worker_upstream_state(
    const struct worker *w, size_t i, struct worker_upstream_state *ret);

/*
 * Take no more work, let runs go on for ${drain_ms}, then end what is left as
 * failed with error.code "interrupted" and everything received stored, or,
 * when it is to be recovered, leave it to the next start; what has not begun
 * stays queued for it. When it returns the threads are
 * gone and nothing more is posted. NULL is nothing.
 */
void worker_stop(struct worker *w, int64_t drain_ms);

#endif
