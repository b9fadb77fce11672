/*
 * body: what clients send, as JSON, checked and put into the one form of
 * store/request.h. Every refusal names the field and what was expected.
 *
 * Used by: the fronts' handlers (and the fuzzer).
 * Thread: any; pure.
 * Promises: what is refused leaves nothing behind. Duplicate members, trailing
 * bytes, more than REQUEST_MAX_DEPTH levels and unknown members are refused.
 */
#ifndef SERVER_BODY_H
#define SERVER_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/problem.h"
#include "store/base/err.h"
#include "store/base/id.h"
#include "store/key.h"
#include "store/prompt.h"
#include "store/retention.h"

/* jansson's, opaque here. */
struct json_t;

/*
 * Parse one JSON object. Gives: *ret, for json_decref().
 * Fails: ERR_INPUT and the problem; ERR_NOMEM.
 */
MUST_CHECK enum err body_parse(
    const char *text, size_t len, struct json_t **ret, struct problem *p);

/* --- an execution to be made --- */

struct body_create {
	struct json_t
	    *members;	       /* checked, normalised; messages may be absent */
	struct json_t *inputs; /* or NULL */
	char owner[KEY_NAME_BYTES];	/* "" not given */
	char prompt[PROMPT_NAME_BYTES]; /* "": the messages are in members */
	uint32_t version;		/* 0: the newest */
};

/*
 * Read ${root} (lent) into an empty ${ret}. Fails: ERR_INPUT (ERR_NOMEM) and the
 * problem; ${ret} is then empty.
 */
MUST_CHECK enum err body_create(
    const struct json_t *root, struct body_create *ret, struct problem *p);
void body_create_fini(struct body_create *c);

/*
 * The caller appends content blindly: unless it said on_interrupt itself,
 * nothing that was shown is to be withdrawn; ${fails}: nor gone on from.
 * Fails: ERR_NOMEM.
 */
MUST_CHECK enum err body_create_blind(struct body_create *c, bool fails);

/* --- a chat completion (OpenAI) --- */

/* Where a stream of chat completion chunks says what was used. */
enum body_usage {
	BODY_USAGE_FINISH, /* in the chunk that has the finish reason */
	BODY_USAGE_EXTRA,  /* in one of its own behind it */
	BODY_USAGE_NONE,
};

struct body_chat {
	struct body_create create;
	bool stream;
	enum body_usage usage;
	bool cancel_if_gone; /* "on_disconnect":"cancel" */
};

/*
 * Read a chat completion's body into an empty ${ret}; ${fails} as
 * body_create_blind(): it is done here. What is not known is kept for upstreams
 * of the same protocol. Fails: as body_create().
 */
MUST_CHECK enum err body_chat(const struct json_t *root, bool fails,
    struct body_chat *ret, struct problem *p);

/* What a stored request of body_chat()'s said of the usage. */
enum body_usage body_chat_usage(const char *request, size_t len);

/*
 * body_create() and body_create_blind() for a protocol that cannot withdraw
 * what it has told: on_interrupt may be fail or continue.
 */
MUST_CHECK enum err body_create_told(const struct json_t *root, bool fails,
    struct body_create *ret, struct problem *p);

/* --- a response (OpenAI) --- */

/* Answers that one request may go on from or refer to. */
#define BODY_RESPONSES_PAST 64

struct body_responses {
	struct body_create create;
	bool stream, background;
	bool cancel_if_gone; /* "on_disconnect":"cancel" */
};

/* Which executions must be known to read a body. */
struct body_past {
	struct id id[BODY_RESPONSES_PAST];
	size_t n;
	bool previous; /* the first is the one whose conversation goes on */
};

/*
 * What ${root} goes on from or refers to, into ${ret}. Fails: ERR_INPUT (it
 * names what is no response's, or too many) and the problem.
 */
MUST_CHECK enum err body_responses_past(
    const struct json_t *root, struct body_past *ret, struct problem *p);

/*
 * Note in ${past}, an object, the stored request of ${id} and its answer, a JSON
 * array of a response's output items. Fails: ERR_NOMEM.
 */
MUST_CHECK enum err body_responses_note(struct json_t *past,
    const struct id *id, const char *request, size_t request_len,
    const char *output, size_t output_len);

/*
 * Read the body of a response's creation into an empty ${ret}; ${past} has all
 * that body_responses_past() found. ${fails} as body_create_blind(). Fails: as
 * body_create().
 */
MUST_CHECK enum err body_responses(const struct json_t *root, bool fails,
    const struct json_t *past, struct body_responses *ret, struct problem *p);

/*
 * The members of a response that say how it was asked for, of a stored request
 * (NULL: it is gone), whatever front made it: the inside of a JSON object. Gives: for
 * free(); NULL without memory.
 */
char *body_responses_echo(const char *request, size_t len);

/*
 * The input of a stored request as a JSON array of items, in order, each with
 * an id made of ${id}. Gives: for json_decref(); NULL without memory.
 */
struct json_t *body_responses_items(
    const struct id *id, const char *request, size_t len);

/* --- what useChat sends (AI SDK) --- */

#define BODY_UI_NAME_BYTES 256

struct body_ui {
	struct body_create create;
	char chat[BODY_UI_NAME_BYTES]; /* its id; "" not said */
	/* The message that the answer goes on with; "": it is a new one. */
	char message[BODY_UI_NAME_BYTES];
	bool cancel_if_gone; /* "on_disconnect":"cancel" */
};

/*
 * Read UI messages, and the members of a creation beside them, into an empty
 * ${ret}; ${fails} as body_create_blind(). Fails: as body_create().
 */
MUST_CHECK enum err body_ui(const struct json_t *root, bool fails,
    struct body_ui *ret, struct problem *p);

/*
 * {"text", "orgId"?, "conversationContext"?} and the members of a creation
 * beside them: a question in a conversation. The context is a list of {"role",
 * "content"}, a text, or any JSON. As body_create_told().
 */
MUST_CHECK enum err body_question(const struct json_t *root, bool fails,
    struct body_create *ret, struct problem *p);

/* --- embeddings (OpenAI) --- */

struct body_embeddings {
	struct body_create create;
	bool base64; /* how the values are to be written */
};

/*
 * {"model", "input", "dimensions"?, "encoding_format"?} and what else a client
 * says, into an empty ${ret}. Fails: as body_create().
 */
MUST_CHECK enum err body_embeddings(
    const struct json_t *root, struct body_embeddings *ret, struct problem *p);

/* What a stored request of body_ui()'s said of chat and message. */
void body_ui_reply(const char *request, size_t len, struct body_ui *ret);

/*
 * The request as it is stored. ${prompt} (JSON of body_prompt(), or NULL) is
 * rendered with the inputs and lends what the client left open.
 * Gives: *${ret} and *${ret_model} ("" the default), for free().
 */
MUST_CHECK enum err body_request(struct body_create *c, const char *prompt,
    size_t prompt_len, char **ret, size_t *ret_len, char **ret_model,
    struct problem *p);

/*
 * A prompt to be stored: {"template"} or {"messages"}, with the members of a
 * creation beside it. Gives: *${ret}, JSON for free().
 */
MUST_CHECK enum err body_prompt(const char *text, size_t len, char **ret,
    size_t *ret_len, struct problem *p);

/* Is ${name} fit for a prompt? Fails: ERR_INPUT and the problem. */
MUST_CHECK enum err body_prompt_name(
    const char *name, size_t len, struct problem *p);

/* --- keys --- */

/* {"label", "owner"?, "scopes", "expires_in_s"?}; ${ret} without secret, id. */
MUST_CHECK enum err body_key(const char *text, size_t len, int64_t now_ms,
    struct key *ret, struct problem *p);

/*
 * {"key", "owner"?} of an owner's key for a provider. ${owner} has
 * KEY_NAME_BYTES, "" when not said. Gives: *${ret_secret} for digest_wipe() and
 * free().
 */
MUST_CHECK enum err body_provider_key(const char *body, size_t len, char *owner,
    char **ret_secret, struct problem *p);

/* --- many polls --- */

#define BODY_MAX_POLLS 100
/* More is a mistake; what passes is cut to the service's own ceiling. */
#define BODY_MAX_WAIT_MS 3600000

struct body_poll {
	struct id id[BODY_MAX_POLLS];
	uint64_t from[BODY_MAX_POLLS];
	char name[BODY_MAX_POLLS][ID_TEXT]; /* as sent, cut */
	bool valid[BODY_MAX_POLLS];	    /* name is an id */
	size_t n;
	uint32_t limit; /* 0: not given */
	int64_t wait_ms;
};

MUST_CHECK enum err body_poll(
    const char *text, size_t len, struct body_poll *ret, struct problem *p);

/* --- a backup --- */

#define BODY_BACKUP_BYTES 100

/*
 * Nothing, or {"name"?}: the name of a file, without its directory, into
 * ${ret_name}; "": none is said. Fails: ERR_INPUT (ERR_NOMEM) and the problem.
 */
MUST_CHECK enum err body_backup(const char *text, size_t len,
    char ret_name[BODY_BACKUP_BYTES], struct problem *p);

/* --- removals --- */

#define BODY_MAX_IDS 1000
#define BODY_NOTE_BYTES 401 /* with its NUL */

struct body_prune {
	struct retention_rule rule;
	struct id id[BODY_MAX_IDS];
	size_t n; /* ids; 0: by the rule */
	uint32_t limit;
	bool dry_run;
	bool list; /* a dry run, as bounded as a real one, that names them */
	/* Of an earlier answer's next, to go on. */
	bool goes_on;
	struct retention_mark mark;
	struct id operation;
	char note[BODY_NOTE_BYTES]; /* for the audit; "": none */
};

/*
 * {"ids"} or any of {"status", "owner", "since", "until", "older_than_ms",
 * "keep_last", "keep_bytes", "all"}; beside it {"payload_only", "dry_run",
 * "limit", "list", "next", "note"}.
 */
MUST_CHECK enum err body_prune(
    const char *text, size_t len, struct body_prune *ret, struct problem *p);

/* {"ids"}: 1 to BODY_MAX_IDS into ${ret}. */
MUST_CHECK enum err body_ids(const char *text, size_t len, struct id *ret,
    size_t *ret_n, struct problem *p);

/* Append the text of next after ${mark}, which body_prune() reads, to ${b}. */
void body_prune_next(struct buf *b, const struct body_prune *ask,
    const struct retention_mark *mark);

#endif
