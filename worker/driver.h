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
#include "worker/ask.h"
#include "worker/dialect.h"
#include "worker/results.h"

/* How frames are told apart in a body that is a stream. */
enum dialect_framing { DIALECT_SSE, DIALECT_NDJSON };

struct dialect {
	const char *name;
	enum dialect_framing framing;
	/*
	 * The member that holds the answer. A whole body with an error but
	 * without it is a failed request, with it a failed stream. NULL: any
	 * whole body with an error is a failed request.
	 */
	const char *content_member;

	/*
	 * What the driver remembers between the frames of one answer: so many
	 * bytes, zero at the beginning, given as ${state}. It holds no memory
	 * of its own.
	 */
	size_t state_bytes;

	/* One frame, a JSON object; ${whole}: of a body that is no stream. */
	void (*frame)(
	    struct answer *a, void *state, const json_t *frame, bool whole);

	/*
	 * Optional: read the text of a frame in the stream's usual form at
	 * once, and tell it. False, and nothing told: parse it. Only called
	 * once the start was told, and never for a frame with an event name.
	 */
	bool (*quick)(struct answer *a, struct text frame);

	/* Merge the usage that ${frame} tells into ${usage}, if it does. */
	void (*usage)(
	    void *state, const json_t *frame, struct dialect_usage *usage);

	/*
	 * Write URL, body and headers of ${a}'s request into ${a}->ret; fails
	 * through ${a}->err. The target has no control bytes, there are messages.
	 */
	void (*build)(struct ask *a);

	/*
	 * The same for a list of models, behind ${after} (NULL: from its
	 * beginning).
	 */
	void (*list)(struct ask *a, const char *after);

	/* The same for a request with input; NULL: it makes no embeddings. */
	void (*build_embeddings)(struct ask *a);

	/*
	 * Optional, all or none, for answers that go on without us: append
	 * where this one can be gone on from, unless it cannot; be there, in a
	 * fresh state; ask to go on from there; ask to give it up. False: the
	 * token is none.
	 */
	bool (*token)(const void *state, struct buf *ret);
	bool (*resume)(void *state, const char *token);
	bool (*attach)(const struct dialect_target *target, const char *token,
	    struct dialect_request *ret);
	bool (*abandon)(const struct dialect_target *target, const char *token,
	    struct dialect_request *ret);

	/* As results_*() on the parsed body; NULL: it has no such answer. */
	enum err (*models)(const json_t *root, struct results_models *ret);
	enum err (*embeddings)(
	    const json_t *root, struct results_embeddings *ret);
	enum err (*generation)(
	    const json_t *root, struct results_generation *ret);
};

extern const struct dialect dialect_openai;
extern const struct dialect dialect_ollama;
extern const struct dialect dialect_gemini;
extern const struct dialect dialect_anthropic;
extern const struct dialect dialect_responses;

#endif
