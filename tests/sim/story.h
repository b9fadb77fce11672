/*
 * story: what an upstream is going to answer, byte for byte, and what must
 * come out of it.
 *
 * Used by: tests/sim.
 */
#ifndef TESTS_SIM_STORY_H
#define TESTS_SIM_STORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/base/buf.h"
#include "tests/sim/dice.h"

/* How an upstream's bytes can be other than its story: must be noticed. */
enum story_lie {
	STORY_TRUE,
	STORY_LOSES_TEXT,
	STORY_REPEATS_TEXT,
	STORY_FORGES_ENDS, /* of answers that broke off */
};

enum story_end {
	STORY_CLEAN,  /* the body ends as HTTP says */
	STORY_BROKEN, /* the connection breaks */
	STORY_HANGS,  /* nothing comes any more */
};

struct story {
	int status;
	const char *content_type;
	struct buf bytes;
	enum story_end end;
	bool refused; /* there is not even a connection */
	/* With this much of it an answer is complete; SIZE_MAX: never. */
	size_t whole_at;
	struct buf text;       /* all text of it */
	int64_t output_tokens; /* -1: it does not say */
};

/* The story of ${seed}; ${heavy}: it may be long. */
void story_init(struct story *s, uint64_t seed, bool heavy, enum story_lie lie);
void story_fini(struct story *s);

#endif
