/*
 * asked: what clients have asked the writer to do, and what each is told.
 *
 * Used by: events.c, deletions.c, copies.c.
 */
#ifndef TESTS_SIM_ASKED_H
#define TESTS_SIM_ASKED_H

#include "store/import.h"
#include "tests/sim/world.h"

#define ASKED_MAX 40

/* A client's write, and whose it is. */
struct asked {
	struct write write; /* first */
	struct world *world;
	/* Told the result, unless the process dies. */
	void (*told)(struct asked *a);
	struct known *of[ASKED_MAX]; /* which executions it is about */
	uint32_t n_of;
	bool stranger;
	/* Of deletions (deletions.c). */
	struct id ids[ASKED_MAX];
	uint32_t nth[ASKED_MAX]; /* known.n_asked */
	bool sure[ASKED_MAX];	 /* it has ended, and nothing else is asked */
	bool exact;		 /* nothing can change it meanwhile */
	/* Of imports (copies.c). */
	struct import import;
};

/* Of nobody yet: about ${k}, unless NULL. */
struct asked *asked_new(struct world *w, struct known *k, enum write_kind kind,
    void (*told)(struct asked *a));

/* One more of them. */
void asked_about(struct asked *a, struct known *k);

/* It was not posted. */
void asked_free(struct asked *a);

/* Not OK: it is refused, and gone. */
enum err asked_post(struct asked *a);

#endif
