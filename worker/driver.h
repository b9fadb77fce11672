/*
 * driver: what a dialect's own file provides, and nothing else may look at.
 *
 * Used by: dialect.c (the table), decoder.c, results.c, dialect_*.c.
 * Thread: any; a driver is constant and pure.
 * Promises of a driver: it reads one parsed frame and tells the answer what is
 * in it, in the order of the model (start, reasoning, text, refusal, tool
 * calls, reason, usage). It never frames, never parses text, never decides how
 * a stream ends and never sees an error frame.
 */
#ifndef WORKER_DRIVER_H
#define WORKER_DRIVER_H

#include <jansson.h>

#include "worker/answer.h"
#include "worker/dialect.h"
#include "worker/results.h"

struct dialect {
	const char *name;
	/*
	 * The member that holds the answer. A whole body with an error but
	 * without it is a failed request, with it a failed stream.
	 */
	const char *content_member;

	/* One frame, a JSON object; ${whole}: of a body that is no stream. */
	void (*frame)(struct answer *a, const json_t *frame, bool whole);

	/*
	 * Optional: read the text of a frame in the stream's usual form at
	 * once, and tell it. False, and nothing told: parse it. Only called
	 * once the start was told, and never for a frame with an event name.
	 */
	bool (*quick)(struct answer *a, struct text frame);

	/* Merge the usage that ${frame} tells into ${usage}, if it does. */
	void (*usage)(const json_t *frame, struct dialect_usage *usage);

	/*
	 * As dialect_build(); ${request} is the normalised request, parsed.
	 * URL, key and model were checked for control bytes.
	 */
	enum err (*build)(const json_t *request,
	    const struct dialect_target *target, struct dialect_request *ret,
	    struct why *why);

	/* As results_*() on the parsed body; NULL: it has no such answer. */
	enum err (*models)(const json_t *root, struct results_models *ret);
	enum err (*embeddings)(
	    const json_t *root, struct results_embeddings *ret);
	enum err (*generation)(
	    const json_t *root, struct results_generation *ret);
};

extern const struct dialect dialect_openai;

#endif
