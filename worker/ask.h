/*
 * ask: what drivers have in common when they turn the normalised request
 * (store/request.h) into what their upstream wants.
 *
 * What an upstream cannot do is refused where it would change what the answer
 * is (what the model sees, what form it has, what may be called), and left out
 * with a warning where it only tunes it.
 *
 * Used by: dialect, ask_*.          Thread: any; pure.
 * Promises: failures are sticky: callers build on and look at ${err} once; the
 * first refusal is the one that is told.
 */
#ifndef WORKER_ASK_H
#define WORKER_ASK_H

#include <jansson.h>
#include <stdbool.h>

#include "worker/dialect.h"

struct ask {
	const json_t *request;
	const char *text; /* the same, unread, */
	size_t text_len;
	const struct dialect_target *target;
	struct dialect_request *ret;
	struct why *why;
	enum err err;
};

/* Refuse it; the text begins with the member's name and a colon. */
void ask_refuse(struct ask *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Record once that ${field} was not sent as it was asked. */
void ask_warn(struct ask *a, const char *field, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

/* --- making JSON; a NULL object or value is an earlier lack of memory --- */

/* Takes ${v}. */
void ask_set(struct ask *a, json_t *object, const char *key, json_t *v);
void ask_append(struct ask *a, json_t *array, json_t *v);

/* Lends ${v}; nothing when there is none. */
void ask_put(struct ask *a, json_t *object, const char *key, json_t *v);

/* A new, empty object or array as member ${key}; lent. */
json_t *ask_object(struct ask *a, json_t *object, const char *key);
json_t *ask_array(struct ask *a, json_t *object, const char *key);

/* The request's member ${from}, if it is there, as ${to}'s ${key}. */
void ask_copy(struct ask *a, json_t *to, const char *key, const char *from);

/*
 * Add the members of the request's extra, within objects too; what the request
 * itself has said stays, with a warning.
 */
void ask_extra(struct ask *a, json_t *body);

/*
 * The same with what was said in OpenAI's protocol and is ours to pass on only
 * to those that speak it; the others warn of each.
 */
void ask_extra_openai(struct ask *a, json_t *body);
void ask_lacks_openai(struct ask *a);

/*
 * The body of a request for embeddings as most have it: model, input,
 * dimensions, what is extra. Those who take only texts refuse tokens
 * (${tokens} false).
 */
json_t *ask_embeddings(struct ask *a, bool tokens);

/* Write ${body} and the headers that all upstreams want. Takes ${body}. */
void ask_finish(struct ask *a, json_t *body, const char *stream_type);

/* The same of a question without a body. */
void ask_get(struct ask *a);

/* Append ${s} to a URL, percent-encoded. */
void ask_percent(struct buf *url, const char *s);

/*
 * Drop the turns whose ${member}, an array, is empty: what says nothing is
 * refused by upstreams. Refuses the request when none is left.
 */
void ask_drop_empty(struct ask *a, json_t *turns, const char *member);

/* --- reading the request --- */

json_t *ask_member(const struct ask *a, const char *key);
bool ask_streams(const struct ask *a);

/* -1: not said. */
int64_t ask_max_tokens(const struct ask *a);

/* Is ${v} the text ${word}? */
bool ask_is(const json_t *v, const char *word);

/* Warn of a member that is there and that this upstream does not have. */
void ask_lacks(struct ask *a, const char *field);

enum ask_choice {
	ASK_UNSAID,
	ASK_AUTO,
	ASK_NONE,
	ASK_REQUIRED,
	ASK_NAMED,
};
/* What tool_choice says; *${ret_name} of ASK_NAMED. Without tools unsaid. */
enum ask_choice ask_choice(struct ask *a, const char **ret_name);

/* Are there functions that may be called? */
bool ask_has_tools(const struct ask *a);

/*
 * An object of the text in ${arguments} of a function call; "" is {}. Gives:
 * for json_decref(); NULL when it is refused.
 */
json_t *ask_arguments(struct ask *a, const json_t *call, size_t message);

/* The function that the call ${id} before ${message} was of; NULL: refused. */
const char *ask_called(struct ask *a, const json_t *id, size_t message);

/* A part that is an image. */
struct ask_image {
	const char *url;	 /* of http or https; NULL: the data is here */
	struct text media, data; /* "image/png", base64 */
};
/* False: it is no image, or was refused. */
bool ask_image(
    struct ask *a, const json_t *part, size_t message, struct ask_image *ret);

/* All text of a message's content, parts joined, into ${out}. */
void ask_text(struct ask *a, const json_t *content, struct buf *out);

/* As a JSON string. */
json_t *ask_string(struct ask *a, const struct buf *text);

#endif
