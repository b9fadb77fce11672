/*
 * run_internal: a run's private half.
 *
 * Used by: run and its parts.          Thread: the pump's.
 */
#ifndef WORKER_RUN_INTERNAL_H
#define WORKER_RUN_INTERNAL_H

#include "worker/attempts.h"
#include "worker/estimate.h"
#include "worker/run.h"
#include "worker/upstreams.h"

enum run_state {
	RUN_QUEUED,
	RUN_CONNECTING,
	RUN_WAITING,
	RUN_STREAMING,
	RUN_BACKOFF,
	RUN_ENDED,
};
#define RUN_STATES 6

/* How an attempt ends; written once, by the first of those who know. */
struct run_outcome {
	bool known;
	bool final; /* no other attempt can mend it */
	enum execution_status status;
	const char *code; /* NULL: completed */
	char *message;	  /* NULL: the code must do */
	enum finish_reason reason;
	char *native, *provider_code;
	int http_status;
	bool retryable;
	int64_t retry_after_ms; /* -1: not said */
};

struct run {
	struct run_env *env;
	enum run_state state;
	struct execution *execution;
	/* Whom to ask; set by the first run_begin(). */
	struct upstreams_route route;
	size_t at;			/* the present target's place in it */
	struct upstreams_target target; /* the present or last; may be none */
	uint32_t tries;			/* at the present target */
	struct worker_key *own_key;	/* came with it; NULL: none did */
	struct retry_limits retry;
	enum interrupt on_interrupt;
	int64_t due_ms; /* RUN_BACKOFF: when to begin again */
	struct attempts attempts;
	/* What all attempts have shown, but for what a reset withdrew. */
	bool shown, only_text;
	bool keeps_text; /* the text of it, while it may be gone on from */
	struct buf text;
	bool recalled;	       /* a process before this one began it */
	bool cut;	       /* … and an attempt that had shown something */
	const char *broke_off; /* the code of the attempt that was cut last */

	/*
	 * Where the present attempt's answer can be gone on from, NUL and all;
	 * empty: nowhere. While it is attached, or about to be, lost says why
	 * it must be: if it cannot, that is how the attempt ended.
	 */
	struct buf token;
	bool attached, attaching;
	uint32_t attaches; /* in a row, without news */
	struct run_outcome lost;

	/* --- of the present attempt --- */
	char *key;	  /* what it is sent with; NULL: nothing */
	bool key_is_ours; /* the operator's, not the client's */
	uint32_t attempt; /* from 1 once begun */
	/* What happened, for run_turn() to act upon. */
	bool begun, connected, has_content, paused;
	bool unsettled; /* it is not in the record yet */
	/*
	 * Blanks that were shown but not sent along: [from, to) of text.
	 * What comes may begin with them again.
	 */
	size_t repeats_from, repeats_to;
	bool must_reset;      /* its first content withdraws what was shown */
	bool streaming_asked; /* a stream was asked for */
	size_t embeds; /* so many embeddings were asked for; 0: an answer */
	struct decoder *decoder;
	struct run_outcome outcome;
	/* Said by the upstream; NULL: not. */
	char *model, *provider, *upstream_id;
	char *warnings; /* as in struct dialect_request, or NULL */
	struct dialect_usage usage;
	struct estimate output;	 /* of all that was received */
	int64_t estimated_input; /* tokens */
	int64_t begun_wall_ms;
	int64_t begun_ms, connected_ms; /* on the growing clock; 0: not yet */
	int64_t since_ms; /* where the state's own deadline counts from */
	int64_t paused_ms;

	/* --- of all of them --- */
	uint32_t n_events;
	uint64_t n_chunks; /* about: long ones are told in pieces */
	/* On the growing clock; 0: not yet. */
	int64_t made_ms, first_ms, content_ms;
	int64_t connect_took_ms; /* of the last that was; -1: none */
};

#define RUN_MAX_TOKEN_BYTES 256

/* Copies of what is kept of an upstream's words, cut at a code point. */
#define RUN_MAX_WORD_BYTES 256
#define RUN_MAX_MESSAGE_BYTES 4096

/* A copy, or NULL for an absent or empty text or without memory. */
char *run_word(struct text t);

/* Go as far as what has happened allows. */
void run_turn(struct run *r);

/* --- run_plan.c --- */

/* Read the request's words and find whom to ask. False: the outcome says. */
bool run_plan_make(struct run *r);

/* Could what was shown be gone on from at the ${i}-th target? */
bool run_plan_continues(const struct run *r, size_t i);

/* Choose the target of the next attempt, and when. False: there is none. */
bool run_plan_next(struct run *r);

/* A random number for waits. */
uint64_t run_plan_draw(struct run_env *env);

/* --- run_attach.c --- */

/* Bytes were read: note where the answer can be gone on from now. */
void run_attach_keep(struct run *r);
/* The attempt is another, or over for good. */
void run_attach_forget(struct run *r);
/* A process before this one noted ${token} of the attempt under way. */
void run_attach_recall(struct run *r, const char *token);
/*
 * The attempt has failed: can the rest of its answer still be heard? True: the
 * outcome is forgotten, and due_ms says when to ask.
 */
bool run_attach_again(struct run *r);
/* Make the request for the rest. False: the outcome says what was lost. */
bool run_attach_build(struct run *r, struct dialect_request *ret);

/* --- run_attempt.c --- */

/* Wipe the key of the present attempt. */
void run_attempt_forget_key(struct run *r);

/*
 * The key for the present target: the client's own before the operator's.
 * False: the outcome says.
 */
bool run_attempt_choose_key(struct run *r);

/* Make the request for the present target. False: the outcome says why not. */
bool run_attempt_build(struct run *r, struct dialect_request *ret);

/*
 * The attempt has failed: is there another? True: the outcome is on record and
 * forgotten, and due_ms says when to begin.
 */
bool run_attempt_again(struct run *r);

/* Put what an attempt at ${target} cost on record; finds the bill's price. */
void run_attempt_pay(struct run *r, const char *target,
    const struct dialect_usage *u, struct attempts_bill *bill);

/* Put the attempt and what it took on record, once. */
void run_attempt_settle(struct run *r);

/* Write down for the next process what came of the attempts so far. */
void run_attempt_note(struct run *r);

/* Leave out of its text what was shown already. */
void run_attempt_skip(struct run *r, struct text *t);
/* The attempt's first content is about to be told. */
void run_attempt_speaks(struct run *r);
/* Say that an attempt that had shown something failed, and more follows. */
void run_attempt_broke_off(
    struct run *r, const char *code, const char *message);
/* It has come to its end, with or without content. */
void run_attempt_finishes(struct run *r);
/* Content was told: remember what may be gone on from. */
void run_attempt_told(struct run *r, const struct event *e);

/* --- run_end.c --- */

/* Write down how it ends, unless that is known already. */
void run_complete(struct run *r, enum finish_reason reason, struct text native);
void run_fail(struct run *r, const char *code, bool retryable, const char *fmt,
    ...) PRINTF_LIKE(4, 5);
/* The same, and no other attempt can mend it. */
void run_fail_for_good(struct run *r, const char *code, bool retryable,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
void run_fail_as_told(struct run *r, const struct dialect_error *e);
void run_fail_as_cancelled(struct run *r);

/* Add {"field","message"} to the warnings of the final metadata. */
void run_warn(struct run *r, const char *field, const char *message);

/* Say the end to the batch and the log, and count it. */
void run_say_end(struct run *r);

void run_outcome_fini(struct run_outcome *o);

#endif
