/*
 * front_response: an execution as a response object (OpenAI): its rows become
 * output items, messages, thoughts, and function calls.
 *
 * Used by: front_response_event, front_response_read.     Thread: any; pure.
 * Promises: items, their ids and their order are a function of the rows alone.
 */
#ifndef SERVER_FRONT_RESPONSE_H
#define SERVER_FRONT_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/front_ending.h"
#include "store/base/buf.h"
#include "store/base/id.h"
#include "store/chunk.h"

/* Bytes that all items may have, as JSON, and how many there may be. */
#define FRONT_RESPONSE_BYTES ((size_t)16 << 20)
#define FRONT_RESPONSE_ITEMS 1024

enum front_response_kind {
	FRONT_RESPONSE_TEXT, /* a message; so is a refusal */
	FRONT_RESPONSE_REFUSAL,
	FRONT_RESPONSE_REASONING,
	FRONT_RESPONSE_CALL,
};

struct front_response_item {
	enum front_response_kind kind;
	bool done;	   /* nothing is added any more */
	bool last;	   /* it was open until the end */
	struct buf text;   /* the inside of a JSON string */
	char *call, *name; /* of a call: JSON texts */
};

/* What a retelling is told of the items; each may be NULL. */
struct front_response_hooks {
	void (*added)(void *arg, size_t i);
	/* ${inside}: of a JSON string; it is in the item already. */
	void (*grown)(void *arg, size_t i, const char *inside, size_t len);
	void (*done)(void *arg, size_t i);
};

struct front_response {
	struct id id;
	int64_t created_ms, ended_ms; /* ended_ms: of the last row; 0 before */
	const char *model;	      /* as asked; "": the default. Lent */
	const char *echo;	      /* of body_responses_echo(). Lent */
	struct front_response_item *items;
	size_t n, bytes;
	enum err failed; /* OK, ERR_LIMIT, ERR_NOMEM */
};

/* {0} is one without items. Frees those; what was lent stays. */
void front_response_fini(struct front_response *r);

/* Take the next row. A reset withdraws all items, unless there are ${hooks}. */
void front_response_take(struct front_response *r, const struct chunk *c,
    const struct front_response_hooks *hooks, void *arg);
/* No more rows will come: whatever is open is done. */
void front_response_close(struct front_response *r,
    const struct front_response_hooks *hooks, void *arg);

/* "msg_…_0": the id of item ${i}, as a member. */
void front_response_item_id(
    struct buf *b, const char *key, const struct front_response *r, size_t i);

/* A message's part; a ${done} one has its text. */
void front_response_part(
    struct buf *b, const struct front_response_item *item, bool done);
/* The item as it is when it is added, or (${done}) ends with ${status}. */
void front_response_item(struct buf *b, const struct front_response *r,
    size_t i, bool done, const char *status);

/* A string from its inside. */
void front_response_inside(
    struct buf *b, const char *key, const char *inside, size_t len);

/* "completed", "incomplete" …: what the status of an ended one is. */
const char *front_response_status(const struct front_ending *e);
/* The status of the items that ended with it. */
const char *front_response_item_status(const struct front_ending *e);

/* The items that are there, as an array. ${e} NULL: it has not ended. */
void front_response_output(struct buf *b, const struct front_response *r,
    const struct front_ending *e);
/* The response object. ${e} NULL: not ended, and ${status} is its status. */
void front_response_write(struct buf *b, const struct front_response *r,
    const char *status, const struct front_ending *e);

#endif
