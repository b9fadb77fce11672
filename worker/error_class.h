/*
 * error_class: what kind of failure an upstream's words, code and status are.
 *
 * Used by: decoder.          Thread: any; pure.
 * Promises: every failure gets a kind. A specific code beats the wording, the
 * wording beats the status, the status beats a general code.
 */
#ifndef WORKER_ERROR_CLASS_H
#define WORKER_ERROR_CLASS_H

#include <jansson.h>

#include "worker/dialect.h"

struct error_class_input {
	/*
	 * What the upstream said: an object, an array with one, a string; NULL:
	 * nothing that could be read.
	 */
	const json_t *root;
	struct text raw; /* the message when ${root} is NULL; len 0: none */
	int status;	 /* HTTP status; 0 or 2xx: the text may name one */
	bool in_request; /* phase request: headers and status count */
	/* Headers, NULL: absent. Read in phase request only. */
	const char *retry_after, *retry_after_ms, *should_retry, *date;
	int64_t now_ms; /* wall clock, for a retry-after date without ${date} */
};

struct error_class {
	struct dialect_error error; /* texts lent by the input and by ${text} */
	char text[64];
};

/* Classify ${in} into *${ret}. */
void error_class(const struct error_class_input *in, struct error_class *ret);

/*
 * Is ${frame}, which came with the event name ${name}, an error instead of an
 * answer?
 */
bool error_class_is_error(const json_t *frame, struct text name);

#endif
