/*
 * upstream_voice: how the simulation speaks each dialect: one file, one line in
 * upstream_voice.c. The wire formats are those of worker/README's dialects.
 *
 * Used by: upstream, upstream_wire, upstream_answer.     Thread: any; pure.
 */
#ifndef SERVER_UPSTREAM_VOICE_H
#define SERVER_UPSTREAM_VOICE_H

#include <stdbool.h>

#include "server/upstream_wire.h"

/* What it thinks when it is asked to think, in two pieces of ASCII. */
#define UPSTREAM_THOUGHT "The simulation pretends to think. "
#define UPSTREAM_SECOND_THOUGHT "It is done."
#define UPSTREAM_THOUGHT_TOKENS 8

struct upstream_voice {
	const char *name;	 /* of the dialect */
	const char *base;	 /* of its URLs, behind the address */
	const char *models_path; /* GET */
	const char *stream_type;
	const char *ping; /* what keeps a silent stream alive */
	const char *key_header, *key_prefix;

	/* POST: is it a question to the model? */
	bool (*is_chat)(const char *path);
	/* What was asked for in the background is at ${kept_path}ID; or NULL. */
	const char *kept_path;

	/* As in upstream_wire.h, counting events if it counts them; optional: fill w->head. */
	void (*head)(struct upstream_wire *w);
	/* What comes first; a thought; what comes before the first token. */
	void (*start)(struct upstream_wire *w, struct buf *b);
	void (*think)(struct upstream_wire *w, struct buf *b, const char *text,
	    size_t len);
	void (*open)(struct upstream_wire *w, struct buf *b);
	void (*token)(struct upstream_wire *w, struct buf *b, const char *token,
	    size_t len);
	void (*end)(struct upstream_wire *w, struct buf *b, const char *finish,
	    int64_t tokens);
	void (*garbage)(struct upstream_wire *w, struct buf *b);
	void (*broken)(struct upstream_wire *w, struct buf *b);
	void (*whole)(struct upstream_wire *w, struct buf *b, const char *text,
	    size_t len, const char *finish, int64_t tokens);
	void (*error)(struct buf *b, int status, const char *message);
	void (*models)(struct buf *b);
};

extern const struct upstream_voice upstream_voice_openai;
extern const struct upstream_voice upstream_voice_ollama;
extern const struct upstream_voice upstream_voice_gemini;
extern const struct upstream_voice upstream_voice_anthropic;
extern const struct upstream_voice upstream_voice_responses;

/* The voice of ${dialect}. Fails: ERR_INPUT, and ${why} lists them. */
MUST_CHECK enum err upstream_voice_find(
    const char *dialect, const struct upstream_voice **ret, struct why *why);

#endif
