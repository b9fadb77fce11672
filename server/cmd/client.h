/*
 * client: one spool server, over HTTP, for commands.
 *
 * Used by: the commands that speak to a server.     Thread: the main one.
 * Promises: every call ends within its deadline; a failure is told in words
 * that say what to do; the key is in no message, and goes to no other host: no
 * redirect is followed.
 */
#ifndef SERVER_CMD_CLIENT_H
#define SERVER_CMD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/option.h"
#include "store/base/buf.h"
#include "store/base/err.h"

struct client;

/* --url, --key-file, --timeout, --retry. */
const struct option_spec *client_table(void);

/* Fails: ERR_INPUT (the URL, the key), ERR_NOMEM. */
MUST_CHECK enum err client_open(
    const struct option_set *options, struct client **ret, struct why *why);
/* NULL is nothing. */
void client_close(struct client *c);

enum client_method { CLIENT_GET, CLIENT_POST, CLIENT_PUT, CLIENT_DELETE };

struct client_call {
	enum client_method method;
	const char *path; /* "/v1/executions", made with client_path() */
	const char *body; /* JSON text; NULL: none */
	/* Sent as Idempotency-Key: such a POST may be tried again. NULL: none */
	const char *idempotency_key;
	/* Sent as X-Provider-Key. NULL: none */
	const char *provider_key;
	int64_t wait_ms; /* the server may take this long to begin; added */
	/*
	 * Takes the body of a good answer as it comes, whatever its length,
	 * instead of *ret, which is then NULL; false ends the call. Such a call
	 * is tried once, and --timeout is how long nothing may come. NULL: none.
	 */
	bool (*on_data)(const char *data, size_t len, void *arg);
	void *arg;
	/* What is sent is not JSON but this, and body_len long. NULL: JSON. */
	const char *type;
	size_t body_len;
	const char *const *headers; /* more of them, NULL-terminated, or NULL */
	/* Told each line of the answer's head; may be told of several tries. */
	void (*on_header)(const char *line, size_t len, void *arg);
	/* It does no harm to try it again, whatever it looks like. */
	bool again;
};

/*
 * Call. GET, PUT, DELETE and POSTs with an idempotency key are tried again for
 * --retry when the server is full, or has answered before and is away. Gives: *${ret} (NULL for an empty
 * answer) for json_decref(). Fails: by the answer's status (ERR_INPUT,
 * ERR_DENIED, ERR_NOT_FOUND, ERR_CONFLICT, ERR_LIMIT, ERR_IO), ERR_STOPPED (no
 * server there), ERR_TIMEOUT, ERR_NOMEM, ERR_CANCELLED (on_data ended it); ${why} says it.
 */
MUST_CHECK enum err client_call(struct client *c,
    const struct client_call *call, json_t **ret, struct why *why);

/*
 * Append a path to ${b}: "%s" in ${fmt} is replaced by the next argument,
 * percent-encoded. Fails through the buffer.
 */
void client_path(struct buf *b, const char *fmt, ...);

/* The server's address, lent. */
const char *client_url(const struct client *c);

/* A member's text; "" when it is not there or no text. Lent by ${object}. */
const char *client_member(const json_t *object, const char *name);

/* ${value} as people see it: text as it is, null as "", else JSON. Cut. */
void client_show(const json_t *value, char *dst, size_t room);

/* Print ${value} as one line of JSON on stdout. */
void client_print(const json_t *value);

#endif
